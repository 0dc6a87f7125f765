//! One file of the log: a header, then frames.
//!
//! ```text
//!   "tfcdlog\0" │ version u32 │ first u64 │ crc32c u32 (of what is before it) │ frame │ frame │ …
//! ```

use super::frame::{self, Frame, u32_at, u64_at};
use super::{Disk, DiskFile, Entry, Error};
use std::ops::Range;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"tfcdlog\0";
const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: usize = 24;

/// One file of the log.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// Its first entry.
    pub(super) first: u64,
    /// Where each of its entries begins.
    offsets: Vec<u64>,
    /// Where the next one will begin.
    pub(super) len: u64,
    pub(super) file: Box<dyn DiskFile>,
}

/// What opening a file gave.
pub(super) enum Opened {
    /// A segment.
    Segment(Segment),
    /// The file was being made when the machine stopped: nothing was ever in it.
    Unborn,
}

impl Segment {
    /// The name of the segment that begins at `first`.
    pub(super) fn name(first: u64) -> String {
        format!("segment-{first:020}")
    }

    /// The first entry of the segment of this name; `None` if it is no segment's name.
    pub(super) fn first_of(name: &str) -> Option<u64> {
        let first = name.strip_prefix("segment-")?.parse().ok()?;
        (Self::name(first) == name).then_some(first)
    }

    /// Whether the file is long enough to have been made.
    pub(super) fn has_header(path: &Path) -> bool {
        path.metadata().is_ok_and(|file| file.len() >= HEADER_BYTES as u64)
    }

    /// Makes an empty segment; durable when this returns.
    pub(super) fn create(disk: &dyn Disk, dir: &Path, first: u64) -> Result<Self, Error> {
        let path = dir.join(Self::name(first));
        let created = tfcoord_fault::io!("log.segment.create").and_then(|()| disk.create(&path));
        let file = created.map_err(Error::file("create", &path))?;
        let header = header(first);
        tfcoord_fault::point!("log.segment.created");
        file.write_all_at(&header, 0).and_then(|()| file.sync()).map_err(Error::file("write", &path))?;
        disk.sync_directory(dir)?;
        Ok(Self { path, first, offsets: Vec::new(), len: header.len() as u64, file })
    }

    /// Opens the segment that begins at `first`. In the `last` one of the log, a tail that was never acknowledged is
    /// cut off, and the rest is made durable.
    pub(super) fn open(disk: &dyn Disk, dir: &Path, first: u64, last: bool) -> Result<Opened, Error> {
        let path = dir.join(Self::name(first));
        let bytes = disk.read(&path).map_err(Error::file("read", &path))?;
        let damaged = |offset: usize, index| Error::Damaged { path: path.clone(), offset: offset as u64, index };
        if !check_header(&path, &bytes, first)? {
            let unborn = last && !frame::acknowledges(&bytes, first) && frame_count(&bytes) == 0;
            return if unborn { Ok(Opened::Unborn) } else { Err(damaged(0, first)) };
        }
        let (mut at, mut next, mut offsets) = (HEADER_BYTES, first, Vec::new());
        while let Some(frame) = frame::read(&bytes[at..]) {
            if frame.index != next {
                return Err(damaged(at, next));
            }
            offsets.push(at as u64);
            at += frame.bytes();
            next += 1;
        }
        let file = disk.open(&path).map_err(Error::file("open", &path))?;
        let segment = Self { path: path.clone(), first, offsets, len: at as u64, file };
        if at < bytes.len() {
            if !last || frame::acknowledges(&bytes[at..], next) || !frame::is_torn(&bytes[at..], at, next) {
                return Err(damaged(at, next));
            }
            tracing::warn!(path = %path.display(), offset = at, bytes = bytes.len() - at, "cut off a torn tail that was never acknowledged");
            segment.file.set_len(at as u64).map_err(Error::file("truncate", &path))?;
        }
        if last {
            // If a sync of an earlier process failed, what can be read here may not be on the disk, and no later sync would
            // write it: it is written anew before anything is built upon it.
            let anew = segment.file.write_all_at(&bytes[..at], 0).and_then(|()| segment.file.sync());
            anew.map_err(Error::file("write", &path))?;
        }
        Ok(Opened::Segment(segment))
    }

