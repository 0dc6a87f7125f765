//! Writes a part while training goes on: tensors come in any order, a piece at a time, and are kept nowhere.

use super::header::{self, Tensor};
use super::{PIECE, TensorHead, verify_length};
use crate::error::Error;
use crate::name::PartName;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tfcoord_types::checkpoint::PartFile;

/// A part that is being written. Dropped before it is finished, it removes its file.
#[derive(Debug)]
pub struct PartWriter {
    file: File,
    path: PathBuf,
    name: PartName,
    // Where the tensors begin, and the checksum of what is before.
    start: u64,
    crc: u32,
    tensors: Vec<Progress>,
    finished: bool,
}

#[derive(Debug)]
struct Progress {
    tensor: Tensor,
    written: u64,
    crc: u32,
}

impl PartWriter {
    /// Makes the file, in the directory `dir`, which is made if it is missing; the tensors will lie in it in this order.
    ///
    /// # Errors
    /// It is there already, cannot be made, or cannot hold these tensors.
    pub fn begin(dir: &Path, name: PartName, layout: &[TensorHead]) -> Result<Self, Error> {
        let path = dir.join(name.to_string());
        let (header, tensors) = header::encode(layout).map_err(|problem| Error::Layout { path: path.clone(), problem })?;
        tfcoord_fs::create_directory(dir)?;
        let open = || OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path);
        let file = tfcoord_fault::io!("checkpoint.part.create").and_then(|()| open()).map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists => Error::Exists { path: path.clone() },
            _ => Error::io("create", &path)(cause),
        })?;
        let tensors = tensors.into_iter().map(|tensor| Progress { tensor, written: 0, crc: 0 }).collect();
        let this = Self { file, path, name, start: header.len() as u64, crc: crc32c::crc32c(&header), tensors, finished: false };
        this.file.write_all_at(&header, 0).map_err(Error::io("write", &this.path))?;
        tfcoord_fault::point!("checkpoint.part.created");
        Ok(this)
    }

    /// Writes the next bytes of the tensor number `index`: all of it, or any piece of it at a time, among pieces of others.
    ///
    /// # Errors
    /// The system cannot, there is no such tensor, or it has fewer bytes. The part cannot be finished then.
    pub fn write(&mut self, index: usize, bytes: &[u8]) -> Result<(), Error> {
        let tensors = self.tensors.len();
        let layout = |problem| Error::Layout { path: self.path.clone(), problem };
        let progress = self.tensors.get_mut(index).ok_or_else(|| layout(format!("it has no tensor {index}, but {tensors}")))?;
        let TensorHead { bytes: most, .. } = progress.tensor.head;
        if bytes.len() as u64 > most - progress.written {
            return Err(layout(format!("the tensor {} gets more than its {most} bytes", progress.tensor.head.name())));
        }
        // A piece is still in the cache when it is written.
        for piece in bytes.chunks(PIECE) {
            let at = self.start + progress.tensor.at + progress.written;
            let written = tfcoord_fault::io!("checkpoint.part.write").and_then(|()| self.file.write_all_at(piece, at));
            written.map_err(Error::io("write", &self.path))?;
            progress.crc = crc32c::crc32c_append(progress.crc, piece);
            progress.written += piece.len() as u64;
        }
        tfcoord_fault::point!("checkpoint.part.written");
        Ok(())
    }

    /// Makes the part durable, once all of it is written, and looks at its length again.
    ///
    /// # Errors
    /// Something is missing, or the system cannot. The file is gone then: after a failed sync nobody knows what of it is
    /// on the disk.
    pub fn finish(mut self) -> Result<PartFile, Error> {
        if let Some(progress) = self.tensors.iter().find(|progress| progress.written < progress.tensor.head.bytes) {
            let head = progress.tensor.head;
            let problem = format!("the tensor {} has {} of its {} bytes", head.name(), progress.written, head.bytes);
            return Err(Error::Layout { path: self.path.clone(), problem });
        }
        tfcoord_fault::point!("checkpoint.part.before_sync");
        let synced = tfcoord_fault::io!("checkpoint.part.sync").and_then(|()| self.file.sync_all());
        synced.map_err(Error::io("sync", &self.path))?;
        tfcoord_fault::point!("checkpoint.part.synced");
        let file = self.tensors.iter().fold(PartFile { file: self.name.to_string(), length: self.start, crc32c: self.crc }, append);
        // By its name: whoever has removed it meanwhile knows that it is not wanted.
        verify_length(&self.path, &file)?;
        self.path.parent().map_or(Ok(()), tfcoord_fs::sync_directory)?;
        self.finished = true;
        Ok(file)
    }
}

fn append(mut file: PartFile, next: &Progress) -> PartFile {
    file.length += next.written;
    file.crc32c = crc32c::crc32c_combine(file.crc32c, next.crc, usize::try_from(next.written).expect("it was in memory"));
    file
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody will name it in a manifest; where it cannot be removed, a later sweep does it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
