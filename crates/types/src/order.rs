//! The order of an epoch by its shards: which of them stands where. A pure function of (seed, epoch, record count).
//!
//! The records `0..n` are cut into the fewest **shards** of at most 65,536 records, evenly: the first ones a record longer where
//! it does not come out even. An epoch's order is its shards, permuted, and the records within each shard, permuted. Here is
//! what whoever does not read records needs of it: which shards a run of places takes its records from.
//!
//! Stream (see [`crate::draw`]): `order` (seed, epoch). Published models refer to it by their seed: it never changes.

use crate::draw::Stream;
use std::ops::Range;

/// The most records of a shard.
const SHARD_RECORDS_MAX: u64 = 65_536;

/// How many shards so many records have.
pub fn shards(records: u64) -> u64 {
    records.div_ceil(SHARD_RECORDS_MAX)
}

/// The records of a shard of so many; there must be such a shard.
pub fn shard(records: u64, shard: u32) -> Range<u64> {
    let shards = shards(records);
    let (base, longer) = (records / shards, records % shards);
    let start = |shard: u64| shard * base + shard.min(longer);
    start(u64::from(shard))..start(u64::from(shard) + 1)
}

/// The shards of an epoch in their order.
#[derive(Debug, Clone)]
pub struct EpochOrder {
    records: u64,
    shards: Vec<u32>,
    // The place that each one begins at.
    starts: Vec<u64>,
}

/// Some of a run of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The run.
    pub records: Range<u64>,
    /// How many of them, wherever in the run.
    pub taken: u64,
}

impl EpochOrder {
    /// That of `epoch` (from 0) under `seed`, of fewer than 2^48 records.
    pub fn new(records: u64, seed: u64, epoch: u32) -> Self {
        let mut shards = vec![0; usize::try_from(shards(records)).expect("fewer than 2^48 records")];
        Stream::new("order", &[seed, u64::from(epoch)]).permute(&mut shards);
        let mut starts = Vec::with_capacity(shards.len());
        let mut next = 0;
        for one in &shards {
            starts.push(next);
            let of_shard = shard(records, *one);
            next += of_shard.end - of_shard.start;
        }
        Self { records, shards, starts }
    }

    /// The shard that holds `place`, which must be one, and the place it begins at.
    pub fn at(&self, place: u64) -> (u32, u64) {
        let at = self.starts.partition_point(|start| *start <= place) - 1;
        (self.shards[at], self.starts[at])
    }

    /// The records of the shard behind the one that holds `place`, if it begins before place `end`.
    pub fn next_shard(&self, place: u64, end: u64) -> Option<Range<u64>> {
        let next = self.starts.partition_point(|start| *start <= place);
        let number = self.shards.get(next).filter(|_| self.starts[next] < end)?;
        Some(shard(self.records, *number))
    }

    /// What the records at `places` are taken from; places beyond the last one hold nothing.
    pub fn spans(&self, places: Range<u64>) -> Vec<Span> {
        let (mut place, end) = (places.start, places.end.min(self.records));
        let mut spans = Vec::new();
        while place < end {
            let (number, start) = self.at(place);
            let records = shard(self.records, number);
            let next = end.min(start + (records.end - records.start));
            spans.push(Span { records, taken: next - place });
            place = next;
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_take_every_shard_once_in_the_order_of_the_epoch() {
        let records = 200_001;
        let order = EpochOrder::new(records, 7, 1);
        let spans = order.spans(0..records + 9);
        let mut taken: Vec<(u64, u64)> = spans.iter().map(|span| (span.records.start, span.taken)).collect();
        let by_place: Vec<u64> = (0..4).map(|n| order.spans(n * 50_001..n * 50_001 + 1)[0].records.start).collect();
        assert_eq!(by_place, taken.iter().map(|(start, _)| *start).collect::<Vec<_>>(), "four shards of about 50,000");
        taken.sort_unstable();
        assert_eq!(taken, [(0, 50_001), (50_001, 50_000), (100_001, 50_000), (150_001, 50_000)]);
        let across = order.spans(49_990..50_010);
        assert_eq!((across.len(), across.iter().map(|span| span.taken).sum::<u64>()), (2, 20));
    }
}
