//! Lanes and blocks of lanes.
//!
//! A step of a `bsp` job is G micro-batches, one a **lane**; G is a power of two. Their gradient sums are added
//! over the fixed balanced binary tree with the lanes as leaves. A **block** is a subtree: 2^k lanes that begin
//! at a multiple of 2^k. Two blocks are nested or apart, never overlapping otherwise, so the operands and the
//! order of every addition are the same whoever computes which lanes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The most micro-batches a step may have.
pub const MICRO_BATCHES_MAX: u32 = 1024;

/// The most workers of a job that has no lanes to share.
pub const WORKERS_MAX: u32 = 1024;

/// A subtree of the sum: `len` lanes from `first`; `len` is a power of two and divides `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Block {
    first: u32,
    len: u32,
}

impl Block {
    /// The block of `len` lanes from `first`, unless `len` is no power of two or `first` no multiple of it.
    pub fn new(first: u32, len: u32) -> Option<Self> {
        (len.is_power_of_two() && first.is_multiple_of(len) && first.checked_add(len).is_some()).then_some(Self { first, len })
    }

    /// The block of one lane.
    pub fn lane(lane: u32) -> Self {
        Self { first: lane, len: 1 }
    }

    /// All `micro_batches` lanes: the root of the tree. `micro_batches` must be a power of two.
    pub fn root(micro_batches: u32) -> Self {
        Self::new(0, micro_batches).expect("micro_batches is a power of two")
    }

    /// Its first lane.
    pub fn first(self) -> u32 {
        self.first
    }

    /// How many lanes it has.
    #[expect(clippy::len_without_is_empty, reason = "a block is never empty")]
    pub fn len(self) -> u32 {
        self.len
    }

    /// Its lanes, in order.
    pub fn lanes(self) -> std::ops::Range<u32> {
        self.first..self.first + self.len
    }

    /// Whether every lane of `other` is one of its own.
    pub fn contains(self, other: Block) -> bool {
        self.first <= other.first && other.lanes().end <= self.lanes().end
    }

    /// The other child of its parent.
    pub fn sibling(self) -> Block {
        Self { first: self.first ^ self.len, len: self.len }
    }

    /// The block one level up.
    pub fn parent(self) -> Block {
        Self { first: self.first & !self.len, len: self.len * 2 }
    }

    /// Its two halves, the left one first; nothing for a single lane.
    pub fn children(self) -> Option<(Block, Block)> {
        let half = self.len / 2;
        (half > 0).then(|| (Self { first: self.first, len: half }, Self { first: self.first + half, len: half }))
    }

    /// The fewest blocks that make up `lanes` (ascending, without repetition).
    pub fn cover(lanes: &[u32]) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for &lane in lanes {
            let mut block = Block::lane(lane);
            // The last block is the left sibling as soon as its right one is complete.
            while block.first & block.len != 0 && blocks.last() == Some(&block.sibling()) {
                blocks.pop();
                block = block.parent();
            }
            blocks.push(block);
        }
        blocks
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.first + self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cover_is_the_fewest_aligned_blocks() {
        let cover = |lanes: &[u32]| Block::cover(lanes).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(cover(&[0, 1, 2, 3]), "0..4");
        assert_eq!(cover(&[1, 2, 3]), "1..2 2..4");
        assert_eq!(cover(&[0, 1, 2, 3, 4, 5]), "0..4 4..6");
        assert_eq!(cover(&[5]), "5..6");
        assert_eq!(cover(&[]), "");
    }

    proptest! {
        #[test]
        fn a_cover_holds_each_lane_once_and_no_two_blocks_merge(set in proptest::collection::btree_set(0u32..64, 0..64)) {
            let lanes: Vec<u32> = set.into_iter().collect();
            let blocks = Block::cover(&lanes);
            prop_assert_eq!(blocks.iter().flat_map(|b| b.lanes()).collect::<Vec<_>>(), lanes);
            for block in &blocks {
                prop_assert!(Block::new(block.first(), block.len()).is_some());
                prop_assert!(!blocks.contains(&block.sibling()));
            }
        }

        #[test]
        fn blocks_are_nested_or_apart(a in 0u32..32, ka in 0u32..6, b in 0u32..32, kb in 0u32..6) {
            let (x, y) = (Block::new(a >> ka << ka, 1 << ka).unwrap(), Block::new(b >> kb << kb, 1 << kb).unwrap());
            let shared = x.lanes().filter(|l| y.lanes().contains(l)).count();
            prop_assert!(shared == 0 || x.contains(y) || y.contains(x));
        }
    }
}
