//! `Tick`: what waits for time to pass.

use super::{Handled, lost};
use crate::cause::Cause;
use crate::cluster::{Cluster, Entry};
use crate::job::Job;
use crate::outcome::Outcome;
use crate::task::TaskState;
use tfcoord_types::id::TaskId;

pub(super) fn tick(cluster: &mut Cluster, entry: &mut Entry) -> Handled {
    let mut outcome = Outcome::Unchanged;
    for job in cluster.jobs.values_mut().filter(|job| !job.is_over()) {
        if tick_job(job, entry) {
            job.revision = entry.revision;
            outcome = Outcome::Done;
        }
    }
    Ok(outcome)
}

// Whether anything was due.
fn tick_job(job: &mut Job, entry: &mut Entry) -> bool {
    let start = job.start_deadline_ms();
    if start.is_some_and(|deadline| deadline <= entry.now_ms) {
        let reason = job.unstarted();
        job.fail(entry, reason);
        return true;
    }
    let tasks: Vec<TaskId> = job.tasks.keys().copied().collect();
    let due: Vec<_> = tasks.into_iter().filter(|task| tick_task(job, entry, *task, start.is_none())).collect();
    !due.is_empty()
}

fn tick_task(job: &mut Job, entry: &mut Entry, task: TaskId, runs: bool) -> bool {
    let (now_ms, start_timeout) = (entry.now_ms, job.file.start_timeout);
    let Some(state) = job.tasks.get_mut(&task) else { return false };
    match state.state {
        TaskState::Waiting { until_ms } if until_ms <= now_ms => lost::launch(&job.id, task, state, entry, start_timeout),
        TaskState::Launched { until_ms } if until_ms <= now_ms && runs => {
            let cause = Cause::because(format!("did not register within {start_timeout} s (start_timeout)"));
            lost::lose(job, entry, task, cause);
        }
        _ => return false,
    }
    true
}
