use crate::command::Command;
use crate::job::JobState;
use crate::outcome::Refusal;
use crate::test::fixture::{PS, W0, W1, World, counts, honest_counts};
use tfcoord_types::id::Generation;
use tfcoord_types::report::EvaluatedShard;

// One server (2), two workers (3, 4); worker-0 has shards 0 and 2, worker-1 has shard 1.
fn evaluating(epochs: u32) -> World {
    let mut world = World::running(1, 2, epochs, true);
    world.done(world.reach(PS, 4));
    world
}

fn shards(world: &World, task: tfcoord_types::id::TaskId) -> Vec<u32> {
    world.view(task).evaluate.into_iter().flat_map(|e| e.shards).map(|(shard, _)| shard).collect()
}

#[test]
fn the_next_epoch_begins_with_the_last_shard() {
    let mut world = evaluating(2);
    world.done(world.evaluated(W0, 0, &[2]));
    assert_eq!((shards(&world, W0), shards(&world, W1)), (vec![0], vec![1]));
    world.done(world.evaluated(W1, 0, &[1]));
    assert_eq!(world.job().evaluations, []);
    world.done(world.evaluated(W0, 0, &[0]));
    let [evaluation] = world.job().evaluations.as_slice() else { panic!() };
    let mut sum = honest_counts(2500, 0, 0);
    sum.add(&honest_counts(2500, 0, 1));
    sum.add(&honest_counts(2500, 0, 2));
    assert_eq!((evaluation.epoch, evaluation.step, &evaluation.counts), (1, 4, &sum));
    assert_eq!((world.view(W0).run_until, world.job().reason()), (8, "training epoch 2 of 2".into()));
    assert_eq!(world.view(PS).evaluations.len(), 1);
    assert_eq!(world.view(W0).evaluations, []);
}

#[test]
fn the_last_evaluation_leads_to_the_export() {
    let mut world = evaluating(1);
    world.done(world.evaluated(W1, 0, &[0, 1, 2]));
    assert_eq!(world.job().state, JobState::Finalizing);
    assert_eq!(world.view(W0).export.unwrap().evaluations, world.job().evaluations);
}

#[test]
fn the_first_result_counts() {
    let mut world = evaluating(1);
    world.done(world.evaluated(W0, 0, &[1]));
    let other = EvaluatedShard { evaluation: 0, shard: 1, counts: counts(1024, 99.0) };
    let (job, incarnation) = (world.job.clone(), world.incarnation(W1));
    world.unchanged(Command::CompleteShards { job, generation: Generation(1), incarnation, shards: vec![other] });
    let unknown = world.evaluated(W0, 1, &[0]);
    world.unchanged(unknown);
}

#[test]
fn results_of_an_old_generation_do_not_count() {
    let mut world = evaluating(1);
    let late = world.evaluated(W0, 0, &[0]);
    world.done(world.lost(PS, 1));
    world.register(PS, 2);
    world.done(world.reach_now(PS, 4));
    assert_eq!(shards(&world, W0), [0, 2], "they are evaluated anew");
    let (generation, present) = (Generation(1), Generation(2));
    assert_eq!(world.refused(late), Refusal::StaleGeneration { generation, present });
}

#[test]
fn shards_of_a_dead_worker_go_to_others() {
    let mut world = evaluating(1);
    let late = world.evaluated(W0, 0, &[0]);
    let incarnation = world.incarnation(W0);
    world.done(world.lost(W0, 1));
    assert_eq!(shards(&world, W1), [0, 1, 2]);
    assert_eq!(world.refused(late), Refusal::Fenced { incarnation });
    world.done(world.lost(W1, 1));
    world.register(W0, 2);
    assert_eq!(shards(&world, W0), [0, 1, 2], "while nobody lived, they waited");
}

#[test]
fn wrong_counts_fail_the_job() {
    let mut world = evaluating(1);
    let wrong = EvaluatedShard { evaluation: 0, shard: 1, counts: counts(1023, 0.0) };
    let (job, incarnation) = (world.job.clone(), world.incarnation(W1));
    world.done(Command::CompleteShards { job, generation: Generation(1), incarnation, shards: vec![wrong] });
    let reason = "worker-1 evaluated shard 1 of evaluation 0 wrongly: it counted 1023 records instead of 1024";
    assert_eq!((world.job().state, world.job().reason().as_str()), (JobState::Failed, reason));
}

#[test]
fn only_workers_speak_of_shards() {
    let mut world = evaluating(1);
    let server = world.evaluated(PS, 0, &[0]);
    assert_eq!(world.refused(server), Refusal::Fenced { incarnation: world.incarnation(PS) });
}
