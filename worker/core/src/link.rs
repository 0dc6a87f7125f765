//! Streams to the servers that hold chunks.

use crate::Effect;
use std::collections::BTreeMap;
use tfcoord_types::id::{Generation, Incarnation};
use tfcoord_types::view::ServerAddress;

/// The longest wait before a stream is opened again, in ticks.
const WAIT_TICKS_MAX: u32 = 32;

#[derive(Debug, PartialEq, Eq)]
enum State {
    Down { wait_ticks: u32 },
    Opening,
    Up,
}

#[derive(Debug)]
struct Link {
    server: ServerAddress,
    state: State,
    failures: u32,
}

impl Link {
    // Waits twice as long after each failure in a row.
    fn down(&mut self) {
        let wait_ticks = 1u32.checked_shl(self.failures).unwrap_or(WAIT_TICKS_MAX).min(WAIT_TICKS_MAX);
        self.failures = (self.failures + 1).min(31);
        self.state = State::Down { wait_ticks };
    }
}

/// Streams by slot.
#[derive(Debug, Default)]
pub(crate) struct Links(BTreeMap<u32, Link>);

impl Links {
    /// From now on there is a stream to each of `servers`, and to no other.
    pub fn want<'a>(&mut self, servers: impl Iterator<Item = (u32, &'a ServerAddress)>, effects: &mut Vec<Effect>) {
        let mut old = std::mem::take(&mut self.0);
        for (slot, server) in servers {
            let link = match old.remove(&slot) {
                Some(link) if link.server == *server => link,
                other => {
                    close(slot, other, effects);
                    Link { server: server.clone(), state: State::Down { wait_ticks: 0 }, failures: 0 }
                }
            };
            self.0.insert(slot, link);
        }
        old.into_iter().for_each(|(slot, link)| close(slot, Some(link), effects));
    }

    /// Opens every stream whose time has come.
    pub fn open(&mut self, generation: Generation, effects: &mut Vec<Effect>) {
        for (slot, link) in &mut self.0 {
            if link.state == (State::Down { wait_ticks: 0 }) {
                link.state = State::Opening;
                effects.push(Effect::Connect { slot: *slot, server: link.server.clone(), generation });
            }
        }
    }

    /// Whether the stream is open.
    pub fn up(&self, slot: u32) -> bool {
        self.0.get(&slot).is_some_and(|link| link.state == State::Up)
    }

    /// A stream that was being opened is open; `false` if it is not one that is wanted.
    pub fn opened(&mut self, slot: u32, incarnation: Incarnation) -> bool {
        let link = self.0.get_mut(&slot).filter(|link| link.state == State::Opening && link.server.incarnation == incarnation);
        link.map(|link| (link.state, link.failures) = (State::Up, 0)).is_some()
    }

    /// A stream is gone, or could not be opened.
    pub fn closed(&mut self, slot: u32) {
        if let Some(link) = self.0.get_mut(&slot).filter(|link| !matches!(link.state, State::Down { .. })) {
            link.down();
        }
    }

    /// Closes a stream that is of no use and opens it again later.
    pub fn refuse(&mut self, slot: u32, effects: &mut Vec<Effect>) {
        if let Some(link) = self.0.get_mut(&slot).filter(|link| !matches!(link.state, State::Down { .. })) {
            link.down();
            effects.push(Effect::Disconnect { slot });
        }
    }

    /// Whether a stream waits to be opened.
    pub fn waiting(&self) -> bool {
        self.0.values().any(|link| matches!(link.state, State::Down { .. }))
    }

    /// A tick is over.
    pub fn tick(&mut self) {
        for link in self.0.values_mut() {
            if let State::Down { wait_ticks } = &mut link.state {
                *wait_ticks = wait_ticks.saturating_sub(1);
            }
        }
    }
}

fn close(slot: u32, link: Option<Link>, effects: &mut Vec<Effect>) {
    if link.is_some_and(|link| !matches!(link.state, State::Down { .. })) {
        effects.push(Effect::Disconnect { slot });
    }
}
