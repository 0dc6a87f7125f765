//! A job as this client shows it: the protocol's message as plain data, and the JSON of `-o json`.
//!
//! The JSON is stable: fields are added, never renamed or removed. Times are milliseconds since 1970, counted
//! by the coordinator.

use serde::Serialize;
use std::fmt;
use tfcoord_proto::v1;
use tfcoord_types::id::CheckpointId;

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// Its id: `fashion-mnist-7`.
    pub id: String,
    /// The coordinator's state that this was read from.
    pub revision: u64,
    /// Where it is in its life.
    pub state: State,
    /// Why it is there; may be empty.
    pub reason: String,
    /// The job file that it came from.
    pub file: String,
    /// When it was submitted.
    pub submitted_at_ms: u64,
    /// When its first step could begin.
    pub started_at_ms: Option<u64>,
    /// When it ended.
    pub ended_at_ms: Option<u64>,
    /// Its size.
    pub plan: Plan,
    /// How far it is; nothing once it has ended.
    pub progress: Option<Progress>,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// Its evaluations, in order.
    pub evaluations: Vec<Evaluation>,
    /// The class names, where the label is a class.
    pub classes: Vec<String>,
    /// What it made; once it has succeeded.
    pub outputs: Option<Outputs>,
    /// What its parameters may go back to; once it has started.
    pub checkpoints: Option<Checkpoints>,
    /// What is wrong with its access to HDFS; absent where nothing is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hdfs: String,
    /// The job file as admitted.
    pub job_file: Option<serde_json::Value>,
}

/// What a job's parameters may go back to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Checkpoints {
    /// The life of the parameters, from 1: grows when they go back.
    pub generation: u64,
    /// Those that are kept, the oldest first.
    pub committed: Vec<Checkpoint>,
    /// What the present generation began from; nothing if from the seed.
    pub restored: Option<Checkpoint>,
    /// Why the last one that could not be written, or not be read, could not; empty if none, or one was committed since.
    pub failure: String,
}

/// A checkpoint that is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// GENERATION-STEP-ATTEMPT, what its files' names begin with.
    pub id: String,
    /// Steps trained by then.
    pub step: u64,
    /// Where its files lie.
    pub dir: String,
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for room.
    Pending,
    /// Has room, its tasks are about to be launched.
    Admitted,
    /// Its tasks are launched and come together.
    Starting,
    /// Trains.
    Running,
    /// Training is done; the model is exported.
    Finalizing,
    /// Ended: the model is there.
    Succeeded,
    /// Ended without a model.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
    /// A state that this client does not know.
    Unknown,
}

impl State {
    /// Whether it is final.
    pub fn is_ended(self) -> bool {
        matches!(self, State::Succeeded | State::Failed | State::Cancelled)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Pending => "pending",
            State::Admitted => "admitted",
            State::Starting => "starting",
            State::Running => "running",
            State::Finalizing => "finalizing",
            State::Succeeded => "succeeded",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Unknown => "unknown",
        })
    }
}

/// A job's size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Plan {
    /// Training records.
    pub train_records: u64,
    /// Evaluation records; 0 without any.
    pub eval_records: u64,
    /// Records a step.
    pub batch_size: u32,
    /// Lanes a step.
    pub micro_batches: u32,
    /// Steps of one epoch.
    pub steps_per_epoch: u64,
    /// Passes over the training records.
    pub epochs: u32,
    /// Workers.
    pub workers: u32,
    /// Parameter servers.
    pub servers: u32,
    /// Trained numbers of the model; 0 until the model is known.
    pub parameters: u64,
    /// Memory of the worker that takes most, at its peak, in bytes; 0 where it is not known.
    pub worker_bytes: u64,
    /// As `worker_bytes`, of a server.
    pub server_bytes: u64,
    /// How workers go together: `bsp`, `ssp`, `async` or `local`.
    pub sync: String,
    /// Where training data are in HDFS, while the job is not over.
    pub locality: Option<Locality>,
}

/// How near data are to those who read them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Locality {
    /// What is read of the training data, to be compared with; 0 where the file system does not tell.
    pub bytes: u64,
    /// What of it workers read on a host that holds it.
    pub local_bytes: u64,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Progress {
    /// The epoch of the last step done, from 1.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// Steps of the whole training.
    pub steps: u64,
    /// Mean training loss of the epoch so far.
    pub loss: Option<f64>,
    /// Training accuracy of the epoch so far.
    pub accuracy: Option<f64>,
    /// Training records a second.
    pub records_per_s: f64,
    /// Until the last step.
    pub seconds_left: Option<f64>,
    /// Workers that take part now.
    pub workers_alive: u32,
}

/// A task of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Its id: `worker-0`.
    pub task: String,
    /// launching, registered, leaving, stopping, lost, left or ended.
    pub state: String,
    /// The host that it runs on; empty before it has registered and after its end.
    pub host: String,
    /// Which launch of it.
    pub attempt: u32,
    /// Its incarnation; 0 before it registered.
    pub incarnation: u64,
    /// Lanes that it computes.
    pub lanes: u32,
    /// How often it was replaced.
    pub restarts: u32,
    /// How the last attempt that ended did so; may be empty.
    pub last_exit: String,
    /// Which attempt that was; 0 if none has ended.
    pub last_exit_attempt: u32,
    /// That it is a straggler, and how late, or that its lanes have moved for it; else empty.
    pub late: String,
}

