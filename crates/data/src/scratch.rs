//! Where unpacked files and record indexes are kept, and how much they may take.

use std::path::{Path, PathBuf};

/// A directory for what is derived from data files: named by their identity, written atomically, never changed,
/// shared by all processes of a host. Whoever owns it may empty it whenever nothing runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scratch {
    /// The directory; made when it is needed.
    pub dir: PathBuf,
    /// What may be unpacked into it.
    pub limits: Limits,
}

/// How far a compressed file may unfold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of one unpacked file.
    pub unpacked_bytes_max: u64,
    /// The most unpacked bytes for each compressed one. Deflate cannot honestly exceed 1,032.
    pub ratio_max: u64,
    /// The most bytes of remote files that a process keeps there, in pieces; what was not wanted for long gives way.
    pub fetched_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked_bytes_max: 64 << 30, ratio_max: 1100, fetched_bytes_max: 64 << 30 }
    }
}

impl From<&Path> for Scratch {
    fn from(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), limits: Limits::default() }
    }
}

impl From<&PathBuf> for Scratch {
    fn from(dir: &PathBuf) -> Self {
        dir.as_path().into()
    }
}
