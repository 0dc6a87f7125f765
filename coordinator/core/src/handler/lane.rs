//! `ApplyView`: a server no longer takes pushes of lost workers. With the last server the fence is complete, and
//! lanes, or shards, are granted again.

use super::Handled;
use crate::job::Job;
use crate::lane;
use crate::outcome::{Outcome, Refusal};
use crate::shard;
use tfcoord_types::id::{Incarnation, Revision, Role};

pub(super) fn apply_view(job: &mut Job, incarnation: Incarnation, revision: Revision) -> Handled {
    job.active()?;
    let task = job.speaker(incarnation, Role::ParameterServer)?;
    let newest = job.revision;
    if revision > newest {
        return Err(Refusal::Ahead { what: "revision", number: revision.0, newest: newest.0 });
    }
    let server = job.task_mut(task)?.registration_mut().ok_or(Refusal::Fenced { incarnation })?;
    if revision <= server.applied {
        return Ok(Outcome::Unchanged);
    }
    server.applied = revision;
    lane::grant(job);
    shard::grant(job);
    Ok(Outcome::Done)
}