/// An evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Epochs trained before it.
    pub epoch: u32,
    /// Steps trained before it.
    pub step: u64,
    /// Records seen.
    pub records: u64,
    /// Mean loss.
    pub loss: f64,
    /// Share of right predictions, where the label is a class.
    pub accuracy: Option<f64>,
    /// Records whose prediction was right.
    pub correct: u64,
    /// Area under the ROC curve, for binary outputs.
    pub auc: Option<f64>,
    /// Records by (label, prediction), a row a label; empty unless asked for.
    pub confusion: Vec<u64>,
}

/// What a job made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outputs {
    /// The model's directory.
    pub model_dir: String,
    /// TensorBoard's log directory; empty if the job has none.
    pub tensorboard_dir: String,
    /// The model's files.
    pub files: Vec<OutputFile>,
}

/// A file that a job made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputFile {
    /// Its name in the model's directory.
    pub name: String,
    /// Bytes.
    pub length: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl From<v1::Job> for Job {
    fn from(job: v1::Job) -> Self {
        let state = State::from(job.state());
        let plan = Plan::from(job.plan.unwrap_or_default());
        let progress = job.progress.filter(|_| !state.is_ended()).map(|progress| Progress::new(&progress, plan.steps_per_epoch));
        Self {
            state,
            progress,
            plan,
            id: job.id,
            revision: job.revision,
            reason: job.reason,
            file: job.file_name,
            submitted_at_ms: job.submitted_at_ms,
            started_at_ms: Some(job.started_at_ms).filter(|ms| *ms > 0),
            ended_at_ms: Some(job.ended_at_ms).filter(|ms| *ms > 0),
            tasks: job.tasks.into_iter().map(Into::into).collect(),
            evaluations: job.evaluations.into_iter().map(Into::into).collect(),
            classes: job.classes,
            outputs: job.outputs.map(Into::into),
            checkpoints: job.checkpoints.map(Into::into),
            hdfs: job.hdfs,
            job_file: serde_json::from_str(&job.job_file).ok(),
        }
    }
}

impl From<v1::Checkpoints> for Checkpoints {
    fn from(checkpoints: v1::Checkpoints) -> Self {
        let v1::Checkpoints { generation, committed, restored, failure } = checkpoints;
        let committed = committed.into_iter().map(Into::into).collect();
        Self { generation, committed, restored: restored.map(Into::into), failure }
    }
}

impl From<v1::Checkpoint> for Checkpoint {
    fn from(v1::Checkpoint { id, dir }: v1::Checkpoint) -> Self {
        let step = id.parse().map_or(0, |id: CheckpointId| id.step);
        Self { id, step, dir }
    }
}

impl From<v1::JobState> for State {
    fn from(state: v1::JobState) -> Self {
        match state {
            v1::JobState::Unspecified => State::Unknown,
            v1::JobState::Pending => State::Pending,
            v1::JobState::Admitted => State::Admitted,
            v1::JobState::Starting => State::Starting,
            v1::JobState::Running => State::Running,
            v1::JobState::Finalizing => State::Finalizing,
            v1::JobState::Succeeded => State::Succeeded,
            v1::JobState::Failed => State::Failed,
            v1::JobState::Cancelled => State::Cancelled,
        }
    }
}

impl From<v1::Plan> for Plan {
    fn from(plan: v1::Plan) -> Self {
        Self {
            train_records: plan.train_records,
            eval_records: plan.eval_records,
            batch_size: plan.batch_size,
            micro_batches: plan.micro_batches,
            steps_per_epoch: plan.steps_per_epoch,
            epochs: plan.epochs,
            workers: plan.workers,
            servers: plan.servers,
            parameters: plan.parameters,
            worker_bytes: plan.worker_bytes,
            server_bytes: plan.server_bytes,
            sync: plan.sync,
            locality: plan.locality.map(|v1::Locality { bytes, local_bytes }| Locality { bytes, local_bytes }),
        }
    }
}

impl Progress {
    // The epoch is that of the last step done: the loss shown beside it is of that epoch.
    fn new(progress: &v1::Progress, steps_per_epoch: u64) -> Self {
        let epoch = progress.step.div_ceil(steps_per_epoch.max(1)).max(1);
        Self {
            epoch,
            step: progress.step,
            steps: progress.steps,
            loss: progress.loss,
            accuracy: progress.accuracy,
            records_per_s: progress.records_per_s,
            seconds_left: progress.seconds_left,
            workers_alive: progress.workers_alive,
        }
    }
}

impl From<v1::Task> for Task {
    fn from(task: v1::Task) -> Self {
        let v1::Task { task, state, attempt, incarnation, lanes, restarts, last_exit, last_exit_attempt, late, host } = task;
        Self { task, state, host, attempt, incarnation, lanes, restarts, last_exit, last_exit_attempt, late }
    }
}

impl From<v1::Evaluation> for Evaluation {
    fn from(evaluation: v1::Evaluation) -> Self {
        let v1::Evaluation { epoch, step, records, loss, accuracy, auc, confusion, correct } = evaluation;
        Self { epoch, step, records, loss, accuracy, correct, auc, confusion }
    }
}

impl From<v1::Outputs> for Outputs {
    fn from(outputs: v1::Outputs) -> Self {
        let file = |file: v1::OutputFile| OutputFile { name: file.name, length: file.length, sha256: file.sha256 };
        Self {
            model_dir: outputs.model_dir,
            tensorboard_dir: outputs.tensorboard_dir,
            files: outputs.files.into_iter().map(file).collect(),
        }
    }
}
