//! A job's checkpoints: the one that is being cut, those that are committed, and when the next one is due.
//!
//! ```text
//!   due ──CutCheckpoint──► cutting ──CompleteCut of every server with chunks──► complete ──CommitCheckpoint──► committed
//!                             │                                                    │
//!                             └── AbandonCut (missed, not written), a new generation: none; the next one is due later
//! ```
//!
//! A cut names a step that no server has reached yet, so that all cut the same parameters while they train on; the leader
//! chooses it, as it knows about how far they are ([`next_cut`]). Outside of `bsp` there is no such step within an epoch: there
//! each chunk is cut with what counts for it, once it has so many steps, and who learns late cuts at once. When every part is written the leader writes the
//! manifest, and only then proposes the commit: what is committed lies there, complete.

use crate::job::{Job, JobState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::checkpoint::{Checkpoint, PartFile};
use tfcoord_types::id::{CheckpointId, JobId};
use tfcoord_types::job::{Checkpointing, Every, JobFile};
use tfcoord_types::view::Evaluation;

/// How soon after a failure a checkpoint is tried again, at most: those every so many seconds are due in less where these are fewer.
const RETRY_MS: u64 = 10_000;

/// A job's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Checkpoints {
    /// Those that parameters may go back to, the oldest first: at most as many as are kept.
    pub committed: Vec<Checkpoint>,
    /// What the present generation began from; nothing if from the seed.
    pub restored: Option<Checkpoint>,
    /// The one that is being cut.
    pub cutting: Option<Cutting>,
    /// No cut is begun before, in log time.
    pub due_at_ms: u64,
    /// Why the last one that could not be written, or not be read, could not; until one is committed.
    pub failure: Option<String>,
    /// Whether the one at the end of training could not be written: the job ends without it.
    pub last_failed: bool,
    /// Whether the job was submitted to go on from a checkpoint.
    pub resumed: bool,
    /// Whether what it was submitted to go on from was trained as it trains itself, from the seed on: then it may begin there.
    pub from_seed: bool,
    /// The largest chunk, in elements, where one of them is within an epoch outside of `bsp`: what counts is said of its chunks.
    pub chunk_elements: Option<u64>,
}

/// A checkpoint that is being cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cutting {
    /// Which one.
    pub id: CheckpointId,
    /// Parts that lie there, by the server's slot.
    pub parts: BTreeMap<u32, PartFile>,
}

/// What a job goes on from that an earlier one has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Checkpoints that it may begin from, the oldest first; at least one.
    pub checkpoints: Vec<Checkpoint>,
    /// Evaluations that were complete by the newest one, in order.
    pub evaluations: Vec<Evaluation>,
    /// What was passed over, and why; may be empty.
    pub passed_over: String,
    /// The largest chunk that they were cut in, in elements, where the job must have the same.
    #[serde(default)]
    pub chunk_elements: Option<u64>,
    /// Whether they were trained as the job trains itself, from the seed on.
    #[serde(default)]
    pub from_seed: bool,
}

/// The folder of its own that a job gets for its checkpoints, where they are not among its outputs.
pub fn own_dir(file: &JobFile, id: &JobId) -> Option<String> {
    let dir = file.checkpoint.as_ref()?.dir.as_ref()?;
    Some(format!("{}/{id}", dir.trim_end_matches('/')))
}

impl Job {
    /// How often its parameters are saved, and where.
    pub fn checkpointing(&self) -> Checkpointing {
        self.file.checkpoint.clone().unwrap_or_default()
    }

    /// The directory that its checkpoints go to.
    pub fn checkpoint_dir(&self) -> String {
        own_dir(&self.file, &self.id).unwrap_or_else(|| format!("{}/checkpoints", self.output_dir()))
    }

    /// The checkpoint that its servers should cut now; nothing once every part lies there.
    pub fn cut(&self) -> Option<Checkpoint> {
        let cutting = self.checkpoints.cutting.as_ref()?;
        Some(Checkpoint { id: cutting.id, dir: self.checkpoint_dir() })
    }

