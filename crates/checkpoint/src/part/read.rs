//! Reads a part that its manifest names, once and in pieces, and tells whether it is the one that was written.

use super::header::{self, Tensor};
use super::{PIECE, PREFIX, TensorHead};
use crate::error::Error;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use tfcoord_types::checkpoint::PartFile;

/// A part whose header has been read.
#[derive(Debug)]
pub(crate) struct OpenPart<'a> {
    pub path: PathBuf,
    file: File,
    part: &'a PartFile,
    tensors: Vec<Tensor>,
    crc: u32,
}

impl<'a> OpenPart<'a> {
    /// Opens a part of the directory `dir`. Its header is to be trusted only once all of it has been read.
    pub fn open(dir: &Path, part: &'a PartFile) -> Result<Self, Error> {
        let path = dir.join(&part.file);
        verify_length(&path, part)?;
        let mut file = File::open(&path).map_err(Error::io("open", &path))?;
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
    /// the next ones. What it got counts only if this returns without an error.
    pub fn stream(mut self, mut take: impl FnMut(usize, u64, &[u8])) -> Result<(), Error> {
        let mut buffer = vec![0; PIECE];
        for (place, tensor) in self.tensors.iter().enumerate() {
            let mut before = 0;
            while before < tensor.head.bytes {
                let piece = usize::try_from(tensor.head.bytes - before).map_or(PIECE, |left| left.min(PIECE));
                let piece = &mut buffer[..piece];
                self.file.read_exact(piece).map_err(cut_off(&self.path))?;
                self.crc = crc32c::crc32c_append(self.crc, piece);
                take(place, before, piece);
                before += piece.len() as u64;
            }
        }
        if self.crc != self.part.crc32c {
            let problem = format!("its CRC-32C is {:08x}, but its manifest says {:08x}", self.crc, self.part.crc32c);
            return Err(Error::damaged(&self.path, problem));
        }
        Ok(())
    }
}

/// Whether the file `path` is as long as `part` says.
pub(crate) fn verify_length(path: &Path, part: &PartFile) -> Result<(), Error> {
    let found = file_length(path)?;
    if found == part.length {
        return Ok(());
    }
    Err(Error::damaged(path, format!("it has {found} bytes, but its manifest says {}", part.length)))
}

/// The length of the file `path`. What is no file may have one too, and opening it may take for ever.
pub(crate) fn file_length(path: &Path) -> Result<u64, Error> {
    let found = fs::metadata(path).map_err(Error::io("look at", path))?;
    if found.is_file() { Ok(found.len()) } else { Err(Error::damaged(path, "it is no file")) }
}

fn cut_off(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |cause| match cause.kind() {
        ErrorKind::UnexpectedEof => Error::damaged(path, "it ends too early"),
        _ => Error::io("read", path)(cause),
    }
}
