//! An evaluation that is under way: shards leased to workers, their counts merged in shard order.
//!
//! ```text
//!   waiting (no live worker) ──► leased ──► held ──► merged
//!        ▲                         │
//!        └──── the worker is lost ─┘  (at once to another one, if there is one)
//! ```
//!
//! Shards are fixed runs of records, whatever the workers. A result counts once, the first one wins; the sum of
//! losses is added in shard order, so it has the same bits whoever evaluated what, and in which order.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use tfcoord_types::figures::{AUC_BINS, Counts};
use tfcoord_types::id::Incarnation;
use tfcoord_types::view::Evaluation;

/// Records that a worker evaluates at a time; shards begin at multiples of it.
pub const EVAL_BATCH: u64 = tfcoord_types::figures::EVALUATION_BATCH;
/// Records of a shard, but for the last one and very large sets.
pub const SHARD_RECORDS: u64 = 4 * EVAL_BATCH;
/// The most shards of an evaluation: of larger sets each shard is larger.
pub const SHARDS_MAX: u64 = 4096;

/// Records of each shard of an evaluation of `records` records, but for the last one: a multiple of [`EVAL_BATCH`].
pub fn shard_records(records: u64) -> u64 {
    SHARD_RECORDS.saturating_mul(records.div_ceil(SHARD_RECORDS).div_ceil(SHARDS_MAX).max(1))
}

/// How many shards an evaluation of `records` records has; at most [`SHARDS_MAX`].
pub fn shards(records: u64) -> u32 {
    u32::try_from(records.div_ceil(shard_records(records))).unwrap_or(u32::MAX)
}

/// The records of a shard; empty for one that there is not.
pub fn shard(records: u64, shard: u32) -> Range<u64> {
    let size = shard_records(records);
    let start = size.saturating_mul(u64::from(shard)).min(records);
    start..start.saturating_add(size).min(records)
}

/// An evaluation that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluating {
    /// Which one of the job, from 0.
    pub number: u32,
    /// With the parameters of this version.
    pub step: u64,
    /// Shards that have no result yet: leased to a worker, or waiting for one.
    pub open: BTreeMap<u32, Option<Incarnation>>,
    /// Results behind a shard that has none yet.
    pub held: BTreeMap<u32, Counts>,
    /// Sum of the results of the shards below `merged_shards`.
    pub merged: Counts,
    /// The first shard that is not merged.
    pub merged_shards: u32,
}

impl Evaluating {
    pub(crate) fn new(number: u32, step: u64, records: u64) -> Self {
        let open = (0..shards(records)).map(|shard| (shard, None)).collect();
        Self { number, step, open, held: BTreeMap::new(), merged: Counts::default(), merged_shards: 0 }
    }

    /// Leases the waiting shards to `live` workers in turn; without any they go on waiting.
    pub(crate) fn lease(&mut self, live: &[Incarnation]) {
        let waiting = self.open.values_mut().filter(|lease| lease.is_none());
        waiting.zip(live.iter().cycle()).for_each(|(lease, worker)| *lease = Some(*worker));
    }

    /// Takes its shards from a worker.
    pub(crate) fn release(&mut self, worker: Incarnation) {
        self.open.values_mut().filter(|lease| **lease == Some(worker)).for_each(|lease| *lease = None);
    }

    /// Takes the first result of a shard.
    pub(crate) fn complete(&mut self, shard: u32, counts: Counts) {
        if self.open.remove(&shard).is_some() {
            self.held.insert(shard, counts);
        }
        while let Some(counts) = self.held.remove(&self.merged_shards) {
            self.merged.add(&counts);
            self.merged_shards += 1;
        }
    }

    /// Whether every shard has its result.
    pub fn is_complete(&self) -> bool {
        self.open.is_empty()
    }
}

/// What is wrong with counts that are said to be of `records` records of `classes` classes (0: a number), if
/// anything is. Right ones can be added to each other without overflow.
pub(crate) fn wrong(counts: &Counts, records: u64, classes: u32) -> Option<String> {
    let Counts { records: counted, correct, confusion, bins, .. } = counts;
    let at_most = |mut numbers: Box<dyn Iterator<Item = u64> + '_>| {
        numbers.try_fold(0u64, |sum, n| sum.checked_add(n)).is_some_and(|sum| sum <= records)
    };
    if *counted != records {
        return Some(format!("it counted {counted} records instead of {records}"));
    }
    if *correct > records {
        return Some(format!("{correct} of {records} records were right"));
    }
    let cells = u64::from(classes) * u64::from(classes);
    if !confusion.is_empty() && confusion.len() as u64 != cells {
        return Some(format!("its confusion matrix has {} cells instead of {cells}", confusion.len()));
    }
    if !at_most(Box::new(confusion.iter().copied())) || !at_most(Box::new(bins.iter().flat_map(|b| [b.1, b.2]))) {
        return Some("it counted records more than once".into());
    }
    let ascending = bins.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let known = bins.last().is_none_or(|last| usize::from(last.0) < AUC_BINS);
    (!ascending || !known).then(|| "its bins are not ascending, or there are too many".into())
}

