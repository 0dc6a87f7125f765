//! What a task should do: a pure function of the coordinator's state, sent whenever it changed, and again
//! whenever a session begins. The task makes itself equal to it and reports its revision.

use crate::checkpoint::Checkpoint;
use crate::figures::Counts;
use crate::id::{Generation, Incarnation, Revision, TaskId};
use crate::plan::TrainPlan;
use crate::variable::Variable;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What one incarnation of a task should do.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskView {
    /// The state it was computed from.
    pub revision: Revision,
    /// Whom it is for.
    pub incarnation: Incarnation,
    /// What to do at large.
    pub directive: Directive,
    /// The parameters' life; keys of another one are refused.
    pub generation: Generation,
    /// Records, lanes, steps; from the start of the job.
    pub plan: TrainPlan,
    /// Variables and where their chunks lie; once a worker has reported them.
    pub placement: Option<Placement>,
    /// The job's servers, by slot; all of them, or none while one is missing.
    pub servers: Vec<ServerAddress>,
    /// The owner of each lane; `None`: nobody may push for it. As long as the plan has lanes.
    pub owners: Vec<Option<Incarnation>>,
    /// Live workers' incarnations, ascending: any other one below the highest is retired.
    pub workers: Vec<Incarnation>,
    /// Outside of `bsp`: shards of the epoch before `run_until` that are leased, or were and are not done; to a worker its own.
    pub leases: Vec<Lease>,
    /// Steps below this one may be computed; there all wait for a newer view. Never falls within a generation.
    pub run_until: u64,
    /// For a worker: shards to evaluate with the parameters of a step.
    pub evaluate: Option<Evaluate>,
    /// For a worker: export the model.
    pub export: Option<Export>,
    /// For the server that holds the curve: the last evaluation that is complete.
    pub evaluations: Vec<Evaluation>,
    /// For a server: what the generation's chunks begin from; `None`: from the seed.
    pub restore: Option<Checkpoint>,
    /// For a server: the checkpoint to cut, until its part is in the log.
    pub cut: Option<Checkpoint>,
}

/// A shard and the one incarnation that may push for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Which one of the epoch, see [`crate::shard`].
    pub shard: u32,
    /// `None`: nobody may.
    pub owner: Option<Incarnation>,
}

/// What to do at large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// Report variables (workers) and wait: the job is starting.
    Wait,
    /// Take part.
    Run,
    /// End with exit code 0.
    Stop {
        /// Why, for the log.
        reason: String,
    },
    /// This incarnation is retired: end at once with exit code [`FENCED_EXIT_CODE`].
    Fenced,
}

/// Exit code of a task that was fenced.
pub const FENCED_EXIT_CODE: i32 = 76;
/// Exit code of a task that lost its coordinator for too long.
pub const ORPHANED_EXIT_CODE: i32 = 77;

/// Which chunks lie where. The layout follows from `variables` and `chunk_elements`, see [`crate::layout`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// Grows with every change of the map.
    pub epoch: u64,
    /// The model's variables, in order.
    pub variables: Vec<Variable>,
    /// The largest chunk, in elements.
    pub chunk_elements: u64,
    /// The server slot of each chunk.
    pub servers: Vec<u32>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAddress {
    /// Its task.
    pub task: TaskId,
    /// Its present incarnation.
    pub incarnation: Incarnation,
    /// Its addresses, the fastest first: `unix:/path` (good on `host` only), `127.0.0.1:7601`.
    pub addresses: Vec<String>,
    /// The host that its Unix sockets are good on.
    pub host: String,
}

/// Shards to evaluate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluate {
    /// Which evaluation of the job, from 0.
    pub evaluation: u32,
    /// With the parameters of this version: those that step `step` would be computed with.
    pub step: u64,
    /// (shard, its records): those leased to this worker that are not done yet.
    pub shards: Vec<(u32, Range<u64>)>,
}

/// What the name of a directory begins with, in a job's outputs, in which an attempt to export is under way; its number
/// follows.
pub const EXPORT_TEMPORARY: &str = ".model-";

/// Export the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// With the parameters of this version: the last one.
    pub step: u64,
    /// Where to: the directory that the job's outputs lie in.
    pub dir: String,
    /// Makes temporary names unique.
    pub attempt: u64,
    /// All evaluations, in order; the last one is of `step`, if the job has data for it. The others have neither confusion
    /// matrix nor bins.
    pub evaluations: Vec<Evaluation>,
}

/// A complete evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Epochs trained so far.
    pub epoch: u32,
    /// Steps trained so far.
    pub step: u64,
    /// What was counted over all shards.
    pub counts: Counts,
}
