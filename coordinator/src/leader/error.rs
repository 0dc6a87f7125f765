//! Why a leader ends without being asked to.

use crate::log;
use std::path::PathBuf;

/// Why a leader ends without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing can be made durable any more.
    #[error("the log failed: {0}; see that the disk has room and works, then ask again: the next coordinator goes on with all jobs")]
    Log(#[from] log::Error),
    /// Somebody removed or replaced the state directory: another coordinator may serve it now, and what is written here
    /// would be read by nobody.
    #[error("{lock} is gone: the state directory was removed or replaced while this coordinator served it; its tasks are ended")]
    StateDirGone {
        /// The lock's file.
        lock: PathBuf,
    },
}
