//! What holds in every state, and between each state and the next. Checked in debug builds after every entry, by
//! the property tests, and of snapshots when they are read.

mod checkpoints;
mod counted;
mod leases;
mod life;
mod step;

pub use step::check_step;

use crate::cluster::Cluster;
use crate::handler::submit::plan;
use std::collections::BTreeSet;
use std::fmt::Display;

/// A state that no log leads to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {rule}")]
pub struct Violation {
    /// The job, task, lane or shard.
    pub place: String,
    /// What does not hold there.
    pub rule: &'static str,
}

type Checked = Result<(), Violation>;

fn ensure(holds: bool, place: impl Display, rule: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(Violation { place: place.to_string(), rule }) }
}

/// What holds in every state.
///
/// # Errors
/// The first rule that does not hold.
pub fn check(cluster: &Cluster) -> Checked {
    let mut incarnations = BTreeSet::new();
    for (id, job) in &cluster.jobs {
        ensure(*id == job.id && id.name == job.file.name, id, "a job is kept under its id")?;
        ensure(cluster.requests.get(&job.request_id) == Some(id), id, "a request id leads to its job")?;
        ensure(job.revision <= cluster.revision, id, "a job's revision is one of the cluster's")?;
        ensure(id.number <= job.revision.0, id, "a job's number is the revision of its submission")?;
        for (task, state) in &job.tasks {
            let place = format!("{id}/{task}");
            let Some(incarnation) = state.incarnation() else { continue };
            ensure(incarnation.0 <= job.revision.0, &place, "an incarnation is the revision of its registration")?;
            ensure(incarnations.insert(incarnation), &place, "an incarnation is given once")?;
        }
        life::check(job)?;
        checkpoints::check(job)?;
        counted::check(job)?;
        leases::check(job)?;
    }
    ensure(cluster.requests.len() == cluster.jobs.len(), "requests", "each request id leads to a job of its own")
}

/// What holds in every state, and of all numbers that arithmetic relies on: for states from a file.
///
/// # Errors
/// The first rule that does not hold.
pub(crate) fn check_stored(cluster: &Cluster) -> Checked {
    for (id, job) in &cluster.jobs {
        ensure(plan(&job.file, &job.manifest).as_ref() == Ok(&job.plan), id, "a job's plan follows from its file and data")?;
    }
    check(cluster)
}