/// Keeps records, loss and right predictions of an evaluation that is not the last one any more.
pub(crate) fn shorten(evaluation: &mut Evaluation) {
    evaluation.counts.confusion = Vec::new();
    evaluation.counts.bins = Vec::new();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shards_of_known_sets() {
        assert_eq!((shards(2000), shard(2000, 0), shard(2000, 1), shard(2000, 2)), (2, 0..1024, 1024..2000, 2000..2000));
        assert_eq!((shards(1), shard(1, 0)), (1, 0..1));
        assert_eq!(shards(SHARDS_MAX * SHARD_RECORDS + 1), 2049);
        assert!(u64::from(shards(u64::MAX)) <= SHARDS_MAX);
    }

    #[test]
    fn leases_go_in_turn_and_come_back() {
        let (a, b) = (Incarnation(4), Incarnation(5));
        let mut evaluating = Evaluating::new(0, 10, 5 * SHARD_RECORDS);
        evaluating.lease(&[]);
        assert!(evaluating.open.values().all(Option::is_none));
        evaluating.lease(&[a, b]);
        assert_eq!(evaluating.open.values().copied().collect::<Vec<_>>(), [Some(a), Some(b), Some(a), Some(b), Some(a)]);
        evaluating.release(a);
        evaluating.lease(&[b]);
        assert!(evaluating.open.values().all(|lease| *lease == Some(b)));
    }

    #[test]
    fn wrong_counts_are_named() {
        let good =
            Counts { records: 10, correct: 4, confusion: vec![4, 0, 6, 0], bins: vec![(0, 3, 3), (4095, 4, 0)], ..Counts::default() };
        let check = |change: &dyn Fn(&mut Counts), expect: &str| {
            let mut counts = good.clone();
            change(&mut counts);
            assert!(wrong(&counts, 10, 2).unwrap_or_default().contains(expect), "{counts:?}");
        };
        assert_eq!(wrong(&good, 10, 2), None);
        check(&|c| c.records = 9, "9 records instead of 10");
        check(&|c| c.correct = 11, "11 of 10");
        check(&|c| c.confusion.push(0), "5 cells instead of 4");
        check(&|c| c.confusion[1] = 1, "more than once");
        check(&|c| c.confusion[1] = u64::MAX, "more than once");
        check(&|c| c.bins[1].1 = u64::MAX, "more than once");
        check(&|c| c.bins[1].0 = 4096, "bins");
        check(&|c| c.bins.reverse(), "bins");
    }

    proptest! {
        #[test]
        fn shards_cut_the_records_at_batches(records in 1u64..10_000_000) {
            let mut next = 0;
            for n in 0..shards(records) {
                let range = shard(records, n);
                prop_assert_eq!(range.start, next);
                prop_assert!(range.start.is_multiple_of(EVAL_BATCH) && range.start < range.end);
                next = range.end;
            }
            prop_assert_eq!(next, records);
        }

        #[test]
        fn the_sum_has_the_same_bits_in_any_order(
            losses in proptest::collection::vec(-1e9f64..1e9, 1..12),
            keys in proptest::collection::vec(any::<u32>(), 12),
        ) {
            let count = u32::try_from(losses.len()).unwrap();
            let counts = |shard: u32| Counts { records: 1, loss_sum_bits: losses[shard as usize].to_bits(), ..Counts::default() };
            let total = |order: &[u32]| {
                let mut evaluating = Evaluating::new(0, 0, u64::from(count) * SHARD_RECORDS);
                order.iter().for_each(|shard| evaluating.complete(*shard, counts(*shard)));
                assert!(evaluating.is_complete());
                evaluating.merged
            };
            let mut order: Vec<u32> = (0..count).collect();
            let quiet = total(&order);
            order.sort_by_key(|shard| keys[*shard as usize]);
            prop_assert_eq!(total(&order), quiet);
        }
    }
}
