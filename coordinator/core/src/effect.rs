//! What the leader should do in the world. A hint: what is lost is found again by comparing
//! [`crate::desired::desired`] with what runs.

use std::fmt;
use tfcoord_types::id::{Attempt, JobId, TaskId};

/// What the leader should do in the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start a process for the task.
    LaunchTask {
        /// The task's job.
        job: JobId,
        /// The task.
        task: TaskId,
        /// Which launch of it; launching is idempotent on (job, task, attempt).
        attempt: Attempt,
    },
    /// End what is left of an attempt: kill it after a grace, in which it may end by itself.
    StopTask {
        /// The task's job.
        job: JobId,
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
    },
    /// Tell those who watch the job that it is over.
    JobEnded {
        /// The job.
        job: JobId,
    },
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::LaunchTask { job, task, attempt } => write!(f, "LaunchTask {job}/{task} attempt {attempt}"),
            Effect::StopTask { job, task, attempt } => write!(f, "StopTask {job}/{task} attempt {attempt}"),
            Effect::JobEnded { job } => write!(f, "JobEnded {job}"),
        }
    }
}
