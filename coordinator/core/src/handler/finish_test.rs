use crate::cause::Exit;
use crate::command::Command;
use crate::job::JobState;
use crate::outcome::Refusal;
use crate::task::TaskState;
use crate::test::fixture::{PS, W0, W1, World, exported, fault};
use tfcoord_types::id::{Attempt, Incarnation};
use tfcoord_types::report::FaultKind;
use tfcoord_types::view::Directive;

fn finalizing() -> World {
    let mut world = World::running(1, 2, 2, false);
    world.done(world.reach(PS, 8));
    world
}

#[test]
fn the_export_makes_success_and_tasks_stop() {
    let mut world = finalizing();
    world.at_ms = 7000;
    let effects = world.done(world.export(W0));
    let expect = [
        "StopTask fashion-1/ps-0 attempt 1",
        "StopTask fashion-1/worker-0 attempt 1",
        "StopTask fashion-1/worker-1 attempt 1",
        "JobEnded fashion-1",
    ];
    assert_eq!(effects, expect);
    let job = world.job();
    assert_eq!((job.state, job.outputs.as_ref(), job.ended.as_ref().unwrap().at_ms), (JobState::Succeeded, Some(&exported()), 7000));
    let view = world.view(W1);
    assert_eq!(view.directive, Directive::Stop { reason: "the job succeeded: trained 2 epochs in 8 steps".into() });
    assert_eq!((view.export, view.owners), (None, vec![None; 8]));
    assert_eq!(crate::desired::desired(&world.cluster), []);
    let again = world.export(W0);
    assert!(matches!(world.refused(again), Refusal::JobOver { .. }));
}

#[test]
fn the_export_goes_to_the_next_live_worker() {
    let mut world = finalizing();
    let early = world.export(W1);
    assert_eq!(world.refused(early), Refusal::Fenced { incarnation: Incarnation(4) });
    world.done(world.lost(W0, 1));
    assert_eq!((world.view(W1).export.unwrap().attempt, world.job().reason().as_str()), (4, "worker-1 exports the model"));
    world.done(world.lost(W1, 1));
    assert_eq!(world.job().reason(), "waiting for worker-0, worker-1 to register");
    world.register(W1, 2);
    world.register(W0, 2);
    assert!(world.view(W0).export.is_none() && world.view(W1).export.is_some());
    world.done(world.export(W1));
    assert_eq!(world.job().state, JobState::Succeeded);
}

#[test]
fn a_fault_fails_the_job_in_its_tasks_words() {
    let mut world = World::running(1, 2, 2, false);
    let fail = |world: &World, incarnation| Command::FailJob {
        job: world.job.clone(),
        incarnation,
        fault: fault(FaultKind::NotFinite, "step 3: dense_0/kernel is not finite"),
    };
    let stranger = fail(&world, Some(Incarnation(99)));
    assert_eq!(world.refused(stranger), Refusal::Fenced { incarnation: Incarnation(99) });
    world.done(fail(&world, Some(Incarnation(4))));
    assert_eq!((world.job().state, world.job().reason().as_str()), (JobState::Failed, "worker-1: step 3: dense_0/kernel is not finite"));
    let mut world = World::running(1, 2, 2, false);
    world.done(fail(&world, None));
    assert_eq!(world.job().reason(), "step 3: dense_0/kernel is not finite");
}

#[test]
fn tasks_are_collected_when_the_job_is_over() {
    let mut world = finalizing();
    let early = world.collect(W0, 1);
    assert_eq!(world.refused(early), Refusal::JobActive { job: world.job.clone() });
    world.done(world.lost(W0, 1));
    world.done(world.export(W1));
    let stale = world.collect(W0, 1);
    assert_eq!(world.refused(stale), Refusal::StaleAttempt { task: W0, attempt: Attempt(1), present: Attempt(2) });
    world.done(world.collect(W1, 1));
    let task = &world.job().tasks[&W1];
    assert_eq!((&task.state, task.exit), (&TaskState::Ended { incarnation: Some(Incarnation(4)) }, Some(Exit::Code(0))));
    assert!(matches!(world.view(W1).directive, Directive::Stop { .. }));
    let again = world.collect(W1, 1);
    world.unchanged(again);
}
