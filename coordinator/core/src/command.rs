//! What may be proposed. The log keeps commands as JSON: new fields get a default, variants are never renamed.

use crate::cause::{Cause, Exit};
use crate::checkpoint::Resume;
use crate::outcome::Refusal;
use serde::{Deserialize, Serialize};
use std::fmt;
use tfcoord_types::checkpoint::PartFile;
use tfcoord_types::id::{Attempt, CheckpointId, Generation, Incarnation, JobId, Revision, TaskId};
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::ManifestSummary;
use tfcoord_types::report::{EvaluatedShard, Exported, Fault, ShardsDone};
use tfcoord_types::variable::Variable;

/// A change that the leader proposes; it happens when the entry is applied, or is refused then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Admit a job. The same request id always gets the same job.
    SubmitJob {
        /// Chosen by the client: 1 to 128 bytes.
        request_id: String,
        /// Parsed, with absolute paths.
        file: Box<JobFile>,
        /// What preparation found in its data.
        manifest: ManifestSummary,
        /// What it goes on from; nothing: from the seed.
        #[serde(default)]
        resume: Option<Resume>,
    },
    /// A launched process has bound its sockets.
    RegisterTask {
        /// The task's job.
        job: JobId,
        /// The task.
        task: TaskId,
        /// The launch that the process comes from.
        attempt: Attempt,
        /// What it says of itself.
        process: Process,
    },
    /// A worker names the model's variables. The first list counts, the others must be equal.
    DeclareVariables {
        /// The worker's job.
        job: JobId,
        /// The worker.
        incarnation: Incarnation,
        /// In the model's order.
        variables: Vec<Variable>,
        /// Memory of the machine that the job's tasks share; nothing where they do not, or it is not known.
        #[serde(default)]
        machine_bytes: Option<u64>,
    },
    /// A server has made itself equal to the view of a revision. Proposed only where a grant waits for it.
    ApplyView {
        /// The server's job.
        job: JobId,
        /// The server.
        incarnation: Incarnation,
        /// The revision of the view.
        revision: Revision,
    },
    /// Every chunk of a server holds at least the version of a step.
    ReachStep {
        /// The server's job.
        job: JobId,
        /// The life of the parameters that it speaks of.
        generation: Generation,
        /// The server.
        incarnation: Incarnation,
        /// The lowest cursor of its chunks.
        step: u64,
    },
    /// Every chunk of a server is past the end of shards that are leased: others can be.
    FinishShards {
        /// The server's job.
        job: JobId,
        /// The life of the parameters that it speaks of.
        generation: Generation,
        /// The server.
        incarnation: Incarnation,
        /// Which shards of which epoch.
        done: ShardsDone,
    },
    /// A worker has evaluated shards. The first result of a shard counts.
    CompleteShards {
        /// The worker's job.
        job: JobId,
        /// The life of the parameters that it speaks of.
        generation: Generation,
        /// The worker.
        incarnation: Incarnation,
        /// Shards and what was counted.
        shards: Vec<EvaluatedShard>,
    },
    /// The exporting worker has put the model in its place.
    CompleteExport {
        /// The worker's job.
        job: JobId,
        /// The worker.
        incarnation: Incarnation,
        /// What lies where.
        exported: Exported,
    },
    /// The leader holds an attempt for dead: it has exited, or has not reported for a lease.
    DeclareLost {
        /// The task's job.
        job: JobId,
        /// The task.
        task: TaskId,
        /// The attempt; another one than the present is refused.
        attempt: Attempt,
        /// How it ended.
        cause: Cause,
        /// Steps that all servers had done by then, as far as their reports tell: the log does not see reports.
        #[serde(default)]
        step: u64,
    },
    /// Save the parameters as they are before `step`, which no server has reached yet.
    CutCheckpoint {
        /// The job.
        job: JobId,
        /// The life of the parameters.
        generation: Generation,
        /// The step.
        step: u64,
    },
    /// A server's part of a checkpoint lies there.
    CompleteCut {
        /// The server's job.
        job: JobId,
        /// The server.
        incarnation: Incarnation,
        /// Which checkpoint.
        id: CheckpointId,
        /// Its file.
        part: PartFile,
    },
    /// A checkpoint comes to nothing.
    AbandonCut {
        /// The job.
        job: JobId,
        /// Which checkpoint.
        id: CheckpointId,
        /// Why it could not be written; nothing if a server was beyond its step.
        reason: Option<String>,
    },
    /// A checkpoint's manifest lies there, with all parts.
    CommitCheckpoint {
        /// The job.
        job: JobId,
        /// Which checkpoint.
        id: CheckpointId,
    },
    /// A server cannot begin from the checkpoint that its generation begins from.
    DiscardCheckpoint {
        /// The server's job.
        job: JobId,
        /// The life of the parameters.
        generation: Generation,
        /// The server.
        incarnation: Incarnation,
        /// Which checkpoint.
        id: CheckpointId,
        /// Place and cause.
        reason: String,
    },
    /// The job cannot go on.
    FailJob {
        /// The job.
        job: JobId,
        /// The task that says so; nobody if it is the coordinator itself.
        #[serde(default)]
        incarnation: Option<Incarnation>,
        /// Why.
        fault: Fault,
    },
    /// A person no longer wants the job.
    CancelJob {
        /// The job.
        job: JobId,
        /// Why, for people; may be empty.
        reason: String,
    },
    /// A person wants the job to have another number of workers.
    ScaleJob {
        /// The job.
        job: JobId,
        /// How many.
        workers: u32,
        /// Memory of the machine that the job's tasks share; nothing where they do not, or it is not known.
        #[serde(default)]
        machine_bytes: Option<u64>,
    },
    /// A worker without lanes is ready for some: it has the job's model, and has applied a view.
    JoinWorker {
        /// The worker's job.
        job: JobId,
        /// The worker.
        incarnation: Incarnation,
    },
    /// A worker is late again and again: its lanes go to the others.
    MoveLanes {
        /// The worker's job.
        job: JobId,
        /// The worker.
        incarnation: Incarnation,
        /// How late, for people.
        reason: String,
    },
    /// A leader begins to lead; first entry after every start of a coordinator.
    TakeOffice {
        /// Whether tasks outlive their coordinator, and so jobs too; not so in earlier versions.
        #[serde(default)]
        adopts: bool,
    },
    /// The next deadline has passed.
    Tick {},
    /// The launcher has reaped an attempt of a job that is over.
    CollectTask {
        /// The task's job.
        job: JobId,
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// How it ended, if that was seen.
        exit: Option<Exit>,
    },
}

