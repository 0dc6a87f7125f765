//! The state, and the one way to change it.

use crate::command::Command;
use crate::effect::Effect;
use crate::handler;
use crate::job::Job;
use crate::outcome::{Applied, Outcome, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tfcoord_types::id::{JobId, Revision};

/// All that the coordinator knows for certain: what follows from its log.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Cluster {
    pub(crate) revision: Revision,
    pub(crate) now_ms: u64,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) requests: BTreeMap<String, JobId>,
}

/// The entry that is being applied.
pub(crate) struct Entry {
    pub(crate) revision: Revision,
    pub(crate) now_ms: u64,
    /// Since the entry before, in log time.
    pub(crate) away_ms: u64,
    pub(crate) effects: Vec<Effect>,
}

impl Cluster {
    /// A cluster without jobs, before the first entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies the log's entry `index` (from 1, ascending), stamped by its leader with `at_ms`. Time never goes
    /// back: an earlier stamp counts as the latest one so far. Total: what cannot be is refused, and nothing panics.
    pub fn apply(&mut self, index: u64, at_ms: u64, command: Command) -> Applied {
        if index <= self.revision.0 {
            let refusal = Refusal::Replayed { index, revision: self.revision };
            return Applied { outcome: Outcome::Refused(refusal), effects: Vec::new() };
        }
        self.revision = Revision(index);
        let away_ms = at_ms.saturating_sub(self.now_ms);
        self.now_ms = self.now_ms.max(at_ms);
        let mut entry = Entry { revision: self.revision, now_ms: self.now_ms, away_ms, effects: Vec::new() };
        let outcome = handler::handle(self, &mut entry, command).unwrap_or_else(Outcome::Refused);
        #[cfg(debug_assertions)]
        if let Err(violation) = crate::invariants::check(self) {
            panic!("entry {index} broke an invariant: {violation}");
        }
        Applied { outcome, effects: entry.effects }
    }

    /// The last entry applied.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The log's time: the latest stamp so far.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// All jobs, in the order of their submission; of those that are over the newest.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// A job.
    pub fn job(&self, id: &JobId) -> Option<&Job> {
        self.jobs.get(id)
    }

    /// The job that was submitted with a request id.
    pub fn requested(&self, request_id: &str) -> Option<&JobId> {
        self.requests.get(request_id)
    }
}
