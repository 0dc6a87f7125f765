//! A directory of a file system, in which a test does what it likes.

use bytes::Bytes;
use std::io::Read;
use tfcoord_fs::storage::{Create, Error, File, FileSystem, Location, Placement, Problem, Writer, write_whole};

pub const NEW: Create = Create { mode: 0o644, begun: 0 };

pub struct Place<'a> {
    pub system: &'a dyn FileSystem,
    pub dir: Location,
}

impl<'a> Place<'a> {
    pub fn make(system: &'a dyn FileSystem, dir: Location) -> Self {
        system.make_directory(&dir).unwrap_or_else(|error| panic!("{error}"));
        Self { system, dir }
    }

    pub fn at(&self, name: &str) -> Location {
        self.dir.join(name)
    }

    pub fn begin(&self, name: &str, bytes: &[u8]) -> Result<Box<dyn Writer>, Error> {
        let mut writer = self.system.create(&self.at(name), NEW)?;
        writer.write(Bytes::copy_from_slice(bytes))?;
        Ok(writer)
    }

    pub fn write(&self, name: &str, bytes: &[u8], placement: Placement) -> Result<(), Error> {
        let bytes = Bytes::copy_from_slice(bytes);
        write_whole(self.system, &self.at(name), 0o644, placement, &mut |writer| writer.write(bytes.clone()))
    }

    pub fn open(&self, name: &str) -> Box<dyn File> {
        self.system.open(&self.at(name)).unwrap()
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.open(name).stream(0..u64::MAX).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    pub fn names(&self) -> Vec<String> {
        self.system.list(&self.dir).unwrap().into_iter().map(|entry| entry.name).collect()
    }
}

/// The name of the problem.
pub fn problem<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "none".to_owned(),
        Err(Error { problem: Problem::Io(error), .. }) => format!("Io {error:?}"),
        Err(error) => format!("{:?}", error.problem).split([' ', '{', '(']).next().unwrap_or_default().to_owned(),
    }
}

/// Bytes that do not repeat, and are the same for the same seed.
pub fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        // A linear congruential generator, of which the upper bytes are good enough for this.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}
