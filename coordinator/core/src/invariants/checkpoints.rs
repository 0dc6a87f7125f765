//! What holds of a job's checkpoints: what parameters may go back to, and what is being cut.

use super::{Checked, ensure};
use crate::job::{Job, JobState};

pub(super) fn check(job: &Job) -> Checked {
    let (id, checkpoints) = (&job.id, &job.checkpoints);
    let all = job.plan.steps();
    let ascending = checkpoints.committed.windows(2).all(|pair| pair[0].id < pair[1].id);
    ensure(ascending, id, "checkpoints are committed in their order")?;
    for checkpoint in &checkpoints.committed {
        ensure(
            checkpoint.id.generation <= job.generation && checkpoint.id.step <= all,
            id,
            "a checkpoint is of the past, within the plan",
        )?;
    }
    if let Some(restored) = &checkpoints.restored {
        ensure(restored.id.generation < job.generation, id, "a generation begins from an earlier one")?;
        ensure(restored.id.step <= all, id, "a generation begins within the plan")?;
    }
    let Some(cutting) = &checkpoints.cutting else { return Ok(()) };
    ensure(cutting.id.generation == job.generation, id, "what is cut is of the present generation")?;
    let newest = checkpoints.committed.last();
    ensure(newest.is_none_or(|newest| newest.id < cutting.id), id, "what is cut is newer than what is committed")?;
    let runs = matches!(job.state, JobState::Running | JobState::Finalizing);
    ensure(runs, id, "only a job that runs is cut")?;
    let placed = job.placement.iter().flat_map(|placement| placement.servers.iter());
    let slots: std::collections::BTreeSet<u32> = placed.copied().collect();
    ensure(cutting.parts.keys().all(|slot| slots.contains(slot)), id, "parts are of servers with chunks")
}
