//! What is computed of the present step, and what the compute thread is at.

use std::collections::BTreeSet;
use tfcoord_types::lane::Block;
use tfcoord_types::plan::TrainPlan;

/// What the compute thread is at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Thread {
    #[default]
    Idle,
    /// Gradients of a step; what comes of it once it is abandoned is not wanted.
    Computing {
        step: u64,
        blocks: Vec<Block>,
        abandoned: bool,
    },
    Evaluating {
        evaluation: u32,
        shard: u32,
    },
    Exporting {
        attempt: u64,
    },
    /// An evaluation or an export with parameters of an earlier generation: what comes of it is not wanted.
    Outdated,
}

/// Blocks of the present step that are computed or being computed.
#[derive(Debug, Default)]
pub(crate) struct Compute {
    pub thread: Thread,
    done: BTreeSet<Block>,
}

impl Compute {
    /// Whether nothing runs.
    pub fn idle(&self) -> bool {
        self.thread == Thread::Idle
    }

    /// Blocks with records among the lanes `owned` (ascending) that are neither computed nor being computed.
    pub fn needed(&self, plan: &TrainPlan, step: u64, owned: &[u32]) -> Vec<Block> {
        let done = |lane: u32| self.done.iter().any(|block| block.lanes().contains(&lane));
        let open: Vec<u32> = owned.iter().copied().filter(|lane| !done(*lane)).collect();
        let mut blocks = Block::cover(&open);
        blocks.retain(|block| plan.records_in(step, block.lanes()) > 0);
        blocks
    }

    /// The thread starts with these blocks.
    pub fn start(&mut self, step: u64, blocks: Vec<Block>) {
        self.done.extend(&blocks);
        self.thread = Thread::Computing { step, blocks, abandoned: false };
    }

    /// Whether a sum that the thread has finished is wanted.
    pub fn wanted(&self, of_step: u64, block: Block) -> bool {
        // Blocks of an abandoned run are not among those that are done.
        matches!(&self.thread, Thread::Computing { step, .. } if *step == of_step) && self.done.contains(&block)
    }

    /// Drops blocks that are not owned any more; whether what runs is to be abandoned for it.
    pub fn retain(&mut self, owned: impl Fn(Block) -> bool) -> bool {
        self.done.retain(|block| owned(*block));
        let Thread::Computing { blocks, abandoned: false, .. } = &self.thread else { return false };
        blocks.iter().any(|block| !self.done.contains(block)) && self.abandon()
    }

    /// Another step begins; whether what runs is to be abandoned for it.
    pub fn begin(&mut self) -> bool {
        self.done.clear();
        self.abandon()
    }

    /// Another generation begins: nothing that runs is wanted any more. Whether it is to be abandoned.
    pub fn begin_generation(&mut self) -> bool {
        if matches!(self.thread, Thread::Evaluating { .. } | Thread::Exporting { .. }) {
            self.thread = Thread::Outdated;
        }
        self.begin()
    }

    /// What was evaluated or exported is done, and the thread idle; whether it is wanted.
    pub fn finish(&mut self) -> bool {
        std::mem::take(&mut self.thread) != Thread::Outdated
    }

    // Its blocks are to be computed again, but for the sums of them that are out already.
    fn abandon(&mut self) -> bool {
        let Thread::Computing { blocks, abandoned, .. } = &mut self.thread else { return false };
        blocks.iter().for_each(|block| {
            self.done.remove(block);
        });
        !std::mem::replace(abandoned, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_that_are_gained_are_computed_alone_and_lost_ones_abandoned() {
        let plan = TrainPlan { records: 5, batch_size: 8, micro_batches: 8, epochs: 1 };
        let mut compute = Compute::default();
        let shown = |blocks: &[Block]| blocks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let needed = compute.needed(&plan, 0, &[0, 1, 5, 6, 7]);
        assert_eq!(shown(&needed), "0..2", "the others have no records");
        compute.start(0, needed);
        assert!(compute.wanted(0, Block::new(0, 2).unwrap()) && !compute.wanted(1, Block::new(0, 2).unwrap()));
        assert_eq!(shown(&compute.needed(&plan, 0, &[0, 1, 2, 3])), "2..4");
        assert!(!compute.retain(|_| true));
        assert!(compute.retain(|block| block.first() != 0));
        assert!(!compute.retain(|_| false), "abandoned once");
        assert!(!compute.wanted(0, Block::new(0, 2).unwrap()));
        assert_eq!(shown(&compute.needed(&plan, 0, &[0, 1])), "0..2");
    }
}
