//! Proposals that make leases end. Each is an entry of the log, so a server's shards are told together, as soon as a worker
//! has little left.

use crate::command::Command;
use crate::job::Job;
use crate::shard::AHEAD_MAX;
use tfcoord_types::id::Incarnation;
use tfcoord_types::report::{Report, ServerReport, ShardsDone};

pub(super) fn finish(job: &Job, slot: u32, report: &Report, server: &ServerReport) -> Option<Command> {
    let shards = job.shards()?;
    let current = report.generation == job.generation && server.done.epoch == job.leased_epoch();
    // What was done before a checkpoint is not to be computed again.
    let anew = job.began_within();
    // Without any that could be leased the epoch's end is soon enough.
    if !current || (job.leases.unleased(shards.count()) == 0 && !anew) {
        return None;
    }
    let holds = job.placement.as_ref().is_some_and(|placement| placement.servers.contains(&slot));
    let is_news = |shard: &u32| job.leases.open.get(shard).is_some_and(|lease| !lease.done.contains(&slot));
    let news: Vec<u32> = server.done.shards.iter().copied().filter(is_news).collect();
    let left = |worker: Incarnation| {
        let mine = job.leases.open.iter().filter(|(shard, lease)| lease.owner == Some(worker) && !news.contains(shard));
        mine.filter(|(_, lease)| !lease.done.contains(&slot)).count()
    };
    let short = |worker: &Incarnation| left(*worker) <= AHEAD_MAX as usize / 2;
    let due = holds && !news.is_empty() && (anew || job.leases.workers.iter().any(short));
    let done = ShardsDone { epoch: server.done.epoch, shards: news };
    due.then(|| Command::FinishShards { job: job.id.clone(), generation: report.generation, incarnation: report.incarnation, done })
}
