//! `RegisterTask`: a process takes part. It gets its incarnation from the log's index, so that later ones are
//! always larger.

use super::{Handled, evaluate, finish, generation};
use crate::checkpoint::due_from;
use crate::cluster::Entry;
use crate::command::Process;
use crate::job::{Job, JobState};
use crate::lane;
use crate::outcome::{Outcome, Refusal};
use crate::task::{Registration, TaskState};
use tfcoord_types::id::{Attempt, Incarnation, Revision, Role, TaskId};

pub(super) fn register_task(job: &mut Job, entry: &mut Entry, task: TaskId, attempt: Attempt, process: Process) -> Handled {
    job.active()?;
    let kernel_path = job.kernel_path.clone();
    let state = job.task_mut(task)?;
    if state.attempt != attempt || !state.is_out() {
        return Err(Refusal::StaleAttempt { task, attempt, present: state.attempt });
    }
    if let Some(present) = state.registration() {
        let same = present.process.nonce == process.nonce;
        let incarnation = present.incarnation;
        return if same { Ok(Outcome::Registered { incarnation }) } else { Err(Refusal::OtherProcess { task, attempt }) };
    }
    // A server's arithmetic is that of IEEE 754 element by element: the same on every processor.
    let computes = task.role == Role::Worker;
    if let Some(present) = kernel_path.filter(|path| computes && *path != process.kernel_path) {
        return Err(Refusal::KernelPath { task, path: process.kernel_path, present });
    }
    if task.role == Role::ParameterServer && process.addresses.is_empty() {
        return Err(Refusal::NoAddress { task });
    }
    let incarnation = Incarnation(entry.revision.0);
    let path = process.kernel_path.clone();
    state.state = TaskState::Registered(Registration { incarnation, process, applied: Revision(0), reached: 0 });
    if computes {
        job.kernel_path.get_or_insert(path);
    }
    if job.state == JobState::Admitted {
        job.state = JobState::Starting;
    }
    start_if_ready(job, entry);
    lane::grant(job);
    evaluate::lease(job);
    finish::assign_export(job);
    Ok(Outcome::Registered { incarnation })
}

/// Starts the job once every task is registered and the chunks are placed: whichever comes last.
pub(super) fn start_if_ready(job: &mut Job, entry: &Entry) {
    if job.state != JobState::Starting || job.placement.is_none() || !job.missing().is_empty() {
        return;
    }
    job.state = JobState::Running;
    job.started_at_ms = Some(entry.now_ms);
    generation::begin_at_checkpoint(job);
    job.checkpoints.due_at_ms = due_from(job, entry.now_ms);
    if job.shards().is_none() {
        lane::deal_all(job);
    }
}

impl Job {
    /// Whether all wait at the end of each epoch: for the evaluation that follows it, or, where they do not go together, for
    /// each other.
    pub(super) fn waits_each_epoch(&self) -> bool {
        self.evaluates() || self.shards().is_some()
    }

    /// Where all wait next: the end of the epoch that comes, or of all.
    pub(super) fn next_limit(&self) -> u64 {
        let all = self.plan.steps();
        if self.waits_each_epoch() { self.run_until.saturating_add(self.plan.steps_per_epoch()).min(all) } else { all }
    }
}
