//! Sums of the present step that are computed and not settled.
//!
//! Those that are to be sent, and those that wait, are kept apart: most inputs concern one sum and cost no look at
//! the others.

use crate::Effect;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::Revision;
use tfcoord_types::lane::Block;

/// Where a server's view is older than ours: a tick, 20 ms.
const NOT_YET_TICKS: u32 = 1;
/// Where only a newer view can help: not lost, should it have come already in another order.
const NOT_TAKEN_TICKS: u32 = 50;

// (chunk, lanes)
type Key = (u32, Block);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unsent,
    Sent { view: Revision },
    Held,
    Waiting { ticks: u32 },
}

#[derive(Debug, Clone, Copy)]
struct Sum {
    server: u32,
    state: State,
}

/// Sums of one step.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    sums: BTreeMap<Key, Sum>,
    // Those that are to be sent, by server.
    unsent: BTreeMap<u32, BTreeSet<Key>>,
    waiting: BTreeSet<Key>,
}

impl Outbox {
    /// A sum to be sent to `server`; one that is here already stays as it is.
    pub fn add(&mut self, server: u32, chunk: u32, block: Block) {
        let key = (chunk, block);
        if let std::collections::btree_map::Entry::Vacant(place) = self.sums.entry(key) {
            place.insert(Sum { server, state: State::Held });
            self.set(key, State::Unsent);
        }
    }

    fn set(&mut self, key: Key, state: State) {
        let Some(sum) = self.sums.get_mut(&key) else { return };
        let Sum { server, state: old } = std::mem::replace(sum, Sum { state, ..*sum });
        match old {
            State::Unsent => drop(self.unsent.get_mut(&server).map(|unsent| unsent.remove(&key))),
            State::Waiting { .. } => drop(self.waiting.remove(&key)),
            State::Sent { .. } | State::Held => {}
        }
        match state {
            State::Unsent => drop(self.unsent.entry(server).or_default().insert(key)),
            State::Waiting { .. } => drop(self.waiting.insert(key)),
            State::Sent { .. } | State::Held => {}
        }
    }

    fn remove(&mut self, step: u64, key: Key, effects: &mut Vec<Effect>) {
        // In no list any more.
        self.set(key, State::Held);
        self.sums.remove(&key);
        let (chunk, block) = key;
        effects.push(Effect::Forget { chunk, step, block });
    }

    /// Forgets the sums of blocks that may not be sent any more; `step` says which step those of a chunk are of.
    pub fn forget(&mut self, step: impl Fn(u32) -> u64, which: impl Fn(Block) -> bool, effects: &mut Vec<Effect>) {
        let gone: Vec<Key> = self.sums.keys().copied().filter(|(_, block)| which(*block)).collect();
        gone.into_iter().for_each(|key| self.remove(step(key.0), key, effects));
    }

    /// Forgets the sums of one chunk: they are settled.
    pub fn settle(&mut self, step: u64, chunk: u32, effects: &mut Vec<Effect>) {
        let gone: Vec<Key> = self.sums.range((chunk, Block::lane(0))..).map(|(key, _)| *key).take_while(|key| key.0 == chunk).collect();
        gone.into_iter().for_each(|key| self.remove(step, key, effects));
    }

    /// The stream to `server` is gone: what was sent on it may be lost.
    pub fn lost(&mut self, server: u32) {
        let on_stream: Vec<Key> = self.sums.iter().filter(|(_, sum)| sum.server == server).map(|(key, _)| *key).collect();
        on_stream.into_iter().for_each(|key| self.set(key, State::Unsent));
    }

    /// A newer view is here: what waited may be taken now.
    pub fn wake(&mut self) {
        std::mem::take(&mut self.waiting).into_iter().for_each(|key| self.set(key, State::Unsent));
    }

    /// A tick is over.
    pub fn tick(&mut self) {
        let mut over = Vec::new();
        for key in &self.waiting {
            match self.sums.get_mut(key).map(|sum| &mut sum.state) {
                Some(State::Waiting { ticks }) if *ticks > 1 => *ticks -= 1,
                _ => over.push(*key),
            }
        }
        over.into_iter().for_each(|key| self.set(key, State::Unsent));
    }

