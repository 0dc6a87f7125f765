//! What can go wrong when a data set is put.

use std::io;
use std::path::PathBuf;
use tfcoord_fs::storage;

/// Why a data set was not put.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is to be put cannot be.
    #[error("{}: {problem}", path.display())]
    Source {
        /// Which file or directory, as it was named.
        path: PathBuf,
        /// Why not.
        problem: Unfit,
    },
    /// The file system refused, or failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The name is taken.
    #[error("{target} exists already")]
    Exists {
        /// The name.
        target: String,
    },
    /// No data set can have this name.
    #[error("{target} {why}")]
    Target {
        /// The name.
        target: String,
        /// Why not.
        why: &'static str,
        /// What helps.
        remedy: String,
    },
    /// Another process of this machine puts the same.
    #[error("{target} is being put by process {pid}")]
    Underway {
        /// The name.
        target: String,
        /// The process.
        pid: u32,
    },
    /// What is read is not what was written.
    #[error("{at} was written as {written} and is read as {read}")]
    Altered {
        /// Which file.
        at: String,
        /// Bytes and checksum.
        written: String,
        /// Bytes and checksum.
        read: String,
    },
    /// Ended by Ctrl-C.
    #[error("interrupted: nothing was put")]
    Interrupted,
}

/// Why something cannot be put. `name` is that of a file in a directory or an archive.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The system does not give it out.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// A device, a socket, a pipe.
    #[error("{name} is neither a file nor a directory")]
    Special {
        /// Which.
        name: String,
    },
    /// It would be followed without an end, or out of the directory.
    #[error("{name} is a link to a directory")]
    Link {
        /// Which.
        name: String,
    },
    /// No file of a data set can be called so.
    #[error("the name {name:?} {why}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// Two files would have one name.
    #[error("{name} is there twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// It is not what it was.
    #[error("{name} changed while it was read")]
    Changed {
        /// Which.
        name: String,
    },
    /// An archive holds something else than files and directories.
    #[error("{name} in it is {kind}")]
    Kind {
        /// Which.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// An archive cannot be unpacked.
    #[error("the archive is damaged: {reason}")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// An archive ends too early.
    #[error("the archive is cut: its end is missing")]
    Cut,
    /// An archive does not end where it says.
    #[error("something follows behind the archive's end")]
    Behind,
    /// More files and directories than are allowed.
    #[error("more than {max} files and directories")]
    Entries {
        /// The limit.
        max: usize,
    },
    /// An archive holds more than is allowed.
    #[error("it unpacks to more than {max} bytes")]
    Bytes {
        /// The limit.
        max: u64,
    },
    /// An archive swells like a bomb.
    #[error("it unpacks to more than {max} times its own {length} bytes")]
    Ratio {
        /// The limit.
        max: u64,
        /// What it has packed.
        length: u64,
    },
    /// An archive's names and attributes take more than they may.
    #[error("names and attributes of one entry take more than {max} bytes")]
    Headers {
        /// The limit.
        max: u64,
    },
    /// There is nothing to put.
    #[error("there is no file in it")]
    Empty,
}

impl Unfit {
    /// What helps.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => "check the path, and that this user may read it",
            Self::Special { .. } | Self::Kind { .. } => "leave it out: a data set has files and directories only",
            Self::Link { .. } => "name that directory itself, or put its files in the place of the link",
            Self::Name { .. } => "rename it: names are relative, in UTF-8, of at most 1,024 bytes, without \"..\" and control characters",
            Self::Twice { .. } => "rename one of them, or leave it out",
            Self::Changed { .. } => "leave the files alone while they are put, and put them again",
            Self::Damaged { .. } | Self::Cut | Self::Behind => "fetch or pack it again",
            Self::Entries { .. } => "put several data sets, or pack many small records into one file",
            Self::Bytes { .. } => "raise it with --unpacked-max, such as --unpacked-max 20G, if the archive can be trusted",
            Self::Ratio { .. } => "unpack it yourself if it can be trusted, and put the directory",
            Self::Headers { .. } => "pack it again, with plain names",
            Self::Empty => "name files, directories with files, or archives",
        }
    }
}

impl Error {
    /// Whether it may go well if the file is begun anew.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_transient())
    }
}
