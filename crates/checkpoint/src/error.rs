//! What can go wrong with a checkpoint.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use tfcoord_fs::storage::{self, Invalid, Location, Problem};
use tfcoord_types::id::CheckpointId;

/// What can go wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {operation} {path}: {cause}: {}", remedy(cause.kind()))]
    Io {
        /// What was tried: `create`, `sync`, …
        operation: &'static str,
        /// On what.
        path: Location,
        /// Why not.
        cause: io::Error,
    },
    /// The file system refused.
    #[error("{}: {}", .0.what(), storage_remedy(&.0.problem))]
    Storage(#[from] storage::Error),
    /// A directory that is none.
    #[error("checkpoint.dir: {0}")]
    Location(#[from] Invalid),
    /// A durable write failed.
    #[error("{0}: see that checkpoint.dir has room and can be written to")]
    Write(#[from] tfcoord_fs::Error),
    /// A part cannot be kept on this machine's disk until it goes to HDFS.
    #[error("{path}: cannot gather it in {}: {cause}: see that this disk has room for it and can be written to", dir.display())]
    Gather {
        /// The part.
        path: Location,
        /// Where.
        dir: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// What was being written is not there any more.
    #[error(
        "{path} was removed while the checkpoint was being written: see that nobody removes checkpoint.dir while its job runs; the next checkpoint makes it again"
    )]
    Removed {
        /// The file.
        path: String,
    },
    /// A part of this name is there already: it is of this very attempt of this very server.
    #[error("{path} is there already and is not replaced: cut the checkpoint anew, which gives it another name")]
    Exists {
        /// The part.
        path: Location,
    },
    /// What a part should hold cannot be held by one.
    #[error("{path}: {problem}")]
    Layout {
        /// The part.
        path: Location,
        /// What is wrong.
        problem: String,
    },
    /// A manifest that says what cannot be.
    #[error("the manifest of checkpoint {id}: {problem}")]
    Manifest {
        /// The checkpoint.
        id: CheckpointId,
        /// What is wrong.
        problem: String,
    },
    /// Another manifest has the name already.
    #[error("{path} is there already and says something else: it stays; see that no other job has this checkpoint.dir")]
    Conflict {
        /// The manifest.
        path: Location,
    },
    /// A file is not what was written.
    #[error("{path}: {problem}: {RESTORE}")]
    Damaged {
        /// The file.
        path: Location,
        /// What is wrong with it.
        problem: String,
    },
    /// It is of a format that this version does not know.
    #[error("{path}: format {found}, but this version reads format {}: use the version that wrote it", crate::FORMAT)]
    Format {
        /// The manifest.
        path: Location,
        /// Its format.
        found: u32,
    },
    /// What is asked for cannot be restored.
    #[error("checkpoint {id}: slab {slab}, element {element}: {problem}")]
    Place {
        /// The checkpoint.
        id: CheckpointId,
        /// The slab.
        slab: u32,
        /// The first element that it is about.
        element: u64,
        /// What is wrong.
        problem: String,
    },
}

const RESTORE: &str = "begin from an earlier checkpoint, or put the file back from a backup";

impl Error {
    /// The same, met by who writes a checkpoint: what is missing then has been taken away.
    #[must_use]
    pub fn of_writing(self) -> Self {
        match self {
            Self::Io { path, cause, .. } if cause.kind() == ErrorKind::NotFound => Self::Removed { path: path.to_string() },
            Self::Write(tfcoord_fs::Error::Io { path, source, .. }) if source.kind() == ErrorKind::NotFound => {
                Self::Removed { path: path.display().to_string() }
            }
            Self::Storage(error) if matches!(error.problem, Problem::Missing) => Self::Removed { path: error.location },
            other => other,
        }
    }

    pub(crate) fn io(operation: &'static str, path: &Location) -> impl FnOnce(io::Error) -> Self {
        let path = path.clone();
        move |cause| Self::Io { operation, path, cause }
    }

    pub(crate) fn damaged(path: &Location, problem: impl ToString) -> Self {
        Self::Damaged { path: path.clone(), problem: problem.to_string() }
    }
}

fn remedy(cause: ErrorKind) -> &'static str {
    match cause {
        ErrorKind::NotFound => RESTORE,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room in checkpoint.dir, or name another one",
        _ => "see that checkpoint.dir can be read and written to",
    }
}

fn storage_remedy(problem: &Problem) -> &'static str {
    match problem {
        Problem::Missing => RESTORE,
        Problem::Io(cause) => remedy(cause.kind()),
        other => other.remedy(),
    }
}
