use crate::command::Command;
use crate::deadline::next_deadline;
use crate::desired::desired;
use crate::job::JobState;
use crate::test::fixture::{PS, W0, W1, World, file, submit};
use tfcoord_types::id::Attempt;

const ADOPTS: Command = Command::TakeOffice { adopts: true };

#[test]
fn jobs_outlive_their_coordinator() {
    let mut world = World::running(1, 2, 2, true);
    let (before, wanted) = (world.view(W0), desired(&world.cluster));
    world.at_ms += 3_600_000;
    world.unchanged(ADOPTS);
    assert_eq!((desired(&world.cluster), world.view(W0)), (wanted, before));
    assert_eq!(world.register(W1, 1).0, 4, "who registered is known");
    world.done(world.lost(W0, 1));
    assert_eq!(world.job().tasks[&W0].attempt, Attempt(2), "and is replaced as ever");
}

#[test]
fn time_without_a_coordinator_does_not_count() {
    let mut world = World::submitted(file(1, 2, 2, true));
    world.register(PS, 1);
    assert_eq!(next_deadline(&world.cluster), Some(61_000));
    world.at_ms += 3_600_000;
    world.done(ADOPTS);
    assert_eq!(next_deadline(&world.cluster), Some(3_661_000));
    world.unchanged(ADOPTS);

    let mut world = World::running(1, 2, 2, true);
    world.at_ms = 2000;
    (1..=4).for_each(|attempt| drop(world.done(world.lost(W0, attempt))));
    world.done(world.lost(W1, 1));
    world.at_ms = 10_000;
    world.done(ADOPTS);
    assert_eq!(next_deadline(&world.cluster), Some(11_000), "the wait of worker-0");
    world.at_ms = 11_000;
    world.done(Command::Tick {});
    assert_eq!(next_deadline(&world.cluster), Some(70_000), "the start of worker-1");
}

#[test]
fn an_entry_of_an_earlier_version_ends_the_jobs_that_were_active() {
    let mut world = World::running(1, 2, 2, true);
    world.done(submit("over", file(1, 1, 1, false)));
    let over: tfcoord_types::id::JobId = "fashion-6".parse().unwrap();
    world.done(Command::CancelJob { job: over.clone(), reason: "enough".into() });
    let earlier: Command = serde_json::from_str(r#"{"take_office": {}}"#).unwrap();
    let effects = world.done(earlier.clone());
    assert_eq!(effects.len(), 4);
    let job = world.job();
    assert_eq!(job.state, JobState::Failed);
    assert!(job.reason().contains("the coordinator ended and was restarted while the job was running"));
    assert_eq!((world.view(W0).revision.0, world.cluster.job(&over).unwrap().state), (8, JobState::Cancelled));
    world.unchanged(earlier);
}
