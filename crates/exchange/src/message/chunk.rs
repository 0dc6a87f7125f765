//! A chunk's parameters at a version.

use super::{Malformed, check_length, check_payload, chunk_of, detached};
use bytes::Bytes;
use tfcoord_proto::v1;
use tfcoord_types::id::Generation;
use tfcoord_types::layout::Layout;

/// A chunk's parameters at a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The generation.
    pub generation: Generation,
    /// Which chunk.
    pub chunk: u32,
    /// The step that these parameters are for.
    pub version: u64,
    /// Little-endian f32, one for each element of the chunk.
    pub payload: Bytes,
}

impl Chunk {
    /// The message of this chunk. Clones of it share the payload, and its checksum is computed once.
    pub fn into_message(self) -> v1::Chunk {
        v1::Chunk {
            generation: self.generation.0,
            chunk: self.chunk,
            version: self.version,
            dtype: v1::Dtype::F32.into(),
            codec: v1::Codec::Plain.into(),
            length: self.payload.len() as u64 / 4,
            crc32c: crc32c::crc32c(&self.payload),
            payload: self.payload,
        }
    }

    /// Checks the message against itself and `layout`.
    ///
    /// # Errors
    /// As [`Malformed`] says.
    pub fn from_message(message: v1::Chunk, layout: &Layout) -> Result<Self, Malformed> {
        let v1::Chunk { generation, chunk, version, dtype, codec, length, crc32c, payload } = message;
        let there = chunk_of(layout, chunk).ok_or(Malformed::Place { chunk, slab: 0, offset: 0 })?;
        check_length(&payload, there.len)?;
        check_payload(&payload, length, (dtype, codec, 1.0), crc32c)?;
        Ok(Self { generation: Generation(generation), chunk, version, payload: detached(payload) })
    }
}