/// What a process says of itself when it registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Drawn by the process at its start: the same nonce keeps the same incarnation.
    pub nonce: String,
    /// Where it listens, the fastest first; at least one for a server.
    pub addresses: Vec<String>,
    /// The host that its Unix sockets are good on.
    pub host: String,
    /// The kernels that it computes gradients with; all workers of a job must have the same. Empty for a server.
    pub kernel_path: String,
}

impl Command {
    /// The job that it is about, unless it is about none that there is.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            Command::SubmitJob { .. } | Command::TakeOffice { .. } | Command::Tick {} => None,
            Command::RegisterTask { job, .. }
            | Command::DeclareVariables { job, .. }
            | Command::ApplyView { job, .. }
            | Command::ReachStep { job, .. }
            | Command::FinishShards { job, .. }
            | Command::CompleteShards { job, .. }
            | Command::CompleteExport { job, .. }
            | Command::DeclareLost { job, .. }
            | Command::CutCheckpoint { job, .. }
            | Command::CompleteCut { job, .. }
            | Command::AbandonCut { job, .. }
            | Command::CommitCheckpoint { job, .. }
            | Command::DiscardCheckpoint { job, .. }
            | Command::FailJob { job, .. }
            | Command::CancelJob { job, .. }
            | Command::ScaleJob { job, .. }
            | Command::JoinWorker { job, .. }
            | Command::MoveLanes { job, .. }
            | Command::CollectTask { job, .. } => Some(job),
        }
    }
}