    /// One past its last entry.
    pub(super) fn next(&self) -> u64 {
        self.first + self.offsets.len() as u64
    }

    /// Writes entries, the first of which is [`next`](Self::next), and makes them durable.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        let (mut bytes, mut offsets) = (Vec::new(), Vec::new());
        let acknowledged = self.next() - 1;
        for entry in entries {
            offsets.push(self.len + bytes.len() as u64);
            frame::write(&mut bytes, entry, acknowledged);
        }
        let written = tfcoord_fault::io!("log.append.write").and_then(|()| self.file.write_all_at(&bytes, self.len));
        written.map_err(Error::file("write", &self.path))?;
        tfcoord_fault::point!("log.append.written");
        let synced = tfcoord_fault::io!("log.append.sync").and_then(|()| self.file.sync());
        synced.map_err(Error::file("sync", &self.path))?;
        tfcoord_fault::point!("log.append.synced");
        self.len += bytes.len() as u64;
        self.offsets.append(&mut offsets);
        Ok(())
    }

    /// Removes its entries from `index` on.
    pub(super) fn truncate(&mut self, index: u64) -> Result<(), Error> {
        let Some(place) = index.checked_sub(self.first).and_then(|n| usize::try_from(n).ok()) else { return Ok(()) };
        let Some(&offset) = self.offsets.get(place) else { return Ok(()) };
        self.set_len(offset)?;
        self.offsets.truncate(place);
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> Result<(), Error> {
        self.file.set_len(len).and_then(|()| self.file.sync()).map_err(Error::file("truncate", &self.path))?;
        self.len = len;
        Ok(())
    }

    /// Those of its entries that are in `range`.
    pub(super) fn read(&self, range: Range<u64>, entries: &mut Vec<Entry>) -> Result<(), Error> {
        let (from, to) = (range.start.max(self.first), range.end.min(self.next()));
        let offset = |index: u64| usize::try_from(index - self.first).ok().and_then(|n| self.offsets.get(n)).copied().unwrap_or(self.len);
        if from >= to {
            return Ok(());
        }
        let (start, end) = (offset(from), offset(to));
        let mut bytes = vec![0; usize::try_from(end - start).expect("a segment fits into memory")];
        self.file.read_exact_at(&mut bytes, start).map_err(Error::file("read", &self.path))?;
        let mut at = 0;
        for index in from..to {
            let frame: Option<Frame<'_>> = frame::read(&bytes[at..]).filter(|frame| frame.index == index);
            let frame = frame.ok_or_else(|| Error::Damaged { path: self.path.clone(), offset: start + at as u64, index })?;
            entries.push(frame.entry());
            at += frame.bytes();
        }
        Ok(())
    }
}

fn header(first: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&first.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// Whether the header is whole, and of the segment that the name promises.
fn check_header(path: &Path, bytes: &[u8], first: u64) -> Result<bool, Error> {
    let Some(header) = bytes.get(..HEADER_BYTES) else { return Ok(false) };
    let sum = u32_at(header, HEADER_BYTES - 4);
    if header[..8] != *MAGIC || sum != Some(crc32c::crc32c(&header[..HEADER_BYTES - 4])) || u64_at(header, 12) != Some(first) {
        return Ok(false);
    }
    match u32_at(header, 8) {
        Some(VERSION) => Ok(true),
        found => Err(Error::Version { path: path.to_owned(), found: found.unwrap_or_default(), expected: VERSION }),
    }
}

// Behind a header that cannot be read: is there anything at its usual place?
fn frame_count(bytes: &[u8]) -> usize {
    let behind = bytes.get(HEADER_BYTES..).unwrap_or_default();
    usize::from(frame::read(behind).is_some())
}
