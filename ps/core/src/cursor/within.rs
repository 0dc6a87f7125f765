//! A checkpoint in the midst of an epoch, outside of `bsp`: there is no step that all chunks have the parameters of, so each
//! is cut with what counts for it then, as soon as it has so many steps. Where an epoch begins all chunks have the same.

use super::ShardCursor;
use crate::table::Part;
use tfcoord_types::job::Sync;
use tfcoord_types::shard::Shards;

/// The epoch that a checkpoint is cut in the midst of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    shards: Shards,
    epoch: u32,
}

impl Within {
    /// Of a checkpoint at `step`; nothing in `bsp`, and where an epoch begins.
    pub fn of(shards: Option<Shards>, step: u64) -> Option<Self> {
        let shards = shards?;
        Some(Self { shards, epoch: shards.within(step)? })
    }

    /// Which epoch.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The most steps that a chunk of the checkpoint has.
    pub fn end(&self) -> u64 {
        self.shards.end(self.epoch)
    }

    /// How many shards the epoch has.
    pub fn count(&self) -> u32 {
        self.shards.count()
    }

    /// How many steps a chunk that has `now` has at most when it is cut at `step`: rounds are taken whole.
    pub fn most(&self, now: u64, step: u64) -> u64 {
        now.max(step.saturating_add(self.shards.round_max() - 1)).min(self.end())
    }

    /// How many steps of each shard count for a chunk, which is not beyond the epoch.
    pub fn counted(&self, part: &Part) -> Vec<u32> {
        let over = part.cursor.step() >= self.end();
        let counted = |shard: u32| {
            let steps = self.shards.steps(self.epoch, shard);
            let next = if over { steps.end } else { part.shards.next(&self.shards, self.epoch, shard) };
            u32::try_from(next - steps.start).unwrap_or(u32::MAX)
        };
        (0..self.count()).map(counted).collect()
    }

    /// How many steps a chunk of this mode has, and where it is in each shard, if so many of each count; nothing where that
    /// cannot be.
    pub fn restored(&self, counted: &[u32], mode: &Sync) -> Option<(u64, ShardCursor)> {
        let (shards, epoch) = (&self.shards, self.epoch);
        if counted.len() != self.count() as usize {
            return None;
        }
        let mut cursor = ShardCursor::default();
        for (shard, counted) in (0..).zip(counted).filter(|(_, counted)| **counted > 0) {
            let steps = shards.steps(epoch, shard);
            let next = steps.start + u64::from(*counted);
            let fits = next == steps.end || (next < steps.end && shards.exchanged(next, mode).start == next);
            if !fits {
                return None;
            }
            cursor.advance(shards, epoch, shard, next);
        }
        let all: u64 = counted.iter().map(|counted| u64::from(*counted)).sum();
        let step = shards.steps(epoch, 0).start + all;
        Some((step, if step == self.end() { ShardCursor::default() } else { cursor }))
    }

    /// Shards that are done for a chunk.
    pub fn done(&self, part: &Part) -> impl Iterator<Item = u32> {
        let len = |shard: u32| self.shards.steps(self.epoch, shard).end - self.shards.steps(self.epoch, shard).start;
        (0..).zip(self.counted(part)).filter(move |(shard, counted)| u64::from(*counted) == len(*shard)).map(|(shard, _)| shard)
    }
}
