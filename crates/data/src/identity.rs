//! What a file was when it was looked at: path, length, modification time.

use crate::error::{Change, Error, FileProblem};
use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tfcoord_types::manifest::Derived;

/// A file as it was at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub path: PathBuf,
    pub length: u64,
    pub modified_ns: u64,
}

impl Identity {
    /// Of the file as it is now.
    pub fn now(path: &Path) -> Result<Self, Error> {
        let metadata = path.metadata().map_err(Error::io("look at", path))?;
        Self::new(path, &metadata)
    }

    fn new(path: &Path, metadata: &Metadata) -> Result<Self, Error> {
        if !metadata.is_file() {
            return Err(Error::file(path)(FileProblem::NotRegular));
        }
        let nanoseconds = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Ok(Self { path: path.to_owned(), length: metadata.len(), modified_ns: u64::try_from(nanoseconds).unwrap_or(0) })
    }

    /// Opens the file.
    ///
    /// # Errors
    /// It cannot be opened, or it is not what it was.
    pub fn open(&self) -> Result<File, Error> {
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        self.check(&file)?;
        Ok(file)
    }

    /// Whether `file` is what it was.
    pub fn check(&self, file: &File) -> Result<(), Error> {
        let metadata = file.metadata().map_err(Error::io("look at", &self.path))?;
        self.unless_changed(&Self::new(&self.path, &metadata)?)
    }

    /// Whether the file of this path is what it was.
    pub fn check_path(&self) -> Result<(), Error> {
        self.unless_changed(&Self::now(&self.path)?)
    }

    fn unless_changed(&self, now: &Self) -> Result<(), Error> {
        let change = match (self.length, now.length) {
            _ if now == self => return Ok(()),
            (was, is) if was != is => Change::Length { was, is },
            (length, _) => Change::Time { length },
        };
        Err(self.changed(change))
    }

    /// That it is not what it was.
    pub fn changed(&self, change: Change) -> Error {
        Error::file(&self.path)(FileProblem::Changed(change))
    }

    /// A name for what is derived from the file: the same in every process, another one once the file changes.
    pub fn derived(&self, kind: Derived) -> String {
        kind.name(self.path.as_os_str().as_bytes(), self.length, self.modified_ns)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
