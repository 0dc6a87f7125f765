use crate::command::Command;
use crate::deadline::next_deadline;
use crate::job::JobState;
use crate::test::fixture::{PS, W0, W1, World, file};
use tfcoord_types::job::JobFile;

#[test]
fn a_job_that_does_not_start_in_time_fails_and_names_who_is_missing() {
    let mut world = World::submitted(file(1, 2, 2, true));
    world.register(PS, 1);
    world.at_ms = 60_999;
    world.unchanged(Command::Tick {});
    world.at_ms = 61_000;
    let effects = world.done(Command::Tick {});
    assert_eq!(effects.len(), 4);
    let reason = "the job did not start within 60 s: waiting for worker-0, worker-1 to register; start_timeout in the job file may \
                  give it more time";
    assert_eq!((world.job().state, world.job().reason().as_str()), (JobState::Failed, reason));
    assert_eq!(next_deadline(&world.cluster), None);
}

#[test]
fn the_job_file_says_how_long_a_start_and_a_replacement_may_take() {
    let file = |seconds| JobFile { start_timeout: seconds, ..file(1, 2, 2, true) };
    let mut world = World::submitted(file(600));
    assert_eq!(next_deadline(&world.cluster), Some(601_000));
    world.at_ms = 600_999;
    world.unchanged(Command::Tick {});
    world.at_ms = 601_000;
    world.done(Command::Tick {});
    assert!(world.job().reason().starts_with("the job did not start within 600 s: waiting for ps-0"), "{}", world.job().reason());

    let mut world = World::running_file(file(5));
    world.done(world.lost(W1, 1));
    assert_eq!(next_deadline(&world.cluster), Some(6000));
}

#[test]
fn variables_may_be_what_is_missing() {
    let mut world = World::submitted(file(1, 2, 2, true));
    for task in [PS, W0, W1] {
        world.register(task, 1);
    }
    world.at_ms = 61_000;
    world.done(Command::Tick {});
    assert!(world.job().reason().contains("waiting for a worker to name the model's variables"));
}

#[test]
fn a_replacement_that_never_registers_is_lost_again() {
    let mut world = World::running(1, 2, 2, true);
    world.at_ms = 100_000;
    world.done(world.lost(W1, 1));
    assert_eq!(next_deadline(&world.cluster), Some(160_000));
    world.at_ms = 160_000;
    let effects = world.done(Command::Tick {});
    assert_eq!(effects, ["StopTask fashion-1/worker-1 attempt 2", "LaunchTask fashion-1/worker-1 attempt 3"]);
    assert_eq!(world.job().tasks[&W1].lost.as_ref().unwrap().message, "did not register within 60 s (start_timeout)");
}
