//! A job's life.
//!
//! ```text
//!   SubmitJob                       first RegisterTask       all registered, chunks placed
//!   ─────────► pending ─► admitted ───────────────► starting ─────────────────────► running
//!                                                                                     │ ReachStep of all servers:
//!              ┌──────────────────────────────────────────────────────────────────────┤ evaluate, next epoch
//!              │                                                                      │
//!              │ all steps reached, last evaluation complete                          │
//!              └─► finalizing ──CompleteExport──► succeeded                     (again and again)
//!
//!   from any of them:  ──► failed      DeclareLost (a task too often), FailJob, Tick (start
//!                                      timeout)
//!                      ──► cancelled   CancelJob
//! ```
//!
//! Only the last three states are final, and they are never left. Success is defined by the data: all steps of all
//! chunks, all shards of the last evaluation, the outputs in their place; never by exit codes. No job rests in
//! `pending` as long as there are no quotas.

mod reason;
mod workers;

use crate::cause::clipped;
use crate::checkpoint::Checkpoints;
use crate::cluster::Entry;
use crate::effect::Effect;
use crate::evaluation::Evaluating;
use crate::lane::Lane;
use crate::memory::Need;
use crate::outcome::Refusal;
use crate::shard::Leases;
use crate::task::{Advance, Registration, Task, TaskState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use tfcoord_types::id::{Generation, Incarnation, JobId, Revision, Role, TaskId};
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::ManifestSummary;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::Exported;
use tfcoord_types::view::{Evaluation, Placement};

/// A job and all that was decided for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name and number.
    pub id: JobId,
    /// The client's name for the submission.
    pub request_id: String,
    /// What was submitted, with absolute paths.
    pub file: JobFile,
    /// Its data.
    pub manifest: ManifestSummary,
    /// Records, lanes and steps.
    pub plan: TrainPlan,
    /// The last entry that changed it.
    pub revision: Revision,
    /// Where it is in its life.
    pub state: JobState,
    /// When it was submitted, in log time.
    pub submitted_at_ms: u64,
    /// How long there was no coordinator before it started.
    #[serde(default)]
    pub away_ms: u64,
    /// When it began to run.
    pub started_at_ms: Option<u64>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// The present life of its parameters.
    pub generation: Generation,
    /// What all of its workers compute with: that of the first one registered.
    pub kernel_path: Option<String>,
    /// Its tasks; also workers that it has no more of.
    pub tasks: BTreeMap<TaskId, Task>,
    /// How many workers it should have, once that was changed; until then as many as its file says.
    #[serde(default)]
    pub scaled: Option<u32>,
    /// Its lanes, in order, from its start to its end.
    pub lanes: Vec<Lane>,
    /// What of the present epoch its workers train, if it is not `bsp`: then it has no lanes.
    #[serde(default)]
    pub leases: Leases,
    /// Its variables and where their chunks lie, once a worker has named them.
    pub placement: Option<Placement>,
    /// The memory that its tasks take, as far as it is known.
    #[serde(default)]
    pub need: Option<Need>,
    /// Steps below this one may be computed.
    pub run_until: u64,
    /// Steps that all servers are known to have done; what is known lags behind while no phase ends and no task is lost.
    #[serde(default)]
    pub step: u64,
    /// How far it has ever been, in the generations before the present one.
    #[serde(default)]
    pub furthest: Advance,
    /// What its parameters may go back to.
    #[serde(default)]
    pub checkpoints: Checkpoints,
    /// The evaluation that is under way.
    pub evaluating: Option<Evaluating>,
    /// Evaluations that are complete, in order.
    pub evaluations: Vec<Evaluation>,
    /// The worker that exports the model, while the job is finalizing.
    pub exporter: Option<Incarnation>,
    /// What it left.
    pub outputs: Option<Exported>,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in log time.
    pub at_ms: u64,
    /// Why, for people; may have several lines.
    pub reason: String,
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// There is no room for it yet.
    Pending,
    /// Its place is reserved, its tasks are being launched.
    Admitted,
    /// Tasks register, chunks are placed.
    Starting,
    /// Steps are computed, or evaluated.
    Running,
    /// All steps are done, the model is exported.
    Finalizing,
    /// All outputs are in their place.
    Succeeded,
    /// It cannot go on.
    Failed,
    /// A person did not want it any more.
    Cancelled,
}

impl JobState {
    /// Whether it is never left.
    pub fn is_final(self) -> bool {
        matches!(self, JobState::Succeeded | JobState::Failed | JobState::Cancelled)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JobState::Pending => "pending",
            JobState::Admitted => "admitted",
            JobState::Starting => "starting",
            JobState::Running => "running",
            JobState::Finalizing => "finalizing",
            JobState::Succeeded => "succeeded",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        })
    }
}

/// The id that a submission gets with the log's entry `index`.
pub fn id(file: &JobFile, index: Revision) -> JobId {
    JobId { name: file.name.clone(), number: index.0 }
}

