use crate::command::Command;
use crate::job::JobState;
use crate::test::fixture::{W0, World, file, submit};

#[test]
fn active_jobs_end_with_their_coordinator() {
    let mut world = World::running(1, 2, 2, true);
    world.done(submit("over", file(1, 1, 1, false)));
    let over: tfcoord_types::id::JobId = "fashion-6".parse().unwrap();
    world.done(Command::CancelJob { job: over.clone(), reason: "enough".into() });
    let effects = world.done(Command::TakeOffice {});
    assert_eq!(effects.len(), 4);
    let job = world.job();
    assert_eq!(job.state, JobState::Failed);
    assert!(job.reason().contains("the coordinator ended and was restarted while the job was running"));
    assert_eq!((world.view(W0).revision.0, world.cluster.job(&over).unwrap().state), (8, JobState::Cancelled));
    world.unchanged(Command::TakeOffice {});
}
