//! A block's gradient sum for one chunk.

use super::{Malformed, check_length, check_payload, chunk_of, detached};
use bytes::Bytes;
use tfcoord_proto::v1;
use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::Layout;

/// A block's gradient sum for one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// The generation it was computed in.
    pub generation: Generation,
    /// The sender's map from chunks to servers.
    pub placement_epoch: u64,
    /// The sender's place among the workers.
    pub worker: u32,
    /// The sender.
    pub incarnation: Incarnation,
    /// The sender's view.
    pub view_revision: Revision,
    /// The step it is for.
    pub step: u64,
    /// The lanes that it is the sum of.
    pub block: Block,
    /// Records of these lanes at this step.
    pub records: u32,
    /// The chunk it is for.
    pub chunk: u32,
    /// Little-endian f32, one for each element of the chunk.
    pub payload: Bytes,
}

/// Where the sender believes the chunk to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    chunk: u32,
    slab: u32,
    offset: u64,
}

impl Push {
    /// The message of this push. Its chunk must be one of `layout`, and the payload as long as the chunk.
    pub fn into_message(self, job: &str, layout: &Layout) -> v1::Push {
        let chunk = chunk_of(layout, self.chunk).expect("the sender pushes chunks of its layout");
        v1::Push {
            job: job.to_owned(),
            generation: self.generation.0,
            placement_epoch: self.placement_epoch,
            worker: self.worker,
            incarnation: self.incarnation.0,
            view_revision: self.view_revision.0,
            step: self.step,
            first_lane: self.block.first(),
            lanes: self.block.len(),
            records: self.records,
            chunk: self.chunk,
            slab: chunk.slab,
            offset: chunk.offset,
            length: chunk.len,
            dtype: v1::Dtype::F32.into(),
            codec: v1::Codec::Plain.into(),
            scale: 1.0,
            crc32c: crc32c::crc32c(&self.payload),
            payload: self.payload,
        }
    }

    /// Checks what can be checked without a layout; the rest is for [`Place::check`].
    ///
    /// # Errors
    /// As [`Malformed`] says.
    pub fn from_message(message: v1::Push, job: &str) -> Result<(Self, Place), Malformed> {
        if message.job != job {
            return Err(Malformed::Job { expected: job.to_owned(), found: message.job.chars().take(64).collect() });
        }
        let (first, lanes) = (message.first_lane, message.lanes);
        let block = Block::new(first, lanes).ok_or(Malformed::Lanes { first, lanes })?;
        check_payload(&message.payload, message.length, (message.dtype, message.codec, message.scale), message.crc32c)?;
        let push = Self {
            generation: Generation(message.generation),
            placement_epoch: message.placement_epoch,
            worker: message.worker,
            incarnation: Incarnation(message.incarnation),
            view_revision: Revision(message.view_revision),
            step: message.step,
            block,
            records: message.records,
            chunk: message.chunk,
            payload: detached(message.payload),
        };
        Ok((push, Place { chunk: message.chunk, slab: message.slab, offset: message.offset }))
    }
}

impl Place {
    /// Checks that `payload` fills the chunk that lies here in `layout`.
    ///
    /// # Errors
    /// [`Malformed::Place`] or [`Malformed::Length`].
    pub fn check(self, payload: &Bytes, layout: &Layout) -> Result<(), Malformed> {
        let Self { chunk, slab, offset } = self;
        let there = chunk_of(layout, chunk).filter(|there| (there.slab, there.offset) == (slab, offset));
        check_length(payload, there.ok_or(Malformed::Place { chunk, slab, offset })?.len)
    }
}
