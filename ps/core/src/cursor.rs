//! What counts for a chunk: the next step, and the blocks of it that are in.

mod shard;
mod within;

pub(crate) use shard::ShardCursor;
pub(crate) use within::Within;

use bytes::Bytes;
use tfcoord_types::lane::Block;

/// A block's sum that is in. Never written to.
#[derive(Debug)]
pub(crate) struct Held {
    pub block: Block,
    pub records: u64,
    /// Little-endian f32, one for each element of the chunk.
    pub payload: Bytes,
}

/// A chunk's cursor.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    step: u64,
    // Apart from each other, by first lane.
    held: Vec<Held>,
}

impl Cursor {
    /// A cursor of which every step below `step` is done.
    pub fn at(step: u64) -> Self {
        Self { step, held: Vec::new() }
    }

    /// The step that is summed next: every one below it is done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The blocks of the step that are in: apart from each other, by first lane.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Records of the blocks that are in.
    pub fn records(&self) -> u64 {
        self.held.iter().map(|held| held.records).sum()
    }

    /// Takes a block's sum. Blocks are nested or apart: one inside a held one is ignored, held ones inside a new
    /// one are replaced by it. Either way the bits of the step's sum are the same.
    pub fn take(&mut self, new: Held) {
        if self.held.iter().any(|held| held.block.contains(new.block)) {
            return;
        }
        self.held.retain(|held| !new.block.contains(held.block));
        let at = self.held.partition_point(|held| held.block.first() < new.block.first());
        self.held.insert(at, new);
    }

    /// So many steps are done.
    pub fn advance(&mut self, steps: u64) {
        self.step += steps;
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first: u32, len: u32) -> Held {
        Held { block: Block::new(first, len).unwrap(), records: u64::from(len), payload: Bytes::new() }
    }

    fn after(blocks: &[(u32, u32)]) -> String {
        let mut cursor = Cursor::default();
        blocks.iter().for_each(|(first, len)| cursor.take(block(*first, *len)));
        cursor.held().iter().map(|held| held.block.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn blocks_are_nested_or_apart() {
        assert_eq!(after(&[(4, 2), (0, 1), (2, 2)]), "0..1 2..4 4..6");
        assert_eq!(after(&[(0, 4), (2, 2), (1, 1), (0, 4)]), "0..4");
        assert_eq!(after(&[(5, 1), (2, 2), (1, 1), (0, 4)]), "0..4 5..6");
        assert_eq!(after(&[(3, 1), (3, 1)]), "3..4");
    }
}
