//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// A file operation that failed: which one, on what, why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried: `create`, `sync`, …
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The final name is taken, and nothing is replaced.
    #[error("{path} exists already: it is not replaced")]
    Exists {
        /// The final name.
        path: PathBuf,
    },
    /// Another process, or another part of this one, holds the lock.
    #[error("{path} is locked by another process: wait for it to end, or stop it")]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// A directory that must be this user's alone belongs to somebody else.
    #[error("{path} belongs to user {owner}, not to user {user}: use a directory of your own")]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner's id.
        owner: u32,
        /// The id of the user who runs this.
        user: u32,
    },
}

impl Error {
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }
}
