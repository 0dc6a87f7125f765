//! `FinishShards`: a server is done with shards, so that others can be leased.

use super::Handled;
use crate::job::Job;
use crate::outcome::{Outcome, Refusal};
use crate::shard;
use tfcoord_types::id::{Generation, Incarnation, Role};
use tfcoord_types::report::ShardsDone;

pub(super) fn finish_shards(job: &mut Job, generation: Generation, incarnation: Incarnation, done: &ShardsDone) -> Handled {
    job.active()?;
    job.present(generation)?;
    let slot = job.speaker(incarnation, Role::ParameterServer)?.index;
    let (newest, count) = (job.leased_epoch(), job.shards().map_or(0, |shards| shards.count()));
    if done.epoch > newest || done.shards.iter().any(|shard| *shard >= count) {
        return Err(Refusal::Ahead { what: "epoch", number: done.epoch.into(), newest: newest.into() });
    }
    let news = done.epoch == newest && shard::complete(job, slot, &done.shards);
    Ok(if news { Outcome::Done } else { Outcome::Unchanged })
}
