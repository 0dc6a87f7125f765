use crate::cause::{Cause, Exit};
use crate::command::Command;
use crate::desired::desired;
use crate::job::JobState;
use crate::outcome::Refusal;
use crate::proposals::proposals;
use crate::task::TaskState;
use crate::test::fixture::{PS, W0, W1, World, file, variables};
use tfcoord_types::id::{Attempt, Generation, Incarnation, Revision, TaskId};
use tfcoord_types::report::{Body, Report, WorkerReport};
use tfcoord_types::view::Directive;

const W2: TaskId = TaskId::worker(2);
const W3: TaskId = TaskId::worker(3);

// Every server has applied the newest view.
fn fence(world: &mut World) {
    let revision = world.job().revision.0;
    for server in world.job().tasks.keys().copied().filter(|task| task.role == PS.role).collect::<Vec<_>>() {
        world.done(world.applied(server, revision));
    }
}

// A server, two workers (3, 4) with 4 lanes each; entry 5 placed the chunks.
fn running() -> World {
    let world = World::running(1, 2, 2, true);
    assert_eq!(world.owners(), [3, 3, 3, 3, 4, 4, 4, 4]);
    world
}

fn stops(world: &World, task: TaskId) -> bool {
    matches!(world.view(task).directive, Directive::Stop { .. })
}

#[test]
fn new_workers_get_lanes_once_they_are_ready_and_until_then_the_others_keep_them() {
    let mut world = running();
    assert_eq!(world.done(world.scale(4)), ["LaunchTask fashion-1/worker-2 attempt 1", "LaunchTask fashion-1/worker-3 attempt 1"]);
    assert_eq!((world.job().workers(), world.job().reason().as_str()), (4, "training epoch 1 of 2"));
    let (w2, w3) = (world.register(W2, 1).0, world.register(W3, 1).0);
    assert_eq!(world.owners(), [3, 3, 3, 3, 4, 4, 4, 4], "they have no model yet");
    world.done(world.join(W2));
    assert_eq!(world.owners(), [3, 3, 0, 0, 4, 4, 0, 0]);
    assert_eq!(world.job().reason(), "waiting for the servers to fence the lanes' old owners");
    fence(&mut world);
    assert_eq!(world.owners(), [3, 3, w2, w2, 4, 4, 3, w2], "three have 3, 3 and 2");
    world.done(world.join(W3));
    assert_eq!(world.owners(), [3, 3, w2, w2, 4, 4, 0, 0]);
    let early = world.applied(PS, world.job().revision.0 - 1);
    world.done(early);
    assert_eq!(world.owners(), [3, 3, w2, w2, 4, 4, 0, 0], "its fence is younger");
    fence(&mut world);
    assert_eq!(world.owners(), [3, 3, w2, w2, 4, 4, w3, w3]);
    let again = world.join(W3);
    world.unchanged(again);
}

#[test]
fn a_worker_is_ready_when_it_has_applied_a_view() {
    let mut world = running();
    world.done(world.scale(3));
    let incarnation = world.register(W2, 1);
    let says = |world: &World, applied| {
        let body = Body::Worker(WorkerReport::default());
        let report = Report { incarnation, applied: Revision(applied), generation: Generation(1), body, fault: None };
        proposals(&world.cluster, &world.job, W2, &report).iter().map(Command::to_string).collect::<Vec<_>>()
    };
    assert_eq!(says(&world, 0), [""; 0]);
    assert_eq!(says(&world, incarnation.0), ["JoinWorker fashion-1 incarnation 7"]);
    world.done(world.join(W2));
    assert_eq!(says(&world, incarnation.0), [""; 0]);
}

