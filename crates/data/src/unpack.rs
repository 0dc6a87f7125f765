//! A file's plain bytes, wherever they are: gzip files are unpacked once into the scratch directory.
//!
//! The unpacked file is named by the identity of the compressed one and appears by an atomic rename, so any number
//! of processes may race for it: all write the same bytes, and whoever finds it there uses it.

use crate::error::{Change, Error, FileProblem};
use crate::identity::Identity;
use crate::scratch::{Limits, Scratch};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use tfcoord_fs::AtomicFile;
use tfcoord_types::manifest::Derived;

/// A file of plain bytes.
#[derive(Debug)]
pub(crate) struct Plain {
    pub file: File,
    pub length: u64,
}

impl Plain {
    /// The plain bytes of a file that may be compressed.
    pub fn open(source: &Identity, scratch: &Scratch) -> Result<Self, Error> {
        let file = source.open()?;
        let mut start = [0; 2];
        let packed = match file.read_exact_at(&mut start, 0) {
            Ok(()) => start == [0x1f, 0x8b],
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(Error::io("read", &source.path)(error)),
        };
        if !packed {
            return Ok(Self { file, length: source.length });
        }
        let path = scratch.dir.join(source.derived(Derived::Unpacked));
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(&scratch.dir).map_err(Error::scratch_io("create", &scratch.dir))?;
                unpack(source, file, &path, scratch.limits)?;
                File::open(&path)
            }
            opened => opened,
        };
        let file = file.map_err(Error::scratch_io("open", &path))?;
        let length = file.metadata().map_err(Error::io("look at", &path))?.len();
        Ok(Self { file, length })
    }

    /// Reads exactly `buffer`; where the file ends before, it has changed since it was looked at.
    pub fn read(&self, buffer: &mut [u8], offset: u64, source: &Identity) -> Result<(), Error> {
        self.file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => source.changed(Change::Content),
            _ => Error::io("read", &source.path)(error),
        })
    }
}

fn unpack(source: &Identity, file: File, to: &Path, limits: Limits) -> Result<(), Error> {
    let bytes_max = limits.unpacked_bytes_max.min(source.length.saturating_mul(limits.ratio_max));
    let mut target = AtomicFile::create(to, 0o600).map_err(Error::scratch)?;
    let mut packed = MultiGzDecoder::new(BufReader::new(file));
    let mut buffer = vec![0; 1 << 17];
    let mut written = 0u64;
    loop {
        let read = match packed.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::file(&source.path)(FileProblem::Gzip { reason: error.to_string() })),
        };
        written += read as u64;
        if written > bytes_max {
            return Err(Error::file(&source.path)(FileProblem::Bomb { bytes_max, length: source.length }));
        }
        target.write_all(&buffer[..read]).map_err(Error::scratch_io("write", to))?;
    }
    // What was read while somebody wrote must not stay under the old identity.
    source.check(packed.get_ref().get_ref())?;
    target.commit().map_err(Error::scratch)
}

#[cfg(test)]
mod tests;
