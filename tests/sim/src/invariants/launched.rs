//! An attempt is started at most once, and only an attempt that was decided.

use super::{ensure, history::History};
use std::collections::BTreeSet;
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
}
