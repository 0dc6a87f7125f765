use crate::checkpoint::Resume;
use crate::command::Command;
use crate::job::{Job, JobState};
use crate::outcome::Refusal;
use crate::proposals::proposals;
use crate::test::fixture::{PS, W0, W1, World, file, submit};
use tfcoord_types::checkpoint::Checkpoint;
use tfcoord_types::id::{CheckpointId, Generation, Revision, TaskId};
use tfcoord_types::job::Sync;
use tfcoord_types::report::{Body, Report, ServerReport, ShardsDone};

const PS1: TaskId = TaskId::server(1);

// 63 steps in an epoch, each a shard; both workers are ready.
fn world(servers: u32) -> World {
    let mut file = file(servers, 2, 2, false);
    (file.train.sync, file.train.batch_size, file.train.micro_batches) = (Sync::Async {}, 4, Some(4));
    let mut world = World::running_file(file);
    for worker in [W0, W1] {
        world.done(world.join(worker));
    }
    world
}

// The owner of each open shard: a, b, or nobody.
fn owners(world: &World) -> String {
    let name = |owner| match owner {
        Some(owner) if world.job().registration(W0).is_some_and(|w| w.incarnation == owner) => 'a',
        Some(_) => 'b',
        None => '-',
    };
    world.job().leases.open.iter().map(|(shard, lease)| format!("{shard}{}", name(lease.owner))).collect::<Vec<_>>().join(" ")
}

fn finish(world: &World, server: TaskId, shards: &[u32]) -> Command {
    let done = ShardsDone { epoch: world.job().leased_epoch(), shards: shards.to_vec() };
    Command::FinishShards { job: world.job.clone(), generation: Generation(1), incarnation: world.incarnation(server), done }
}

#[test]
fn shards_are_leased_several_ahead_and_again_when_all_servers_are_done() {
    let mut world = world(2);
    assert_eq!(owners(&world), "0a 1a 2a 3a 4b 5b 6b 7b");
    assert_eq!((world.view(W1).leases.len(), world.view(PS).leases.len(), world.view(PS).run_until), (4, 8, 63));
    world.unchanged(world.join(W0));
    world.done(finish(&world, PS, &[0, 1]));
    assert_eq!(owners(&world), "0a 1a 2a 3a 4b 5b 6b 7b");
    world.done(finish(&world, PS1, &[0]));
    assert_eq!(owners(&world), "1a 2a 3a 4b 5b 6b 7b 8a");
    world.unchanged(finish(&world, PS1, &[0]));
    assert!(matches!(world.refused(finish(&world, PS, &[99])), Refusal::Ahead { .. }));
}

#[test]
fn the_shards_of_a_lost_worker_are_granted_again_behind_the_fence() {
    let mut world = world(1);
    world.done(world.lost(W0, 1));
    assert_eq!(owners(&world), "0- 1- 2- 3- 4b 5b 6b 7b");
    let revision = world.job().revision;
    world.done(finish(&world, PS, &[4]));
    assert_eq!(owners(&world), "0- 1- 2- 3- 5b 6b 7b 8b", "not before every server has applied that nobody owns them");
    world.done(world.applied(PS, revision.0));
    assert_eq!(owners(&world), "0b 1b 2b 3b 5b 6b 7b 8b");
    world.register(W0, 2);
    world.done(world.join(W0));
    assert!(owners(&world).ends_with("9a 10a 11a 12a"));
}

#[test]
fn where_a_worker_is_lost_the_others_are_leased_more_and_what_is_known_already_leases_nothing() {
    let mut world = world(1);
    while world.job().leases.next < 56 {
        let open: Vec<u32> = world.job().leases.open.keys().copied().collect();
        world.done(finish(&world, PS, &open));
    }
    assert_eq!(owners(&world), "48a 49a 50a 51a 52b 53b 54b 55b");
    world.done(finish(&world, PS, &[52]));
    assert_eq!(owners(&world), "48a 49a 50a 51a 53b 54b 55b", "seven are left for two");
    world.done(world.lost(W0, 1));
    assert_eq!(owners(&world), "48- 49- 50- 51- 53b 54b 55b 56b", "and for one");
    world.unchanged(finish(&world, PS, &[52]));
}

#[test]
fn a_worker_that_leaves_loses_its_shards_and_may_come_again() {
    let mut world = world(1);
    world.done(world.scale(1));
    assert_eq!(owners(&world), "0a 1a 2a 3a 4- 5- 6- 7-");
    world.done(world.applied(PS, world.job().revision.0));
    assert_eq!(owners(&world), "0a 1a 2a 3a 4a 5a 6a 7a");
    assert!(matches!(world.refused(world.scale(1025)), Refusal::TooManyWorkers { .. }));
    world.done(world.scale(30));
}

#[test]
fn an_epoch_ends_when_all_servers_are_there_and_leases_begin_anew() {
    let mut world = world(1);
    world.done(world.reach(PS, 63));
    assert_eq!((world.job().run_until, owners(&world).as_str()), (126, "0a 1a 2a 3a 4b 5b 6b 7b"));
    world.done(world.reach(PS, 126));
    assert_eq!((world.job().state, owners(&world).as_str()), (JobState::Finalizing, ""));
}

