//! Dealing again: the workers that lanes are dealt to have changed.

use super::{assign, grant};
use crate::job::Job;
use tfcoord_types::id::{Revision, TaskId};

/// Deals all lanes to the workers that stay, have lanes already and are not relieved, and to `joining`. A lane that changes hands is
/// vacated, and granted once every server has applied that. Needs a job with lanes.
pub(crate) fn redeal(job: &mut Job, joining: &[TaskId], revision: Revision) {
    let mut workers = job.lane_holders();
    workers.extend(joining);
    workers.retain(|task| !job.is_leaving(*task) && !job.is_relieved(*task));
    if workers.is_empty() {
        // All that have lanes leave. The first worker never does, even where it is being replaced.
        workers.insert(TaskId::worker(0));
    }
    let assigned = assign(job, workers);
    for (lane, worker) in job.lanes.iter_mut().zip(assigned) {
        if lane.intended != worker {
            lane.intended = worker;
            // One that was vacated before keeps its older fence: nobody has owned it since.
            if lane.owner.take().is_some() {
                lane.vacated_at = Some(revision);
            }
        }
    }
    grant(job);
}