#[test]
fn workers_that_leave_lose_their_lanes_at_once_and_stop() {
    let mut world = running();
    let effects = world.done(world.scale(1));
    assert_eq!(effects, ["StopTask fashion-1/worker-1 attempt 1"]);
    assert_eq!(world.owners(), [3, 3, 3, 3, 0, 0, 0, 0]);
    assert_eq!(world.view(W1).directive, Directive::Stop { reason: "the job goes on without it".into() });
    assert_eq!(world.view(PS).workers, [Incarnation(3), Incarnation(4)], "what is on its way is not taken, but it is not retired");
    assert_eq!(desired(&world.cluster).len(), 2);
    fence(&mut world);
    assert_eq!(world.owners(), [3; 8]);
    world.done(world.collect(W1, 1));
    assert_eq!(
        (&world.job().tasks[&W1].state, world.job().tasks[&W1].restarts),
        (&TaskState::Ended { incarnation: Some(Incarnation(4)) }, 0)
    );
    assert_eq!(world.view(PS).workers, [Incarnation(3)]);
    // And once more, with the next attempt.
    assert_eq!(world.done(world.scale(2)), ["LaunchTask fashion-1/worker-1 attempt 2"]);
    let late = world.register_command(W1, 1);
    assert!(matches!(world.refused(late), Refusal::StaleAttempt { present: Attempt(2), .. }));
    world.register(W1, 2);
    world.done(world.join(W1));
    fence(&mut world);
    let w1 = world.incarnation(W1).0;
    assert_eq!(world.owners(), [3, 3, 3, 3, w1, w1, w1, w1]);
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let mut world = running();
    for workers in [0, 9] {
        let refused = world.scale(workers);
        let text = world.refused(refused).to_string();
        assert!(text.contains(&format!("{workers} workers")) && text.contains("8 micro-batches") && text.contains("1 to 8"), "{text}");
    }
    let same = world.scale(2);
    world.unchanged(same);
    let Command::ScaleJob { job, .. } = world.scale(8) else { unreachable!() };
    let narrow = Command::ScaleJob { job, workers: 8, machine_bytes: Some(1 << 20) };
    let text = world.refused(narrow).to_string();
    assert!(text.starts_with("with 8 workers its tasks would need") && text.contains("fewer workers"), "{text}");
    world.done(world.cancel());
    let over = world.scale(1);
    assert!(matches!(world.refused(over), Refusal::JobOver { .. }));
}

#[test]
fn a_job_that_does_not_run_yet_starts_with_the_new_number() {
    let mut world = World::submitted(file(1, 2, 2, true));
    world.done(world.scale(3));
    for task in [PS, W0, W1] {
        world.register(task, 1);
    }
    let incarnation = world.incarnation(W0);
    world.done(Command::DeclareVariables { job: world.job.clone(), incarnation, variables: variables(), machine_bytes: None });
    assert_eq!((world.job().state, world.job().reason().as_str()), (JobState::Starting, "waiting for worker-2 to register"));
    // The one that is waited for is not wanted any more.
    assert_eq!(world.done(world.scale(2)), ["StopTask fashion-1/worker-2 attempt 1"]);
    assert_eq!((world.job().state, world.owners()), (JobState::Running, vec![4, 4, 4, 4, 5, 5, 5, 5]));
    let late = world.register_command(W2, 1);
    assert!(matches!(world.refused(late), Refusal::StaleAttempt { .. }));
}

#[test]
fn scaled_twice_in_a_row_only_the_last_number_counts() {
    let mut world = running();
    world.done(world.scale(4));
    world.register(W2, 1);
    world.done(world.join(W2));
    assert_eq!(world.owners(), [3, 3, 0, 0, 4, 4, 0, 0]);
    assert_eq!(world.done(world.scale(2)), ["StopTask fashion-1/worker-2 attempt 1", "StopTask fashion-1/worker-3 attempt 1"]);
    assert_eq!(world.owners(), [3, 3, 0, 0, 4, 4, 0, 0], "back, through the same fence");
    fence(&mut world);
    assert_eq!(world.owners(), [3, 3, 3, 3, 4, 4, 4, 4]);
    assert_eq!(world.done(world.scale(3)), ["LaunchTask fashion-1/worker-2 attempt 2"], "also while the first one ends");
}

