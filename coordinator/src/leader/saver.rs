//! When checkpoints are cut, and their manifests: the leader's part of a checkpoint's life.
//!
//! The step of a cut must be one that no server has reached when it learns of it. The leader knows about how far they are
//! and how fast; where it was wrong the cut is missed, and the next one is further ahead. The manifest is written on a
//! thread of its own, and the commit is proposed once it lies there: said again by whoever leads, as long as the state
//! shows a complete cut.

mod files;

pub use files::{Files, Leftovers};
pub(super) use files::{Threads, sweep};

use super::progress::Pace;
use std::collections::BTreeMap;
use std::time::SystemTime;
use tfcoord_checkpoint::{FORMAT, Manifest, Origin};
use tfcoord_coordinator_core::checkpoint::{Cutting, next_cut};
use tfcoord_coordinator_core::job::Job;
use tfcoord_coordinator_core::{Cluster, Command};
use tfcoord_types::id::{CheckpointId, JobId};

/// Seconds that a view takes to every server, with much to spare.
const NOTICE_S: f64 = 0.3;
/// So often a margin is doubled, at most.
const MISSES_MAX: u32 = 6;

/// What has happened to a checkpoint, as an entry of the log says.
#[derive(Debug)]
pub enum Noted {
    /// A server was beyond its step.
    Missed(JobId),
    /// It is committed.
    Committed(JobId),
}

/// Decides on cuts and writes manifests.
pub struct Saver {
    files: Box<dyn Files>,
    writing: BTreeMap<JobId, CheckpointId>,
    // In a row.
    misses: BTreeMap<JobId, u32>,
}

impl Saver {
    /// One whose files lie there.
    pub fn new(files: Box<dyn Files>) -> Self {
        Self { files, writing: BTreeMap::new(), misses: BTreeMap::new() }
    }

    /// Writes manifests of cuts that are complete; returns which cuts to propose.
    pub fn look(&mut self, cluster: &Cluster, now_ms: u64, pace: impl Fn(&Job) -> Pace) -> Vec<Command> {
        let active = || cluster.jobs().filter(|job| !job.is_over());
        self.misses.retain(|id, _| cluster.job(id).is_some_and(|job| !job.is_over()));
        for job in active() {
            if let Some(cutting) = job.complete_cut() {
                self.write(job, cutting);
            }
        }
        let cut = |job: &Job| {
            let pace = pace(job);
            let misses = self.misses.get(&job.id).copied().unwrap_or(0).min(MISSES_MAX);
            let step = next_cut(job, now_ms, pace.reached, margin(pace.steps_per_s) << misses)?;
            Some(Command::CutCheckpoint { job: job.id.clone(), generation: job.generation, step })
        };
        active().filter_map(cut).collect()
    }

    /// When to look again, in log time, if a cut will be due then.
    pub fn due_at_ms(&self, cluster: &Cluster, now_ms: u64) -> Option<u64> {
        let waits = |job: &&Job| !job.is_over() && job.started_at_ms.is_some() && job.checkpoints.cutting.is_none();
        cluster.jobs().filter(waits).map(|job| job.checkpoints.due_at_ms).filter(|due| *due > now_ms).min()
    }

    /// What a command says of a checkpoint, if it is applied.
    pub fn notes(command: &Command) -> Option<Noted> {
        match command {
            Command::AbandonCut { job, reason: None, .. } => Some(Noted::Missed(job.clone())),
            Command::CommitCheckpoint { job, .. } => Some(Noted::Committed(job.clone())),
            _ => None,
        }
    }

    /// A command of which [`Self::notes`] told was applied.
    pub fn note(&mut self, noted: &Noted, cluster: &Cluster) {
        match noted {
            Noted::Missed(job) => *self.misses.entry(job.clone()).or_default() += 1,
            Noted::Committed(job) => {
                self.misses.remove(job);
                if let Some(job) = cluster.job(job) {
                    self.files.sweep(&job.id, Leftovers::of(cluster, job));
                }
            }
        }
    }

    /// What the thread that wrote a manifest has to say: what to propose.
    pub fn written(&mut self, job: JobId, id: CheckpointId, result: Result<(), String>) -> Command {
        self.writing.remove(&job);
        match result {
            Ok(()) => Command::CommitCheckpoint { job, id },
            Err(reason) => {
                tracing::error!(%job, "checkpoint {id} is not committed: {reason}");
                Command::AbandonCut { job, id, reason: Some(reason) }
            }
        }
    }

    fn write(&mut self, job: &Job, cutting: &Cutting) {
        if self.writing.get(&job.id) == Some(&cutting.id) {
            return;
        }
        let Some(manifest) = manifest(job, cutting) else { return };
        match self.files.commit(&job.id, job.checkpoint_dir(), manifest) {
            Ok(()) => drop(self.writing.insert(job.id.clone(), cutting.id)),
            Err(error) => tracing::error!(%error, "no thread for a manifest"),
        }
    }
}

fn margin(steps_per_s: f64) -> u64 {
    // At least two, and never so many that a sum could overflow.
    let steps = (steps_per_s * NOTICE_S).clamp(0.0, 1e9);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within these bounds")]
    let steps = steps as u64;
    steps + 2
}

fn manifest(job: &Job, cutting: &Cutting) -> Option<Manifest> {
    let placement = job.placement.as_ref()?;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(Manifest {
        format: FORMAT,
        id: cutting.id,
        job: job.id.clone(),
        saved_at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        plan: job.plan,
        train: job.file.train.clone(),
        origin: Some(Origin {
            model: job.file.model.clone(),
            records_digest: job.manifest.records_digest.clone(),
            shuffle: job.file.data.shuffle,
            from_seed: job.is_from_seed(),
        }),
        variables: placement.variables.clone(),
        chunk_elements: placement.chunk_elements,
        kernel_path: job.kernel_path.clone().unwrap_or_default(),
        // What is evaluated later is evaluated again.
        evaluations: job.evaluations.iter().filter(|evaluation| evaluation.step <= cutting.id.step).cloned().collect(),
        parts: cutting.parts.values().cloned().collect(),
    })
}
