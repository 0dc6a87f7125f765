//! The durable log, behind a seam that a consensus module can fill: [`Log`], and [`FileLog`] for a single node.
//!
//! What `append` has returned from survives a power cut. Indices are contiguous and begin at 1. The log knows nothing
//! of what its entries mean; snapshots are kept beside it ([`Snapshots`]), and the entries that one stands for may be
//! purged.

mod disk;
mod file;
mod frame;
mod segment;
mod snapshot;
#[cfg(test)]
mod tests;

pub use disk::{Disk, DiskFile, Real};
pub use file::{FileLog, SEGMENT_BYTES};
pub use frame::PAYLOAD_BYTES_MAX;
pub use snapshot::{Snapshot, Snapshots};

use serde::{Deserialize, Serialize};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place, from 1.
    pub index: u64,
    /// The term of the leader that wrote it.
    pub term: u64,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Whom this node has voted for. For the consensus module; a single node does not vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// In which term.
    pub term: u64,
    /// For which node; nobody yet in this term if absent.
    pub node: Option<u64>,
}

/// A durable sequence of entries.
pub trait Log: Send {
    /// Appends entries that follow the last one; they are durable when this returns. After an error nothing more can
    /// be appended: whether the entries are there is known only after opening the log again.
    ///
    /// # Errors
    /// They do not follow, are too long, or the file system fails.
    fn append(&mut self, entries: &[Entry]) -> Result<(), Error>;

    /// Removes all entries above `index`: another leader's take their place.
    ///
    /// # Errors
    /// They were purged, or the file system fails.
    fn truncate_after(&mut self, index: u64) -> Result<(), Error>;

    /// Lets go of entries below `index`: a snapshot stands for them. Where even the last one is below, the log is empty
    /// afterwards and goes on at `index`.
    ///
    /// # Errors
    /// The file system fails.
    fn purge_before(&mut self, index: u64) -> Result<(), Error>;

    /// The entries in `range`, all of which must be there.
    ///
    /// # Errors
    /// Some are not there, or what is there is damaged.
    fn read(&self, range: Range<u64>) -> Result<Vec<Entry>, Error>;

    /// From the first entry that is there up to, not including, the next one to be appended.
    fn range(&self) -> Range<u64>;

    /// Keeps a vote; durable when this returns.
    ///
    /// # Errors
    /// The file system fails.
    fn save_vote(&mut self, vote: &Vote) -> Result<(), Error>;

    /// The vote that was kept last.
    ///
    /// # Errors
    /// The file system fails, or the file is damaged.
    fn read_vote(&self) -> Result<Option<Vote>, Error>;
}

/// A log that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {operation} {path}: {source}")]
    File {
        /// What was tried: `create`, `sync`, …
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A durable write failed.
    #[error(transparent)]
    Write(#[from] tfcoord_fs::Error),
    /// Acknowledged entries are unreadable: nothing is cut off, so that they can be rescued.
    #[error(
        "{path} is damaged at byte {offset}: acknowledged entries from {index} on cannot be read; restore the file from a backup, or move the state directory away to begin anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// The first entry that cannot be read.
        index: u64,
    },
    /// Segments are missing.
    #[error("{path} begins at entry {found}, but entry {expected} is missing: restore the segment file that holds it")]
    Missing {
        /// The segment after the gap.
        path: PathBuf,
        /// Its first entry.
        found: u64,
        /// The entry that should have come.
        expected: u64,
    },
    /// There is no log where there was one.
    #[error(
        "{dir} has no log, but this state directory had one: what it said is not known any more; put it back from a backup, or move the state directory away to begin anew"
    )]
    Gone {
        /// Where it lay.
        dir: PathBuf,
    },
    /// Another version's file.
    #[error("{path} has format {found}, but this coordinator reads {expected}: start the version that wrote it")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The format that this version writes.
        expected: u32,
    },
    /// An earlier append failed.
    #[error("the log takes no more entries, since an earlier write failed: start the coordinator again")]
    Poisoned,
    /// Entries that do not follow the last one, or a range that is not there.
    #[error("entries {from}..{to} are asked for, but the log has {first}..{next}")]
    Range {
        /// The first entry asked for.
        from: u64,
        /// One past the last entry asked for.
        to: u64,
        /// The first entry that is there.
        first: u64,
        /// The next entry to be appended.
        next: u64,
    },
    /// An entry that is too long.
    #[error("an entry of {bytes} bytes is too long: at most {PAYLOAD_BYTES_MAX} are kept")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Every snapshot is damaged or gone, while the entries that it stood for were purged.
    #[error("the log begins at entry {first}, and no snapshot in {dir} stands for the entries before: restore one from a backup")]
    NoSnapshot {
        /// The first entry that is there.
        first: u64,
        /// Where snapshots lie.
        dir: PathBuf,
    },
}

impl Error {
    fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { operation, path, source }
    }
}