#[test]
fn a_new_generation_leases_all_again() {
    let mut world = world(1);
    world.done(finish(&world, PS, &[0, 1, 2, 3, 4]));
    world.done(world.lost(PS, 1));
    assert_eq!(owners(&world), "0a 1a 2a 3a 4b 5b 6b 7b");
}

#[test]
fn a_server_says_what_is_done_when_a_worker_has_little_left() {
    let mut world = world(1);
    let said = |world: &World, shards: &[u32], epoch: u32| {
        let done = ShardsDone { epoch, shards: shards.to_vec() };
        let body = Body::Server(ServerReport { reached: Some(0), done, ..ServerReport::default() });
        let Job { revision: Revision(_), generation, .. } = *world.job();
        let report = Report { incarnation: world.incarnation(PS), applied: Revision(1), generation, body, fault: None };
        proposals(&world.cluster, &world.job, PS, &report)
    };
    assert_eq!(said(&world, &[0, 4], 0), []);
    assert_eq!(said(&world, &[0, 1], 1), [], "of an epoch that is not there");
    assert_eq!(said(&world, &[0, 1], 0), [finish(&world, PS, &[0, 1])]);
    world.done(finish(&world, PS, &[0, 1]));
    assert_eq!(said(&world, &[0, 1], 0), []);
}

#[test]
fn checkpoints_are_cut_within_an_epoch_too() {
    let mut world = world(1);
    let due = |world: &World, reached| crate::checkpoint::next_cut(world.job(), u64::MAX, reached, 1);
    assert_eq!((due(&world, 0), due(&world, 62), due(&world, 63)), (Some(1), Some(63), Some(63)), "where all wait nobody is beyond it");
    world.done(world.reach(PS, 63));
    assert_eq!((due(&world, 63), due(&world, 125)), (Some(64), None), "the last one is not asked for");
}

#[test]
fn after_a_checkpoint_within_an_epoch_all_its_shards_are_leased_and_those_that_are_done_told_at_once() {
    let mut world = world(1);
    world.done(world.reach(PS, 63));
    let finish = |world: &World, shards: &[u32]| {
        let (done, generation) = (ShardsDone { epoch: 1, shards: shards.to_vec() }, world.job().generation);
        Command::FinishShards { job: world.job.clone(), generation, incarnation: world.incarnation(PS), done }
    };
    let id = world.cut(70);
    world.done(world.written(PS, id));
    world.done(Command::CommitCheckpoint { job: world.job.clone(), id });
    world.done(finish(&world, &[0, 1, 2]));
    world.done(world.lost(PS, 1));
    assert_eq!((world.job().step, world.job().run_until, world.job().leased_epoch()), (70, 126, 1));
    assert_eq!(owners(&world), "0a 1a 2a 3a 4b 5b 6b 7b");
    world.register(PS, 2);
    let said = |world: &World, shards: &[u32]| {
        let done = ShardsDone { epoch: 1, shards: shards.to_vec() };
        let body = Body::Server(ServerReport { reached: Some(71), done, ..ServerReport::default() });
        let Job { generation, .. } = *world.job();
        let report = Report { incarnation: world.incarnation(PS), applied: Revision(1), generation, body, fault: None };
        proposals(&world.cluster, &world.job, PS, &report)
            .into_iter()
            .filter(|c| matches!(c, Command::FinishShards { .. }))
            .collect::<Vec<_>>()
    };
    assert_eq!(said(&world, &[1]), [finish(&world, &[1])], "though no worker has little left");
    for shard in (0..32).step_by(2) {
        world.done(finish(&world, &[shard, shard + 1]));
        let left = world.job().leases.open.keys().next_back().copied();
        if let Some(last) = left.filter(|_| world.job().leases.next == 32) {
            assert_eq!(said(&world, &[last]), [finish(&world, &[last])], "though there is none that could be leased");
        }
    }
    world.done(world.reach_now(PS, 126));
    assert_eq!(world.job().state, JobState::Finalizing);
}

#[test]
fn a_job_goes_on_from_the_midst_of_an_epoch_with_the_chunks_of_its_checkpoint() {
    let resumed = |step, chunk_elements| {
        let mut file = file(1, 2, 3, false);
        (file.train.sync, file.train.batch_size, file.train.micro_batches) = (Sync::Async {}, 4, Some(4));
        let id = CheckpointId { generation: Generation(1), step, attempt: 9 };
        let checkpoints = vec![Checkpoint { id, dir: "/c".into() }];
        let resume = Resume { checkpoints, evaluations: Vec::new(), passed_over: String::new(), chunk_elements, from_seed: false };
        let Command::SubmitJob { request_id, file, manifest, .. } = submit("r", file) else { unreachable!() };
        let mut world = World::empty();
        world.apply(Command::SubmitJob { request_id, file, manifest, resume: Some(resume) });
        world.start();
        world.done(world.join(W0));
        assert_eq!((world.job().run_until, world.job().leased_epoch(), !owners(&world).is_empty()), (126, 1, true));
        world.job().placement.as_ref().unwrap().chunk_elements
    };
    assert_eq!((resumed(63, None), resumed(64, Some(8192))), (65_536, 8192));
}
