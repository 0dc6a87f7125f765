//! Which workers are near which of a job's data: on a host that holds it. That decides who gets what, where it is all the same
//! otherwise; never how much somebody gets, and never a bit of what comes of it.
//!
//! A lane is a run of places of an epoch's order. Without shuffling it has the same records in each epoch. With shuffling an epoch
//! takes the order's shards (of 65,536 records) in another order each time: what a lane reads is then known for each epoch, and in
//! sum, over the epochs to come, ever more of everything. What is weighed here is just that sum, so that the preference fades by
//! itself where it is of no use: within a single shard all lanes read from everywhere alike.
//!
//! Outside of `bsp` a step has a micro-batch of each lane: a leased shard reads at as many places as there are lanes.

use crate::job::Job;
use std::collections::BTreeMap;
use tfcoord_types::holders::{Holders, Weight};
use tfcoord_types::id::TaskId;
use tfcoord_types::order::{EpochOrder, Span, shards};
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::shard::Shards;

/// Of so many epochs to come the order is looked at, for lanes: they are dealt seldom, and kept.
const EPOCHS: u32 = 4;
/// With more shards than this in its order a lane reads a bit of everything, and nobody is near it.
const ORDER_SHARDS_MAX: u64 = 4096;

/// What is known of where a job's data are.
pub(crate) struct Near<'a> {
    holders: &'a Holders,
    plan: TrainPlan,
    // Nothing without shuffling.
    seed: Option<u64>,
}

/// Where some of the workers are among the hosts.
pub(crate) struct Places(BTreeMap<TaskId, Vec<usize>>);

impl<'a> Near<'a> {
    /// Nothing where it is not known, or of no use.
    pub fn of(job: &'a Job) -> Option<Self> {
        let holders = job.manifest.holders.as_deref().filter(|holders| !holders.runs.is_empty() && !holders.hosts.is_empty())?;
        let shuffled = job.file.data.shuffle;
        let known = !shuffled || shards(job.plan.records) <= ORDER_SHARDS_MAX;
        known.then_some(Self { holders, plan: job.plan, seed: shuffled.then_some(job.file.train.seed) })
    }

    /// Where these workers are, as far as they have registered.
    pub fn places(&self, job: &Job, workers: impl IntoIterator<Item = TaskId>) -> Places {
        let place = |task: TaskId| Some((task, self.holders.places(&job.registration(task)?.process.host)));
        Places(workers.into_iter().filter_map(place).collect())
    }

    /// What each lane reads from `epoch` on.
    pub fn lanes(&self, epoch: u32) -> Vec<Weight> {
        let epochs = self.plan.epochs.saturating_sub(epoch).clamp(1, if self.seed.is_some() { EPOCHS } else { 1 });
        let mut weights = vec![Weight::default(); self.plan.micro_batches as usize];
        for epoch in epoch..epoch.saturating_add(epochs) {
            let order = self.order(epoch);
            for (lane, weight) in (0..).zip(&mut weights) {
                weight.add(&self.weigh(order.as_ref(), std::iter::once(self.plan.lane(lane))));
            }
        }
        weights
    }

    /// What shards of an epoch read, as they are asked for.
    pub fn shards(self, shards: Shards, epoch: u32) -> impl Fn(u32) -> Weight + 'a {
        let order = self.order(epoch);
        move |shard| {
            let steps = shards.steps(epoch, shard);
            let last = steps.end.saturating_sub(1).max(steps.start);
            let lane = |lane| self.plan.micro_batch(steps.start, lane).start..self.plan.micro_batch(last, lane).end;
            self.weigh(order.as_ref(), (0..self.plan.micro_batches).map(lane))
        }
    }

    fn order(&self, epoch: u32) -> Option<EpochOrder> {
        self.seed.map(|seed| EpochOrder::new(self.plan.records, seed, epoch))
    }

    fn weigh(&self, order: Option<&EpochOrder>, places: impl IntoIterator<Item = std::ops::Range<u64>>) -> Weight {
        let spans = places.into_iter().flat_map(|places| match order {
            Some(order) => order.spans(places),
            None => vec![Span { taken: places.end.saturating_sub(places.start), records: places }],
        });
        self.holders.weigh(self.plan.records, spans)
    }
}

impl Places {
    /// What of `weight` is near a worker, in bytes.
    pub fn near(&self, worker: TaskId, weight: &Weight) -> u64 {
        self.0.get(&worker).map_or(0, |places| weight.at(places))
    }
}

/// Bytes of a job's training data that are read in an epoch, and how many of them by workers that are near them: by those that
/// have the lanes. Where they have none yet, or shards are leased instead, it is taken that all read alike. A worker that has not
/// registered is on the host `here`, where one is to be launched. Nothing where the file system has not told who holds what.
pub fn local_share(job: &Job, here: &str) -> Option<(u64, u64)> {
    let near = Near::of(job)?;
    let places = |task: TaskId| near.holders.places(job.registration(task).map_or(here, |registration| &registration.process.host));
    let epoch = job.epochs_at(job.step);
    if job.lanes.is_empty() {
        let all = near.weigh(None, std::iter::once(0..job.plan.records));
        let workers = u64::from(job.workers()).max(1);
        let local = (0..job.workers()).map(|index| all.at(&places(TaskId::worker(index))) / workers).fold(0u64, u64::saturating_add);
        return Some((local, all.bytes));
    }
    let (mut local, mut bytes) = (0u64, 0u64);
    for (lane, weight) in job.lanes.iter().zip(near.lanes(epoch)) {
        local = local.saturating_add(weight.at(&places(lane.intended)));
        bytes = bytes.saturating_add(weight.bytes);
    }
    Some((local, bytes))
}

#[cfg(test)]
mod tests;
