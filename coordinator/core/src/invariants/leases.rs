//! What holds of the shards of a job that is not `bsp`.

use super::{Checked, ensure};
use crate::job::{Job, JobState};
use crate::shard::Leases;

pub(super) fn check(job: &Job) -> Checked {
    let (id, leases) = (&job.id, &job.leases);
    let Some(shards) = job.shards().filter(|_| !job.is_over()) else {
        return ensure(*leases == Leases::default(), id, "shards are leased in jobs that run and are not bsp");
    };
    let live = job.live_workers();
    for worker in &leases.workers {
        let stays = live.contains(worker) && job.task_of(*worker).is_some_and(|task| !job.is_leaving(task));
        ensure(stays, id, "whoever is leased shards is there, and stays")?;
    }
    let known = leases.open.keys().all(|shard| *shard < leases.next) && leases.next <= shards.count();
    ensure(known, id, "what is leased is there, and was to be leased")?;
    let passed = leases.passed.iter().all(|shard| *shard < leases.next && !leases.open.contains_key(shard));
    ensure(passed, id, "what was passed over was not leased")?;
    let trains = job.state == JobState::Running && job.evaluating.is_none();
    ensure(trains || leases.open.is_empty(), id, "shards are leased while their epoch is trained")?;
    for (shard, lease) in &leases.open {
        let place = format!("{id} shard {shard} of training");
        ensure(lease.owner.is_none_or(|owner| leases.workers.contains(&owner)), &place, "an owner is a worker that is ready")?;
        ensure(lease.owner.is_some() != lease.vacated_at.is_some(), &place, "a shard is owned, or vacated since some revision")?;
        ensure(lease.vacated_at.is_none_or(|at| at <= job.revision), &place, "a shard was vacated in the past")?;
    }
    Ok(())
}
