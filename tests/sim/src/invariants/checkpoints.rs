//! A checkpoint that is committed lies there, complete and durable, as long as a job may go back to it, and can be read;
//! and a generation begins from the newest one.

use super::{ensure, history::History};
use crate::store::Store;
use tfcoord_coordinator_core::{Cluster, Job};
use tfcoord_types::checkpoint::Checkpoint;

#[derive(Debug, Default)]
pub struct Checkpoints;

impl Checkpoints {
    /// The coordinator's state, or what lies there, has changed.
    pub fn check(&self, cluster: &Cluster, store: &Store) {
        for job in cluster.jobs().filter(|job| !job.is_over()) {
            let missing = job
                .checkpoints
                .committed
                .iter()
                .chain(&job.checkpoints.restored)
                .filter_map(|checkpoint| Some((checkpoint.id, store.missing(checkpoint)?)));
            for (id, why) in missing {
                ensure(false, format_args!("{} {id}: {why}", job.id), "a committed checkpoint is there, whole, until it is let go of");
            }
        }
    }
}

impl Checkpoints {
    /// A server could not read a checkpoint.
    pub fn unreadable(&self, history: &History, checkpoint: &Checkpoint, store: &Store, why: &str) {
        let mut jobs = history.cluster().jobs().filter(|job| !job.is_over());
        let wanted = jobs.any(|job| job.checkpoints.restored.as_ref() == Some(checkpoint));
        ensure(!wanted || store.excuses(checkpoint.id), format_args!("{}: {why}", checkpoint.id), "a committed checkpoint can be read");
    }
}

/// Between two entries of the log.
pub fn step(old: &Job, new: &Job) {
    if old.generation == new.generation || new.is_over() {
        return;
    }
    let newest = new.checkpoints.committed.last();
    let place = format_args!("{} generation {}", new.id, new.generation).to_string();
    ensure(new.checkpoints.restored.as_ref() == newest, &place, "a generation begins from the newest committed checkpoint");
    let kept = new.checkpoints.committed.iter().all(|checkpoint| old.checkpoints.committed.contains(checkpoint));
    ensure(kept, &place, "what a generation begins from was committed before");
    ensure(new.checkpoints.cutting.is_none(), &place, "what was being cut of the generation before comes to nothing");
}
