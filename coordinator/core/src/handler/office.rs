//! `TakeOffice`: a coordinator has started on an old log. Jobs do not outlive their coordinator yet: those that
//! were active end here.

use super::Handled;
use crate::cluster::{Cluster, Entry};
use crate::outcome::Outcome;

pub(super) fn take_office(cluster: &mut Cluster, entry: &mut Entry) -> Handled {
    let mut outcome = Outcome::Unchanged;
    for job in cluster.jobs.values_mut().filter(|job| !job.is_over()) {
        let was = job.state;
        job.fail(
            entry,
            format!("the coordinator ended and was restarted while the job was {was}; jobs do not outlive it yet: submit it again"),
        );
        job.revision = entry.revision;
        outcome = Outcome::Done;
    }
    Ok(outcome)
}
