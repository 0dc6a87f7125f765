//! What is wanted of files one after the other: for that, a stream stays open that reads ahead.

use crate::fetched::PIECE;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tfcoord_fs::storage::Stream;

/// Streams that are open at once.
pub(crate) const STREAMS_MAX: usize = 2;
/// The most that one of them has read ahead: 8 MiB of ours, and what the client itself holds.
pub(crate) const STREAM_BYTES: u64 = 16 << 20;
/// Runs that are remembered.
const RUNS_MAX: usize = 64;
/// So many pieces in a row are no accident.
const LONG: u32 = 3;
/// A run that did not go on while others did so often is over.
const STALE: u64 = 4096;

/// The runs of all files.
#[derive(Debug, Default)]
pub(crate) struct Ahead(Mutex<Runs>);

#[derive(Debug, Default)]
struct Runs {
    // The one that went on last, last.
    all: Vec<Run>,
    // How often any went on.
    turns: u64,
}

/// What was wanted of one file, one after the other.
#[derive(Debug)]
pub(crate) struct Run {
    file: u32,
    /// The byte with which it goes on.
    pub at: u64,
    pieces: u32,
    turn: u64,
    /// Whether it is to be read ahead.
    pub is_long: bool,
    /// What is read ahead, from where it goes on.
    pub stream: Option<Stream>,
}

impl Ahead {
    /// The run that goes on with `piece`, or begins with it.
    pub fn take(&self, file: u32, piece: u64) -> Run {
        let mut runs = self.runs();
        let at = piece * PIECE;
        let mut run = runs.remove(file, at, |_| true).unwrap_or(Run { file, at, pieces: 0, turn: 0, is_long: false, stream: None });
        run.pieces = run.pieces.saturating_add(1);
        run.is_long = run.stream.is_some() || (run.pieces >= LONG && runs.has_room());
        run
    }

    /// The run that goes on with byte `at`, if it is read ahead.
    pub fn streaming(&self, file: u32, at: u64) -> Option<Run> {
        self.runs().remove(file, at, |run| run.stream.is_some())
    }

    /// Whether there is such a run.
    pub fn is_streaming(&self, file: u32, at: u64) -> bool {
        self.runs().all.iter().any(|run| run.goes_on(file, at) && run.stream.is_some())
    }

    /// Remembers a run that went on.
    pub fn put(&self, mut run: Run) {
        let mut runs = self.runs();
        if runs.all.len() == RUNS_MAX {
            runs.all.remove(0);
        }
        runs.turns += 1;
        run.turn = runs.turns;
        runs.all.push(run);
    }

    /// Forgets a file's runs.
    pub fn forget(&self, file: u32) {
        self.runs().all.retain(|run| run.file != file);
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    fn remove(&mut self, file: u32, at: u64, is_wanted: impl Fn(&Run) -> bool) -> Option<Run> {
        let found = self.all.iter().position(|run| run.goes_on(file, at) && is_wanted(run))?;
        Some(self.all.remove(found))
    }

    // Whether another stream may be opened.
    fn has_room(&mut self) -> bool {
        let turns = self.turns;
        self.all.iter_mut().filter(|run| turns - run.turn > STALE).for_each(|run| run.stream = None);
        self.all.iter().filter(|run| run.stream.is_some()).count() < STREAMS_MAX
    }
}

impl Run {
    fn goes_on(&self, file: u32, at: u64) -> bool {
        (self.file, self.at) == (file, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_fs::local::Local;
    use tfcoord_fs::storage::FileSystem;

    fn stream() -> Stream {
        let file = tempfile::NamedTempFile::new().unwrap();
        Local.open(&file.path().into()).unwrap().stream(0..1).unwrap()
    }

    // Which of the pieces, wanted in this order, are read ahead.
    fn long(ahead: &Ahead, file: u32, pieces: &[u64]) -> Vec<u64> {
        let mut long = Vec::new();
        for piece in pieces {
            let mut run = ahead.take(file, *piece);
            if run.is_long {
                run.stream = Some(stream());
                long.push(*piece);
            }
            run.at = (piece + 1) * PIECE;
            ahead.put(run);
        }
        long
    }

    #[test]
    fn only_what_is_in_order_is_read_ahead() {
        let ahead = Ahead::default();
        assert!(long(&ahead, 0, &[5, 1, 2, 8, 9, 0, 7, 4]).is_empty());
        assert_eq!(long(&ahead, 1, &[0, 1, 2, 3, 4]), [2, 3, 4]);
        // Two at the same time, in one file.
        assert_eq!(long(&ahead, 2, &[0, 10, 1, 11, 2, 12, 3, 13]), [2, 3]);
        ahead.forget(1);
        assert_eq!(long(&ahead, 3, &[0, 1, 2]), [2]);
        assert_eq!(long(&ahead, 2, &[4]), [4]);
        assert!((0..1000).all(|piece| long(&ahead, 4, &[piece * 2]).is_empty()));
        assert_eq!(ahead.runs().all.len(), RUNS_MAX);
    }

    #[test]
    fn what_is_over_makes_room() {
        let ahead = Ahead::default();
        assert_eq!(long(&ahead, 0, &[0, 1, 2, 3]), [2, 3]);
        assert_eq!(long(&ahead, 1, &[0, 1, 2, 3]), [2, 3]);
        assert!(ahead.is_streaming(0, 4 * PIECE) && ahead.streaming(0, 5 * PIECE).is_none());
        assert!(long(&ahead, 2, &[0, 1, 2, 3]).is_empty());
        // One of them goes on, in the midst of pieces too.
        for turn in 0..=STALE {
            let mut run = ahead.streaming(1, 4 * PIECE + turn).unwrap();
            run.at += 1;
            ahead.put(run);
        }
        assert_eq!(long(&ahead, 2, &[4, 5]), [4, 5]);
        assert!(ahead.is_streaming(1, 4 * PIECE + STALE + 1) && !ahead.is_streaming(0, 4 * PIECE));
    }
}
