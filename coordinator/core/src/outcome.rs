//! What became of a command.

use crate::effect::Effect;
use crate::job::JobState;
use std::fmt;
use tfcoord_types::id::{Attempt, CheckpointId, Generation, Incarnation, JobId, Revision, TaskId};
use tfcoord_types::lane::WORKERS_MAX;

/// What applying one entry gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// For whoever proposed it.
    pub outcome: Outcome,
    /// For the leader.
    pub effects: Vec<Effect>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The job of this request id, now or from an earlier submission.
    Submitted {
        /// The job.
        job: JobId,
    },
    /// The process's fencing token.
    Registered {
        /// The same one for the same nonce.
        incarnation: Incarnation,
    },
    /// It happened.
    Done,
    /// It had happened before.
    Unchanged,
    /// It did not happen; the state is as before.
    Refused(Refusal),
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The entry's index is not above the last one applied.
    #[error("entry {index} was applied before: the state is at {revision}")]
    Replayed {
        /// The entry's index.
        index: u64,
        /// The last entry applied.
        revision: Revision,
    },
    /// No such job.
    #[error("there is no job {job}: `tfcoord list` shows those that there are")]
    UnknownJob {
        /// The job asked for.
        job: JobId,
    },
    /// The job has no such task.
    #[error("job {job} has no task {task}")]
    UnknownTask {
        /// The job.
        job: JobId,
        /// The task asked for.
        task: TaskId,
    },
    /// The job is over.
    #[error("job {job} is over: it {state}")]
    JobOver {
        /// The job.
        job: JobId,
        /// Its final state.
        state: JobState,
    },
    /// The job is not over yet.
    #[error("job {job} is not over: its tasks are lost or run, none is collected")]
    JobActive {
        /// The job.
        job: JobId,
    },
    /// The request id is empty or too long.
    #[error("the request id has {bytes} bytes; use 1 to 128")]
    RequestId {
        /// Its length.
        bytes: usize,
    },
    /// There are too many jobs already.
    #[error("{jobs} jobs are active already: wait for some to end, or cancel them")]
    TooManyJobs {
        /// Those that are not over.
        jobs: usize,
    },
    /// The job file cannot be trained on its data.
    #[error("{problem}")]
    Job {
        /// Place, cause and remedy.
        problem: String,
    },
    /// The model is larger than the job's servers, or this program, can hold.
    #[error("{problem}")]
    TooLarge {
        /// Number, limit and remedy.
        problem: String,
    },
    /// The attempt is not the present one.
    #[error("attempt {attempt} of {task} is not the present one, which is {present}")]
    StaleAttempt {
        /// The task.
        task: TaskId,
        /// The attempt named.
        attempt: Attempt,
        /// The newest attempt.
        present: Attempt,
    },
    /// Two processes say that they are one attempt.
    #[error("attempt {attempt} of {task} is registered by another process")]
    OtherProcess {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
    },
    /// The process computes with other kernels than the job's first task.
    #[error("all workers of a job run one kernel path: {task} has {path:?}, but the job runs {present:?}")]
    KernelPath {
        /// The task.
        task: TaskId,
        /// What it has.
        path: String,
        /// The job's.
        present: String,
    },
    /// A server without an address.
    #[error("{task} names no address that workers can reach it at")]
    NoAddress {
        /// The server.
        task: TaskId,
    },
    /// The incarnation is not a present one of the right role.
    #[error("incarnation {incarnation} is retired, or may not say this")]
    Fenced {
        /// The incarnation.
        incarnation: Incarnation,
    },
    /// It speaks of another life of the parameters.
    #[error("generation {generation} is not the present one, which is {present}")]
    StaleGeneration {
        /// The generation named.
        generation: Generation,
        /// The present one.
        present: Generation,
    },
    /// A step or revision that cannot have been reached yet.
    #[error("{what} {number} cannot have been reached: the newest is {newest}")]
    Ahead {
        /// What the number counts.
        what: &'static str,
        /// The number named.
        number: u64,
        /// The newest possible.
        newest: u64,
    },
    /// It is not the checkpoint that is being cut, or begun from.
    #[error("checkpoint {id} is not under way")]
    NoCut {
        /// The checkpoint.
        id: CheckpointId,
    },
    /// So many workers cannot share a step.
    #[error(
        "{job} cannot have {workers} workers: its steps have {micro_batches} micro-batches, so use 1 to {micro_batches} workers; \
         train.micro_batches can be changed only by another job"
    )]
    Workers {
        /// The job.
        job: JobId,
        /// The workers wanted.
        workers: u32,
        /// Its lanes.
        micro_batches: u32,
    },
    /// So many workers are too many, or none.
    #[error("{job} cannot have {workers} workers: use 1 to {WORKERS_MAX}")]
    TooManyWorkers {
        /// The job.
        job: JobId,
        /// The workers wanted.
        workers: u32,
    },
    /// The log cannot hold it.
    #[error("{what} would be an entry of {bytes} bytes in the coordinator's log, which takes at most {bytes_max} bytes: {remedy}")]
    TooLong {
        /// What is so long.
        what: &'static str,
        /// Its length in the log.
        bytes: usize,
        /// The longest possible.
        bytes_max: usize,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A list of variables without any.
    #[error("the model has no variables")]
    NoVariables,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Submitted { job } => write!(f, "submitted {job}"),
            Outcome::Registered { incarnation } => write!(f, "registered as incarnation {incarnation}"),
            Outcome::Done => f.write_str("done"),
            Outcome::Unchanged => f.write_str("unchanged"),
            Outcome::Refused(refusal) => write!(f, "refused: {refusal}"),
        }
    }
}
