//! `CancelJob`: a person no longer wants the job.

use super::Handled;
use crate::cluster::Entry;
use crate::job::{Job, JobState};
use crate::outcome::Outcome;

pub(super) fn cancel_job(job: &mut Job, entry: &mut Entry, reason: &str) -> Handled {
    if job.state == JobState::Cancelled {
        return Ok(Outcome::Unchanged);
    }
    job.active()?;
    let reason = if reason.is_empty() { "cancelled without a reason given" } else { reason };
    job.end(entry, JobState::Cancelled, reason.into());
    Ok(Outcome::Done)
}
