//! When the leader should propose a [`Tick`](crate::command::Command::Tick).

use crate::cluster::Cluster;
use crate::job::Job;
use crate::task::TaskState;

/// The earliest deadline of all jobs, in log time; nothing while none waits for time to pass.
pub fn next_deadline(cluster: &Cluster) -> Option<u64> {
    cluster.jobs().filter(|job| !job.is_over()).flat_map(of_job).min()
}

// Until a job runs, its start deadline covers registrations too.
fn of_job(job: &Job) -> Vec<u64> {
    let start = job.start_deadline_ms();
    let task = |state: &TaskState| match state {
        TaskState::Waiting { until_ms } => Some(*until_ms),
        TaskState::Launched { until_ms } if start.is_none() => Some(*until_ms),
        _ => None,
    };
    start.into_iter().chain(job.tasks.values().filter_map(|t| task(&t.state))).collect()
}
