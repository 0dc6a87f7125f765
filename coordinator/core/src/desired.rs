//! Which tasks should run: what a reconciler compares with what does run.

use crate::cluster::Cluster;
use tfcoord_types::id::{Attempt, JobId, TaskId};

/// The attempts that should run, by job and task. What runs and is not among them should be stopped after a
/// grace: tasks of a job that is over end by themselves as soon as they see their view.
pub fn desired(cluster: &Cluster) -> Vec<(JobId, TaskId, Attempt)> {
    let active = cluster.jobs().filter(|job| !job.is_over());
    let tasks = active.flat_map(|job| job.tasks.iter().map(move |(id, task)| (job, id, task)));
    tasks.filter(|(_, _, task)| task.is_out()).map(|(job, id, task)| (job.id.clone(), *id, task.attempt)).collect()
}
