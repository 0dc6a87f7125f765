//! Where the bytes of a part go as they come, in any order.

use super::outgoing::Outgoing;
use crate::directory::Directory;
use crate::error::Error;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use tfcoord_fs::storage::{Location, Problem};

const MODE: u32 = 0o644;

/// A part's bytes.
#[derive(Debug)]
pub(super) enum Sink {
    /// Each at its place in the part's own file. Dropped before it is finished, it removes the file.
    Placed { file: File, path: PathBuf, finished: bool },
    /// In a file without a name in `scratch`, from which they go to HDFS in their order.
    Gathered { outgoing: Outgoing, scratch: PathBuf },
}

impl Sink {
    /// For the part `at` of so many bytes, in `dir`. The file is made, in the directory, which is made if it is missing.
    pub fn begin(dir: &Directory, at: &Location, length: u64, scratch: &Path) -> Result<Self, Error> {
        let Some(path) = dir.path() else { return gather(dir, at, length, scratch) };
        tfcoord_fs::create_directory(path)?;
        let Location::Local(path) = at else { unreachable!("a file in a directory of this machine is on this machine") };
        let open = || OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
        let file = tfcoord_fault::io!("checkpoint.part.create").and_then(|()| open()).map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists => Error::Exists { path: at.clone() },
            _ => Error::io("create", at)(cause),
        })?;
        Ok(Self::Placed { file, path: path.clone(), finished: false })
    }

    /// Writes what stands before all tensors.
    pub fn head(&self, at: &Location, header: &[u8]) -> Result<(), Error> {
        self.file().write_all_at(header, 0).map_err(|cause| self.failed(at, cause))
    }

    /// Writes `bytes` at `offset`.
    pub fn write_at(&self, at: &Location, bytes: &[u8], offset: u64) -> Result<(), Error> {
        let written = tfcoord_fault::io!("checkpoint.part.write").and_then(|()| self.file().write_all_at(bytes, offset));
        written.map_err(|cause| self.failed(at, cause))
    }

    /// The bytes before `ready` are written.
    pub fn ready(&self, ready: u64) {
        if let Self::Gathered { outgoing, .. } = self {
            outgoing.ready(ready);
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Placed { file, .. } => file,
            Self::Gathered { outgoing, .. } => outgoing.file(),
        }
    }

    fn failed(&self, at: &Location, cause: io::Error) -> Error {
        match self {
            Self::Placed { .. } => Error::io("write", at)(cause),
            Self::Gathered { scratch, .. } => Error::Gather { path: at.clone(), dir: scratch.clone(), cause },
        }
    }

    /// Makes all bytes durable, under the part's name.
    pub fn finish(&mut self, at: &Location) -> Result<(), Error> {
        let fault = tfcoord_fault::io!("checkpoint.part.sync");
        match self {
            Self::Placed { file, .. } => fault.and_then(|()| file.sync_all()).map_err(Error::io("sync", at)),
            Self::Gathered { outgoing, .. } => {
                fault.map_err(Error::io("write", at))?;
                match outgoing.finish() {
                    Err(error) if matches!(error.problem, Problem::Exists) => Err(Error::Exists { path: at.clone() }),
                    done => Ok(done?),
                }
            }
        }
    }

    /// The part is to stay.
    pub fn keep(mut self) {
        match &mut self {
            Self::Placed { finished, .. } => *finished = true,
            // To give the room back takes the system a while, for which nobody need wait. Without a thread it is done here.
            Self::Gathered { .. } => drop(thread::Builder::new().name("checkpoint-room".into()).spawn(move || drop(self))),
        }
    }
}

fn gather(dir: &Directory, at: &Location, length: u64, scratch: &Path) -> Result<Sink, Error> {
    dir.system.make_directory(dir.at())?;
    let failed = |cause| Error::Gather { path: at.clone(), dir: scratch.to_owned(), cause };
    let file = tfcoord_fault::io!("checkpoint.part.create").and_then(|()| tempfile::tempfile_in(scratch));
    let outgoing = file.and_then(|file| {
        reserve(&file, length)?;
        Outgoing::begin(dir, at, MODE, file)
    });
    Ok(Sink::Gathered { outgoing: outgoing.map_err(failed)?, scratch: scratch.to_owned() })
}

// Where there is no room, it is said at once. And the system need not look for room block by block, which takes it nearly as long
// as to copy the bytes. Not every file system can do it: then they are written without.
fn reserve(file: &File, length: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Err(full @ (Errno::NOSPC | Errno::DQUOT)) => Err(full.into()),
        _ => Ok(()),
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Self::Placed { path, finished: false, .. } = self {
            // Nobody will name it in a manifest; where it cannot be removed, a later sweep does it.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn room_is_there_before_anything_is_written() {
        let file = tempfile::tempfile().unwrap();
        reserve(&file, 3 << 20).unwrap();
        let blocks = file.metadata().unwrap().blocks();
        assert!(blocks * 512 >= 3 << 20, "{blocks}");
    }
}
