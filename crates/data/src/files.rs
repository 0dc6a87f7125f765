//! Where data are read from, and where what is derived from them is kept.

use crate::error::Error;
use crate::fetched::Fetched;
use crate::scratch::Scratch;
use std::sync::Arc;
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::{self, FileSystem, Location};

/// Where data are read from, and where what is derived from them is kept. Clones share connections and the pieces of remote
/// files that were fetched.
#[derive(Debug, Clone)]
pub struct Files {
    systems: FileSystems,
    pub(crate) scratch: Scratch,
    pub(crate) fetched: Arc<Fetched>,
}

impl Files {
    /// Of these file systems, with this scratch directory.
    pub fn new(systems: FileSystems, scratch: impl Into<Scratch>) -> Self {
        let scratch = scratch.into();
        Self { systems, fetched: Arc::new(Fetched::new(&scratch)), scratch }
    }

    /// The file system that `at` is in.
    pub(crate) fn system(&self, at: &Location) -> Result<Arc<dyn FileSystem>, storage::Error> {
        self.systems.get(at)
    }

    /// Makes the scratch directory.
    pub(crate) fn make_scratch(&self) -> Result<(), Error> {
        let dir = &self.scratch.dir;
        std::fs::create_dir_all(dir).map_err(Error::scratch_io("create", dir))
    }
}
