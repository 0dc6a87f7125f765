//! What a task tells the coordinator: always its whole state, said again until a view shows it.

use crate::checkpoint::{CutReport, RestoreFault};
use crate::figures::{Counts, CurvePoint};
use crate::id::{Generation, Incarnation, Revision};
use crate::variable::Variable;
use serde::{Deserialize, Serialize};

/// A task's state. Idempotent: the same report twice changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Who says so.
    pub incarnation: Incarnation,
    /// The revision of the newest view that the task has made itself equal to.
    pub applied: Revision,
    /// The generation that the rest speaks of.
    pub generation: Generation,
    /// What only a worker or only a server has to say.
    pub body: Body,
    /// Why the task cannot go on, if so.
    pub fault: Option<Fault>,
}

/// What only a worker or only a server has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// From a worker.
    Worker(WorkerReport),
    /// From a parameter server.
    Server(ServerReport),
}

/// A worker's state.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkerReport {
    /// The model's variables, until the view shows a placement.
    pub variables: Vec<Variable>,
    /// The step it works on.
    pub step: u64,
    /// Records it has computed gradients for since it started.
    pub records: u64,
    /// Evaluated shards of the evaluation that the view names.
    pub evaluated: Vec<EvaluatedShard>,
    /// The export, once it is in its place.
    pub exported: Option<Exported>,
}

/// A shard of an evaluation and what it counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluatedShard {
    /// Which evaluation: its number in the job, from 0.
    pub evaluation: u32,
    /// Which shard of it.
    pub shard: u32,
    /// What was counted.
    pub counts: Counts,
}

/// An export that is complete and in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Absolute path of the model's directory.
    pub dir: String,
    /// (file name, length in bytes, SHA-256 in hexadecimal), by name.
    pub files: Vec<(String, u64, String)>,
}

/// A parameter server's state.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerReport {
    /// The lowest cursor of its chunks: every chunk holds at least this version. `None` before its first placement.
    pub reached: Option<u64>,
    /// Outside of `bsp`: which of the shards in its newest view are done here.
    pub done: ShardsDone,
    /// The curve, from the server that holds it.
    pub curve: Option<CurveReport>,
    /// What became of its part of the checkpoint that the view names.
    pub cut: Option<CutReport>,
    /// Why it cannot begin from the checkpoint that the view names.
    pub restore_fault: Option<RestoreFault>,
    /// The worker that was late in each of the last steps, as soon as these are [`LATE_STEPS`].
    pub late: Option<Late>,
}

/// So many steps in a row a worker must be late to be a straggler.
pub const LATE_STEPS: u32 = 5;

/// A worker whose sums come after all others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// Which one.
    pub worker: Incarnation,
    /// In how many steps in a row.
    pub steps: u32,
    /// By how much in the last of them, in milliseconds.
    pub behind_ms: u64,
}

/// Shards that every chunk of a server is past the end of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ShardsDone {
    /// Of which epoch.
    pub epoch: u32,
    /// Which ones, ascending.
    pub shards: Vec<u32>,
}

/// Where the curve stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveReport {
    /// The newest step.
    pub last: CurvePoint,
    /// The sums since the newest step's epoch began; `step` is that epoch's first.
    pub epoch: CurvePoint,
}

/// Why a task cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Whose matter it is.
    pub kind: FaultKind,
    /// Place, cause and remedy, for people.
    pub message: String,
}

/// Whose matter a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Data that are not what the manifest says, or that nobody can train on: the job ends.
    Data,
    /// A value that is not finite: the job ends.
    NotFinite,
    /// The job asks for what cannot be: the job ends.
    Job,
    /// Anything else: the task is replaced.
    Task,
}
