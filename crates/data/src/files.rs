//! Where data are read from, and where what is derived from them is kept.

use crate::error::Error;
use crate::fetched::Fetched;
use crate::meter::{Meter, OnRead};
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

    /// Tells `on_read` from now on how much of what is read from other machines lies on `host`, which is this one.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn count_reads(&self, host: String, on_read: OnRead) -> std::io::Result<()> {
        let meter = Meter::start(self.systems.clone(), host, on_read)?;
        // The first one counts.
        let _counted_already = self.fetched.meter.set(meter);
        Ok(())
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
