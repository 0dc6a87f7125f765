//! What can go wrong with a checkpoint.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tfcoord_types::id::CheckpointId;

/// What can go wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {operation} {}: {cause}: {}", path.display(), remedy(cause))]
    Io {
        /// What was tried: `create`, `sync`, …
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A durable write failed.
    #[error("{0}: see that checkpoint.dir has room and can be written to")]
    Write(#[from] tfcoord_fs::Error),
    /// What was being written is not there any more.
    #[error(
        "{} was removed while the checkpoint was being written: see that nobody removes checkpoint.dir while its job runs; the next checkpoint makes it again",
        path.display()
    )]
    Removed {
        /// The file.
        path: PathBuf,
    },
    /// A part of this name is there already: it is of this very attempt of this very server.
    #[error("{} is there already and is not replaced: cut the checkpoint anew, which gives it another name", path.display())]
    Exists {
        /// The part.
        path: PathBuf,
    },
    /// What a part should hold cannot be held by one.
    #[error("{}: {problem}", path.display())]
    Layout {
        /// The part.
        path: PathBuf,
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
    #[error("{} is there already and says something else: it stays; see that no other job has this checkpoint.dir", path.display())]
    Conflict {
        /// The manifest.
        path: PathBuf,
    },
    /// A file is not what was written.
    #[error("{}: {problem}: begin from an earlier checkpoint, or put the file back from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It is of a format that this version does not know.
    #[error("{}: format {found}, but this version reads format {}: use the version that wrote it", path.display(), crate::FORMAT)]
    Format {
        /// The manifest.
        path: PathBuf,
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

impl Error {
    /// The same, met by who writes a checkpoint: what is missing then has been taken away.
    #[must_use]
    pub fn of_writing(self) -> Self {
        match self {
            Self::Io { path, cause, .. } | Self::Write(tfcoord_fs::Error::Io { path, source: cause, .. })
                if cause.kind() == ErrorKind::NotFound =>
            {
                Self::Removed { path }
            }
            other => other,
        }
    }

    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io { operation, path, cause }
    }

    pub(crate) fn damaged(path: &Path, problem: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.to_string() }
    }
}

fn remedy(cause: &io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::NotFound => "begin from an earlier checkpoint, or put the file back from a backup",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room in checkpoint.dir, or name another one",
        _ => "see that checkpoint.dir can be read and written to",
    }
}
