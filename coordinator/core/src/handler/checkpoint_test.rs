use crate::checkpoint::next_cut;
use crate::command::Command;
use crate::job::JobState;
use crate::outcome::Refusal;
use crate::test::fixture::{PS, W0, World, file};
use tfcoord_types::checkpoint::PartFile;
use tfcoord_types::id::{CheckpointId, Generation, TaskId};
use tfcoord_types::job::Checkpointing;

pub(super) const PS1: TaskId = TaskId::server(1);

fn saving(every_steps: Option<u64>, eval: bool) -> World {
    let mut file = file(2, 2, 4, eval);
    file.checkpoint = Some(Checkpointing { every_steps, keep: 2, ..Checkpointing::default() });
    World::running_file(file)
}

impl World {
    pub(super) fn cut(&mut self, step: u64) -> CheckpointId {
        self.done(Command::CutCheckpoint { job: self.job.clone(), generation: self.job().generation, step });
        self.view(PS).cut.unwrap().id
    }

    pub(super) fn written(&self, server: TaskId, id: CheckpointId) -> Command {
        let part = PartFile { file: format!("{id}.{server}"), length: 9, crc32c: 1 };
        Command::CompleteCut { job: self.job.clone(), incarnation: self.incarnation(server), id, part }
    }

    pub(super) fn commit(&mut self, step: u64) -> CheckpointId {
        let id = self.cut(step);
        self.done(self.written(PS, id));
        self.done(self.written(PS1, id));
        self.done(Command::CommitCheckpoint { job: self.job.clone(), id });
        id
    }
}

#[test]
fn a_checkpoint_is_committed_once_every_server_has_written_its_part() {
    let mut world = saving(Some(3), false);
    let id = world.cut(3);
    assert_eq!(id, CheckpointId { generation: Generation(1), step: 3, attempt: world.index });
    assert_eq!(world.view(PS).cut.unwrap().dir, "/out/fashion-1/checkpoints");
    assert_eq!((world.view(W0).cut, world.job().complete_cut()), (None, None), "workers have nothing to do with it");
    world.unchanged(Command::CutCheckpoint { job: world.job.clone(), generation: Generation(1), step: 6 });
    world.done(world.written(PS1, id));
    let (again, early) = (world.written(PS1, id), Command::CommitCheckpoint { job: world.job.clone(), id });
    world.unchanged(again);
    assert_eq!(world.refused(early), Refusal::NoCut { id });
    world.done(world.written(PS, id));
    assert_eq!(world.job().complete_cut().unwrap().parts.len(), 2);
    world.done(Command::CommitCheckpoint { job: world.job.clone(), id });
    assert_eq!((world.view(PS).cut, world.job().checkpoints.committed.len()), (None, 1));
    world.commit(6);
    let newest = world.commit(9);
    let steps = |world: &World| world.job().checkpoints.committed.iter().map(|c| c.id.step).collect::<Vec<_>>();
    assert_eq!((steps(&world), world.job().checkpoints.committed[1].id), (vec![6, 9], newest), "as many as are kept");
}

#[test]
fn what_is_not_under_way_is_refused() {
    let mut world = saving(Some(3), false);
    let none = CheckpointId { generation: Generation(1), step: 3, attempt: 1 };
    let (part, abandon) = (world.written(PS, none), Command::AbandonCut { job: world.job.clone(), id: none, reason: None });
    assert_eq!((world.refused(part), world.refused(abandon)), (Refusal::NoCut { id: none }, Refusal::NoCut { id: none }));
    let id = world.cut(3);
    for file in ["", "../x", "a/b", ".hidden", "a\0b"] {
        let Command::CompleteCut { job, incarnation, id, part } = world.written(PS, id) else { unreachable!() };
        let part = PartFile { file: file.into(), ..part };
        assert_eq!(world.refused(Command::CompleteCut { job, incarnation, id, part }), Refusal::NoCut { id });
    }
    let of_worker = world.written(W0, id);
    assert!(matches!(world.refused(of_worker), Refusal::Fenced { .. }));
    let beyond = Command::CutCheckpoint { job: world.job.clone(), generation: Generation(2), step: 3 };
    assert!(matches!(world.refused(beyond), Refusal::StaleGeneration { .. }));
}

#[test]
fn a_cut_is_a_step_that_nobody_has_reached_or_where_all_wait() {
    let world = saving(Some(3), true);
    let job = world.job();
    assert_eq!((next_cut(job, 1000, 0, 1), next_cut(job, 1000, 2, 1), next_cut(job, 1000, 2, 2)), (Some(3), Some(3), Some(6)));
    assert_eq!(next_cut(job, 1000, 12, 9), Some(16), "the last parameters are saved");
    let timed = saving(None, true);
    let job = timed.job();
    assert_eq!((next_cut(job, 60_999, 0, 1), next_cut(job, 61_000, 0, 1), next_cut(job, 61_000, 2, 9)), (None, Some(1), Some(4)));
    let mut unasked = World::running(2, 2, 4, false);
    unasked.at_ms = 100_000;
    assert_eq!((next_cut(unasked.job(), 100_000, 3, 2), next_cut(unasked.job(), 100_000, 15, 5)), (Some(5), None));
}

#[test]
fn a_failure_is_told_and_tried_again() {
    let mut world = saving(Some(3), false);
    let id = world.cut(3);
    world.done(Command::AbandonCut { job: world.job.clone(), id, reason: Some("no space left on device".into()) });
    let told = format!("checkpoint {id}: no space left on device");
    assert_eq!((world.job().checkpoints.failure.clone(), world.job().state), (Some(told), JobState::Running));
    assert_eq!((next_cut(world.job(), 10_999, 3, 1), next_cut(world.job(), 11_000, 3, 1)), (None, Some(6)));
    world.commit(6);
    assert_eq!(world.job().checkpoints.failure, None);
    let id = world.cut(9);
    world.done(Command::AbandonCut { job: world.job.clone(), id, reason: None });
    assert_eq!((world.job().checkpoints.failure.clone(), next_cut(world.job(), 1000, 9, 1)), (None, Some(12)), "missed: at once again");
}

#[test]
fn a_job_ends_when_its_outputs_and_its_last_parameters_are_there() {
    let end = |world: &mut World| {
        world.done(world.reach(PS, 16));
        world.done(world.reach(PS1, 16));
        world.done(world.export(W0));
        let again = world.export(W0);
        world.unchanged(again);
        assert_eq!((world.job().state, next_cut(world.job(), 1000, 16, 1)), (JobState::Finalizing, Some(16)));
    };
    let mut world = saving(None, false);
    end(&mut world);
    world.commit(16);
    assert_eq!(world.job().state, JobState::Succeeded);
    let mut world = saving(None, false);
    end(&mut world);
    let id = world.cut(16);
    world.done(Command::AbandonCut { job: world.job.clone(), id, reason: Some("disk full".into()) });
    assert_eq!(world.job().state, JobState::Succeeded, "without it, which is told");
    assert!(world.job().checkpoints.failure.as_ref().unwrap().contains("disk full"));
}
