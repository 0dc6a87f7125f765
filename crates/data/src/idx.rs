//! IDX, the format of MNIST: `00 00 type dimensions`, each dimension as a big-endian u32, then the values.

use crate::FEATURES_MAX;
use crate::error::{Error, FileProblem};
use crate::files::Files;
use crate::identity::Identity;
use crate::plain::Plain;
use std::ops::Range;

const UNSIGNED_BYTE: u8 = 0x08;
/// Bytes of the longest header that can be used: four dimensions.
const HEADER_MAX: usize = 20;

/// What a header says, once it has been checked against the file's length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub records: u64,
    /// Of one record; empty for labels.
    pub shape: Vec<u32>,
    pub record_bytes: u64,
    /// Where the first record begins.
    pub data: u64,
}

/// What an IDX file is asked to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Images,
    Labels,
}

impl Header {
    /// Of a file of `length` bytes that begins with `start` (all of it, or at least [`HEADER_MAX`] bytes).
    pub fn parse(start: &[u8], length: u64, content: Content) -> Result<Self, FileProblem> {
        let short = FileProblem::IdxHeader { length };
        let magic: [u8; 4] = *start.first_chunk().ok_or(short.clone())?;
        let [0, 0, kind, dimensions] = magic else {
            return Err(FileProblem::IdxMagic { start: magic });
        };
        if !matches!(kind, 0x08 | 0x09 | 0x0b..=0x0e) {
            return Err(FileProblem::IdxMagic { start: magic });
        }
        if kind != UNSIGNED_BYTE {
            return Err(FileProblem::IdxType { found: kind });
        }
        let (fits, expected) = match content {
            Content::Images => (2..=4, "3 (pictures, height, width), 4 with channels, or 2"),
            Content::Labels => (1..=1, "1 for labels"),
        };
        if !fits.contains(&dimensions) {
            return Err(FileProblem::IdxDimensions { found: dimensions, expected });
        }
        let sizes = start[4..].chunks_exact(4).take(dimensions.into());
        let sizes: Vec<u32> = sizes.map(|size| u32::from_be_bytes(*size.first_chunk().expect("chunks of four"))).collect();
        if sizes.len() < usize::from(dimensions) {
            return Err(short);
        }
        Self::new(sizes[0], &sizes[1..], length)
    }

    fn new(records: u32, sizes: &[u32], length: u64) -> Result<Self, FileProblem> {
        let features = sizes.iter().try_fold(1u64, |n, size| n.checked_mul(u64::from(*size))).unwrap_or(u64::MAX);
        if !(1..=FEATURES_MAX).contains(&features) {
            return Err(FileProblem::IdxRecord { features });
        }
        let (records, data) = (u64::from(records), 8 + 4 * sizes.len() as u64);
        let needed = data + records * features;
        if length < needed {
            return Err(FileProblem::IdxTruncated { records, record_bytes: features, needed, length });
        }
        if length > needed {
            return Err(FileProblem::IdxTrailing { records, extra: length - needed });
        }
        // Grey pictures have one channel; a list of numbers has one dimension.
        let shape = if let [height, width] = *sizes { vec![1, height, width] } else { sizes.to_vec() };
        Ok(Self { records, shape, record_bytes: features, data })
    }
}

/// An IDX file that has been opened and checked.
#[derive(Debug)]
pub(crate) struct IdxFile {
    pub header: Header,
    source: Identity,
    plain: Plain,
}

impl IdxFile {
    pub fn open(source: &Identity, files: &Files, content: Content) -> Result<Self, Error> {
        let plain = Plain::open(source, files)?;
        let mut start = [0; HEADER_MAX];
        let start = &mut start[..plain.length.min(HEADER_MAX as u64) as usize];
        plain.read(start, 0, source)?;
        let header = Header::parse(start, plain.length, content).map_err(Error::file(&source.at))?;
        Ok(Self { header, source: source.clone(), plain })
    }

    /// Reads the records from `first` that fill `buffer`.
    pub fn read(&self, first: u64, buffer: &mut [u8]) -> Result<(), Error> {
        self.plain.read(buffer, self.header.data + first * self.header.record_bytes, &self.source)
    }

    /// Gives `take` the bytes of the `count` records from `first` on, in as many parts as they come in; some of them are in
    /// `buffer` before.
    pub fn take(&self, first: u64, count: usize, buffer: &mut Vec<u8>, take: impl FnMut(&[u8])) -> Result<(), Error> {
        let Header { data, record_bytes, .. } = self.header;
        let (start, length) = (data + first * record_bytes, count as u64 * record_bytes);
        buffer.resize(usize::try_from(length).expect("at most a read, or a record"), 0);
        self.plain.take(start..start + length, buffer, &self.source, take)
    }

    /// Whether it is far away.
    pub fn is_remote(&self) -> bool {
        self.plain.is_remote()
    }

    /// Gets `records`, where they are far away.
    pub fn fetch(&self, records: &[u64]) -> Result<(), Error> {
        let Header { data, record_bytes, .. } = self.header;
        self.plain.fetch(records.iter().map(|record| data + record * record_bytes..data + (record + 1) * record_bytes))
    }

    /// Begins to get `records`, where they are far away.
    pub fn expect(&self, records: Range<u64>) {
        let Header { data, record_bytes, .. } = self.header;
        self.plain.expect(data + records.start * record_bytes..data + records.end * record_bytes);
    }

    pub fn problem(&self, problem: FileProblem) -> Error {
        Error::file(&self.source.at)(problem)
    }
}

#[cfg(test)]
mod tests;
