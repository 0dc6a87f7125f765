//! How a job's records are laid out in steps: pure arithmetic that every task does for itself.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The steps of a `bsp` job. An epoch's order (of `records` records) is cut into `micro_batches` lanes of equal
/// length, the first ones a record longer where it does not come out even; the micro-batch of lane g at a step
/// is the next `batch_size / micro_batches` records of that lane, the last ones short or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainPlan {
    /// Training records; at least 1.
    pub records: u64,
    /// Records of all lanes a step; at least 1.
    pub batch_size: u32,
    /// Lanes: a power of two that divides `batch_size`.
    pub micro_batches: u32,
    /// Passes over the records; at least 1.
    pub epochs: u32,
}

/// A step's place in its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The epoch, from 0.
    pub epoch: u32,
    /// The step within the epoch, from 0.
    pub step: u64,
}

impl TrainPlan {
    /// Records of a full micro-batch.
    pub fn micro_batch_size(&self) -> u32 {
        self.batch_size / self.micro_batches
    }

    /// Where `lane` lies in an epoch's order.
    pub fn lane(&self, lane: u32) -> Range<u64> {
        let lanes = u64::from(self.micro_batches);
        let (base, longer) = (self.records / lanes, self.records % lanes);
        let start = |lane: u64| lane * base + lane.min(longer);
        start(u64::from(lane))..start(u64::from(lane) + 1)
    }

    /// Steps of one epoch: until the longest lane is used up.
    pub fn steps_per_epoch(&self) -> u64 {
        self.records.div_ceil(u64::from(self.micro_batches)).div_ceil(u64::from(self.micro_batch_size()))
    }

    /// Steps of the whole training.
    pub fn steps(&self) -> u64 {
        self.steps_per_epoch() * u64::from(self.epochs)
    }

    /// The epoch of `step` (counted from 0 over the whole training) and its place there.
    pub fn place(&self, step: u64) -> Place {
        let per_epoch = self.steps_per_epoch();
        Place { epoch: u32::try_from(step / per_epoch).unwrap_or(u32::MAX), step: step % per_epoch }
    }

    /// The micro-batch of `lane` at `step`, as places in the order of the step's epoch; may be empty.
    pub fn micro_batch(&self, step: u64, lane: u32) -> Range<u64> {
        let Range { start, end } = self.lane(lane);
        let size = u64::from(self.micro_batch_size());
        let from = (start + self.place(step).step * size).min(end);
        from..(from + size).min(end)
    }

    /// How many records `lanes` have at `step`.
    pub fn records_in(&self, step: u64, lanes: Range<u32>) -> u64 {
        lanes.map(|lane| self.micro_batch(step, lane)).map(|range| range.end - range.start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_uneven_epoch() {
        let plan = TrainPlan { records: 10, batch_size: 4, micro_batches: 2, epochs: 2 };
        assert_eq!(plan.steps_per_epoch(), 3);
        assert_eq!((plan.micro_batch(2, 0), plan.micro_batch(2, 1)), (4..5, 9..10));
        assert_eq!(plan.micro_batch(3, 1), 5..7);
        assert_eq!(plan.records_in(2, 0..2), 2);
    }

    proptest! {
        #[test]
        fn an_epoch_takes_every_record_once(records in 1u64..500, size in 1u32..8, log in 0u32..5, epoch in 0u64..3) {
            let lanes = 1 << log;
            let plan = TrainPlan { records, batch_size: size * lanes, micro_batches: lanes, epochs: 3 };
            let mut seen = vec![0; usize::try_from(records).unwrap()];
            for step in epoch * plan.steps_per_epoch()..(epoch + 1) * plan.steps_per_epoch() {
                prop_assert!(plan.records_in(step, 0..lanes) > 0);
                for lane in 0..lanes {
                    for place in plan.micro_batch(step, lane) {
                        seen[usize::try_from(place).unwrap()] += 1;
                    }
                }
            }
            prop_assert!(seen.iter().all(|n| *n == 1));
        }
    }
}
