//! One interface to files, wherever they are: on this machine, or in HDFS.
//!
//! Every call blocks its thread until it is done or its deadline has passed; none panics. What is written appears
//! under its name as a whole, or not at all. Nobody reads half a file.

mod copy;
mod error;
mod location;
mod stream;

pub use copy::write_copy;
pub use error::{Access, Error, Login, Problem};
pub use location::{Invalid, Location, Remote, Scheme};
pub use stream::{Pieces, Stream};

use bytes::Bytes;
use std::fmt::Debug;
use std::ops::Range;

/// The most entries of a directory that are listed.
pub const ENTRIES_MAX: usize = 1_000_000;

/// How often a file is begun anew before its writing is given up.
const BEGUN_MAX: u32 = 10;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    File,
    /// Names.
    Directory,
    /// A device, a socket, a pipe.
    Other,
}

/// What is known of a file or directory without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Which of them.
    pub kind: Kind,
    /// In bytes; 0 unless it is a file.
    pub length: u64,
    /// When it was changed last, in nanoseconds since 1970. HDFS counts milliseconds.
    pub modified_ns: u64,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Without the directory.
    pub name: String,
    /// What it stands for.
    pub status: Status,
}

/// Bytes of a file, and the hosts that hold all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which bytes.
    pub bytes: Range<u64>,
    /// Names of the hosts, as their file system calls them.
    pub hosts: Vec<String>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Create {
    /// Permission bits, whatever the umask.
    pub mode: u32,
    /// How often it was begun before and failed. HDFS waits longer each time, and takes fewer replicas and larger
    /// blocks, so that it need not meet the same dead DataNode again; the NameNode makes the replicas up.
    pub begun: u32,
}

/// What a finished file may do to what has its name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// It takes its place.
    Replace,
    /// Nothing: [`Problem::Exists`]. Of several that race for a free name exactly one succeeds.
    New,
}

/// Where files are. Locations of another file system are refused with [`Problem::Elsewhere`].
pub trait FileSystem: Debug + Send + Sync {
    /// What is at `at`.
    ///
    /// # Errors
    /// [`Problem::Missing`], or it cannot be told.
    fn stat(&self, at: &Location) -> Result<Status, Error>;

    /// What is in the directory `at`, by name.
    ///
    /// # Errors
    /// It is missing, is no directory, holds more than [`ENTRIES_MAX`] or cannot be read.
    fn list(&self, at: &Location) -> Result<Vec<Entry>, Error>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// It is missing, is no file, or may not be read.
    fn open(&self, at: &Location) -> Result<Box<dyn File>, Error>;

    /// Which hosts hold the bytes `range` of a file, in order: what lies behind the end is left out. Nothing where that is no
    /// matter, as on this machine. For those who want to be near them: it is asked for once, and not for long.
    ///
    /// # Errors
    /// It cannot be told.
    fn held(&self, at: &Location, range: Range<u64>) -> Result<Vec<Held>, Error> {
        let (_, _) = (at, range);
        Ok(Vec::new())
    }

    /// Begins to write a file, under another name in the same directory, which must be there.
    ///
    /// # Errors
    /// It may not be written there.
    fn create(&self, at: &Location, how: Create) -> Result<Box<dyn Writer>, Error>;

    /// Gives a file or directory another name, which must be free. On this machine a directory's files are synced before.
    ///
    /// # Errors
    /// [`Problem::Exists`], [`Problem::Missing`], or it cannot be done.
    fn rename(&self, from: &Location, to: &Location) -> Result<(), Error>;

    /// Removes a file, or a directory with all that is in it. Whether it was there.
    ///
    /// # Errors
    /// It may not be removed.
    fn delete(&self, at: &Location) -> Result<bool, Error>;

    /// Makes a directory and those above it that are missing.
    ///
    /// # Errors
    /// Something else has one of the names, or it is not allowed.
    fn make_directory(&self, at: &Location) -> Result<(), Error>;
}

/// A file that is open for reading.
pub trait File: Send + Sync {
    /// What it was when it was opened.
    fn status(&self) -> Status;

    /// The bytes from `offset` on: `length` of them, fewer only where the file ends.
    ///
    /// # Errors
    /// They cannot be read, or the file is not what it was.
    fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, Error>;

    /// Reads the bytes of `range` in their order, and ahead of whoever takes them; what lies behind the end is left out.
    ///
    /// # Errors
    /// Reading cannot begin.
    fn stream(&self, range: Range<u64>) -> Result<Stream, Error>;
}

/// A file that is being written. Dropped before it is committed, it is removed.
pub trait Writer: Send {
    /// Adds `piece` to it, or begins to; large ones are best.
    ///
    /// # Errors
    /// It cannot be written, or the one before; the file must be begun anew then ([`write_whole`]).
    fn write(&mut self, piece: Bytes) -> Result<(), Error>;

    /// Gives the file its name, once all of it is durable.
    ///
    /// # Errors
    /// The last piece could not be written; [`Problem::Exists`] where `placement` forbids to replace, or it cannot be done:
    /// nothing has changed then, unless it is [`Problem::Undecided`].
    fn commit(self: Box<Self>, placement: Placement) -> Result<(), Error>;
}

/// Writes the file `at` with what `fill` writes. Where a DataNode dies the file cannot go on: it is begun anew, up to
/// nine times, and `fill` is called again, which must write the same.
///
/// # Errors
/// As those of [`FileSystem::create`] and of [`Writer`].
pub fn write_whole(
    system: &dyn FileSystem,
    at: &Location,
    mode: u32,
    placement: Placement,
    fill: &mut dyn FnMut(&mut dyn Writer) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut begun = 0;
    loop {
        let written = system.create(at, Create { mode, begun }).and_then(|mut writer| {
            fill(&mut *writer)?;
            writer.commit(placement)
        });
        begun += 1;
        match written {
            Err(error) if error.is_transient() && begun < BEGUN_MAX => {
                tracing::warn!(location = %at, begun, %error, "a file could not be written: it is begun anew");
            }
            settled => return settled,
        }
    }
}
