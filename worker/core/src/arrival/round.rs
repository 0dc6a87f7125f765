//! Where a worker is in a shard: the step that it computes, and how far each chunk is.
//!
//! Most chunks are exchanged after each step. Those that are `local` are exchanged once a round of the shard, with its last
//! step: until then the worker goes on step by step, whatever the others have counted already. What lacks no round of what is
//! `local` is computed step by step as well, from the first one that any chunk lacks.

use std::ops::Range;
use std::sync::Arc;
use tfcoord_types::shard::Shards;

#[derive(Debug)]
pub(super) struct Round {
    pub shard: u32,
    pub step: u64,
    pub computed: bool,
    // The step that counts next for each chunk, as far as it is known; and which chunks are `local`.
    next: Vec<u64>,
    local: Arc<[bool]>,
}

impl Round {
    /// At the first step of a shard.
    pub fn new(shard: u32, step: u64, local: &Arc<[bool]>) -> Self {
        Self { shard, step, computed: false, next: vec![step; local.len()], local: local.clone() }
    }

    /// The steps that are exchanged with the present one for a chunk.
    pub fn exchanged(&self, shards: &Shards, chunk: u32) -> Range<u64> {
        let is_local = self.local.get(chunk as usize) == Some(&true);
        if is_local { shards.round(self.step) } else { self.step..self.step.saturating_add(1) }
    }

    /// Whether a chunk lacks what is exchanged with the present step.
    pub fn lacks(&self, shards: &Shards, chunk: u32) -> bool {
        self.next.get(chunk as usize) == Some(&self.exchanged(shards, chunk).start)
    }

    /// A chunk counts next what begins with this step, or a later one; whether it counts what is exchanged with the present
    /// step.
    pub fn counts(&mut self, shards: &Shards, chunk: u32, next: u64) -> bool {
        let first = self.exchanged(shards, chunk).start;
        let Some(known) = self.next.get_mut(chunk as usize) else { return false };
        *known = next.max(*known);
        *known > first
    }

    /// The step to compute after the present one, all answers to which are here. Nothing without chunks.
    pub fn following(&self, shards: &Shards) -> Option<u64> {
        let round = shards.round(self.step);
        let lacking = self.next.iter().zip(&self.local[..]).any(|(next, local)| *local && *next <= round.start);
        if lacking && self.step + 1 < round.end { Some(self.step + 1) } else { self.next.iter().copied().min() }
    }
}
