//! Sums of the present step that are computed and not settled.

use crate::Effect;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::Revision;
use tfcoord_types::lane::Block;

/// Where a server's view is older than ours: a tick, 20 ms.
const NOT_YET_TICKS: u32 = 1;
/// Where only a newer view can help: not lost, should it have come already in another order.
const NOT_TAKEN_TICKS: u32 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unsent,
    Sent { view: Revision },
    Held,
    Waiting { ticks: u32 },
}

/// Sums of one step, by (chunk, lanes).
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    sums: BTreeMap<(u32, Block), State>,
    unsent: BTreeSet<(u32, Block)>,
}

impl Outbox {
    /// A sum to be sent; one that is here already stays as it is.
    pub fn add(&mut self, chunk: u32, block: Block) {
        if !self.sums.contains_key(&(chunk, block)) {
            self.set((chunk, block), State::Unsent);
        }
    }

    fn set(&mut self, key: (u32, Block), state: State) {
        self.sums.insert(key, state);
        if state == State::Unsent {
            self.unsent.insert(key)
        } else {
            self.unsent.remove(&key)
        };
    }

    fn set_all(&mut self, mut change: impl FnMut((u32, Block), State) -> State) {
        let changed: Vec<_> = self.sums.iter().map(|(key, state)| (*key, change(*key, *state))).collect();
        changed.into_iter().for_each(|(key, state)| self.set(key, state));
    }

    /// Forgets the sums that are settled or may not be sent any more.
    pub fn forget(&mut self, step: u64, which: impl Fn(u32, Block) -> bool, effects: &mut Vec<Effect>) {
        let gone: Vec<_> = self.sums.keys().copied().filter(|(chunk, block)| which(*chunk, *block)).collect();
        for key @ (chunk, block) in gone {
            self.sums.remove(&key);
            self.unsent.remove(&key);
            effects.push(Effect::Forget { chunk, step, block });
        }
    }

    /// Forgets the sums of one chunk: they are settled.
    pub fn settle(&mut self, step: u64, chunk: u32, effects: &mut Vec<Effect>) {
        let gone: Vec<Block> =
            self.sums.range((chunk, Block::lane(0))..).map(|(key, _)| *key).take_while(|key| key.0 == chunk).map(|key| key.1).collect();
        for block in gone {
            self.sums.remove(&(chunk, block));
            self.unsent.remove(&(chunk, block));
            effects.push(Effect::Forget { chunk, step, block });
        }
    }

    /// A stream is gone: what was sent on it may be lost.
    pub fn lost(&mut self, on_stream: impl Fn(u32) -> bool) {
        self.set_all(|(chunk, _), state| if on_stream(chunk) { State::Unsent } else { state });
    }

    /// A newer view is here: what waited may be taken now.
    pub fn wake(&mut self) {
        self.set_all(|_, state| if matches!(state, State::Waiting { .. }) { State::Unsent } else { state });
    }

    /// A tick is over.
    pub fn tick(&mut self) {
        self.set_all(|_, state| match state {
            State::Waiting { ticks } if ticks > 1 => State::Waiting { ticks: ticks - 1 },
            State::Waiting { .. } => State::Unsent,
            state => state,
        });
    }

    /// Whether a sum waits to be sent again.
    pub fn waiting(&self) -> bool {
        self.sums.values().any(|state| matches!(state, State::Waiting { .. }))
    }

    /// A server answered with something other than that the sum is settled; `false` if it is not here.
    pub fn answered(&mut self, chunk: u32, block: Block, answer: &Answer, view: Revision) -> bool {
        let key = (chunk, block);
        let Some(state) = self.sums.get(&key).copied() else { return false };
        let next = match (answer, state) {
            // To be sent again in any case.
            (_, State::Unsent) => State::Unsent,
            (Answer::Held, _) => State::Held,
            (Answer::NotYet { .. }, _) => State::Waiting { ticks: NOT_YET_TICKS },
            // It was about an older view than the present one, which still names us the owner.
            (Answer::NotOwner, State::Sent { view: sent }) if sent < view => State::Unsent,
            (Answer::NotOwner | Answer::Ahead, _) => State::Waiting { ticks: NOT_TAKEN_TICKS },
            (Answer::Duplicate | Answer::Fenced | Answer::Refused { .. }, state) => state,
        };
        self.set(key, next);
        true
    }

    /// The sums to be sent now, on streams that are open; from now on they are sent.
    pub fn send(&mut self, view: Revision, open: impl Fn(u32) -> bool) -> Vec<(u32, Block)> {
        let ready: Vec<_> = self.unsent.iter().copied().filter(|(chunk, _)| open(*chunk)).collect();
        ready.iter().for_each(|key| self.set(*key, State::Sent { view }));
        ready
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
        outbox.add(3, block());
        outbox.add(4, block());
        assert_eq!(outbox.send(Revision(1), |chunk| chunk == 3), [(3, block())]);
        outbox.lost(|chunk| chunk == 3);
        assert_eq!(sent(&mut outbox, 1), 2);
        assert!(outbox.answered(3, block(), &Answer::Held, Revision(1)));
        outbox.lost(|_| true);
        assert_eq!(sent(&mut outbox, 1), 2, "held there, but perhaps lost with it");
        let mut effects = Vec::new();
        outbox.settle(7, 3, &mut effects);
        assert_eq!(effects, [Effect::Forget { chunk: 3, step: 7, block: block() }]);
        assert!(!outbox.answered(3, block(), &Answer::Held, Revision(1)));
    }

    #[test]
    fn a_refusal_by_an_older_view_is_tried_again() {
        let mut outbox = Outbox::default();
        outbox.add(3, block());
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
}
