use super::*;
use crate::command::{Command, Process};
use crate::test::fixture::{PS, W0, W1, World, file, process, submit};
use tfcoord_types::holders::Run;
use tfcoord_types::id::{Attempt, Generation};
use tfcoord_types::job::{JobFile, Sync};
use tfcoord_types::report::ShardsDone;

// Data of which the first half lies on host `red` and the second on `blue`, four parts each.
fn halves() -> Holders {
    let run = |host| Run { bytes: 1000, held: vec![(host, 1000)] };
    let runs = (0..8).map(|n| run(u32::from(n < 4))).collect();
    Holders { hosts: vec!["blue.example.org".into(), "red.example.org".into()], runs }
}

// A job with these data, whose workers register from these hosts; nobody has joined yet.
fn world(file: JobFile, holders: Option<Holders>, hosts: &[&str]) -> World {
    let mut world = World::empty();
    let Command::SubmitJob { request_id, file, mut manifest, resume } = submit("r", file) else { unreachable!() };
    (manifest.train_records, manifest.holders) = (256, holders.map(Box::new));
    world.done(Command::SubmitJob { request_id, file, manifest, resume });
    world.register(PS, 1);
    for (index, host) in (0..).zip(hosts) {
        register_at(&mut world, TaskId::worker(index), 1, host);
    }
    world.declare();
    world
}

fn register_at(world: &mut World, task: TaskId, attempt: u32, host: &str) {
    let process = Process { host: host.into(), ..process(&format!("{task}/{attempt}")) };
    world.apply(Command::RegisterTask { job: world.job.clone(), task, attempt: Attempt(attempt), process });
}

fn bsp(workers: u32, shuffle: bool) -> JobFile {
    let mut file = file(1, workers, 1, false);
    file.data.shuffle = shuffle;
    file
}

// 32 shards an epoch, and one lane: a shard is a run of records.
fn alone(workers: u32) -> JobFile {
    let mut file = bsp(workers, false);
    (file.train.sync, file.train.batch_size, file.train.micro_batches) = (Sync::Async {}, 4, Some(1));
    file
}

fn lanes(world: &World) -> Vec<u32> {
    world.job().lanes.iter().map(|lane| lane.intended.index).collect()
}

// Shards by worker, `a` and `b`.
fn leased(world: &World, worker: TaskId) -> Vec<u32> {
    let incarnation = world.incarnation(worker);
    world.job().leases.open.iter().filter(|(_, lease)| lease.owner == Some(incarnation)).map(|(shard, _)| *shard).collect()
}

fn finish(world: &mut World, shard: u32) {
    let done = ShardsDone { epoch: 0, shards: vec![shard] };
    let (job, incarnation) = (world.job.clone(), world.incarnation(PS));
    world.done(Command::FinishShards { job, generation: Generation(1), incarnation, done });
}

#[test]
fn lanes_go_to_the_worker_on_the_host_that_holds_them() {
    let dealt = |holders, hosts: &[&str]| lanes(&world(bsp(2, false), holders, hosts));
    assert_eq!(dealt(Some(halves()), &["blue", "red"]), [1, 1, 1, 1, 0, 0, 0, 0]);
    assert_eq!(dealt(Some(halves()), &["red.example.org", "blue.example.org"]), [0, 0, 0, 0, 1, 1, 1, 1]);
    assert_eq!(dealt(Some(halves()), &["blue", "green"]), [1, 1, 1, 1, 0, 0, 0, 0], "one is near, the other takes the rest");
    for holders in [None, Some(Holders::default())] {
        assert_eq!(dealt(holders, &["blue", "red"]), [0, 0, 0, 0, 1, 1, 1, 1], "as ever");
    }
}

#[test]
fn within_one_shard_of_a_shuffled_order_nobody_is_nearer() {
    let world = world(bsp(2, true), Some(halves()), &["blue", "red"]);
    assert_eq!(lanes(&world), [0, 0, 0, 0, 1, 1, 1, 1]);
    let near = Near::of(world.job()).unwrap();
    let places = near.places(world.job(), [W0, W1]);
    for weight in near.lanes(0) {
        let (blue, red) = (places.near(W0, &weight), places.near(W1, &weight));
        assert!(blue.abs_diff(red) <= 8 && weight.bytes.abs_diff(1000) <= 40, "{weight:?}");
    }
}

