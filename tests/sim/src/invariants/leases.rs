//! Nobody is held for dead for his silence before he was silent for a full lease, counted from the leader's election.

use super::ensure;
use crate::queue::{Us, us};
use std::collections::BTreeMap;
use tfcoord_coordinator_core::{Cluster, Command};
use tfcoord_types::id::Incarnation;

#[derive(Debug, Default)]
pub struct Leases {
    elected_at: Us,
    // When it last stood still, and until when.
    still: (Us, Us),
    // When this leader last heard of whom.
    heard_at: BTreeMap<Incarnation, Us>,
}

impl Leases {
    /// A leader begins.
    pub fn elected(&mut self, now: Us) {
        (self.elected_at, self.still, self.heard_at) = (now, (0, 0), BTreeMap::new());
    }

    /// It will stand still until then: in this time it hears nobody.
    pub fn stands_still(&mut self, now: Us, until: Us) {
        let from = if self.still.1 >= now { self.still.0 } else { now };
        self.still = (from, until.max(self.still.1));
    }

    /// The leader hears of a task.
    pub fn heard(&mut self, incarnation: Incarnation, now: Us) {
        self.heard_at.insert(incarnation, now);
    }

    /// The leader proposes this.
    pub fn proposed(&self, cluster: &Cluster, command: &Command, now: Us) {
        let Command::DeclareLost { job, task, cause, .. } = command else { return };
        let Some(job) = cluster.job(job) else { return };
        let lease = us(job.file.timing().lease);
        let incarnation = job.tasks.get(task).and_then(|task| task.incarnation());
        let Some(incarnation) = incarnation.filter(|_| cause.message.starts_with("did not report")) else { return };
        let (still_from, still_until) = self.still;
        let resumed = if still_until - still_from > lease / 2 { still_until } else { 0 };
        let since = resumed.max(self.heard_at.get(&incarnation).copied().unwrap_or(0)).max(self.elected_at);
        let place = format_args!("{}/{task} incarnation {incarnation}: {} ms", job.id, (now - since) / 1000).to_string();
        ensure(now - since >= lease, place, "nobody is held for dead before a full lease");
    }
}
