//! A job that a client has seen to be over is never seen otherwise again.

use super::ensure;
use std::collections::BTreeMap;
use tfcoord_coordinator_core::JobState;
use tfcoord_types::id::JobId;

#[derive(Debug, Default)]
pub struct Terminal(BTreeMap<JobId, (JobState, String)>);

impl Terminal {
    /// A client sees a job.
    pub fn seen(&mut self, job: &JobId, state: JobState, reason: &str) {
        if let Some(end) = self.0.get(job) {
            let same = (end.0, end.1.as_str()) == (state, reason);
            ensure(same, format_args!("{job}: {} and then {state}", end.0), "terminal states are final");
        } else if state.is_final() {
            self.0.insert(job.clone(), (state, reason.to_owned()));
        }
    }
}
