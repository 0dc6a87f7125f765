//! Which pieces of files are wanted one after the other: for these, a stream stays open that reads ahead.

use std::sync::{Mutex, PoisonError};
use tfcoord_fs::storage::Stream;

/// Streams that are open at once.
pub(crate) const STREAMS_MAX: usize = 2;
/// The most that one of them has read ahead: 8 MiB of ours, and what the client itself holds.
pub(crate) const STREAM_BYTES: u64 = 16 << 20;
/// Runs that are remembered.
const RUNS_MAX: usize = 64;
/// So many pieces in a row are no accident.
const LONG: u32 = 3;

/// The runs of all files.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    // The one that was added to last, last.
    runs: Mutex<Vec<Run>>,
}

/// Pieces of one file that were wanted one after the other.
#[derive(Debug)]
pub(crate) struct Run {
    file: u32,
    next: u64,
    length: u32,
    /// Whether it is to be read ahead.
    pub is_long: bool,
    /// Where it goes on.
    pub stream: Option<Stream>,
}

impl Ahead {
    /// The run that `piece` goes on with, or begins.
    pub fn take(&self, file: u32, piece: u64) -> Run {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let found = runs.iter().position(|run| (run.file, run.next) == (file, piece)).map(|at| runs.remove(at));
        let mut run = found.unwrap_or(Run { file, next: piece, length: 0, is_long: false, stream: None });
        (run.next, run.length) = (piece + 1, run.length.saturating_add(1));
        let open = runs.iter().filter(|run| run.stream.is_some()).count();
        run.is_long = run.stream.is_some() || (run.length >= LONG && open < STREAMS_MAX);
        run
    }

    /// Remembers a run whose piece was read.
    pub fn put(&self, run: Run) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() == RUNS_MAX {
            runs.remove(0);
        }
        runs.push(run);
    }

    /// Forgets a file's runs.
    pub fn forget(&self, file: u32) {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).retain(|run| run.file != file);
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
        assert_eq!(ahead.runs.lock().unwrap().len(), RUNS_MAX);
    }
}
