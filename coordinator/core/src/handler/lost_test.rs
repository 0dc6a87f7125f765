use crate::cause::Exit;
use crate::command::Command;
use crate::job::JobState;
use crate::outcome::Refusal;
use crate::task::TaskState;
use crate::test::fixture::{PS, W0, W1, World, file, killed};
use tfcoord_types::id::{Attempt, Incarnation};

#[test]
fn a_worker_is_replaced_at_once_three_times_and_then_after_a_second() {
    let mut world = World::running(1, 2, 2, true);
    for attempt in 1..=3 {
        let effects = world.done(world.lost(W0, attempt));
        let next = attempt + 1;
        let expect = [format!("StopTask fashion-1/worker-0 attempt {attempt}"), format!("LaunchTask fashion-1/worker-0 attempt {next}")];
        assert_eq!(effects, expect);
    }
    assert_eq!(world.done(world.lost(W0, 4)), ["StopTask fashion-1/worker-0 attempt 4"]);
    assert_eq!(world.job().tasks[&W0].state, TaskState::Waiting { until_ms: 2000 });
    assert_eq!(crate::deadline::next_deadline(&world.cluster), Some(2000));
    assert_eq!(crate::desired::desired(&world.cluster), [(world.job.clone(), PS, Attempt(1)), (world.job.clone(), W1, Attempt(1))]);
    for attempt in [4, 5] {
        let early = world.register_command(W0, attempt);
        assert!(matches!(world.refused(early), Refusal::StaleAttempt { present: Attempt(4), .. }));
    }
    world.at_ms = 2000;
    assert_eq!(world.done(Command::Tick {}), ["LaunchTask fashion-1/worker-0 attempt 5"]);
    assert_eq!(world.job().tasks[&W0].lost, Some(killed()));
}

#[test]
fn a_worker_lost_too_often_fails_the_job_with_its_last_cause() {
    let mut world = World::running(1, 2, 2, true);
    for attempt in 1..=5 {
        world.done(world.lost(W0, attempt));
        world.at_ms += 1000;
        world.apply(Command::Tick {});
    }
    let effects = world.done(world.lost(W0, 6));
    assert_eq!(effects, ["StopTask fashion-1/ps-0 attempt 1", "StopTask fashion-1/worker-1 attempt 1", "JobEnded fashion-1"]);
    let reason = "fashion-1/worker-0 was killed by signal 9 (SIGKILL); it was replaced 5 times without any progress of the job, \
                  and worker.max_restarts allows no more\nlast lines of fashion-1/worker-0:\n  one\n  two";
    assert_eq!((world.job().state, world.job().reason().as_str()), (JobState::Failed, reason));
    assert_eq!(world.job().tasks[&W0].exit, Some(Exit::Signal(9)));
}

#[test]
fn how_often_it_was_replaced_is_said_in_words() {
    for (allowed, expect) in [
        (0, "; it is not replaced, as worker.max_restarts is 0\n"),
        (1, "; it was replaced once without any progress of the job, and worker.max_restarts allows no more\n"),
    ] {
        let mut file = file(1, 2, 2, true);
        file.worker.max_restarts = allowed;
        let mut world = World::running_file(file);
        for attempt in 1..=allowed + 1 {
            world.done(world.lost(W0, attempt));
        }
        assert!(world.job().reason().contains(expect), "{}", world.job().reason());
    }
}

#[test]
fn a_cause_is_of_the_attempt_that_was_lost_also_after_the_next_one_was_launched() {
    let mut world = World::running(1, 2, 2, true);
    let lost = |world: &World| (world.job().tasks[&PS].attempt, world.job().tasks[&PS].lost_attempt);
    assert_eq!(lost(&world), (Attempt(1), None));
    world.done(world.lost(PS, 1));
    world.done(world.cancel());
    assert_eq!(lost(&world), (Attempt(2), Some(Attempt(1))));
}

#[test]
fn a_claim_never_says_that_the_limit_is_reached() {
    let mut world = World::running(1, 2, 2, true);
    world.done(world.lost_at(W0, 1, 999));
    assert_eq!(world.job().step, world.job().run_until - 1);
}

#[test]
fn a_job_that_advances_never_runs_out_of_restarts() {
    // Each attempt gets one step further, as the leader knows from the servers' reports.
    let mut world = World::running(1, 2, 8, false);
    for attempt in 1..=20 {
        world.done(world.lost_at(W0, attempt, u64::from(attempt)));
    }
    let task = &world.job().tasks[&W0];
    assert_eq!((task.restarts, task.restarts_in_vain), (20, 1), "and each replacement comes at once");
    // From here on it gets no further, whatever is claimed.
    for attempt in 21..=24 {
        world.done(world.lost_at(W0, attempt, 3));
        world.at_ms += 1000;
        world.apply(Command::Tick {});
    }
    world.done(world.lost_at(W0, 25, 20));
    assert!(world.job().reason().contains("it was replaced 5 times without any progress"), "{}", world.job().reason());
}

#[test]
fn shards_of_an_evaluation_and_its_end_are_progress() {
    let mut world = World::running(1, 2, 2, true);
    let lose = |world: &mut World, attempt: u32| {
        world.done(world.lost(W1, attempt));
        let task = &world.job().tasks[&W1];
        (task.restarts, task.restarts_in_vain)
    };
    assert_eq!((lose(&mut world, 1), lose(&mut world, 2)), ((1, 1), (2, 2)));
    world.done(world.reach(PS, 4));
    assert_eq!((lose(&mut world, 3), lose(&mut world, 4)), ((3, 1), (4, 2)), "an epoch is over");
    world.done(world.evaluated(W0, 0, &[1]));
    assert_eq!((lose(&mut world, 5), lose(&mut world, 6)), ((5, 1), (6, 2)), "a shard is evaluated");
    world.done(world.evaluated(W0, 0, &[0, 2]));
    assert_eq!((lose(&mut world, 7), lose(&mut world, 8)), ((7, 1), (8, 2)), "the evaluation is over");
}

#[test]
fn only_the_present_attempt_can_be_lost() {
    let mut world = World::running(1, 2, 2, true);
    world.done(world.lost(W0, 1));
    for attempt in [1, 3] {
        let stale = world.lost(W0, attempt);
        let refusal = Refusal::StaleAttempt { task: W0, attempt: Attempt(attempt), present: Attempt(2) };
        assert_eq!(world.refused(stale), refusal);
    }
    world.done(world.lost(W0, 2));
    assert_eq!(world.register(W0, 3), Incarnation(10));
}

#[test]
fn a_worker_may_be_lost_before_the_start() {
    let mut world = World::submitted(file(1, 2, 2, true));
    world.register(W0, 1);
    let effects = world.done(world.lost(W0, 1));
    assert_eq!(effects, ["StopTask fashion-1/worker-0 attempt 1", "LaunchTask fashion-1/worker-0 attempt 2"]);
    assert_eq!(world.job().state, JobState::Starting);
}
