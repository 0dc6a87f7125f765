//! `TakeOffice`: a coordinator has started on an old log. Jobs outlive their coordinator: what was decided stands, and
//! their tasks have trained on or are found to have ended. The time in which there was nobody does not count: what waits
//! for time to pass waits as much longer.
//!
//! A leader of an earlier version ended its tasks with itself, and its successor the jobs: its entry says so still.

use super::Handled;
use crate::cluster::{Cluster, Entry};
use crate::job::Job;
use crate::outcome::Outcome;
use crate::task::TaskState;

pub(super) fn take_office(cluster: &mut Cluster, entry: &mut Entry, adopts: bool) -> Handled {
    let mut outcome = Outcome::Unchanged;
    for job in cluster.jobs.values_mut().filter(|job| !job.is_over()) {
        let changed = if adopts { wait_longer(job, entry.away_ms) } else { end(job, entry) };
        if changed {
            job.revision = entry.revision;
            outcome = Outcome::Done;
        }
    }
    Ok(outcome)
}

// Whether anything waits.
fn wait_longer(job: &mut Job, away_ms: u64) -> bool {
    let mut waits = job.start_deadline_ms().is_some();
    job.away_ms = job.away_ms.saturating_add(if waits { away_ms } else { 0 });
    for task in job.tasks.values_mut() {
        if let TaskState::Waiting { until_ms } | TaskState::Launched { until_ms } = &mut task.state {
            *until_ms = until_ms.saturating_add(away_ms);
            waits = true;
        }
    }
    waits && away_ms > 0
}

fn end(job: &mut Job, entry: &mut Entry) -> bool {
    let was = job.state;
    job.fail(entry, format!("the coordinator ended and was restarted while the job was {was}: submit it again"));
    true
}
