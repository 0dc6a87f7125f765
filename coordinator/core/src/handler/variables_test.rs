use crate::command::Command;
use crate::job::JobState;
use crate::outcome::Refusal;
use crate::test::fixture::{PS, W0, W1, World, file, manifest, variable, variables};
use tfcoord_types::id::TaskId;
use tfcoord_types::job::{JobFile, LayerGroup, Sync};
use tfcoord_types::manifest::{Beside, ManifestSummary};
use tfcoord_types::variable::{Group, Initializer, Variable};

const MACHINE_BYTES: u64 = 100 << 20;

fn starting(file: JobFile) -> World {
    let mut world = World::submitted(file);
    world.register(W0, 1);
    world.register(W1, 1);
    world
}

fn declare(world: &World, task: TaskId, variables: Vec<Variable>) -> Command {
    let (job, incarnation) = (world.job.clone(), world.incarnation(task));
    Command::DeclareVariables { job, incarnation, variables, machine_bytes: Some(MACHINE_BYTES) }
}

#[test]
fn the_first_list_is_placed_and_an_equal_one_changes_nothing() {
    let mut file = file(2, 2, 2, true);
    file.parameter_server.chunk_bytes = Some(128 * 1024);
    let mut world = starting(file);
    assert_eq!(world.view(W0).placement, None);
    let command = declare(&world, W1, variables());
    assert_eq!(world.done(command), [""; 0]);
    let command = declare(&world, W0, variables());
    world.unchanged(command);
    let placement = world.view(W0).placement.unwrap();
    // 101,000 elements in chunks of 32,768, the last one of 2,696; then the curve, which weighs on slot 0.
    assert_eq!((placement.epoch, placement.chunk_elements), (1, 32_768));
    assert_eq!(placement.servers, [1, 0, 1, 0, 0]);
    assert_eq!(placement.variables, variables());
}

#[test]
fn another_list_fails_the_job_and_names_the_difference() {
    let check = |change: &dyn Fn(&mut Vec<Variable>), expect: &str| {
        let mut world = starting(file(1, 2, 2, true));
        let first = declare(&world, W0, variables());
        world.done(first);
        let mut other = variables();
        change(&mut other);
        let second = declare(&world, W1, other);
        let effects = world.done(second);
        assert_eq!(effects.last().unwrap(), "JobEnded fashion-1");
        assert_eq!(world.job().state, JobState::Failed);
        let reason = world.job().reason();
        assert!(reason.contains("worker-1") && reason.contains(expect), "{reason}");
    };
    check(&|list| list[1].shape = vec![999], "variable dense_0/bias of shape [999]");
    check(&|list| list[1].name = "b".into(), "has variable b of shape [1000]");
    check(&|list| list.truncate(2), "has 2 variables, where the first worker has 3");
}

#[test]
fn what_cannot_be_placed_fails_the_job() {
    let check = |chunk_bytes, list: Vec<Variable>, expect: &str| {
        let mut file = file(1, 2, 2, true);
        file.parameter_server.chunk_bytes = chunk_bytes;
        let mut world = starting(file);
        let command = declare(&world, W0, list);
        world.done(command);
        let reason = world.job().reason();
        assert!(world.job().state == JobState::Failed && reason.contains(expect), "{reason}");
    };
    let a = variable("a", &[3], Group::Train);
    check(None, vec![a.clone(), a.clone()], "variable a occurs twice");
    check(None, vec![variable("z", &[0], Group::Train)], "variable z has no elements");
    check(None, vec![variable("z", &[u32::MAX; 3], Group::Train)], "variable z has no elements, or more than");
    check(None, vec![Variable { initializer: Initializer::Normal { deviation: f32::NAN }, ..a.clone() }], "not finite");
    check(Some(16_384), vec![variable("z", &[1 << 17, 1 << 16], Group::Train)], "raise parameter_server.chunk_bytes");
    check(None, vec![a; 20_000], "20000 variables");
}

#[test]
fn a_variable_has_the_mode_that_its_layer_has_in_the_job_file() {
    let local = Sync::Local { every: 4, momentum: 0.0 };
    let declared = |sync: Option<Sync>| {
        let mut file = file(1, 2, 2, true);
        file.train.sync = Sync::Async {};
        file.train.groups = vec![LayerGroup { layers: vec!["dense_1".into()], sync: local }];
        let mut world = starting(file);
        let kernel = Variable { sync, ..variable("dense_1/kernel", &[1 << 18], Group::Train) };
        let command = declare(&world, W0, vec![kernel, variable("other_2/kernel", &[1 << 18], Group::Train)]);
        world.done(command);
        let worker_mb = world.job().need.map(|need| need.worker_bytes >> 20);
        (world.job().state, worker_mb, world.job().reason())
    };
    let (state, worker_mb, reason) = declared(Some(local));
    assert_eq!((state, reason.as_str()), (JobState::Starting, ""));
    // Of 2 MB two for the model and what comes, four for sums of 8 lanes; of the 1 MB that is local five more.
    assert_eq!(worker_mb, Some(17));
    for wrong in [None, Some(Sync::Async {}), Some(Sync::Local { every: 5, momentum: 0.0 })] {
        let (state, _, reason) = declared(wrong);
        let expected = "variable dense_1/kernel has a mode that its layer does not have in the job file (async; local: dense_1)";
        assert!(state == JobState::Failed && reason.contains(expected), "{reason}");
    }
}

