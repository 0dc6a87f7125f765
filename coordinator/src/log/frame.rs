//! How an entry lies in a file.
//!
//! ```text
//!   len u32 │ crc32c u32 │ index u64 │ term u64 │ acknowledged u64 │ payload …      all little-endian
//! ```
//!
//! `len` is the payload's length; the checksum is over everything but itself. `acknowledged` is the last entry that was
//! durable when this one was written: of a batch whose write a power cut tore, any part may have reached the disk, so a
//! readable entry behind an unreadable one proves that the latter was acknowledged only if it says so itself. Behind the last
//! batch nobody says so. There what was torn is told from what was written and is not what it was by its look: a file grows
//! by zeros, and a disk writes whole sectors, so a torn batch ends too early, or has zeros where no frame has any.

use super::Entry;

/// Length of all but the payload.
pub(super) const HEADER_BYTES: usize = 32;
/// No sector ends within one, counted from the file's beginning.
const WORD: usize = 8;
/// The longest payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 32 << 20;

/// An entry as it lies in a file.
pub(super) struct Frame<'a> {
    pub(super) index: u64,
    pub(super) term: u64,
    pub(super) payload: &'a [u8],
}

impl Frame<'_> {
    /// Its length in the file.
    pub(super) fn bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }

    pub(super) fn entry(&self) -> Entry {
        Entry { index: self.index, term: self.term, payload: self.payload.to_vec() }
    }
}

/// Appends an entry's frame to `bytes`. Its payload must not be longer than [`PAYLOAD_BYTES_MAX`].
pub(super) fn write(bytes: &mut Vec<u8>, entry: &Entry, acknowledged: u64) {
    let start = bytes.len();
    let len = u32::try_from(entry.payload.len()).expect("payloads are bounded");
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    for number in [entry.index, entry.term, acknowledged] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&entry.payload);
    let sum = checksum(&bytes[start..]);
    bytes[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
}

/// The frame at the beginning of `bytes`, if it is whole and its checksum holds.
pub(super) fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    let len = usize::try_from(u32_at(bytes, 0)?).ok().filter(|len| *len <= PAYLOAD_BYTES_MAX)?;
    let bytes = bytes.get(..HEADER_BYTES + len)?;
    (checksum(bytes) == u32_at(bytes, 4)?).then_some(Frame {
        index: u64_at(bytes, 8)?,
        term: u64_at(bytes, 16)?,
        payload: &bytes[HEADER_BYTES..],
    })
}

/// Whether a frame anywhere in `bytes` says that entry `index` was acknowledged before it was written.
pub(super) fn acknowledges(bytes: &[u8], index: u64) -> bool {
    let newest = index.saturating_add((bytes.len() / HEADER_BYTES) as u64);
    // Looking at the numbers first keeps this linear: a checksum is only computed where they could be right.
    let plausible = |at: usize| {
        let (this, acknowledged) = (u64_at(bytes, at + 8)?, u64_at(bytes, at + 24)?);
        Some(this > index && this <= newest && acknowledged >= index && acknowledged < this)
    };
    (0..bytes.len().saturating_sub(HEADER_BYTES - 1)).any(|at| plausible(at) == Some(true) && read(&bytes[at..]).is_some())
}

/// Whether `tail`, which begins at `offset` in its file with what should be the frame of entry `index` and cannot be read, may
/// be what a power cut has left of a batch.
pub(super) fn is_torn(tail: &[u8], offset: usize, index: u64) -> bool {
    has_gap(tail, offset) || !ends_whole(tail, index)
}

// Whether a whole word of the file was never written: fields and texts that are zero for so long lie in the very first batch
// only.
fn has_gap(tail: &[u8], offset: usize) -> bool {
    let (first, rest) = tail.split_at(((WORD - offset % WORD) % WORD).min(tail.len()));
    let unwritten = |word: &[u8]| !word.is_empty() && word.iter().all(|byte| *byte == 0);
    unwritten(first) || rest.chunks(WORD).any(unwritten)
}

// Whether the end of `tail` is that of a frame, as far as lengths say, or as a checksum does where it is a length that is wrong.
fn ends_whole(tail: &[u8], index: u64) -> bool {
    let mut at = 0;
    while let Some(len) = u32_at(tail, at).and_then(|len| usize::try_from(len).ok()) {
        at = at.saturating_add(HEADER_BYTES).saturating_add(len);
        if at == tail.len() {
            return true;
        }
    }
    let newest = index.saturating_add((tail.len() / HEADER_BYTES) as u64);
    let holds = |at: usize| {
        let (frame, this) = (&tail[at..], u64_at(tail, at + 8)?);
        let len = u32::try_from(frame.len() - HEADER_BYTES).ok().filter(|_| (index..=newest).contains(&this))?;
        (checksum_with(&len.to_le_bytes(), frame) == u32_at(frame, 4)?).then_some(())
    };
    (0..tail.len().saturating_sub(HEADER_BYTES - 1)).any(|at| holds(at).is_some())
}

fn checksum(frame: &[u8]) -> u32 {
    checksum_with(&frame[..4], frame)
}

// As if its length was another one.
fn checksum_with(len: &[u8], frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(len), &frame[8..])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
