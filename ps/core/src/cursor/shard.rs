//! What counts for a chunk outside of `bsp`: the next step of each shard of the epoch it is in.

use std::collections::BTreeMap;
use tfcoord_types::shard::Shards;

/// A chunk's place in each shard of one epoch: nothing of those that are not begun.
#[derive(Debug, Default)]
pub(crate) struct ShardCursor {
    // Every shard below it is done.
    floor: u32,
    next: BTreeMap<u32, u64>,
}

impl ShardCursor {
    /// The step of `shard` that counts next; the shard's end if it is done.
    pub fn next(&self, shards: &Shards, epoch: u32, shard: u32) -> u64 {
        let steps = shards.steps(epoch, shard);
        if shard < self.floor { steps.end } else { self.next.get(&shard).copied().unwrap_or(steps.start) }
    }

    /// The steps of a shard up to `next` are done; whether the shard is.
    pub fn advance(&mut self, shards: &Shards, epoch: u32, shard: u32, next: u64) -> bool {
        self.next.insert(shard, next);
        let done = |shard: u32, next: u64| next == shards.steps(epoch, shard).end;
        while let Some(lowest) = self.next.first_entry().filter(|lowest| *lowest.key() == self.floor && done(self.floor, *lowest.get())) {
            lowest.remove();
            self.floor += 1;
        }
        done(shard, next)
    }

    /// The epoch is done: another one begins.
    pub fn begin_epoch(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_types::job::Train;
    use tfcoord_types::plan::TrainPlan;

    #[test]
    fn each_shard_has_its_own_place_and_what_is_done_takes_no_memory() {
        let plan = TrainPlan { records: 400, batch_size: 4, micro_batches: 1, epochs: 2 };
        let text = r#"{"batch_size": 4, "epochs": 2, "optimizer": {"add": {}}, "sync": {"async": {}}}"#;
        let train: Train = serde_json::from_str(text).unwrap();
        let shards = Shards::new(&plan, &train).unwrap();
        let mut cursor = ShardCursor::default();
        assert_eq!((cursor.next(&shards, 1, 0), cursor.next(&shards, 1, 2)), (100, 106));
        assert!(!cursor.advance(&shards, 1, 2, 108) && cursor.advance(&shards, 1, 2, 109));
        assert_eq!((cursor.next(&shards, 1, 0), cursor.next(&shards, 1, 2)), (100, 109));
        assert!(cursor.advance(&shards, 1, 0, 103) && cursor.advance(&shards, 1, 1, 106));
        assert!(cursor.floor == 3 && cursor.next.is_empty());
        assert_eq!([0, 1, 2, 3].map(|shard| cursor.next(&shards, 1, shard)), [103, 106, 109, 109]);
    }
}
