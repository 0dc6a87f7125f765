use crate::command::Command;
use crate::proposals::proposals;
use crate::test::fixture::{PS, W0, W1, World, exported, fault, file, honest_counts, variable, variables};
use tfcoord_types::id::{Generation, Incarnation, Revision, TaskId};
use tfcoord_types::report::{Body, EvaluatedShard, FaultKind, Report, ServerReport, WorkerReport};
use tfcoord_types::variable::{Group, Initializer};

fn report(world: &World, task: TaskId, body: Body) -> Report {
    Report { incarnation: world.incarnation(task), applied: world.job().revision, generation: Generation(1), body, fault: None }
}

fn worker(body: WorkerReport) -> Body {
    Body::Worker(body)
}

fn server(reached: u64) -> Body {
    Body::Server(ServerReport { reached: Some(reached), ..ServerReport::default() })
}

fn propose(world: &World, task: TaskId, report: &Report) -> Vec<Command> {
    proposals(&world.cluster, &world.job, task, report)
}

fn text(commands: &[Command]) -> Vec<String> {
    commands.iter().map(Command::to_string).collect()
}

#[test]
fn faults_fail_the_job_or_replace_the_task() {
    let world = World::running(1, 2, 2, true);
    let mut report = report(&world, W0, worker(WorkerReport::default()));
    report.fault = Some(fault(FaultKind::Task, "out of memory"));
    assert_eq!(text(&propose(&world, W0, &report)), ["DeclareLost fashion-1/worker-0 attempt 1: out of memory"]);
    for kind in [FaultKind::Data, FaultKind::NotFinite, FaultKind::Job] {
        report.fault = Some(fault(kind, "no"));
        assert_eq!(text(&propose(&world, W0, &report)), ["FailJob fashion-1: no"]);
    }
}

#[test]
fn variables_are_proposed_until_they_are_placed() {
    let mut world = World::submitted(file(1, 2, 2, true));
    world.register(W0, 1);
    let named = report(&world, W0, worker(WorkerReport { variables: variables(), ..WorkerReport::default() }));
    let commands = propose(&world, W0, &named);
    assert_eq!(text(&commands), ["DeclareVariables fashion-1 incarnation 2: 3 variables"]);
    world.done(commands[0].clone());
    assert_eq!(propose(&world, W0, &named), []);
    let mut bad = variable("a", &[1], Group::Train);
    bad.initializer = Initializer::Uniform { limit: f32::INFINITY };
    let bad = report(&world, W0, worker(WorkerReport { variables: vec![bad], ..WorkerReport::default() }));
    assert_eq!(text(&propose(&world, W0, &bad)), ["FailJob fashion-1: variable a has an initializer that is not finite"]);
}

#[test]
fn a_fence_is_proposed_only_where_a_grant_waits_for_it() {
    let mut world = World::running(1, 2, 2, true);
    assert_eq!(propose(&world, PS, &report(&world, PS, server(0))), []);
    world.done(world.lost(W1, 1));
    let mut applied = report(&world, PS, server(0));
    let check = |applied: &Report, world: &World, expect: &[&str]| assert_eq!(text(&propose(world, PS, applied)), expect);
    check(&applied, &world, &["ApplyView fashion-1 incarnation 2 revision 6"]);
    for revision in [5, 7] {
        applied.applied = Revision(revision);
        check(&applied, &world, &[]);
    }
    world.done(world.applied(PS, 6));
    check(&report(&world, PS, server(0)), &world, &[]);
}

#[test]
fn steps_are_proposed_at_the_limit_and_never_beyond() {
    let mut world = World::running(1, 2, 2, true);
    let reached = |world: &World, step| text(&propose(world, PS, &report(world, PS, server(step))));
    assert_eq!(reached(&world, 3), [""; 0]);
    assert_eq!(reached(&world, 4), ["ReachStep fashion-1 generation 1 incarnation 2 step 4"]);
    assert_eq!(reached(&world, 5), ["FailJob fashion-1: it says that it reached step 5, but no step from 4 on may be computed"]);
    world.done(world.reach(PS, 4));
    assert_eq!(reached(&world, 4), [""; 0]);
}

#[test]
fn shards_and_exports_are_proposed_while_they_are_open() {
    let mut world = World::running(1, 2, 1, true);
    world.done(world.reach(PS, 4));
    let shard = |evaluation, shard| EvaluatedShard { evaluation, shard, counts: honest_counts(2500, 0, 0) };
    let evaluated = vec![shard(0, 0), shard(1, 1), shard(0, 2), shard(0, 3)];
    let done = WorkerReport { evaluated, exported: Some(exported()), ..WorkerReport::default() };
    let all = report(&world, W0, worker(done));
    let commands = propose(&world, W0, &all);
    let [Command::CompleteShards { shards, .. }] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(shards.iter().map(|s| s.shard).collect::<Vec<_>>(), [0, 2]);
    let old = Report { generation: Generation(0), ..all.clone() };
    assert_eq!(propose(&world, W0, &old), []);
    world.done(world.evaluated(W1, 0, &[0, 1, 2]));
    assert_eq!(text(&propose(&world, W0, &all)), ["CompleteExport fashion-1 incarnation 3: /out/fashion-1/model"]);
    let other = Report { incarnation: world.incarnation(W1), ..all.clone() };
    assert_eq!(propose(&world, W1, &other), []);
    world.done(world.export(W0));
    assert_eq!(propose(&world, W0, &all), []);
}

#[test]
fn strangers_are_not_listened_to() {
    let world = World::running(1, 2, 2, true);
    let mut retired = report(&world, PS, server(4));
    retired.incarnation = Incarnation(1);
    assert_eq!(propose(&world, PS, &retired), []);
    let swapped = report(&world, W0, server(4));
    assert_eq!(propose(&world, W0, &swapped), []);
    let swapped = report(&world, PS, worker(WorkerReport { variables: variables(), ..WorkerReport::default() }));
    assert_eq!(propose(&world, PS, &swapped), []);
    let elsewhere = "fashion-9".parse().unwrap();
    assert_eq!(proposals(&world.cluster, &elsewhere, PS, &report(&world, PS, server(4))), []);
}
