//! The production log, with an ear on what is appended.

use crate::disk::SimDisk;
use crate::invariants::Laws;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use tfcoord_coordinator::log::{Entry, Error, FileLog, Log, Vote};

/// What was heard.
#[derive(Debug, Clone, Default)]
pub struct Tap(Arc<Mutex<Vec<Heard>>>);

#[derive(Debug)]
enum Heard {
    Appended(Vec<Entry>),
    Failed(Vec<Entry>),
}

impl Tap {
    /// The log, with this ear on it.
    pub fn on(&self, log: FileLog) -> Tapped {
        Tapped { log, tap: self.clone() }
    }

    fn hear(&self, heard: Heard) {
        self.0.lock().expect("nobody panics while listening").push(heard);
    }

    /// Tells those who watch what was heard.
    pub fn tell(&self, laws: &mut Laws, disk: &SimDisk) {
        for heard in std::mem::take(&mut *self.0.lock().expect("nobody panics while listening")) {
            match heard {
                Heard::Appended(entries) => {
                    laws.durable.appended(disk, true);
                    laws.history.appended(entries);
                }
                Heard::Failed(entries) => {
                    laws.durable.appended(disk, false);
                    laws.history.failed(entries);
                }
            }
        }
    }
}

/// The production log, with an ear on it.
pub struct Tapped {
    log: FileLog,
    tap: Tap,
}

impl Log for Tapped {
    fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        let appended = self.log.append(entries);
        let heard = entries.to_vec();
        self.tap.hear(if appended.is_ok() { Heard::Appended(heard) } else { Heard::Failed(heard) });
        appended
    }

    fn truncate_after(&mut self, index: u64) -> Result<(), Error> {
        self.log.truncate_after(index)
    }

    fn purge_before(&mut self, index: u64) -> Result<(), Error> {
        self.log.purge_before(index)
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<Entry>, Error> {
        self.log.read(range)
    }

    fn range(&self) -> Range<u64> {
        self.log.range()
    }

    fn save_vote(&mut self, vote: &Vote) -> Result<(), Error> {
        self.log.save_vote(vote)
    }

    fn read_vote(&self) -> Result<Option<Vote>, Error> {
        self.log.read_vote()
    }
}