#[test]
fn a_shuffled_lane_is_near_where_the_shards_of_its_epochs_are() {
    let mut world = world(bsp(2, true), Some(halves()), &["blue", "red"]);
    let job = world.cluster.jobs.get_mut(&world.job).unwrap();
    // Eight shards of the order, each on one host.
    (job.plan.records, job.plan.epochs) = (8 * 65_536, 1);
    let near = Near::of(job).unwrap();
    let seed = job.file.train.seed;
    let hosts = |epoch: u32| {
        let order = EpochOrder::new(8 * 65_536, seed, epoch);
        (0..8).map(|place| usize::from(order.at(place * 65_536).0 < 4)).collect::<Vec<_>>()
    };
    let held: Vec<Vec<u64>> = near.lanes(0).into_iter().map(|weight| weight.held).collect();
    let expected: Vec<Vec<u64>> = hosts(0).into_iter().map(|host| if host == 0 { vec![1000, 0] } else { vec![0, 1000] }).collect();
    assert_eq!(held, expected);
    job.plan.epochs = 9;
    let sums: Vec<u64> = Near::of(job).unwrap().lanes(5).iter().map(|weight| weight.held[0]).collect();
    let expected: Vec<u64> = (0..8).map(|lane| (5..9).map(|epoch| 1000 * u64::from(hosts(epoch)[lane] == 0)).sum()).collect();
    assert_eq!(sums, expected, "of the epochs to come");
    job.plan.records = 65_536 * (ORDER_SHARDS_MAX + 1);
    assert!(Near::of(job).is_none(), "a bit of everything");
}

#[test]
fn whoever_joins_gets_as_much_as_ever() {
    let mut world = world(bsp(1, false), Some(halves()), &["green"]);
    assert_eq!(lanes(&world), [0; 8]);
    world.done(world.scale(3));
    register_at(&mut world, W1, 1, "blue");
    register_at(&mut world, TaskId::worker(2), 1, "red");
    for worker in [W1, TaskId::worker(2)] {
        world.done(world.join(worker));
    }
    let count = |worker: u32| lanes(&world).iter().filter(|lane| **lane == worker).count();
    let mut counts = [count(0), count(1), count(2)];
    counts.sort_unstable();
    assert_eq!(counts, [2, 3, 3]);
}

#[test]
fn a_replacement_has_its_task_s_lanes_wherever_it_is() {
    let mut world = world(bsp(2, false), Some(halves()), &["blue", "red"]);
    world.done(world.lost(W1, 1));
    register_at(&mut world, W1, 2, "blue");
    assert_eq!(lanes(&world), [1, 1, 1, 1, 0, 0, 0, 0]);
}

#[test]
fn shards_are_leased_to_whom_they_are_near_and_nobody_is_idle() {
    let ready = |holders, hosts: &[&str]| {
        let mut world = world(alone(2), holders, hosts);
        for worker in [W0, W1] {
            world.done(world.join(worker));
        }
        world
    };
    let world_of = |hosts: &[&str]| ready(Some(halves()), hosts);
    let mut world = world_of(&["blue", "red"]);
    assert_eq!((leased(&world, W0), leased(&world, W1)), (vec![16, 17, 18, 19], vec![0, 1, 2, 3]));
    assert_eq!((world.job().leases.next, world.job().leases.passed.len()), (20, 12));
    // To the end, side by side: each its own.
    for n in 0..16 {
        for (worker, first) in [(W0, 16), (W1, 0)] {
            assert_eq!(leased(&world, worker).first(), Some(&(first + n)));
            finish(&mut world, first + n);
        }
    }
    assert!(world.job().leases.open.is_empty() && world.job().leases.passed.is_empty());
    // Where one is slow the other takes over what is near the slow one.
    let mut world = world_of(&["blue", "red"]);
    while let Some(next) = leased(&world, W1).first().copied() {
        finish(&mut world, next);
    }
    assert_eq!(leased(&world, W0), [16, 17, 18, 19]);
    assert_eq!(world.job().leases.unleased(32), 0);
    assert_eq!(leased(&world_of(&["blue", "blue"]), W1), [20, 21, 22, 23], "of equals the first ones");
    for holders in [None, Some(Holders::default())] {
        assert_eq!(leased(&ready(holders, &["blue", "red"]), W1), [4, 5, 6, 7]);
    }
}

#[test]
fn the_share_that_is_near_is_that_of_those_who_read() {
    let world = world(bsp(2, false), Some(halves()), &["blue", "green"]);
    assert_eq!(local_share(world.job(), "red"), Some((4000, 8000)));
    let mut job = world.job().clone();
    job.lanes.clear();
    assert_eq!(local_share(&job, "red"), Some((2000, 8000)), "one of two holds a half");
    job.tasks.clear();
    assert_eq!(local_share(&job, "red"), Some((4000, 8000)), "both will be there");
    job.manifest.holders = None;
    assert_eq!(local_share(&job, "red"), None);
}
