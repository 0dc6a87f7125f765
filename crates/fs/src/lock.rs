//! One process at a time.

use crate::error::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// An exclusive lock; released when it is dropped or its process ends, however that happens.
#[derive(Debug)]
pub struct FileLock {
    // Holding the open file is holding the lock.
    _file: File,
}

/// Takes the exclusive lock (`flock`) of the file `path` without waiting; the file is made if it is missing, and
/// stays.
///
/// # Errors
/// [`Error::Locked`] if somebody holds it.
pub fn lock(path: &Path) -> Result<FileLock, Error> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = open.map_err(Error::io("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(FileLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn errors_name_operation_and_path() {
        let error = lock(Path::new("/nowhere/lock")).unwrap_err().to_string();
        assert_eq!(error, "cannot open /nowhere/lock: No such file or directory (os error 2)");
    }
}
