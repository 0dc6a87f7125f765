//! `ssp`: how far a worker may be ahead of the slowest one.
//!
//! A worker's **clock** counts the batches of it that were applied. One server keeps all clocks, the one that holds the
//! curve: every batch has a sum for it. It applies a batch at once like any other server, but answers only when the next
//! batch would leave the worker at most `staleness` clocks ahead of the slowest: until then the worker, which waits for all
//! answers, computes nothing. The slowest one is always answered, so there is no standstill, and nobody polls.
//!
//! Only workers count that hold a shard which is not done: whoever runs out of data, leaves or is lost lets the others go.
//! One that comes begins with the clock of the slowest. A worker that loses its shard while it waits may push for another one:
//! such a push is parked until the worker need not wait any more.

use crate::input::Push;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::id::Incarnation;

/// A worker that is owed an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Its stream.
    pub to: u64,
    /// The step that it pushed.
    pub step: u64,
}

/// The clocks of workers that hold shards.
#[derive(Debug)]
pub(crate) struct Gate {
    staleness: u64,
    clocks: BTreeMap<Incarnation, u64>,
    waiting: BTreeMap<Incarnation, Waiting>,
    parked: BTreeMap<Incarnation, Push>,
}

impl Gate {
    /// Without any worker.
    pub fn new(staleness: u32) -> Self {
        Self { staleness: staleness.into(), clocks: BTreeMap::new(), waiting: BTreeMap::new(), parked: BTreeMap::new() }
    }

    /// From now on these workers count.
    pub fn count(&mut self, workers: &BTreeSet<Incarnation>) {
        self.clocks.retain(|worker, _| workers.contains(worker));
        let slowest = self.slowest();
        for worker in workers {
            self.clocks.entry(*worker).or_insert(slowest);
        }
    }

    /// A batch of a worker was applied: it waits for an answer.
    pub fn applied(&mut self, worker: Incarnation, waiting: Waiting) {
        if let Some(clock) = self.clocks.get_mut(&worker) {
            *clock += 1;
        }
        self.waiting.insert(worker, waiting);
    }

    /// Takes a push of a worker that waits for the answer to another one; gives back any other. Of several the one on the
    /// newest stream stays.
    pub fn park(&mut self, push: Push) -> Option<Push> {
        if !self.waiting.contains_key(&push.incarnation) {
            return Some(push);
        }
        if self.parked.get(&push.incarnation).is_none_or(|parked| parked.from <= push.from) {
            self.parked.insert(push.incarnation, push);
        }
        None
    }

    /// The same batch came again: whether the worker still waits, on the newest of its streams from now on. They are numbered
    /// as they begin, and what is left of an older one may come late: nobody reads an answer there.
    pub fn again(&mut self, worker: Incarnation, again: Waiting) -> bool {
        let waiting = self.waiting.get_mut(&worker).filter(|waiting| waiting.step == again.step);
        waiting.map(|waiting| waiting.to = waiting.to.max(again.to)).is_some()
    }

    /// Those that need not wait any more, and what they pushed meanwhile.
    pub fn release(&mut self) -> Vec<(Waiting, Option<Push>)> {
        let limit = self.slowest() + self.staleness;
        let Self { clocks, waiting, parked, .. } = self;
        let free = waiting.extract_if(.., |worker, _| clocks.get(worker).is_none_or(|clock| *clock < limit));
        free.map(|(worker, waiting)| (waiting, parked.remove(&worker))).collect()
    }

    /// The clocks, by worker.
    pub fn clocks(&self) -> &BTreeMap<Incarnation, u64> {
        &self.clocks
    }

    fn slowest(&self) -> u64 {
        self.clocks.values().copied().min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Incarnation = Incarnation(1);
    const B: Incarnation = Incarnation(2);

    fn applied(gate: &mut Gate, worker: Incarnation, step: u64) -> Vec<u64> {
        gate.applied(worker, Waiting { to: worker.0, step });
        gate.release().iter().map(|(waiting, _)| waiting.to).collect()
    }

    #[test]
    fn the_fast_one_waits_for_the_slow_one_and_is_let_go_when_that_leaves() {
        let mut gate = Gate::new(2);
        gate.count(&[A, B].into());
        assert_eq!((applied(&mut gate, A, 0), applied(&mut gate, A, 1)), (vec![1], vec![]));
        assert!(gate.again(A, Waiting { to: 7, step: 1 }) && !gate.again(B, Waiting { to: 7, step: 9 }));
        assert!(gate.again(A, Waiting { to: 5, step: 1 }), "late, on an older stream: the answer goes to the newest");
        assert_eq!(applied(&mut gate, B, 10), [7, 2]);
        assert!(applied(&mut gate, A, 2).is_empty());
        gate.count(&[A].into());
        assert_eq!(gate.release(), [(Waiting { to: 1, step: 2 }, None)]);
        gate.count(&[A, B].into());
        assert_eq!(gate.clocks()[&B], 3, "one that comes has the clock of the slowest");
    }
}
