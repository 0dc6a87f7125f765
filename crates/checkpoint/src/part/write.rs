//! Writes a part while training goes on: tensors come in any order, a piece at a time, and are kept nowhere in memory.

use super::header::{self, Tensor};
use super::sink::Sink;
use super::{TensorHead, verify_length};
use crate::directory::Directory;
use crate::error::Error;
use crate::name::PartName;
use std::path::Path;
use tfcoord_fs::storage::Location;
use tfcoord_types::checkpoint::PartFile;

/// Bytes that are written at once. For much more the system takes memory that nobody has touched for long, and in a virtual
/// machine the host may have to come by it first: three times the processor time has been seen.
const PIECE: usize = 256 << 10;

/// A part that is being written. Dropped before it is finished, it leaves nothing.
#[derive(Debug)]
pub struct PartWriter {
    dir: Directory,
    sink: Sink,
    path: Location,
    name: PartName,
    // Where the tensors begin, and the checksum of what is before.
    start: u64,
    crc: u32,
    tensors: Vec<Progress>,
    // The first one that is not whole.
    next: usize,
}

#[derive(Debug)]
struct Progress {
    tensor: Tensor,
    written: u64,
    crc: u32,
}

impl PartWriter {
    /// Makes the file, in the directory `dir`, which is made if it is missing; the tensors will lie in it in this order.
    /// What goes to HDFS is gathered in a file without a name in `scratch`, and on its way as soon as all before it is there.
    ///
    /// # Errors
    /// It is there already, cannot be made, or cannot hold these tensors.
    pub fn begin(dir: &Directory, scratch: &Path, name: PartName, layout: &[TensorHead]) -> Result<Self, Error> {
        let path = dir.file(&name.to_string());
        let (header, tensors) = header::encode(layout).map_err(|problem| Error::Layout { path: path.clone(), problem })?;
        let length = header.len() as u64 + layout.iter().map(|head| head.bytes).sum::<u64>();
        let sink = Sink::begin(dir, &path, length, scratch)?;
        let tensors = tensors.into_iter().map(|tensor| Progress { tensor, written: 0, crc: 0 }).collect();
        let (start, crc) = (header.len() as u64, crc32c::crc32c(&header));
        sink.head(&path, &header)?;
        tfcoord_fault::point!("checkpoint.part.created");
        Ok(Self { dir: dir.clone(), sink, path, name, start, crc, tensors, next: 0 })
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
            self.sink.write_at(&self.path, piece, self.start + progress.tensor.at + progress.written)?;
            progress.crc = crc32c::crc32c_append(progress.crc, piece);
            progress.written += piece.len() as u64;
        }
        self.tell_ready();
        tfcoord_fault::point!("checkpoint.part.written");
        Ok(())
    }

    // How much there is from the file's beginning on, without a gap.
    fn tell_ready(&mut self) {
        while self.tensors.get(self.next).is_some_and(|progress| progress.written == progress.tensor.head.bytes) {
            self.next += 1;
        }
        let last = self.tensors.get(self.next).or(self.tensors.last());
        self.sink.ready(self.start + last.map_or(0, |progress| progress.tensor.at + progress.written));
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
        self.tell_ready();
        let file = self.tensors.iter().fold(PartFile { file: self.name.to_string(), length: self.start, crc32c: self.crc }, append);
        self.sink.finish(&self.path)?;
        tfcoord_fault::point!("checkpoint.part.synced");
        // By its name: whoever has removed it meanwhile knows that it is not wanted.
        verify_length(&self.dir, &file)?;
        self.dir.sync()?;
        self.sink.keep();
        Ok(file)
    }
}

fn append(mut file: PartFile, next: &Progress) -> PartFile {
    file.length += next.written;
    file.crc32c = crc32c::crc32c_combine(file.crc32c, next.crc, usize::try_from(next.written).expect("it was in memory"));
    file
}
