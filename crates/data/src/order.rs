//! The order of an epoch: which record stands at which place. A pure function of (seed, epoch, record count).
//!
//! The records are cut into **shards**, which an epoch permutes ([`tfcoord_types::order`]), and permuted within each shard: so a
//! lane reads from one shard at a time, and no state has to be kept to find a place again.
//!
//! Stream (see [`tfcoord_types::draw`]): `order` (seed, epoch, shard) permutes a shard's records. Published models refer to it
//! by their seed: it never changes.

use std::collections::BTreeMap;
use std::ops::Range;
use tfcoord_types::draw::Stream;
use tfcoord_types::order::{self, EpochOrder};
use tfcoord_types::plan::TrainPlan;

/// The most permutations that are kept: 64 MiB.
const KEPT_MAX: usize = 256;

/// The orders of a job's epochs. Keeps the permutations of the shards in use: at most 256 KiB a lane, 64 MiB in
/// all; what was dropped is computed again.
#[derive(Debug, Clone)]
pub struct Order {
    records: u64,
    shards: u32,
    seed: u64,
    shuffle: bool,
    epochs: BTreeMap<u32, EpochOrder>,
    kept: Vec<Kept>,
    kept_max: usize,
}

#[derive(Debug, Clone)]
struct Kept {
    epoch: u32,
    shard: u32,
    records: Vec<u32>,
}

impl Order {
    /// The orders of the plan's epochs under `seed`; without `shuffle`, place and record are the same.
    pub fn new(plan: &TrainPlan, seed: u64, shuffle: bool) -> Self {
        let shards = u32::try_from(order::shards(plan.records)).expect("fewer than 2^48 records");
        let kept_max = usize::try_from(plan.micro_batches).map_or(KEPT_MAX, |lanes| (lanes + 2).min(KEPT_MAX));
        Self { records: plan.records, shards, seed, shuffle, epochs: BTreeMap::new(), kept: Vec::new(), kept_max }
    }

    /// The most bytes that the permutations of a plan's epochs take, all kept at once.
    pub fn bytes_max(plan: &TrainPlan) -> u64 {
        let order = Self::new(plan, 0, true);
        let all = u64::from(order.shards).saturating_mul(plan.epochs.into());
        let shard = plan.records.div_ceil(order.shards.max(1).into()).saturating_mul(size_of::<u32>() as u64);
        all.min(order.kept_max as u64).saturating_mul(shard)
    }

    /// The records at `places` of the order of `epoch` (from 0), as numbers in `0..plan.records`. Places beyond the
    /// last one hold nothing.
    pub fn records(&mut self, epoch: u32, places: Range<u64>) -> Vec<u64> {
        let places = places.start..places.end.min(self.records);
        if !self.shuffle {
            return places.collect();
        }
        let mut records = Vec::with_capacity(usize::try_from(places.end.saturating_sub(places.start)).unwrap_or(0));
        let mut place = places.start;
        while place < places.end {
            let (shard, start) = self.epoch(epoch).at(place);
            let of_shard = self.shard(shard);
            let end = places.end.min(start + (of_shard.end - of_shard.start));
            let within = (place - start) as usize..(end - start) as usize;
            records.extend(self.permutation(epoch, shard)[within].iter().map(|n| of_shard.start + u64::from(*n)));
            place = end;
        }
        records
    }

    /// The records of the shard that follows the one that holds `place` in the order of `epoch`, if it does before place `end`:
    /// nobody wants them before all that come first in that one. None where place and record are the same.
    pub fn next_shard(&mut self, epoch: u32, place: u64, end: u64) -> Option<Range<u64>> {
        if !self.shuffle || place >= self.records {
            return None;
        }
        self.epoch(epoch).next_shard(place, end)
    }

    fn shard(&self, shard: u32) -> Range<u64> {
        order::shard(self.records, shard)
    }

    // The epoch before is still asked for while the next one is prefetched; no other is.
    fn epoch(&mut self, epoch: u32) -> &EpochOrder {
        if !self.epochs.contains_key(&epoch) {
            if self.epochs.len() >= 2 {
                self.epochs.pop_first();
            }
            let order = EpochOrder::new(self.records, self.seed, epoch);
            self.epochs.insert(epoch, order);
        }
        &self.epochs[&epoch]
    }

    // The most recently used last.
    fn permutation(&mut self, epoch: u32, shard: u32) -> &[u32] {
        match self.kept.iter().rposition(|k| k.epoch == epoch && k.shard == shard) {
            Some(at) => self.kept[at..].rotate_left(1),
            None => {
                let of_shard = self.shard(shard);
                // The memory of the one that was used the longest time ago.
                let mut records = if self.kept.len() >= self.kept_max { self.kept.remove(0).records } else { Vec::new() };
                records.resize((of_shard.end - of_shard.start) as usize, 0);
                Stream::new("order", &[self.seed, u64::from(epoch), u64::from(shard)]).permute(&mut records);
                self.kept.push(Kept { epoch, shard, records });
            }
        }
        &self.kept[self.kept.len() - 1].records
    }
}

#[cfg(test)]
mod tests;