#[test]
fn lanes_of_a_worker_that_dies_meanwhile_wait_for_its_replacement() {
    let mut world = running();
    world.done(world.scale(4));
    world.register(W2, 1);
    world.done(world.join(W2));
    world.done(world.lost(W2, 1));
    world.done(world.lost(W1, 1));
    fence(&mut world);
    assert_eq!(world.owners(), [3, 3, 0, 0, 0, 0, 3, 0]);
    let (w2, w1) = (world.register(W2, 2).0, world.register(W1, 2).0);
    assert_eq!(world.owners(), [3, 3, w2, w2, w1, w1, 3, w2]);
    // One that has not come yet is nobody's loss, and launched again later.
    assert_eq!(world.done(world.lost(W3, 1)), ["StopTask fashion-1/worker-3 attempt 1"]);
    assert_eq!(world.job().tasks[&W3].state, TaskState::Waiting { until_ms: 2000 });
    assert_eq!(world.owners(), [3, 3, w2, w2, w1, w1, 3, w2]);
}

#[test]
fn a_leaving_worker_finishes_its_shards_first() {
    let mut world = running();
    world.done(world.reach(PS, 4));
    assert_eq!(world.view(W1).evaluate.unwrap().shards, [(1, 1024..2048)]);
    assert_eq!(world.done(world.scale(1)), [""; 0]);
    assert_eq!((world.view(W1).directive, world.view(W1).evaluate.unwrap().shards.len()), (Directive::Run, 1));
    assert_eq!(world.owners(), [3, 3, 3, 3, 0, 0, 0, 0]);
    assert_eq!(world.done(world.evaluated(W1, 0, &[1])), ["StopTask fashion-1/worker-1 attempt 1"]);
    assert!(stops(&world, W1));
    fence(&mut world);
    world.done(world.evaluated(W0, 0, &[0, 2]));
    assert_eq!((world.view(W0).run_until, world.owners()), (8, vec![3; 8]));
}

#[test]
fn a_leaving_workers_death_is_no_failure() {
    let mut world = running();
    world.done(world.reach(PS, 4));
    world.done(world.scale(1));
    assert_eq!(world.done(world.lost(W1, 1)), [""; 0]);
    assert_eq!(world.view(W0).evaluate.unwrap().shards.len(), 3, "its shard goes to the other one");
    let task = &world.job().tasks[&W1];
    assert_eq!((task.restarts, task.exit, task.is_dismissed()), (0, Some(Exit::Signal(9)), true));
    // Silent, not seen to end: what is left of it is ended.
    let mut world = running();
    world.done(world.reach(PS, 4));
    world.done(world.scale(1));
    let cause = Cause::because("did not report for 10 s");
    let lost = Command::DeclareLost { job: world.job.clone(), task: W1, attempt: Attempt(1), cause, step: 0 };
    assert_eq!(world.done(lost), ["StopTask fashion-1/worker-1 attempt 1"]);
    world.done(world.collect(W1, 1));
}

#[test]
fn a_leaving_exporter_stays_until_the_model_is_there() {
    let mut world = World::running(1, 2, 2, false);
    world.done(world.scale(1));
    fence(&mut world);
    world.done(world.scale(2));
    world.register(W1, 2);
    world.done(world.lost(W0, 1));
    world.done(world.reach(PS, 8));
    assert_eq!(world.job().reason(), "worker-1 exports the model", "it is the only one, though it has no lanes");
    assert_eq!(world.done(world.scale(1)), [""; 0]);
    world.done(world.export(W1));
    assert_eq!(world.job().state, JobState::Succeeded);
    world.done(world.collect(W1, 2));
}

#[test]
fn a_worker_that_is_told_to_stop_is_collected_when_the_job_has_ended_too() {
    let mut world = running();
    world.done(world.scale(1));
    world.done(world.cancel());
    assert!(matches!(world.job().tasks[&W1].state, TaskState::Stopping { .. }));
    world.done(world.collect(W1, 1));
    let again = world.collect(W1, 1);
    world.unchanged(again);
}
