//! Where checkpoints lie.

use crate::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use tfcoord_fs::FileSystems;
use tfcoord_fs::local::Local;
use tfcoord_fs::storage::{FileSystem, Kind, Location, Problem};

/// A directory that checkpoints lie in, on this machine or in HDFS.
#[derive(Debug, Clone)]
pub struct Directory {
    pub(crate) system: Arc<dyn FileSystem>,
    at: Location,
}

impl Directory {
    /// `at`, in its file system.
    pub fn new(system: Arc<dyn FileSystem>, at: Location) -> Self {
        Self { system, at }
    }

    /// The directory that a job or a coordinator calls so, among the file systems that this process reaches.
    ///
    /// # Errors
    /// It names no place, or its file system cannot be connected to.
    pub fn open(systems: &FileSystems, dir: &str) -> Result<Self, Error> {
        let at = Location::parse(dir, None)?;
        Ok(Self::new(systems.get(&at)?, at))
    }

    /// Where it is.
    pub fn at(&self) -> &Location {
        &self.at
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> Location {
        self.at.join(name)
    }

    /// Its path, where it is on this machine.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.at {
            Location::Local(path) => Some(path),
            Location::Remote(_) => None,
        }
    }

    /// The names in it; none where it is missing. On this machine whatever they are names of.
    pub(crate) fn names(&self) -> Result<Vec<String>, Error> {
        let Some(path) = self.path() else {
            return match self.system.list(&self.at) {
                Ok(entries) => Ok(entries.into_iter().filter(|entry| entry.status.kind == Kind::File).map(|entry| entry.name).collect()),
                Err(error) if matches!(error.problem, Problem::Missing) => Ok(Vec::new()),
                Err(error) => Err(error.into()),
            };
        };
        let failed = || Error::io("list", &self.at);
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed()(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is no text is a stranger's.
            names.extend(entry.map_err(failed())?.file_name().into_string().ok());
        }
        Ok(names)
    }

    /// Removes the file of this name; whether it was there.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, Error> {
        let Some(path) = self.path() else { return Ok(self.system.delete(&self.file(name))?) };
        match fs::remove_file(path.join(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("remove", &self.file(name))(error)),
        }
    }

    /// Makes the names in it durable; in HDFS they are from the first.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        Ok(self.path().map_or(Ok(()), tfcoord_fs::sync_directory)?)
    }
}

impl From<&Path> for Directory {
    fn from(path: &Path) -> Self {
        Self::new(Arc::new(Local), path.into())
    }
}