    /// The checkpoint of which every part lies there, and whose manifest the leader should write.
    pub fn complete_cut(&self) -> Option<&Cutting> {
        // Asked for of every job in every turn: the servers are only looked at where something is cut.
        let cutting = self.checkpoints.cutting.as_ref()?;
        let slots: BTreeSet<u32> = self.placement.iter().flat_map(|placement| placement.servers.iter().copied()).collect();
        cutting.parts.keys().copied().eq(slots).then_some(cutting)
    }

    /// Whether its last parameters are to be saved before it has succeeded.
    pub(crate) fn saves_last(&self) -> bool {
        self.file.checkpoint.is_some()
    }

    /// Whether the last parameters are committed, or will not be.
    pub(crate) fn last_is_saved(&self) -> bool {
        let last = self.checkpoints.committed.last().map(|checkpoint| (checkpoint.id.generation, checkpoint.id.step));
        !self.saves_last()
            || self.checkpoints.last_failed
            || last == Some((self.generation, self.plan.steps()))
            || self.restored_step() == self.plan.steps()
    }

    /// Whether its parameters are what the seed and its file make of them, whoever has trained them.
    pub fn is_from_seed(&self) -> bool {
        !self.checkpoints.resumed || self.checkpoints.from_seed
    }

    /// Whether it would go back to what is another job's, which may be removed for reasons of its own.
    fn leans_on_another(&self) -> bool {
        let newest = self.checkpoints.committed.last().filter(|_| self.checkpoints.resumed);
        newest.is_some_and(|newest| newest.dir != self.checkpoint_dir())
    }

    /// The step that the present generation began at.
    pub(crate) fn restored_step(&self) -> u64 {
        self.checkpoints.restored.as_ref().map_or(0, |checkpoint| checkpoint.id.step)
    }
}

/// The step to cut the next checkpoint of a job at, if it is time to decide that: of servers of which some may have reached
/// step `reached`, and which may do `margin` steps until they learn of it.
pub fn next_cut(job: &Job, now_ms: u64, reached: u64, margin: u64) -> Option<u64> {
    let Checkpoints { cutting, due_at_ms, committed, .. } = &job.checkpoints;
    let runs = matches!(job.state, JobState::Running | JobState::Finalizing);
    if !runs || cutting.is_some() || now_ms < *due_at_ms || !job.missing_servers().is_empty() {
        return None;
    }
    let (all, reached) = (job.plan.steps(), reached.max(job.restored_step()));
    // Where all wait nobody can be beyond it.
    let soon = reached.saturating_add(margin.max(1));
    let soon = if soon > job.run_until && reached <= job.run_until { job.run_until } else { soon };
    let step = match job.checkpointing().every() {
        // The first one of its own: at once.
        _ if job.state == JobState::Running && job.leans_on_another() => soon,
        Every::Steps(every) => soon.div_ceil(every).saturating_mul(every),
        // Of what is over soon nothing is saved in between.
        Every::Milliseconds(_) if job.state == JobState::Running => soon,
        Every::Milliseconds(_) => all,
    };
    let step = if step >= all && job.saves_last() { all } else { step };
    let newest = committed.last().map_or(0, |checkpoint| checkpoint.id.step);
    let fresh = step > newest.max(job.restored_step());
    (fresh && (step < all || (step == all && job.saves_last()))).then_some(step)
}

/// When the first checkpoint of a generation that begins at `now_ms` may be decided, in log time.
pub(crate) fn due_from(job: &Job, now_ms: u64) -> u64 {
    if job.leans_on_another() { now_ms } else { due_after(job, now_ms) }
}

/// When the next checkpoint may be decided after one that was begun at `now_ms`, in log time.
pub(crate) fn due_after(job: &Job, now_ms: u64) -> u64 {
    match job.checkpointing().every() {
        Every::Steps(_) => now_ms,
        Every::Milliseconds(ms) => now_ms.saturating_add(ms),
    }
}

/// When the next checkpoint may be decided after one that failed at `now_ms`, in log time.
pub(crate) fn due_after_failure(job: &Job, now_ms: u64) -> u64 {
    let every = match job.checkpointing().every() {
        Every::Steps(_) => RETRY_MS,
        Every::Milliseconds(ms) => ms.min(RETRY_MS),
    };
    now_ms.saturating_add(every)
}
