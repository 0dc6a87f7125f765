//! Reads a part that its manifest names, once and in pieces, and tells whether it is the one that was written.

use super::header::{self, Tensor};
use super::{ELEMENT, PREFIX, TensorHead};
use crate::directory::Directory;
use crate::error::Error;
use std::io::{self, BufRead, ErrorKind, Read};
use tfcoord_fs::storage::{self, Kind, Location, Stream};
use tfcoord_types::checkpoint::PartFile;

/// A part whose header has been read.
#[derive(Debug)]
pub(crate) struct OpenPart<'a> {
    pub path: Location,
    file: Stream,
    part: &'a PartFile,
    tensors: Vec<Tensor>,
    crc: u32,
}

impl<'a> OpenPart<'a> {
    /// Opens a part of the directory `dir`. Its header is to be trusted only once all of it has been read.
    pub fn open(dir: &Directory, part: &'a PartFile) -> Result<Self, Error> {
        let path = dir.file(&part.file);
        verify_length(dir, part)?;
        let mut file = dir.system.open(&path)?.stream(0..part.length)?;
        let mut prefix = [0; PREFIX as usize];
        file.read_exact(&mut prefix).map_err(cut_off(&path))?;
        let length = header::length(prefix, part.length).map_err(|problem| Error::damaged(&path, problem))?;
        // No longer than the file is.
        let mut bytes = vec![0; usize::try_from(length).expect("a header has bounded length")];
        file.read_exact(&mut bytes).map_err(cut_off(&path))?;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&prefix), &bytes);
        let tensors = header::decode(&bytes, part.length - PREFIX - length).map_err(|problem| Error::damaged(&path, problem))?;
        Ok(Self { path, file, part, tensors, crc })
    }

    /// The tensors that its header names.
    pub fn heads(&self) -> impl Iterator<Item = &TensorHead> {
        self.tensors.iter().map(|tensor| &tensor.head)
    }

    /// Reads all of it: `take` gets each tensor's place in [`heads`](Self::heads), how many bytes of it came before, and
    /// the next ones, whole elements. What it got counts only if this returns without an error.
    pub fn stream(mut self, mut take: impl FnMut(usize, u64, &[u8])) -> Result<(), Error> {
        for place in 0..self.tensors.len() {
            let bytes = self.tensors[place].head.bytes;
            let mut before = 0;
            while before < bytes {
                before += self.next(bytes - before, |piece| take(place, before, piece))?;
            }
        }
        if self.crc != self.part.crc32c {
            let problem = format!("its CRC-32C is {:08x}, but its manifest says {:08x}", self.crc, self.part.crc32c);
            return Err(Error::damaged(&self.path, problem));
        }
        Ok(())
    }

    // Gives `take` at most `left` bytes, as they lie in memory; how many.
    fn next(&mut self, left: u64, take: impl FnOnce(&[u8])) -> Result<u64, Error> {
        let ready = self.file.fill_buf().map_err(cut_off(&self.path))?;
        let length = usize::try_from(left).map_or(ready.len(), |left| left.min(ready.len()));
        let whole = length - length % ELEMENT as usize;
        if whole == 0 {
            // One element of which a part may lie in the next piece.
            let mut element = [0; ELEMENT as usize];
            self.file.read_exact(&mut element).map_err(cut_off(&self.path))?;
            self.crc = crc32c::crc32c_append(self.crc, &element);
            take(&element);
            return Ok(ELEMENT);
        }
        self.crc = crc32c::crc32c_append(self.crc, &ready[..whole]);
        take(&ready[..whole]);
        self.file.consume(whole);
        Ok(whole as u64)
    }
}

/// Whether the file of a part in `dir` is as long as `part` says.
pub(crate) fn verify_length(dir: &Directory, part: &PartFile) -> Result<(), Error> {
    let path = dir.file(&part.file);
    let found = file_length(dir, &path)?;
    if found == part.length {
        return Ok(());
    }
    Err(Error::damaged(&path, format!("it has {found} bytes, but its manifest says {}", part.length)))
}

/// The length of the file `path` in `dir`. What is no file may have one too, and opening it may take for ever.
pub(crate) fn file_length(dir: &Directory, path: &Location) -> Result<u64, Error> {
    let found = dir.system.stat(path)?;
    if found.kind == Kind::File { Ok(found.length) } else { Err(Error::damaged(path, "it is no file")) }
}

// What the file system says comes inside of what reading it says.
fn cut_off(path: &Location) -> impl FnOnce(io::Error) -> Error {
    move |cause| match cause.kind() {
        ErrorKind::UnexpectedEof => Error::damaged(path, "it ends too early"),
        _ => cause.downcast::<storage::Error>().map_or_else(Error::io("read", path), Error::Storage),
    }
}
