use crate::command::Command;
use crate::job::JobState;
use crate::outcome::Refusal;
use crate::test::fixture::{PS, W0, World, fault, file};
use tfcoord_types::report::FaultKind;

#[test]
fn a_job_can_be_cancelled_in_every_state() {
    let mut finalizing = World::running(1, 2, 2, false);
    finalizing.done(finalizing.reach(PS, 8));
    let mut evaluating = World::running(1, 2, 2, true);
    evaluating.done(evaluating.reach(PS, 4));
    for mut world in [World::submitted(file(1, 2, 2, true)), World::running(1, 2, 2, true), finalizing, evaluating] {
        let effects = world.done(world.cancel());
        assert_eq!((effects.len(), effects[3].as_str()), (4, "JobEnded fashion-1"));
        assert_eq!((world.job().state, world.job().reason().as_str()), (JobState::Cancelled, "enough"));
        let again = world.cancel();
        world.unchanged(again);
    }
}

#[test]
fn a_job_that_failed_stays_failed() {
    let mut world = World::running(1, 2, 2, true);
    let job = world.job.clone();
    world.done(Command::FailJob { job, incarnation: None, fault: fault(FaultKind::Data, "bad") });
    let late = world.cancel();
    assert_eq!(world.refused(late), Refusal::JobOver { job: world.job.clone(), state: JobState::Failed });
}

#[test]
fn a_waiting_task_needs_no_stop() {
    let mut world = World::running(1, 2, 2, true);
    for attempt in 1..=4 {
        world.done(world.lost(W0, attempt));
    }
    let effects = world.done(Command::CancelJob { job: world.job.clone(), reason: String::new() });
    assert_eq!(effects, ["StopTask fashion-1/ps-0 attempt 1", "StopTask fashion-1/worker-1 attempt 1", "JobEnded fashion-1"]);
    assert_eq!(world.job().reason(), "cancelled without a reason given");
}
