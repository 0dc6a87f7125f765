//! An attempt is started at most once while what it started may live, and only one that was decided; only what should not
//! run is killed.

use super::{ensure, history::History};
use std::collections::BTreeSet;
use tfcoord_coordinator_core::desired::desired;
use tfcoord_launch::Launch;

#[derive(Debug, Default)]
pub struct Launched(BTreeSet<Launch>);

impl Launched {
    /// A process is being started.
    pub fn launched(&mut self, history: &History, launch: &Launch) {
        ensure(self.0.insert(launch.clone()), launch, "an attempt is started once");
        let task = history.cluster().job(&launch.job).and_then(|job| job.tasks.get(&launch.task));
        let decided = task.is_some_and(|task| launch.attempt <= task.attempt);
        ensure(decided, launch, "only what was decided is started");
    }

    /// The machine has stopped: nothing lives, and a launch of which nobody knows may be done again.
    pub fn crashed(&mut self) {
        self.0.clear();
    }

    /// A process is to be killed.
    pub fn killed(&self, history: &History, launch: &Launch) {
        let wanted = desired(history.cluster()).into_iter().any(|(job, task, attempt)| *launch == Launch { job, task, attempt });
        ensure(!wanted, launch, "what should run is not killed");
    }
}