/// Where the outputs of a job go: a folder of its own.
pub fn output_dir(file: &JobFile, id: &JobId) -> String {
    format!("{}/{id}", file.output.dir.trim_end_matches('/'))
}

impl Job {
    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.state.is_final()
    }

    /// Whether each epoch is followed by an evaluation.
    pub fn evaluates(&self) -> bool {
        self.file.data.eval.is_some() && self.manifest.eval_records > 0
    }

    /// Where its outputs go: a folder of its own.
    pub fn output_dir(&self) -> String {
        output_dir(&self.file, &self.id)
    }

    /// When it fails unless it runs by then; nothing once it does.
    pub fn start_deadline_ms(&self) -> Option<u64> {
        let waits = matches!(self.state, JobState::Pending | JobState::Admitted | JobState::Starting);
        waits.then(|| {
            let waits_ms = self.file.start_timeout.saturating_mul(1000).saturating_add(self.away_ms);
            self.submitted_at_ms.saturating_add(waits_ms)
        })
    }

    /// How far it is known to have been.
    pub(crate) fn advance(&self) -> Advance {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let shards = |evaluating: &Evaluating| evaluating.merged_shards.saturating_add(count(evaluating.held.len()));
        let present =
            Advance { step: self.step, evaluations: count(self.evaluations.len()), shards: self.evaluating.as_ref().map_or(0, shards) };
        present.max(self.furthest)
    }

    /// Whether every server has reached `step`, none of them missing.
    pub(crate) fn all_servers_at(&self, step: u64) -> bool {
        self.missing_servers().is_empty() && self.servers().all(|server| server.reached == step)
    }

    /// The process that takes part as `task`, if one does.
    pub fn registration(&self, task: TaskId) -> Option<&Registration> {
        self.tasks.get(&task)?.registration()
    }

    /// Its registered servers, by slot.
    pub fn servers(&self) -> impl Iterator<Item = &Registration> {
        self.registered(Role::ParameterServer)
    }

    /// Its registered workers' incarnations, by index.
    pub fn live_workers(&self) -> Vec<Incarnation> {
        self.registered(Role::Worker).map(|worker| worker.incarnation).collect()
    }

    fn registered(&self, role: Role) -> impl Iterator<Item = &Registration> {
        self.tasks.iter().filter(move |(id, _)| id.role == role).filter_map(|(_, task)| task.registration())
    }

    /// The task whose present incarnation this is.
    pub fn task_of(&self, incarnation: Incarnation) -> Option<TaskId> {
        let is = |task: &Task| task.registration().is_some_and(|r| r.incarnation == incarnation);
        self.tasks.iter().find(|(_, task)| is(task)).map(|(id, _)| *id)
    }

    pub(crate) fn active(&self) -> Result<(), Refusal> {
        if self.is_over() { Err(Refusal::JobOver { job: self.id.clone(), state: self.state }) } else { Ok(()) }
    }

    pub(crate) fn present(&self, generation: Generation) -> Result<(), Refusal> {
        let present = self.generation;
        if generation == present { Ok(()) } else { Err(Refusal::StaleGeneration { generation, present }) }
    }

    /// The task that `incarnation` speaks for, if that is a present one of `role`.
    pub(crate) fn speaker(&self, incarnation: Incarnation, role: Role) -> Result<TaskId, Refusal> {
        self.task_of(incarnation).filter(|task| task.role == role).ok_or(Refusal::Fenced { incarnation })
    }

    pub(crate) fn task_mut(&mut self, task: TaskId) -> Result<&mut Task, Refusal> {
        let job = &self.id;
        self.tasks.get_mut(&task).ok_or_else(|| Refusal::UnknownTask { job: job.clone(), task })
    }

    /// Ends the job, which must not be over, and lets its tasks end.
    pub(crate) fn end(&mut self, entry: &mut Entry, state: JobState, reason: String) {
        self.state = state;
        self.ended = Some(Ended { at_ms: entry.now_ms, reason: clipped(reason) });
        self.lanes.clear();
        self.leases = Leases::default();
        self.evaluating = None;
        self.exporter = None;
        self.checkpoints.cutting = None;
        for (id, task) in &mut self.tasks {
            let incarnation = task.incarnation();
            // A worker that was told to stop before is still to be collected.
            if matches!(task.state, TaskState::Stopping { .. }) {
                continue;
            }
            if task.is_out() {
                entry.effects.push(Effect::StopTask { job: self.id.clone(), task: *id, attempt: task.attempt });
                task.state = TaskState::Stopping { incarnation };
            } else {
                task.state = TaskState::Ended { incarnation };
            }
        }
        entry.effects.push(Effect::JobEnded { job: self.id.clone() });
    }

    pub(crate) fn fail(&mut self, entry: &mut Entry, reason: String) {
        self.end(entry, JobState::Failed, reason);
    }
}
