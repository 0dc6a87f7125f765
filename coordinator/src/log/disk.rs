//! What the log needs of a disk, so that its code can also run on one that is simulated; [`Real`] is the one there is.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const MODE_PRIVATE: u32 = 0o600;

/// Directories and files. What was written is durable after a sync only; a name only after its directory's.
pub trait Disk: Debug + Send + Sync {
    /// The names in a directory, in any order.
    ///
    /// # Errors
    /// It cannot be listed.
    fn names(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// All bytes of a file.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Makes a file that must not be there yet.
    ///
    /// # Errors
    /// It is there, or cannot be made.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to be read and written.
    ///
    /// # Errors
    /// It cannot be opened.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// It cannot be synced.
    fn sync_directory(&self, dir: &Path) -> Result<(), tfcoord_fs::Error>;

    /// Replaces a file by one of `bytes`: whole or not at all, and durable when this returns.
    ///
    /// # Errors
    /// As those of [`tfcoord_fs::write_atomic`].
    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> Result<(), tfcoord_fs::Error>;
}

/// An open file.
pub trait DiskFile: Debug + Send {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// Any part may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// It is too short, or cannot be read.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Cuts or lengthens the file.
    ///
    /// # Errors
    /// It stays as it was.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes what was written durable.
    ///
    /// # Errors
    /// It may be lost, whatever a later sync returns.
    fn sync(&self) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Real;

impl Disk for Real {
    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        // The log's names are texts: others are not its own.
        fs::read_dir(dir)?.filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose()).collect()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let open = OpenOptions::new().read(true).write(true).create_new(true).mode(MODE_PRIVATE).open(path);
        Ok(Box::new(open?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_directory(&self, dir: &Path) -> Result<(), tfcoord_fs::Error> {
        tfcoord_fs::sync_directory(dir)
    }

    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> Result<(), tfcoord_fs::Error> {
        tfcoord_fs::write_atomic(path, bytes, MODE_PRIVATE)
    }
}

impl DiskFile for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    // Its length is synced with its bytes.
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
