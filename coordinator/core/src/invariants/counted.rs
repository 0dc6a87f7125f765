//! What holds of an evaluation: every shard is in one place, and counts are of their records.

use super::{Checked, ensure};
use crate::evaluation::{shard, shards, wrong};
use crate::job::{Job, JobState};

pub(super) fn check(job: &Job) -> Checked {
    let id = &job.id;
    ensure(job.evaluations.len() <= job.plan.epochs as usize, id, "there is at most one evaluation an epoch")?;
    ensure(job.evaluations.is_empty() || job.evaluates(), id, "a job without records to evaluate has no evaluations")?;
    let Some(evaluating) = &job.evaluating else {
        // Else it would wait for ever.
        let waits = job.state == JobState::Running && job.all_servers_at(job.run_until);
        return ensure(!waits, id, "when all servers have reached the limit, an evaluation or the export begins");
    };
    let (records, classes) = (job.manifest.eval_records, job.manifest.input.classes);
    ensure(job.state == JobState::Running && job.evaluates(), id, "only a job that runs is evaluated")?;
    ensure(evaluating.step == job.run_until, id, "evaluation is where all wait")?;
    ensure(evaluating.number as usize == job.evaluations.len(), id, "evaluations are numbered in order")?;
    ensure(job.all_servers_at(evaluating.step), id, "what is evaluated, all servers have reached")?;
    ensure(!evaluating.open.is_empty(), id, "an evaluation under way has open shards")?;
    let mut numbers: Vec<u32> = evaluating.open.keys().chain(evaluating.held.keys()).copied().collect();
    numbers.sort_unstable();
    let rest = evaluating.merged_shards..shards(records);
    ensure(numbers.into_iter().eq(rest), id, "every shard is merged, held, or open")?;
    ensure(!evaluating.held.contains_key(&evaluating.merged_shards), id, "what can be merged is merged")?;
    let live = job.live_workers();
    for (shard, lease) in &evaluating.open {
        let place = format!("{id} shard {shard}");
        match lease {
            Some(worker) => ensure(live.contains(worker), place, "a shard is leased to a live worker")?,
            None => ensure(live.is_empty(), place, "no shard waits while a worker lives")?,
        }
    }
    for (number, counts) in &evaluating.held {
        let range = shard(records, *number);
        let fine = wrong(counts, range.end - range.start, classes).is_none();
        ensure(fine, format!("{id} shard {number}"), "counts are of the shard's records")?;
    }
    let merged = shard(records, evaluating.merged_shards).start;
    ensure(wrong(&evaluating.merged, merged, classes).is_none(), id, "merged counts are of the merged shards' records")
}
