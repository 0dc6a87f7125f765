//! What becomes of a stream of messages: a pure function of the seed.

use std::collections::VecDeque;
use tfcoord_types::draw::Stream;

/// How many old messages are kept to be sent again.
const KEPT_MAX: usize = 32;

/// How often what happens, in percent of the messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disturbance {
    /// Sent twice.
    pub duplicate: u64,
    /// An old message is sent again before it.
    pub replay: u64,
    /// Held back until after the next one.
    pub reorder: u64,
    /// What the choices come from.
    pub seed: u64,
}

/// Disturbs one stream.
pub struct Disturber<M> {
    what: Disturbance,
    choice: Stream,
    held: Option<M>,
    kept: VecDeque<M>,
}

impl<M: Clone> Disturber<M> {
    /// For stream number `stream` of its kind.
    pub fn new(what: Disturbance, stream: u64) -> Self {
        Self { what, choice: Stream::new("fault proxy", &[what.seed, stream]), held: None, kept: VecDeque::new() }
    }

    /// What is sent when `message` comes, in order.
    pub fn pass(&mut self, message: M) -> Vec<M> {
        let mut out = Vec::new();
        if !self.kept.is_empty() && self.happens(self.what.replay) {
            let old = self.choice.below(self.kept.len() as u64);
            out.push(self.kept[usize::try_from(old).expect("below a length")].clone());
        }
        self.kept.push_back(message.clone());
        if self.kept.len() > KEPT_MAX {
            self.kept.pop_front();
        }
        let late = self.held.take();
        if late.is_none() && self.happens(self.what.reorder) {
            self.held = Some(message);
            return out;
        }
        if self.happens(self.what.duplicate) {
            out.push(message.clone());
        }
        out.push(message);
        out.extend(late);
        out
    }

    /// What was held back, when nothing more comes for a while.
    pub fn release(&mut self) -> Option<M> {
        self.held.take()
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.choice.below(100) < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_arrives_and_all_three_things_happen() {
        let what = Disturbance { duplicate: 20, replay: 20, reorder: 20, seed: 1 };
        let mut disturber = Disturber::new(what, 0);
        let mut out: Vec<u32> = (0..1000).flat_map(|n| disturber.pass(n)).collect();
        out.extend(disturber.release());
        assert!((0..1000).all(|n| out.contains(&n)));
        assert!(out.windows(2).any(|w| w[0] == w[1]), "nothing was sent twice");
        assert!(out.windows(2).any(|w| w[0] == w[1] + 1), "nothing changed places");
        assert!(out.windows(2).any(|w| w[1] + 5 < w[0]), "nothing old came again");
    }
}
