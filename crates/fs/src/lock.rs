//! One process at a time.

use crate::error::Error;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An exclusive lock; released when it is dropped or its process ends, however that happens.
#[derive(Debug)]
pub struct FileLock {
    // Holding the open file is holding the lock.
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// The lock's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file of this name is still the one that is locked: a lock on one that was removed or replaced keeps
    /// nobody out.
    pub fn is_in_place(&self) -> bool {
        let same = |mine: Metadata, theirs: Metadata| (mine.dev(), mine.ino()) == (theirs.dev(), theirs.ino());
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(mine), Ok(theirs)) => same(mine, theirs),
            (_, Err(error)) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
            (Err(_), Ok(_)) => true,
        }
    }
}

/// Takes the exclusive lock (`flock`) of the file `path` without waiting; the file is made if it is missing, and
/// stays.
///
/// # Errors
/// [`Error::Locked`] if somebody holds it.
pub fn lock(path: &Path) -> Result<FileLock, Error> {
    loop {
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = open.map_err(Error::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {
                let lock = FileLock { file, path: path.to_owned() };
                // Else it was removed between the two: the next one is made.
                if lock.is_in_place() {
                    return Ok(lock);
                }
            }
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
        }
    }
}

/// Whether somebody holds the lock of the file `path`; not so where it cannot be told. Who tries to take it in the same
/// instant may find it held by this look, and has to try again.
pub fn is_locked(path: &Path) -> bool {
    let look = File::open(path).map(|file| file.try_lock_shared());
    matches!(look, Ok(Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_tells_and_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(!is_locked(&path) && !path.exists());
        let held = lock(&path).unwrap();
        assert!(is_locked(&path));
        drop(held);
        assert!(!is_locked(&path));
        lock(&path).unwrap();
    }

    #[test]
    fn a_lock_is_held_once_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock(&path).unwrap();
        assert!(matches!(lock(&path), Err(Error::Locked { .. })));
        drop(held);
        lock(&path).unwrap();
    }

    #[test]
    fn a_lock_whose_file_is_gone_or_another_one_is_not_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock(&path).unwrap();
        assert!(held.is_in_place());
        std::fs::remove_file(&path).unwrap();
        assert!(!held.is_in_place());
        let other = lock(&path).unwrap();
        assert!(other.is_in_place() && !held.is_in_place());
    }

    #[test]
    fn errors_name_operation_and_path() {
        let error = lock(Path::new("/nowhere/lock")).unwrap_err().to_string();
        assert_eq!(error, "cannot open /nowhere/lock: No such file or directory (os error 2)");
    }
}
