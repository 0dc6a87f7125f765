use super::checkpoint_test::PS1;
use crate::checkpoint::{Resume, next_cut};
use crate::command::Command;
use crate::job::JobState;
use crate::outcome::Refusal;
use crate::test::fixture::{PS, W0, W1, World, counts, file, submit};
use tfcoord_types::checkpoint::Checkpoint;
use tfcoord_types::id::{CheckpointId, Generation};
use tfcoord_types::job::Checkpointing;
use tfcoord_types::view::Evaluation;

fn discard(world: &World, id: CheckpointId) -> Command {
    let (job, generation, incarnation) = (world.job.clone(), world.job().generation, world.incarnation(PS));
    Command::DiscardCheckpoint { job, generation, incarnation, id, reason: "bits are flipped".into() }
}

#[test]
fn a_lost_server_takes_all_back_to_the_newest_checkpoint() {
    let mut world = World::running(2, 2, 4, false);
    world.commit(3);
    let id = world.commit(6);
    let owners = world.owners();
    let effects = world.done(world.lost_at(PS, 1, 9));
    assert_eq!(effects, ["StopTask fashion-1/ps-0 attempt 1", "LaunchTask fashion-1/ps-0 attempt 2"], "only that task is replaced");
    let job = world.job();
    assert_eq!((job.generation, job.step, job.run_until, job.state), (Generation(2), 6, 16, JobState::Running));
    assert_eq!(job.reason(), "waiting for ps-0 to register, then goes on from step 6");
    let view = world.view(PS1);
    assert_eq!((view.generation, view.restore.map(|restore| restore.id), view.cut), (Generation(2), Some(id), None));
    assert!(view.servers.is_empty() && world.owners_of(W0) == owners, "lanes keep their owners");
    let old = world.reach(PS1, 16);
    assert!(matches!(world.refused(old), Refusal::StaleGeneration { .. }));
    world.register(PS, 2);
    assert_eq!((world.view(W0).servers.len(), world.view(W0).restore), (2, None));
}

#[test]
fn without_a_checkpoint_it_begins_from_the_seed() {
    let mut world = World::running(2, 2, 2, true);
    world.done(world.reach(PS, 4));
    world.done(world.reach(PS1, 4));
    assert!(world.job().evaluating.is_some());
    world.done(world.lost(PS1, 1));
    assert_eq!((world.job().step, world.job().run_until, world.job().evaluating.clone()), (0, 4, None));
    world.register(PS1, 2);
    assert_eq!(world.view(PS).restore, None);
}

#[test]
fn what_was_evaluated_before_the_checkpoint_stays_and_the_rest_is_done_again() {
    let mut world = World::running(2, 2, 4, true);
    let epoch = |world: &mut World, step: u64, evaluation: u32| {
        world.done(world.reach_now(PS, step));
        world.done(world.reach_now(PS1, step));
        for task in [W0, W1] {
            world.apply(world.evaluated_now(task, evaluation, &[0, 1, 2]));
        }
    };
    epoch(&mut world, 4, 0);
    let at_the_end = world.cut(8);
    world.done(world.reach_now(PS, 8));
    world.done(world.reach_now(PS1, 8));
    for server in [PS, PS1] {
        world.done(world.written(server, at_the_end));
    }
    world.done(Command::CommitCheckpoint { job: world.job.clone(), id: at_the_end });
    for task in [W0, W1] {
        world.apply(world.evaluated_now(task, 1, &[0, 1, 2]));
    }
    let before = world.job().evaluations.clone();
    assert_eq!((before.len(), world.job().run_until), (2, 12));
    world.done(world.lost(PS, 1));
    // The second one was complete only after the cut, but its parameters are those of the checkpoint.
    assert_eq!((&world.job().evaluations, world.job().run_until), (&before, 12));
    world.register(PS, 2);
    epoch(&mut world, 12, 2);
    world.done(world.lost(PS1, 1));
    assert_eq!((&world.job().evaluations.len(), world.job().run_until), (&2, 12));
}

#[test]
fn a_checkpoint_at_an_epochs_end_is_evaluated_first() {
    let mut world = World::running(2, 2, 4, true);
    let id = world.cut(4);
    world.done(world.reach_now(PS, 4));
    world.done(world.reach_now(PS1, 4));
    for server in [PS, PS1] {
        world.done(world.written(server, id));
    }
    world.done(Command::CommitCheckpoint { job: world.job.clone(), id });
    world.done(world.lost(PS, 1));
    world.register(PS, 2);
    assert_eq!((world.job().run_until, world.job().evaluating.clone()), (4, None), "the servers must hold it first");
    world.done(world.reach_now(PS, 4));
    world.done(world.reach_now(PS1, 4));
    assert_eq!(world.job().evaluating.as_ref().unwrap().step, 4);
}