impl Command {
    /// Who says so, if it is a task.
    pub fn speaker(&self) -> Option<Incarnation> {
        match self {
            Command::DeclareVariables { incarnation, .. }
            | Command::ApplyView { incarnation, .. }
            | Command::ReachStep { incarnation, .. }
            | Command::FinishShards { incarnation, .. }
            | Command::CompleteShards { incarnation, .. }
            | Command::CompleteCut { incarnation, .. }
            | Command::DiscardCheckpoint { incarnation, .. }
            | Command::CompleteExport { incarnation, .. }
            | Command::JoinWorker { incarnation, .. } => Some(*incarnation),
            Command::FailJob { incarnation, .. } => *incarnation,
            _ => None,
        }
    }

    /// That a log cannot hold it, where it would have `bytes` of the `bytes_max` possible.
    pub fn too_long(&self, bytes: usize, bytes_max: usize) -> Refusal {
        let (what, remedy) = match self {
            Command::SubmitJob { .. } => ("the job file", "make it shorter"),
            Command::DeclareVariables { .. } => ("the list of the model's variables", "use a model with fewer layers"),
            Command::CompleteShards { .. } => {
                ("what a worker found in an evaluation", "leave confusion_matrix out of model.metrics, or use data with fewer classes")
            }
            Command::CompleteExport { .. } => ("the list of the model's files", "use a model of fewer files"),
            _ => ("what was said", "make it shorter"),
        };
        Refusal::TooLong { what, bytes, bytes_max, remedy }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::SubmitJob { request_id, file, .. } => write!(f, "SubmitJob {} ({request_id})", file.name),
            Command::RegisterTask { job, task, attempt, .. } => write!(f, "RegisterTask {job}/{task} attempt {attempt}"),
            Command::DeclareVariables { job, incarnation, variables, .. } => {
                write!(f, "DeclareVariables {job} incarnation {incarnation}: {} variables", variables.len())
            }
            Command::ApplyView { job, incarnation, revision } => write!(f, "ApplyView {job} incarnation {incarnation} revision {revision}"),
            Command::ReachStep { job, generation, incarnation, step } => {
                write!(f, "ReachStep {job} generation {generation} incarnation {incarnation} step {step}")
            }
            Command::FinishShards { job, incarnation, done, .. } => {
                write!(f, "FinishShards {job} incarnation {incarnation}: {} shards of epoch {}", done.shards.len(), done.epoch)
            }
            Command::CompleteShards { job, incarnation, shards, .. } => {
                write!(f, "CompleteShards {job} incarnation {incarnation}: {} shards", shards.len())
            }
            Command::CompleteExport { job, incarnation, exported } => {
                write!(f, "CompleteExport {job} incarnation {incarnation}: {}", exported.dir)
            }
            Command::DeclareLost { job, task, attempt, cause, .. } => write!(f, "DeclareLost {job}/{task} attempt {attempt}: {cause}"),
            Command::CutCheckpoint { job, generation, step } => write!(f, "CutCheckpoint {job} generation {generation} step {step}"),
            Command::CompleteCut { job, incarnation, id, part } => {
                write!(f, "CompleteCut {job} {id} incarnation {incarnation}: {} of {} bytes", part.file, part.length)
            }
            Command::AbandonCut { job, id, reason: Some(reason) } => write!(f, "AbandonCut {job} {id}: {reason}"),
            Command::AbandonCut { job, id, reason: None } => write!(f, "AbandonCut {job} {id}: missed"),
            Command::CommitCheckpoint { job, id } => write!(f, "CommitCheckpoint {job} {id}"),
            Command::DiscardCheckpoint { job, id, reason, .. } => write!(f, "DiscardCheckpoint {job} {id}: {reason}"),
            Command::FailJob { job, fault, .. } => write!(f, "FailJob {job}: {}", fault.message),
            Command::CancelJob { job, reason } => write!(f, "CancelJob {job}: {reason}"),
            Command::ScaleJob { job, workers, .. } => write!(f, "ScaleJob {job} to {workers} workers"),
            Command::JoinWorker { job, incarnation } => write!(f, "JoinWorker {job} incarnation {incarnation}"),
            Command::MoveLanes { job, incarnation, reason } => write!(f, "MoveLanes {job} of incarnation {incarnation}: {reason}"),
            Command::TakeOffice { .. } => f.write_str("TakeOffice"),
            Command::Tick {} => f.write_str("Tick"),
            Command::CollectTask { job, task, attempt, .. } => write!(f, "CollectTask {job}/{task} attempt {attempt}"),
        }
    }
}
