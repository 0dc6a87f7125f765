//! A new generation: all parameters and cursors go back to the newest committed checkpoint together, or to the seed.
//!
//! Lanes keep their owners, and those that are vacated their fence: what a worker computed of the generation before is
//! refused by its number.

use super::scale;
use crate::checkpoint::due_from;
use crate::cluster::Entry;
use crate::job::{Job, JobState};
use crate::shard;
use tfcoord_types::id::Generation;

/// Begins the next generation of a job that is not over.
pub(super) fn begin(job: &mut Job, entry: &mut Entry) {
    job.furthest = job.advance();
    job.generation = Generation(job.generation.0.saturating_add(1));
    if job.state == JobState::Finalizing {
        job.state = JobState::Running;
    }
    begin_at_checkpoint(job);
    job.checkpoints.due_at_ms = due_from(job, entry.now_ms);
    // Nobody holds a shard or the export any more.
    scale::dismiss(job, entry);
}

/// Puts a job where its newest committed checkpoint is: a generation's first state.
pub(super) fn begin_at_checkpoint(job: &mut Job) {
    let checkpoints = &mut job.checkpoints;
    checkpoints.restored = checkpoints.committed.last().cloned();
    checkpoints.cutting = None;
    checkpoints.last_failed = false;
    let step = job.restored_step();
    job.step = if job.state == JobState::Running { step } else { 0 };
    (job.evaluating, job.exporter, job.outputs) = (None, None, None);
    job.evaluations.retain(|evaluation| evaluation.step <= step);
    for task in job.tasks.values_mut() {
        if let Some(registration) = task.registration_mut() {
            registration.reached = 0;
        }
    }
    // Before the start nothing may be computed.
    if job.state == JobState::Running {
        job.run_until = limit_after(job, step);
    }
    job.leases.begin_epoch();
    shard::grant(job);
}

// The first place from `step` on where all wait: there itself, if what is evaluated there was not evaluated.
fn limit_after(job: &Job, step: u64) -> u64 {
    let (all, per_epoch) = (job.plan.steps(), job.plan.steps_per_epoch());
    if !job.waits_each_epoch() {
        return all;
    }
    let evaluated = !job.evaluates() || job.evaluations.last().is_some_and(|evaluation| evaluation.step == step);
    if step > 0 && step.is_multiple_of(per_epoch) && !evaluated {
        return step;
    }
    (step / per_epoch).saturating_add(1).saturating_mul(per_epoch).min(all)
}
