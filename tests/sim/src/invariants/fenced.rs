//! What a server takes for a lane, or a shard, comes from its owner, or from the last one if nobody was granted it since.

use super::{Who, ensure, history::History};
use tfcoord_coordinator_core::Job;
use tfcoord_ps_core::Push;

/// A server has taken a push.
pub fn check(history: &History, who: &Who, push: &Push) {
    let Some(job) = history.cluster().job(&who.job).filter(|job| !job.is_over()) else { return };
    if job.generation != push.generation || !job.servers().any(|server| server.incarnation == who.incarnation) {
        // A server that was replaced is alone with what it takes.
        return;
    }
    if let Some(shards) = job.shards() {
        return check_shard(job, shards.epoch(push.step), shards.shard(push.step), who, push);
    }
    for lane in push.block.lanes() {
        let owner = job.lanes.get(lane as usize).and_then(|lane| lane.owner);
        let place = format!("{} lane {lane}: {owner:?}'s, but {} took it from {}", who.job, who.node, push.incarnation);
        ensure(owner.is_none_or(|owner| owner == push.incarnation), place, "a fenced incarnation's push never counts");
    }
}

// A shard that is done, or of another epoch, is nobody's.
fn check_shard(job: &Job, epoch: u32, shard: u32, who: &Who, push: &Push) {
    let lease = job.leases.open.get(&shard).filter(|_| epoch == job.leased_epoch());
    let owner = lease.and_then(|lease| lease.owner);
    let place = format!("{} shard {shard}: {owner:?}'s, but {} took it from {}", who.job, who.node, push.incarnation);
    ensure(owner.is_none_or(|owner| owner == push.incarnation), place, "a fenced incarnation's push never counts");
}
