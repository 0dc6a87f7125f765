//! Copies of an event file that grows, for a folder in HDFS: each is whole, and takes the place of the one before.

use super::Place;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tfcoord_fs::storage::{Location, Placement, write_copy};

/// How old a copy gets before there is a newer one.
const EVERY: Duration = Duration::from_secs(30);

/// Copies of one file, or of none where the folder is on this machine.
pub(super) struct Copy<'a> {
    place: &'a Place,
    // What has grown since it was copied.
    grown: Option<PathBuf>,
    next: Instant,
}

impl<'a> Copy<'a> {
    pub fn new(place: &'a Place) -> Self {
        // The first shows early whether it can be written there.
        Self { place, grown: None, next: Instant::now() }
    }

    /// Where the file itself is to grow.
    pub fn dir(&self) -> &Path {
        match &self.place.at {
            Location::Local(path) => path,
            Location::Remote(_) => &self.place.scratch,
        }
    }

    /// How long it may be waited before it is looked at again.
    pub fn wait(&self) -> Duration {
        if self.grown.is_some() { self.next.saturating_duration_since(Instant::now()) } else { Duration::MAX }
    }

    /// Something was added to `file`.
    pub fn grown(&mut self, file: &Path) {
        if matches!(self.place.at, Location::Remote(_)) {
            self.grown = Some(file.to_owned());
            self.look();
        }
    }

    /// Copies it if it is time.
    pub fn look(&mut self) {
        if Instant::now() >= self.next {
            self.last();
        }
    }

    /// Copies it if something was added.
    pub fn last(&mut self) {
        let Some(file) = self.grown.take() else { return };
        if let Err(error) = self.copy(&file) {
            tracing::warn!("TensorBoard events are not in HDFS yet: {error}");
            self.grown = Some(file);
        }
        self.next = Instant::now() + EVERY;
    }

    fn copy(&self, file: &Path) -> io::Result<()> {
        let Place { systems, at, .. } = self.place;
        let system = systems.get(at)?;
        system.make_directory(at)?;
        let name = file.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidFilename)?;
        Ok(write_copy(&*system, &at.join(name), 0o644, Placement::Replace, &File::open(file)?)?)
    }
}
