//! The end of a job: the export and its completion, faults, and what is left of tasks.

use super::Handled;
use crate::cause::Exit;
use crate::cluster::Entry;
use crate::job::{Job, JobState};
use crate::outcome::{Outcome, Refusal};
use crate::task::TaskState;
use tfcoord_types::id::{Attempt, Incarnation, Role, TaskId};
use tfcoord_types::report::{Exported, Fault};

/// All steps are done, the last evaluation is complete: the model is exported.
pub(super) fn finalize(job: &mut Job) {
    job.state = JobState::Finalizing;
    // The last parameters are saved at once.
    job.checkpoints.due_at_ms = 0;
    assign_export(job);
}

/// Gives the export to the first live worker, if nobody has it.
pub(super) fn assign_export(job: &mut Job) {
    if job.state == JobState::Finalizing && job.exporter.is_none() {
        job.exporter = job.live_workers().first().copied();
    }
}

/// `CompleteExport`: the outputs are in their place, the job has succeeded.
pub(super) fn complete_export(job: &mut Job, entry: &mut Entry, incarnation: Incarnation, exported: Exported) -> Handled {
    job.active()?;
    job.speaker(incarnation, Role::Worker)?;
    if job.exporter != Some(incarnation) {
        return Err(Refusal::Fenced { incarnation });
    }
    if job.outputs.is_some() {
        return Ok(Outcome::Unchanged);
    }
    job.outputs = Some(exported);
    succeed_if_done(job, entry);
    Ok(Outcome::Done)
}

/// The job has succeeded once its outputs are in their place and its last parameters are saved, or cannot be.
pub(super) fn succeed_if_done(job: &mut Job, entry: &mut Entry) {
    if job.state == JobState::Finalizing && job.outputs.is_some() && job.last_is_saved() {
        let done = job.done();
        job.end(entry, JobState::Succeeded, done);
    }
}

/// `FailJob`: the job cannot go on, as a present task or the coordinator itself says.
pub(super) fn fail_job(job: &mut Job, entry: &mut Entry, incarnation: Option<Incarnation>, fault: Fault) -> Handled {
    job.active()?;
    let reason = match incarnation {
        Some(incarnation) => {
            let task = job.task_of(incarnation).ok_or(Refusal::Fenced { incarnation })?;
            format!("{task}: {}", fault.message)
        }
        None => fault.message,
    };
    job.fail(entry, reason);
    Ok(Outcome::Done)
}

/// `CollectTask`: nothing is left of a task of a job that is over.
pub(super) fn collect_task(job: &mut Job, task: TaskId, attempt: Attempt, exit: Option<Exit>) -> Handled {
    if !job.is_over() {
        return Err(Refusal::JobActive { job: job.id.clone() });
    }
    let state = job.task_mut(task)?;
    if state.attempt != attempt {
        return Err(Refusal::StaleAttempt { task, attempt, present: state.attempt });
    }
    let TaskState::Stopping { incarnation } = state.state else { return Ok(Outcome::Unchanged) };
    state.state = TaskState::Ended { incarnation };
    state.exit = exit;
    Ok(Outcome::Done)
}
