//! Records: from files to feature vectors, the same for every process.
//!
//! * [`prepare`] looks at a job's data once, before anything is launched: it lists files, counts records, collects
//!   vocabularies and moments from the training records, checks all of it against the model, and writes it down
//!   as a [`Manifest`](tfcoord_types::manifest::Manifest).
//! * [`Order`] says which record stands at which place of an epoch: a pure function of the seed and of counts.
//! * [`Reader`] reads any records of a data set by number into a [`RecordBatch`].
//!
//! Formats: IDX (`MNIST`), CSV with a header; plain or gzip. Everything in a file is suspect: lengths are checked
//! before they are used, nothing is allocated from a declared size, and an error names file, place and remedy.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ahead;
mod batch;
mod csv;
mod error;
mod fetched;
mod files;
#[cfg(test)]
mod fixture;
mod identity;
mod idx;
mod meter;
mod order;
mod plain;
mod prepare;
mod preprocessing;
mod reader;
mod remote;
mod scratch;
mod soon;
mod sources;
mod unpack;

pub use batch::RecordBatch;
pub use error::{Change, Error, FileProblem, RowProblem};
pub use files::Files;
pub use meter::{OnRead, Source};
pub use order::Order;
pub use prepare::{holders, prepare, summary};
pub use preprocessing::Preprocessing;
pub use reader::Reader;
pub use scratch::{Limits, Scratch};

/// The most features a record may have: a picture of 2048 x 2048, or a table with that many categories.
pub const FEATURES_MAX: u64 = 1 << 22;
/// The most distinct values a category column may have.
pub const CATEGORIES_MAX: usize = 1_000_000;
/// The most classes a label may have.
pub const CLASSES_MAX: usize = 10_000;
/// The most bytes of a file that are read at once, if they hold a record.
pub const READ_BYTES_MAX: u64 = 1 << 20;
/// The most bytes of a CSV record; what is longer is a quote that is not closed.
pub const RECORD_BYTES_MAX: u64 = 4 << 20;
/// The most bytes of memory that reading remote files takes, however many they are: what is under way, what is read ahead, and
/// labels, of what is trained on and of what is evaluated.
pub const REMOTE_BYTES_MAX: u64 = (remote::AT_ONCE + soon::AT_ONCE) as u64 * fetched::PIECE
    + ahead::STREAMS_MAX as u64 * ahead::STREAM_BYTES
    + 2 * reader::windows::BYTES_MAX;
/// The most files of a data set.
pub const FILES_MAX: usize = 100_000;
