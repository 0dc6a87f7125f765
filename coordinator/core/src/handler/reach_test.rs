use crate::command::Command;
use crate::job::JobState;
use crate::outcome::Refusal;
use crate::test::fixture::{PS, W0, World};
use tfcoord_types::id::{Generation, TaskId};

#[test]
fn an_evaluation_begins_when_all_servers_have_reached_the_epochs_end() {
    let mut world = World::running(2, 2, 2, true);
    world.done(world.reach(PS, 4));
    assert_eq!(world.view(W0).evaluate, None);
    world.done(world.reach(TaskId::server(1), 4));
    let evaluate = world.view(W0).evaluate.unwrap();
    assert_eq!((evaluate.evaluation, evaluate.step), (0, 4));
    assert_eq!(evaluate.shards, [(0, 0..1024), (2, 2048..2500)]);
    assert_eq!((world.view(W0).run_until, world.job().state), (4, JobState::Running));
    assert_eq!(world.job().reason(), "evaluating after epoch 1 of 2");
}

#[test]
fn without_evaluation_the_export_begins_at_the_end() {
    let mut world = World::running(1, 2, 2, false);
    world.done(world.reach(PS, 4));
    assert_eq!(world.job().state, JobState::Running);
    world.done(world.reach(PS, 8));
    assert_eq!((world.job().state, world.job().reason()), (JobState::Finalizing, "worker-0 exports the model".into()));
    let export = world.view(W0).export.unwrap();
    assert_eq!((export.step, export.dir.as_str(), export.attempt), (8, "/out/fashion-1", 3));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut world = World::running(1, 2, 2, true);
    let beyond = world.reach(PS, 5);
    assert_eq!(world.refused(beyond), Refusal::Ahead { what: "step", number: 5, newest: 4 });
    let worker = world.reach(W0, 4);
    assert_eq!(world.refused(worker), Refusal::Fenced { incarnation: world.incarnation(W0) });
    let (job, incarnation, generation) = (world.job.clone(), world.incarnation(PS), Generation(2));
    let old = world.refused(Command::ReachStep { job, generation, incarnation, step: 4 });
    assert_eq!(old, Refusal::StaleGeneration { generation, present: Generation(1) });
    world.done(world.reach(PS, 3));
    let less = world.reach(PS, 2);
    world.unchanged(less);
}
