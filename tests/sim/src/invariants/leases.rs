//! Nobody is held for dead for his silence before he was silent for a full lease, counted from the leader's election.

use super::ensure;
use crate::queue::Us;
use std::collections::BTreeMap;
use tfcoord_coordinator_core::{Cluster, Command};
use tfcoord_types::id::Incarnation;

#[derive(Debug, Default)]
pub struct Leases {
    elected_at: Us,
    // When this leader last heard of whom.
    heard_at: BTreeMap<Incarnation, Us>,
}

impl Leases {
    /// A leader begins.
    pub fn elected(&mut self, now: Us) {
        (self.elected_at, self.heard_at) = (now, BTreeMap::new());
    }

    /// The leader hears of a task.
    pub fn heard(&mut self, incarnation: Incarnation, now: Us) {
        self.heard_at.insert(incarnation, now);
    }

    /// The leader proposes this.
    pub fn proposed(&self, cluster: &Cluster, command: &Command, now: Us) {
        let Command::DeclareLost { job, task, cause, .. } = command else { return };
        let incarnation = cluster.job(job).and_then(|job| job.tasks.get(task)?.incarnation());
        let Some(incarnation) = incarnation.filter(|_| cause.message.starts_with("did not report")) else { return };
        let since = self.heard_at.get(&incarnation).copied().unwrap_or(0).max(self.elected_at);
        let lease = cluster.job(job).map(|job| job.file.timing().lease).unwrap_or_default();
        let place = format_args!("{job}/{task} incarnation {incarnation}: {} ms", (now - since) / 1000).to_string();
        ensure(u128::from(now - since) >= lease.as_micros(), place, "nobody is held for dead before a full lease");
    }
}
