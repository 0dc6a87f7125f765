//! `MoveLanes`: a worker is late again and again, and its lanes go to the others. It keeps none, since each step would wait
//! for that one; and it gets none until the job is scaled or it is replaced, since nothing tells of its speed meanwhile.

use super::Handled;
use crate::cause::clipped;
use crate::cluster::Entry;
use crate::job::Job;
use crate::lane;
use crate::outcome::Outcome;
use tfcoord_types::id::{Incarnation, Role};

pub(super) fn move_lanes(job: &mut Job, entry: &mut Entry, incarnation: Incarnation, reason: String) -> Handled {
    job.active()?;
    let task = job.speaker(incarnation, Role::Worker)?;
    if !job.can_be_relieved(incarnation) {
        return Ok(Outcome::Unchanged);
    }
    job.task_mut(task)?.relieved = Some(clipped(reason));
    lane::redeal(job, &[], entry.revision);
    Ok(Outcome::Done)
}