    /// Whether every sum is settled.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// Whether a sum waits to be sent again.
    pub fn waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A server answered with something other than that the sum is settled; `false` if it is not here.
    pub fn answered(&mut self, chunk: u32, block: Block, answer: &Answer, view: Revision) -> bool {
        let key = (chunk, block);
        let Some(state) = self.sums.get(&key).map(|sum| sum.state) else { return false };
        let next = match (answer, state) {
            // To be sent again in any case.
            (_, State::Unsent) => State::Unsent,
            (Answer::Held, _) => State::Held,
            (Answer::NotYet { .. }, _) => State::Waiting { ticks: NOT_YET_TICKS },
            // It was about an older view than the present one, which still names us the owner.
            (Answer::NotOwner, State::Sent { view: sent }) if sent < view => State::Unsent,
            (Answer::NotOwner | Answer::Ahead, _) => State::Waiting { ticks: NOT_TAKEN_TICKS },
            (Answer::Duplicate | Answer::Counted { .. } | Answer::Fenced | Answer::Refused { .. }, state) => state,
        };
        self.set(key, next);
        true
    }

    /// (server, chunk, lanes) of the sums to be sent now, on streams that are open; from now on they are sent.
    pub fn send(&mut self, view: Revision, open: impl Fn(u32) -> bool) -> Vec<(u32, u32, Block)> {
        let ready = self.unsent.extract_if(.., |server, _| open(*server));
        let ready: Vec<_> = ready.flat_map(|(server, keys)| keys.into_iter().map(move |key| (server, key))).collect();
        ready.iter().for_each(|(_, key)| self.set(*key, State::Sent { view }));
        ready.into_iter().map(|(server, (chunk, block))| (server, chunk, block)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Block {
        Block::new(0, 2).unwrap()
    }

    fn sent(outbox: &mut Outbox, view: u64) -> usize {
        outbox.send(Revision(view), |_| true).len()
    }

    #[test]
    fn what_is_sent_is_kept_until_it_is_settled() {
        let mut outbox = Outbox::default();
        outbox.add(0, 3, block());
        outbox.add(1, 4, block());
        assert_eq!(outbox.send(Revision(1), |server| server == 0), [(0, 3, block())]);
        outbox.lost(0);
        assert_eq!(sent(&mut outbox, 1), 2);
        assert!(outbox.answered(3, block(), &Answer::Held, Revision(1)));
        outbox.lost(0);
        outbox.lost(1);
        assert_eq!(sent(&mut outbox, 1), 2, "held there, but perhaps lost with it");
        let mut effects = Vec::new();
        outbox.settle(7, 3, &mut effects);
        assert_eq!(effects, [Effect::Forget { chunk: 3, step: 7, block: block() }]);
        assert!(!outbox.answered(3, block(), &Answer::Held, Revision(1)));
    }

    #[test]
    fn a_refusal_by_an_older_view_is_tried_again() {
        let mut outbox = Outbox::default();
        outbox.add(0, 3, block());
        sent(&mut outbox, 1);
        outbox.answered(3, block(), &Answer::NotYet { revision: Revision(0) }, Revision(1));
        assert_eq!(sent(&mut outbox, 1), 0);
        outbox.tick();
        assert_eq!(sent(&mut outbox, 1), 1);
        outbox.answered(3, block(), &Answer::NotOwner, Revision(2));
        assert_eq!(sent(&mut outbox, 2), 1, "the answer was to view 1");
        outbox.answered(3, block(), &Answer::NotOwner, Revision(2));
        assert!(sent(&mut outbox, 2) == 0 && outbox.waiting());
        outbox.wake();
        assert_eq!(sent(&mut outbox, 3), 1);
    }

    #[test]
    fn a_sum_that_comes_costs_no_look_at_those_that_cannot_be_sent() {
        let looks = |chunks: u32| {
            let (mut outbox, looks) = (Outbox::default(), std::cell::Cell::new(0));
            for chunk in 0..chunks {
                outbox.add(chunk % 2, chunk, block());
                outbox.send(Revision(1), |server| {
                    looks.set(looks.get() + 1);
                    server == 0
                });
            }
            looks.get() * 2 / chunks
        };
        assert_eq!(looks(40), looks(4000), "one server is away, and has half of the chunks");
    }
}
