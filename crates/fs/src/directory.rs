//! Directories: commit without replacing, private ones, and making names durable.

use crate::error::Error;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Gives the directory `temp` its final name, after everything in it has been synced; durable once this
/// returns. Of several that race for one final name exactly one succeeds. Both must be on one file system.
///
/// # Errors
/// [`Error::Exists`] if the final name is taken, even by an empty directory; `temp` stays.
pub fn commit_directory(temp: &Path, to: &Path) -> Result<(), Error> {
    sync_tree(temp)?;
    tfcoord_fault::point!("fs.directory.synced");
    match renameat_with(CWD, temp, CWD, to, RenameFlags::NOREPLACE) {
        // File systems that do not know the flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => rename_claimed(temp, to)?,
        done => done.map_err(io::Error::from).map_err(failed(to))?,
    }
    tfcoord_fault::point!("fs.directory.renamed");
    sync_parent(to)
}

/// Makes sure that `path` is a directory that only its owner, this user, can enter (0700).
///
/// # Errors
/// It cannot be made, is no directory, or belongs to somebody else.
pub fn private_dir(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("create", path))?;
    let metadata = fs::metadata(path).map_err(Error::io("look at", path))?;
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(Error::ForeignOwner { path: path.to_owned(), owner, user });
    }
    if metadata.mode() & 0o777 != 0o700 {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(Error::io("set the permissions of", path))?;
    }
    Ok(())
}

/// Makes the directory `path` and those above it that are missing; their names are durable.
///
/// # Errors
/// One cannot be made or synced.
pub fn create_directory(path: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).collect();
    fs::create_dir_all(path).map_err(Error::io("create", path))?;
    missing.into_iter().rev().try_for_each(sync_parent)
}

/// Makes the names in the directory `path` durable.
///
/// # Errors
/// It cannot be opened or synced.
pub fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", path))
}

pub(crate) fn sync_parent(path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_directory(Path::new(".")),
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

// Making the final name claims it, since that fails where it exists, and renaming replaces an empty directory in
// one go. Whoever dies in between leaves an empty one.
fn rename_claimed(temp: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir(to).map_err(failed(to))?;
    fs::rename(temp, to).map_err(|error| {
        let _ = fs::remove_dir(to);
        failed(to)(error)
    })
}

/// Gives the file `from` a name that must be free.
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<(), Error> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // File systems that do not know the flag. A link does not replace either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to).map_err(failed(to))?;
            // It has its name; where the old one cannot be removed it only takes room.
            let _ = fs::remove_file(from);
            Ok(())
        }
        renamed => renamed.map_err(io::Error::from).map_err(failed(to)),
    }
}

fn failed(to: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| match error.kind() {
        ErrorKind::AlreadyExists => Error::Exists { path: to.to_owned() },
        _ => Error::io("rename to", to)(error),
    }
}

fn sync_tree(path: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(path).map_err(Error::io("list", path))? {
        let entry = entry.map_err(Error::io("list", path))?;
        let kind = entry.file_type().map_err(Error::io("look at", &entry.path()))?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path()).and_then(|file| file.sync_all()).map_err(Error::io("sync", &entry.path()))?;
        }
    }
    sync_directory(path)
}

#[cfg(test)]
mod tests;
