//! What can go wrong.

use crate::Launch;
use std::io;
use std::path::{Path, PathBuf};

/// A task that could not be started, or a log that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The task's program is not installed.
    #[error("there is no program {path}: build or install it there, or name its directory in TFCOORD_BIN_DIR")]
    NoProgram {
        /// Where it should be.
        path: PathBuf,
    },
    /// The operating system did not start the process.
    #[error("cannot start {launch}: {program}: {source}")]
    Start {
        /// Which launch.
        launch: Launch,
        /// Its program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of the launch could not be written or read.
    #[error("cannot {operation} {path}: {source}")]
    File {
        /// What was tried: `create`, `read`, …
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { operation, path, source }
    }
}
