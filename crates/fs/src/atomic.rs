//! A file that appears whole or not at all.

use crate::directory::{rename_new, sync_parent};
use crate::error::Error;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Replaces `path` by a file of `bytes` with the permission bits `mode` (whatever the umask).
///
/// # Errors
/// Where it fails, `path` is as it was.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let mut file = AtomicFile::create(path, mode)?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    file.commit()
}

/// A file that is written piece by piece and appears under its name when it is committed. Dropped before, it
/// leaves nothing behind.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    temp: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// Begins to write `path`, with the permission bits `mode` (whatever the umask).
    ///
    /// # Errors
    /// Its directory is missing or may not be written to.
    pub fn create(path: &Path, mode: u32) -> Result<Self, Error> {
        let created = tfcoord_fault::io!("fs.file.create").and_then(|()| create_unique(path));
        let (file, temp) = created.map_err(Error::io("create", path))?;
        let this = Self { file, temp, path: path.to_owned(), committed: false };
        this.file.set_permissions(Permissions::from_mode(mode)).map_err(Error::io("set the permissions of", path))?;
        tfcoord_fault::point!("fs.file.created");
        Ok(this)
    }

    /// Makes the file appear under its name, in place of what was there; durable once this returns.
    ///
    /// # Errors
    /// Where syncing or renaming fails, what was there stays. Where only syncing the directory fails, the file
    /// is in its place but a power cut may take it back.
    pub fn commit(mut self) -> Result<(), Error> {
        self.sync()?;
        let renamed = tfcoord_fault::io!("fs.file.rename").and_then(|()| fs::rename(&self.temp, &self.path));
        renamed.map_err(Error::io("rename to", &self.path))?;
        self.committed = true;
        tfcoord_fault::point!("fs.file.renamed");
        sync_parent(&self.path)?;
        tfcoord_fault::point!("fs.file.durable");
        Ok(())
    }

    /// Makes what has been written durable, under the temporary name.
    ///
    /// # Errors
    /// The system cannot. What is on the disk is not known then: the file must be written anew.
    pub fn sync(&mut self) -> Result<(), Error> {
        let synced = tfcoord_fault::io!("fs.file.sync").and_then(|()| self.file.sync_all());
        synced.map_err(Error::io("sync", &self.path))?;
        tfcoord_fault::point!("fs.file.synced");
        Ok(())
    }

    /// Its final name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, which must be free: of several that race for it exactly one succeeds. The name is
    /// durable once its directory has been synced, and what it stands for if [`sync`](Self::sync) came before.
    ///
    /// # Errors
    /// [`Error::Exists`] if the name is taken.
    pub fn place_new(mut self) -> Result<(), Error> {
        rename_new(&self.temp, &self.path)?;
        self.committed = true;
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        tfcoord_fault::io!("fs.file.write")?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nobody looks at the temporary name; where it cannot be removed it only takes room.
            let _ = fs::remove_file(&self.temp);
        }
    }
}

/// Removes from `dir` what an [`AtomicFile`] left whose process was killed. Nobody may be writing there.
///
/// # Errors
/// It cannot be listed, or a file cannot be removed.
pub fn remove_temporaries(dir: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_temporary) {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Whether a file of this name is one that was being written, here or in HDFS: `.NAME.PID-NUMBER.tmp`.
pub fn is_temporary(name: &str) -> bool {
    let middle = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
    let ids = middle.and_then(|middle| middle.rsplit_once('.')?.1.split_once('-'));
    ids.is_some_and(|(pid, number)| pid.parse::<u32>().is_ok() && number.parse::<u64>().is_ok())
}

// Process ids repeat on other machines and in other containers that share the directory: the name is tried
// until it is new.
fn create_unique(path: &Path) -> io::Result<(File, PathBuf)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
    loop {
        let mut temp = OsString::from(".");
        temp.push(name);
        temp.push(format!(".{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let temp = path.with_file_name(temp);
        // For its owner only, until its permissions are set.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temp) {
            Ok(file) => return Ok((file, temp)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