// 4 bytes a number: on servers two versions, two slots of adam and one sum a block (8 lanes among 3 workers are 5 blocks);
// in each worker the model, a version that comes, a sum that goes, and one level below its at most 3 lanes.
#[test]
fn what_does_not_fit_into_memory_fails_the_job_and_says_how_much_would() {
    let check = |mem: u64, numbers: u32, expect: Option<&str>| {
        let mut file = file(2, 3, 2, true);
        file.parameter_server.mem = mem;
        let mut world = starting(file);
        let command = declare(&world, W0, vec![variable("a", &[numbers], Group::Train)]);
        world.done(command);
        match expect {
            None => assert_eq!(world.job().state, JobState::Starting, "{}", world.job().reason()),
            Some(expect) => {
                let reason = world.job().reason();
                assert_eq!((world.job().state, reason.as_str()), (JobState::Failed, expect));
            }
        }
    };
    // 2^20 numbers in chunks of 2^17: 36 x 2^20 bytes on servers, 16 x 2^20 in each worker.
    check(18, 1 << 20, None);
    check(
        17,
        1 << 20,
        Some(
            "the model cannot be placed: ps-0 would need about 18 MB of memory for its part of the parameters, but parameter_server.mem \
             is 17: raise it, raise parameter_server.count, or use a smaller model",
        ),
    );
    check(
        1024,
        2 << 20,
        Some(
            "the model cannot be placed: its tasks would need about 168 MB of memory, 72 MB of it on servers and 32 MB in \
             each of 3 workers, but the machine has 100: use fewer workers or a smaller model",
        ),
    );
}

// As above, but that a worker's own blocks are counted: the two that three lanes are. What is kept of messages is a frame
// more for each of 16 chunks; what is sent is 1 MiB and two chunks a connection.
#[test]
fn what_the_preparation_has_told_is_added_and_workers_are_held_to_it() {
    let need = |worker_mem: u64| {
        let mut file = file(2, 3, 2, true);
        file.worker.mem = worker_mem;
        let manifest = ManifestSummary { beside: Beside { worker: 5 << 20, server: 3 << 20 }, ..manifest(true) };
        let mut world = World { cluster: Default::default(), job: "fashion-1".parse().unwrap(), at_ms: 5, index: 0 };
        world.done(Command::SubmitJob { request_id: "r".into(), file: Box::new(file), manifest, resume: None });
        world.register(W0, 1);
        world.register(W1, 1);
        let foreseen = world.job().need.unwrap();
        assert!(foreseen.worker_bytes > 5 << 20 && foreseen.server_bytes > 3 << 20, "{foreseen:?}");
        let command = Command::DeclareVariables {
            job: world.job.clone(),
            incarnation: world.incarnation(W0),
            variables: vec![variable("a", &[1 << 20], Group::Train)],
            machine_bytes: None,
        };
        world.done(command);
        world.job().clone()
    };
    let need_of = need(1024).need.unwrap();
    let (mb, chunk) = (1 << 20, 256 << 10);
    assert_eq!(need_of.server_bytes, 18 * mb + 3 * (mb + 2 * chunk) + 3 * mb);
    assert_eq!(need_of.worker_bytes, 20 * mb + 16 * chunk + 2 * (mb + 2 * chunk) + 5 * mb);
    let tight = need(need_of.worker_bytes.div_ceil(mb));
    assert_eq!(tight.state, JobState::Starting, "{}", tight.reason());
    let short = need(need_of.worker_bytes.div_ceil(mb) - 1).reason();
    assert!(short.contains("a worker would need about 32 MB of memory, but worker.mem is 31: raise it"), "{short}");
}

#[test]
fn only_workers_that_live_may_declare() {
    let mut world = starting(file(1, 2, 2, true));
    let server = world.register(PS, 1);
    let by_server = declare(&world, PS, variables());
    assert_eq!(world.refused(by_server), Refusal::Fenced { incarnation: server });
    let nothing = declare(&world, W0, vec![]);
    assert_eq!(world.refused(nothing), Refusal::NoVariables);
    let (late, incarnation) = (declare(&world, W0, variables()), world.incarnation(W0));
    world.done(world.lost(W0, 1));
    assert_eq!(world.refused(late), Refusal::Fenced { incarnation });
}
