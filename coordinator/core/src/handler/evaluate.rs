//! `CompleteShards`: the first result of a shard counts. With the last shard the evaluation is complete: the next
//! epoch follows, or the end.

use super::{Handled, finish, scale};
use crate::cluster::Entry;
use crate::evaluation::{Evaluating, shard, shorten, wrong};
use crate::job::Job;
use crate::outcome::Outcome;
use crate::shard as training;
use tfcoord_types::id::{Generation, Incarnation, Role};
use tfcoord_types::report::EvaluatedShard;
use tfcoord_types::view::Evaluation;

/// Begins an evaluation with the parameters that all servers have reached.
pub(super) fn begin(job: &mut Job) {
    let number = u32::try_from(job.evaluations.len()).unwrap_or(u32::MAX);
    job.evaluating = Some(Evaluating::new(number, job.run_until, job.manifest.eval_records));
    lease(job);
}

/// Leases shards that wait to workers that stay.
pub(super) fn lease(job: &mut Job) {
    let hands = job.hands();
    if let Some(evaluating) = &mut job.evaluating {
        evaluating.lease(&hands);
    }
}

pub(super) fn complete_shards(
    job: &mut Job,
    entry: &mut Entry,
    generation: Generation,
    incarnation: Incarnation,
    shards: Vec<EvaluatedShard>,
) -> Handled {
    job.active()?;
    job.present(generation)?;
    let task = job.speaker(incarnation, Role::Worker)?;
    let (records, classes) = (job.manifest.eval_records, job.manifest.input.classes);
    let Some(evaluating) = &mut job.evaluating else { return Ok(Outcome::Unchanged) };
    let mut outcome = Outcome::Unchanged;
    for EvaluatedShard { evaluation, shard: number, counts } in shards {
        if evaluation != evaluating.number || !evaluating.open.contains_key(&number) {
            continue;
        }
        outcome = Outcome::Done;
        let range = shard(records, number);
        // Nobody else would count otherwise: going on would ask for the same wrong counts for ever.
        if let Some(problem) = wrong(&counts, range.end - range.start, classes) {
            job.fail(entry, format!("{task} evaluated shard {number} of evaluation {evaluation} wrongly: {problem}"));
            return Ok(outcome);
        }
        evaluating.complete(number, counts);
    }
    if evaluating.is_complete() {
        complete(job);
    }
    scale::dismiss(job, entry);
    Ok(outcome)
}

fn complete(job: &mut Job) {
    let Some(Evaluating { step, merged, .. }) = job.evaluating.take() else { return };
    // Views, snapshots and memory must not grow by a confusion matrix an epoch: the last evaluation is kept whole.
    if let Some(last) = job.evaluations.last_mut() {
        shorten(last);
    }
    job.evaluations.push(Evaluation { epoch: job.epochs_at(step), step, counts: merged });
    if step < job.plan.steps() {
        job.run_until = job.next_limit();
        training::grant(job);
    } else {
        finish::finalize(job);
    }
}
