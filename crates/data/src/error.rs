//! What can be wrong with data: where, what, and what to do about it.

mod file;
mod row;

pub use file::{Change, FileProblem};
pub use row::RowProblem;

use std::io;
use std::path::Path;
use tfcoord_fs::storage::{self, Location};

/// Data that cannot be used as the job asks for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Where the files are, something was refused: by this machine or by HDFS.
    #[error("{}\n  help: {}", .0.what(), .0.problem.remedy())]
    Storage(#[from] storage::Error),
    /// Something cannot be kept in the scratch directory: neither the job nor its data are to blame.
    #[error("{cause}\n  help: {}", if is_full(cause) { FULL } else { UNUSABLE })]
    Scratch {
        /// What was tried, on what, and why not.
        cause: tfcoord_fs::Error,
    },
    /// The job file asks for what the data cannot give.
    #[error("{field}: {message}\n  help: {remedy}")]
    Job {
        /// The job file's field: `data.train.records`.
        field: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// A file as a whole.
    #[error("{at}: {problem}\n  help: {}", problem.remedy())]
    File {
        /// The file.
        at: String,
        /// What is wrong with it.
        problem: FileProblem,
    },
    /// A row of a table.
    #[error("{at}:{line}: {problem}\n  help: {}", problem.remedy())]
    Row {
        /// The file.
        at: String,
        /// The line that the row begins on, from 1; of the unpacked text.
        line: u64,
        /// What is wrong with it.
        problem: RowProblem,
    },
    /// A record was asked for that the data set does not have: the asker's fault.
    #[error("record {index} of {records} was asked for")]
    NoSuchRecord {
        /// Its number, from 0.
        index: u64,
        /// How many there are.
        records: u64,
    },
}

impl Error {
    /// Whether it is the place that refuses, this machine or HDFS, and not the data that are at fault: it may pass.
    pub fn is_of_place(&self) -> bool {
        matches!(self, Self::Storage(_) | Self::Scratch { .. })
    }

    /// Of whatever gives bytes: what it knows better is inside.
    pub(crate) fn io(operation: &'static str, at: &Location) -> impl FnOnce(io::Error) -> Self {
        let location = at.to_string();
        move |error| {
            Self::of_reading(error)
                .unwrap_or_else(|error| storage::Error { operation, location, access: None, problem: error.into() }.into())
        }
    }

    /// What is inside of an error of reading, if it is one of ours.
    pub(crate) fn of_reading(error: io::Error) -> Result<Self, io::Error> {
        error.downcast().or_else(|error| error.downcast::<storage::Error>().map(Self::from))
    }

    pub(crate) fn file(at: &Location) -> impl FnOnce(FileProblem) -> Self {
        let at = at.to_string();
        move |problem| Self::File { at, problem }
    }

    pub(crate) fn scratch(cause: tfcoord_fs::Error) -> Self {
        Self::Scratch { cause }
    }

    pub(crate) fn scratch_io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::scratch(tfcoord_fs::Error::Io { operation, path, source })
    }

    pub(crate) fn job(field: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Job { field: field.into(), message: message.into(), remedy: remedy.into() }
    }
}

const FULL: &str = "free space on that disk: unpacked and fetched data and the places of records are kept there; or keep them on a larger one, by \
                    TFCOORD_STATE_DIR, or --scratch of predict";
const UNUSABLE: &str = "unpacked and fetched data and the places of records are kept there: make it a directory that may be written to, or use \
                        another one, by TFCOORD_STATE_DIR, or --scratch of predict";

fn is_full(error: &tfcoord_fs::Error) -> bool {
    let tfcoord_fs::Error::Io { source, .. } = error else { return false };
    matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A value as it is shown: quoted, at most 60 characters.
fn shown(value: &str) -> String {
    match value.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    }
}

/// Names as they are shown: the first twenty.
pub(crate) fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(20).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    if names.len() > 20 {
        text.push_str(&format!(" and {} more", names.len() - 20));
    }
    text
}
