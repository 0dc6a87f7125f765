//! What is said of checkpoints: which one to cut, which one to begin from, and what became of it.

use crate::id::CheckpointId;
use serde::{Deserialize, Serialize};

/// A checkpoint and the directory that its files lie in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Which one.
    pub id: CheckpointId,
    /// Absolute path.
    pub dir: String,
}

/// A server's file of a checkpoint: written, synced, and of this length when it was looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFile {
    /// Its name in the checkpoint's directory.
    pub file: String,
    /// In bytes.
    pub length: u64,
    /// CRC-32C of all of it.
    pub crc32c: u32,
}

/// What became of a server's part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutReport {
    /// Which checkpoint.
    pub id: CheckpointId,
    /// What became of it.
    pub outcome: CutOutcome,
}

/// What became of a server's part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutOutcome {
    /// It lies there.
    Written(PartFile),
    /// A chunk was beyond the step already when the server learned of it.
    Missed,
    /// It could not be written.
    Failed {
        /// Place, cause and remedy.
        reason: String,
    },
}

/// A checkpoint that a server cannot begin from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreFault {
    /// Which one.
    pub id: CheckpointId,
    /// Place and cause.
    pub reason: String,
}
