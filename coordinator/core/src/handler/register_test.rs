use crate::command::Command;
use crate::job::JobState;
use crate::outcome::{Outcome, Refusal};
use crate::test::fixture::{PS, W0, W1, World, file, process, variables};
use tfcoord_types::id::{Attempt, Incarnation, TaskId};
use tfcoord_types::view::Directive;

#[test]
fn the_last_of_registration_and_placement_starts_the_job() {
    let mut world = World::submitted(file(1, 2, 2, true));
    assert_eq!(world.register(W0, 1), Incarnation(2));
    assert_eq!((world.job().state, world.job().reason()), (JobState::Starting, "waiting for ps-0, worker-1 to register".into()));
    world.done(Command::DeclareVariables {
        job: world.job.clone(),
        incarnation: Incarnation(2),
        variables: variables(),
        machine_bytes: None,
    });
    assert_eq!(world.register(PS, 1), Incarnation(4));
    let waits = world.view(W0);
    assert_eq!((waits.directive, waits.run_until, waits.servers.len()), (Directive::Wait, 0, 1));
    assert_eq!(waits.owners, [None; 8]);
    world.at_ms = 3000;
    assert_eq!(world.register(W1, 1), Incarnation(5));
    assert_eq!((world.job().state, world.job().started_at_ms), (JobState::Running, Some(3000)));
    assert_eq!(world.job().reason(), "training epoch 1 of 2");
    assert_eq!(world.owners(), [2, 2, 2, 2, 5, 5, 5, 5]);
    let view = world.view(W1);
    assert_eq!((view.directive, view.run_until, view.revision.0), (Directive::Run, 4, 5));
    assert_eq!(view.workers, [Incarnation(2), Incarnation(5)]);
    assert_eq!(crate::deadline::next_deadline(&world.cluster), None);
}

#[test]
fn without_evaluation_it_runs_to_the_end() {
    let world = World::running(2, 1, 3, false);
    assert_eq!((world.view(W0).run_until, world.job().reason()), (12, "training 3 epochs".into()));
    assert_eq!(world.view(W0).servers.iter().map(|s| s.task).collect::<Vec<_>>(), [PS, TaskId::server(1)]);
}

#[test]
fn the_same_process_keeps_its_incarnation() {
    let mut world = World::submitted(file(1, 2, 2, true));
    assert_eq!(world.register(W0, 1), Incarnation(2));
    assert_eq!(world.register(W0, 1), Incarnation(2));
    assert_eq!(world.register(W1, 1), Incarnation(4));
}

#[test]
fn others_are_refused() {
    let mut world = World::submitted(file(1, 2, 2, true));
    let command =
        |world: &World, task, attempt, process| Command::RegisterTask { job: world.job.clone(), task, attempt: Attempt(attempt), process };
    world.register(W0, 1);
    let other = command(&world, W0, 1, process("other"));
    assert_eq!(world.refused(other), Refusal::OtherProcess { task: W0, attempt: Attempt(1) });
    for attempt in [0, 2] {
        let stale = command(&world, W1, attempt, process("x"));
        let refusal = Refusal::StaleAttempt { task: W1, attempt: Attempt(attempt), present: Attempt(1) };
        assert_eq!(world.refused(stale), refusal);
    }
    let mut slow = process("x");
    slow.kernel_path = "portable".into();
    let refusal = world.refused(command(&world, W1, 1, slow)).to_string();
    assert_eq!(refusal, "all workers of a job run one kernel path: worker-1 has \"portable\", but the job runs \"avx2\"");
    let mut mute = process("x");
    mute.addresses.clear();
    assert_eq!(world.refused(command(&world, PS, 1, mute)), Refusal::NoAddress { task: PS });
    let stranger = TaskId::worker(2);
    let unknown = Refusal::UnknownTask { job: world.job.clone(), task: stranger };
    assert_eq!(world.refused(command(&world, stranger, 1, process("x"))), unknown);
    let nowhere: tfcoord_types::id::JobId = "fashion-9".parse().unwrap();
    let lost = Command::RegisterTask { job: nowhere.clone(), task: W1, attempt: Attempt(1), process: process("x") };
    assert_eq!(world.refused(lost), Refusal::UnknownJob { job: nowhere });
    world.done(world.cancel());
    let late = world.register_command(W1, 1);
    assert_eq!(world.refused(late), Refusal::JobOver { job: world.job.clone(), state: JobState::Cancelled });
}

#[test]
fn an_entry_is_applied_once_and_time_does_not_go_back() {
    let mut world = World::submitted(file(1, 2, 2, true));
    let again = world.register_command(W0, 1);
    let applied = world.cluster.apply(1, 9999, again);
    assert!(matches!(applied.outcome, Outcome::Refused(Refusal::Replayed { index: 1, .. })));
    assert_eq!((world.cluster.now_ms(), world.cluster.revision().0), (1000, 1));
    world.at_ms = 5;
    world.register(W0, 1);
    assert_eq!(world.cluster.now_ms(), 1000);
}
