//! Shards of an epoch, for jobs whose workers do not go together (no mode of `train` is `bsp`).
//!
//! There a step is a batch that one worker computes. The steps of an epoch are cut into **shards**, fixed runs of them,
//! which are leased to workers one by one. So a step's number stands for (epoch, shard, batch) and is the key of what was
//! computed of it. Where there is a `local` mode a shard is cut into **rounds**: what a worker trains before it exchanges what is
//! `local`; chunks of the other modes are exchanged after each step of it.
//!
//! All follows from the plan and the modes: nothing of it depends on the workers.

use crate::job::{Sync, Train};
use crate::plan::TrainPlan;
use std::ops::Range;

/// About so many shards an epoch: enough that workers end together, few enough that leases are rare.
const SHARDS: u64 = 32;
/// The most steps of a shard, but for epochs of very many steps.
const STEPS_MAX: u64 = 256;
/// The most shards of an epoch.
const SHARDS_MAX: u64 = 1 << 20;

/// The shards of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards {
    per_epoch: u64,
    per_shard: u64,
    every: u64,
}

impl Shards {
    /// Those of a plan in the modes of `train`; none in `bsp`.
    pub fn new(plan: &TrainPlan, train: &Train) -> Option<Self> {
        if train.is_bsp() {
            return None;
        }
        let every = train.every().map_or(1, u64::from).max(1);
        let per_epoch = plan.steps_per_epoch().max(1);
        let about = (per_epoch / SHARDS).clamp(1, STEPS_MAX).max(per_epoch.div_ceil(SHARDS_MAX));
        Some(Self { per_epoch, per_shard: about.next_multiple_of(every), every })
    }

    /// How many an epoch has.
    pub fn count(&self) -> u32 {
        u32::try_from(self.per_epoch.div_ceil(self.per_shard)).unwrap_or(u32::MAX)
    }

    /// The epoch of a step.
    pub fn epoch(&self, step: u64) -> u32 {
        u32::try_from(step / self.per_epoch).unwrap_or(u32::MAX)
    }

    /// The shard of a step, in its epoch.
    pub fn shard(&self, step: u64) -> u32 {
        u32::try_from(step % self.per_epoch / self.per_shard).unwrap_or(u32::MAX)
    }

    /// The steps of a shard; none for one that there is not.
    pub fn steps(&self, epoch: u32, shard: u32) -> Range<u64> {
        let first = u64::from(epoch).saturating_mul(self.per_epoch);
        let at = |shard: u64| first.saturating_add(shard.saturating_mul(self.per_shard).min(self.per_epoch));
        at(shard.into())..at(u64::from(shard) + 1)
    }

    /// The epoch that a step is in the midst of; nothing where one begins.
    pub fn within(&self, step: u64) -> Option<u32> {
        (!step.is_multiple_of(self.per_epoch)).then(|| self.epoch(step))
    }

    /// One past the last step of an epoch.
    pub fn end(&self, epoch: u32) -> u64 {
        u64::from(epoch).saturating_add(1).saturating_mul(self.per_epoch)
    }

    /// The steps that are exchanged together with this one for a chunk of this mode.
    pub fn exchanged(&self, step: u64, mode: &Sync) -> Range<u64> {
        if mode.is_local() { self.round(step) } else { step..step.saturating_add(1) }
    }

    /// The most steps of a round.
    pub fn round_max(&self) -> u64 {
        self.every
    }

    /// The steps of the round that a step is in: where no mode is `local`, the step alone.
    pub fn round(&self, step: u64) -> Range<u64> {
        let shard = self.steps(self.epoch(step), self.shard(step));
        let first = step - (step - shard.start) % self.every;
        first..first.saturating_add(self.every).min(shard.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOCAL: Sync = Sync::Local { every: 7, momentum: 0.0 };

    fn train(sync: Sync) -> Train {
        serde_json::from_value(serde_json::json!({"batch_size": 4, "epochs": 3, "optimizer": {"add": {}}, "sync": sync})).unwrap()
    }

    fn plan(records: u64) -> TrainPlan {
        TrainPlan { records, batch_size: 4, micro_batches: 2, epochs: 3 }
    }

    #[test]
    fn shards_of_known_plans() {
        let shards = Shards::new(&plan(4 * 100), &train(Sync::Async {})).unwrap();
        assert_eq!((shards.count(), shards.steps(0, 0), shards.steps(1, 33), shards.steps(1, 34)), (34, 0..3, 199..200, 200..200));
        assert_eq!((shards.epoch(199), shards.shard(199), shards.round(199)), (1, 33, 199..200));
        assert_eq!((shards.within(199), shards.within(100), shards.within(0), shards.end(1)), (Some(1), None, None, 200));
        let local = Shards::new(&plan(4 * 100), &train(LOCAL)).unwrap();
        assert_eq!((local.count(), local.steps(0, 14), local.round(99), local.round(113)), (15, 98..100, 98..100, 107..114));
        assert_eq!([LOCAL, Sync::Async {}].map(|mode| local.exchanged(113, &mode)), [107..114, 113..114]);
        assert_eq!(Shards::new(&plan(1), &train(Sync::Bsp)), None);
        let huge = TrainPlan { records: 1 << 48, batch_size: 1, micro_batches: 1, epochs: 1 };
        assert!(u64::from(Shards::new(&huge, &train(Sync::Async {})).unwrap().count()) <= SHARDS_MAX);
    }

    proptest! {
        #[test]
        fn shards_and_rounds_cut_an_epoch_s_steps(records in 1u64..5000, every in 1u32..20) {
            let plan = plan(records);
            let shards = Shards::new(&plan, &train(Sync::Local { every, momentum: 0.0 })).unwrap();
            for epoch in 0..2 {
                let mut next = u64::from(epoch) * plan.steps_per_epoch();
                for shard in 0..shards.count() {
                    let steps = shards.steps(epoch, shard);
                    prop_assert!(steps.start == next && steps.end > next);
                    while next < steps.end {
                        let round = shards.round(next);
                        prop_assert!(round.start == next && round.end > next && round.end - next <= u64::from(every));
                        for step in round.clone() {
                            prop_assert_eq!((shards.epoch(step), shards.shard(step), shards.round(step)), (epoch, shard, round.clone()));
                        }
                        next = round.end;
                    }
                }
                prop_assert_eq!(next, u64::from(epoch + 1) * plan.steps_per_epoch());
            }
        }
    }
}