#[test]
fn a_server_that_is_lost_after_the_last_checkpoint_leaves_only_the_export_to_be_done_again() {
    let mut file = file(2, 2, 1, true);
    file.checkpoint = Some(Checkpointing::default());
    let mut world = World::running_file(file);
    let id = world.cut(4);
    for server in [PS, PS1] {
        world.done(world.reach_now(server, 4));
        world.done(world.written(server, id));
    }
    for task in [W0, W1] {
        world.apply(world.evaluated_now(task, 0, &[0, 1, 2]));
    }
    world.done(Command::CommitCheckpoint { job: world.job.clone(), id });
    assert_eq!(world.job().state, JobState::Finalizing);
    world.done(world.lost(PS, 1));
    world.register(PS, 2);
    assert_eq!((world.job().state, world.job().run_until, world.job().evaluations.len()), (JobState::Running, 4, 1));
    world.done(world.reach_now(PS, 4));
    world.done(world.reach_now(PS1, 4));
    assert_eq!((world.job().state, world.job().evaluating.clone()), (JobState::Finalizing, None));
    world.done(world.export(W0));
    assert_eq!(world.job().state, JobState::Succeeded);
}

#[test]
fn a_server_may_be_lost_while_the_model_is_exported() {
    let mut world = World::running(2, 2, 2, false);
    world.commit(5);
    world.done(world.reach_now(PS, 8));
    world.done(world.reach_now(PS1, 8));
    assert_eq!(world.job().state, JobState::Finalizing);
    world.done(world.lost(PS, 1));
    assert_eq!((world.job().state, world.job().exporter, world.job().step), (JobState::Running, None, 5));
    let early = world.export(W0);
    assert!(matches!(world.refused(early), Refusal::Fenced { .. }));
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before_and_that_is_said() {
    let mut world = World::running(2, 2, 4, false);
    let (older, newer) = (world.commit(3), world.commit(6));
    world.done(world.lost(PS1, 1));
    world.register(PS1, 2);
    world.done(discard(&world, newer));
    let restored = world.job().checkpoints.restored.clone().map(|restored| restored.id);
    assert_eq!((restored, world.job().generation), (Some(older), Generation(3)));
    let told = format!("checkpoint {newer} cannot be used, as ps-0 says: bits are flipped; the job went back to step 3");
    assert_eq!(world.job().checkpoints.failure, Some(told));
    let again = discard(&world, newer);
    assert_eq!(world.refused(again), Refusal::NoCut { id: newer });
    world.done(discard(&world, older));
    assert_eq!((world.job().checkpoints.restored.clone(), world.job().generation), (None, Generation(4)));
    assert!(world.job().checkpoints.failure.as_ref().unwrap().ends_with("the job went back to the beginning"));
}

// Of an earlier job.
fn theirs(generation: u64, step: u64) -> Checkpoint {
    let id = CheckpointId { generation: Generation(generation), step, attempt: 9 };
    Checkpoint { id, dir: "/out/fashion-7/checkpoints".into() }
}

fn resume(checkpoints: Vec<Checkpoint>, from_seed: bool) -> Command {
    let Command::SubmitJob { request_id, mut file, manifest, .. } = submit("r", file(2, 2, 4, true)) else { unreachable!() };
    file.checkpoint = Some(Checkpointing { keep: 2, ..Checkpointing::default() });
    let evaluation = |epoch: u32| Evaluation { epoch, step: u64::from(epoch) * 4, counts: counts(2500, 0.5) };
    let (evaluations, passed_over) = ((1..4).map(evaluation).collect(), "3-8-9 is damaged".into());
    let resume = Some(Resume { checkpoints, evaluations, passed_over, chunk_elements: None, from_seed });
    Command::SubmitJob { request_id, file, manifest, resume }
}

fn resumed(from_seed: bool) -> World {
    let mut world = World::empty();
    world.job.number = world.index + 1;
    world.done(resume(vec![theirs(1, 4), theirs(2, 5), theirs(2, 9)], from_seed));
    world.start();
    world
}

#[test]
fn a_job_goes_on_from_what_an_earlier_one_has_left() {
    let mut world = World::empty();
    for wrong in [vec![], vec![theirs(1, 8), theirs(1, 4)], vec![theirs(1, 17)]] {
        assert!(matches!(world.refused(resume(wrong, false)), Refusal::Job { .. }));
    }
    let index = world.index + 1;
    world.job.number = index;
    world.done(resume(vec![theirs(1, 4), theirs(2, 5), theirs(2, 9)], false));
    let job = world.job();
    assert_eq!((job.generation, job.checkpoints.committed.len(), job.evaluations.len()), (Generation(3), 2, 2));
    assert_eq!(job.checkpoints.failure.as_deref(), Some("3-8-9 is damaged"));
    world.start();
    assert_eq!((world.job().step, world.job().run_until, world.view(PS).restore), (9, 12, Some(theirs(2, 9))));
    world.done(discard(&world, theirs(2, 9).id));
    assert_eq!((world.job().step, world.job().evaluations.len(), world.job().generation), (5, 1, Generation(4)));
    world.done(discard(&world, theirs(2, 5).id));
    assert_eq!(world.job().state, JobState::Failed, "not from the seed");
    assert!(world.job().reason().contains("there is no other one to go on from, and from the seed on"), "{}", world.job().reason());
}

#[test]
fn what_the_seed_would_have_made_too_is_made_anew_where_it_is_gone() {
    let mut world = resumed(true);
    assert!(world.job().is_from_seed());
    world.done(discard(&world, theirs(2, 9).id));
    world.done(discard(&world, theirs(2, 5).id));
    let job = world.job();
    assert_eq!((job.state, job.step, job.run_until, job.evaluations.len()), (JobState::Running, 0, 4, 0));
    assert_eq!((&job.checkpoints.restored, job.generation, world.view(PS).restore), (&None, Generation(5), None));
    let told = job.checkpoints.failure.as_ref().unwrap();
    assert!(told.contains("2-5-9 cannot be used") && told.ends_with("the job went back to the beginning"), "{told}");
}

#[test]
fn a_resumed_job_has_a_checkpoint_of_its_own_at_once() {
    let mut world = resumed(false);
    assert!(!world.job().is_from_seed());
    // A minute apart otherwise.
    assert_eq!(next_cut(world.job(), world.at_ms, 9, 1), Some(10));
    let failed = world.cut(10);
    world.done(Command::AbandonCut { job: world.job.clone(), id: failed, reason: Some("disk full".into()) });
    assert_eq!((next_cut(world.job(), world.at_ms, 9, 1), next_cut(world.job(), world.at_ms + 10_000, 9, 1)), (None, Some(10)));
    world.done(world.lost(PS, 1));
    world.register(PS, 2);
    assert_eq!((world.job().step, next_cut(world.job(), world.at_ms, 9, 1)), (9, Some(10)), "it leans on the other still");
    world.commit(10);
    assert_eq!(next_cut(world.job(), world.at_ms + 59_999, 11, 1), None);
    assert_eq!(next_cut(world.job(), world.at_ms + 60_000, 11, 1), Some(12));
}

#[test]
fn before_the_start_a_server_is_only_replaced() {
    let mut world = World::submitted(file(2, 2, 2, true));
    world.register(PS, 1);
    let effects = world.done(world.lost(PS, 1));
    assert_eq!(effects, ["StopTask fashion-1/ps-0 attempt 1", "LaunchTask fashion-1/ps-0 attempt 2"]);
    assert_eq!((world.job().generation, world.job().state), (Generation(1), JobState::Starting));
}

#[test]
fn servers_that_die_in_vain_fail_the_job_but_never_while_it_advances() {
    let mut world = World::running(1, 1, 100, false);
    // Each life commits a checkpoint a step further.
    for attempt in 1..=20 {
        let id = world.cut(u64::from(attempt));
        world.done(world.written(PS, id));
        world.done(Command::CommitCheckpoint { job: world.job.clone(), id });
        world.done(world.lost_at(PS, attempt, u64::from(attempt)));
        world.register(PS, attempt + 1);
    }
    let task = &world.job().tasks[&PS];
    assert_eq!((task.restarts, task.restarts_in_vain), (20, 1));
    // Now each dies before it is any further than one was before.
    for attempt in 21..=28 {
        world.apply(world.lost_at(PS, attempt, 20));
        world.at_ms += 1000;
        world.apply(Command::Tick {});
    }
    assert_eq!(world.job().state, JobState::Failed);
    assert!(world.job().reason().contains("and parameter_server.max_restarts allows no more"), "{}", world.job().reason());
}
