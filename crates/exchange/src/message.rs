//! Pushes and chunks as messages.
//!
//! A message says everything twice: the length and the payload, the chunk's id and its place, the checksum and the
//! bytes. The receiver compares before anything counts, and takes nothing from a message that fails.

mod chunk;
mod push;
#[cfg(test)]
mod tests;

pub use chunk::Chunk;
pub use push::{Place, Push};

use bytes::Bytes;
use tfcoord_proto::v1;
use tfcoord_types::layout::Layout;

/// A payload up to this length is copied out of its connection's buffer, which it would keep alive as a whole.
const COPIED_BYTES_MAX: usize = 64 << 10;

/// What is wrong with a push or a chunk.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// For another job.
    #[error("job {found:?} instead of {expected:?}")]
    Job {
        /// The receiver's.
        expected: String,
        /// The message's.
        found: String,
    },
    /// Numbers or coding that the receiver does not know.
    #[error("dtype {dtype}, codec {codec} or scale {scale} unknown: expected plain f32 and 1")]
    Coding {
        /// The number in the message.
        dtype: i32,
        /// The number in the message.
        codec: i32,
        /// The scale in the message; 1 for chunks.
        scale: f32,
    },
    /// Payload and length differ.
    #[error("{bytes} bytes of payload for {elements} numbers")]
    Length {
        /// As the message or the layout says.
        elements: u64,
        /// As there are.
        bytes: usize,
    },
    /// The payload is not what was sent.
    #[error("payload damaged: CRC-32C {computed:08x} instead of {declared:08x}")]
    Checksum {
        /// As the message says.
        declared: u32,
        /// As the payload has it.
        computed: u32,
    },
    /// Lanes that are no block.
    #[error("{lanes} lanes from {first} are no block")]
    Lanes {
        /// The first lane.
        first: u32,
        /// How many.
        lanes: u32,
    },
    /// A chunk that does not exist, or lies elsewhere.
    #[error("chunk {chunk} is not at element {offset} of slab {slab}")]
    Place {
        /// The chunk's id.
        chunk: u32,
        /// The slab, as the message says.
        slab: u32,
        /// The first element, as the message says.
        offset: u64,
    },
    /// A field of an answer that makes no sense.
    #[error(transparent)]
    Field(#[from] tfcoord_proto::Malformed),
}

/// Checks that the payload is `elements` plain f32 and undamaged.
fn check_payload(payload: &Bytes, elements: u64, coding: (i32, i32, f32), declared: u32) -> Result<(), Malformed> {
    let (dtype, codec, scale) = coding;
    if dtype != i32::from(v1::Dtype::F32) || codec != i32::from(v1::Codec::Plain) || scale != 1.0 {
        return Err(Malformed::Coding { dtype, codec, scale });
    }
    check_length(payload, elements)?;
    let computed = crc32c::crc32c(payload);
    if computed == declared { Ok(()) } else { Err(Malformed::Checksum { declared, computed }) }
}

fn check_length(payload: &Bytes, elements: u64) -> Result<(), Malformed> {
    let fits = elements.checked_mul(4) == u64::try_from(payload.len()).ok();
    fits.then_some(()).ok_or(Malformed::Length { elements, bytes: payload.len() })
}

/// The payload in memory of its own if it is small.
fn detached(payload: Bytes) -> Bytes {
    if payload.len() <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&payload) } else { payload }
}

/// The chunk `id` of `layout`, if there is one.
fn chunk_of(layout: &Layout, id: u32) -> Option<&tfcoord_types::layout::Chunk> {
    layout.chunks.get(usize::try_from(id).ok()?)
}
