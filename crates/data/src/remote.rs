//! A file that is not on this machine.
//!
//! Records of a shard come in a permuted order, and each alone would cost a journey: whole pieces are fetched when a record of
//! theirs is wanted first, and kept on the scratch disk ([`Fetched`]). Whoever wants several pieces gets them at the same time;
//! whoever wants one after the other has them read ahead ([`Ahead`](crate::ahead::Ahead)), and the first time past the scratch
//! disk: only what is wanted once more is worth the writing.

use crate::error::{Change, Error};
use crate::fetched::{Fetched, PIECE, Slot};
use crate::identity::Identity;
use std::io::BufRead;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tfcoord_fs::storage::{self, Stream};

/// Pieces that are fetched at the same time.
pub(crate) const AT_ONCE: usize = 4;
/// A part of all pieces that there can be: so many are fetched ahead of time.
const EXPECTED_PART: u64 = 16;
/// So much is read when a file is opened: it tells the format, and how many records there are.
const START: usize = 64;

/// A file that is not on this machine.
pub(crate) struct Remote {
    file: Box<dyn storage::File>,
    source: Identity,
    start: bytes::Bytes,
    number: u32,
    fetched: Arc<Fetched>,
}

impl Remote {
    /// Of `file`, which is `source`.
    pub fn new(file: Box<dyn storage::File>, source: &Identity, fetched: &Arc<Fetched>) -> Result<Self, Error> {
        let start = file.read_at(0, START)?;
        Ok(Self { file, source: source.clone(), start, number: fetched.number(source), fetched: Arc::clone(fetched) })
    }

    /// Reads some bytes from `offset` on, none at the end.
    pub fn read_some(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Error> {
        let length = self.length_at(offset).min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..length];
        if length == 0 || self.read_here(buffer, offset)? {
            return Ok(length);
        }
        loop {
            if let Some(read) = self.pass(offset, length, |bytes| buffer[..bytes.len()].copy_from_slice(bytes))? {
                return Ok(read);
            }
            self.come_by(offset)?;
            // What was fetched may have had to go again for what another thread wants.
            if self.read_here(buffer, offset)? {
                return Ok(length);
            }
        }
    }

    /// Gives `take` some of the bytes from `offset` on, as they lie in memory, or else in `buffer`, and no more than fit in
    /// there; how many, none at the end.
    pub fn take_some(&self, buffer: &mut [u8], offset: u64, take: impl FnOnce(&[u8])) -> Result<usize, Error> {
        let mut take = Some(take);
        let mut once = |bytes: &[u8]| take.take().map_or((), |take| take(bytes));
        if let Some(taken) = self.pass(offset, buffer.len(), &mut once)? {
            return Ok(taken);
        }
        let read = self.read_some(buffer, offset)?;
        once(&buffer[..read]);
        Ok(read)
    }

    // How many bytes of the same piece there are from `offset` on.
    fn length_at(&self, offset: u64) -> u64 {
        self.source.length.saturating_sub(offset).min(PIECE - offset % PIECE)
    }

    // Fills `buffer` with what is here already, if it is; all of it in one piece.
    fn read_here(&self, buffer: &mut [u8], offset: u64) -> Result<bool, Error> {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(known) = self.start.get(at..at.saturating_add(buffer.len())) {
            buffer.copy_from_slice(known);
            return Ok(true);
        }
        self.fetched.read((self.number, offset / PIECE), offset % PIECE, buffer)
    }

    /// Fetches what is missing of `places`, if that is more than one piece, and they are not read in order anyway.
    pub fn fetch(&self, places: impl Iterator<Item = Range<u64>>) -> Result<(), Error> {
        let mut pieces = Vec::new();
        let mut whole: Option<Range<u64>> = None;
        let mut is_one = true;
        for place in places.filter(|place| !place.is_empty()) {
            pieces.extend(place.start / PIECE..=(place.end - 1) / PIECE);
            is_one &= whole.as_ref().is_none_or(|whole| whole.end == place.start);
            whole = Some(whole.map_or(place.start, |whole| whole.start)..place.end);
        }
        let in_order = |whole: Range<u64>| whole.end - whole.start > PIECE || self.fetched.ahead.is_streaming(self.number, whole.start);
        if is_one && whole.is_none_or(in_order) {
            return Ok(());
        }
        pieces.sort_unstable();
        pieces.dedup();
        let missing = self.fetched.missing(self.number, pieces);
        if !(2..=self.fetched.capacity()).contains(&missing.len()) {
            return Ok(());
        }
        let (next, first) = (AtomicUsize::new(0), Mutex::new(Ok(())));
        let work = || {
            while let Some(piece) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.fetch_alone(*piece) {
                    next.store(missing.len(), Ordering::Relaxed);
                    *first.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
                }
            }
        };
        std::thread::scope(|scope| {
            (1..AT_ONCE.min(missing.len())).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        first.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches a piece that belongs to no run, unless it is there.
    pub fn fetch_alone(&self, piece: u64) -> Result<(), Error> {
        self.fetch_piece(piece, &mut None)
    }

    /// Begins to fetch all of `place`, which will be wanted soon, unless it would drive out much of what is wanted now.
    pub fn expect(self: &Arc<Self>, place: Range<u64>) {
        let pieces = place.start / PIECE..place.end.div_ceil(PIECE);
        if (pieces.end - pieces.start) <= self.fetched.capacity() as u64 / EXPECTED_PART {
            self.fetched.soon.fetch(Arc::downgrade(self), pieces);
        }
    }

    /// All bytes from `offset` on, one after the other, past the scratch disk.
    pub fn in_order(&self, offset: u64) -> Result<Stream, storage::Error> {
        self.count(offset..self.source.length);
        self.file.stream(offset..self.source.length)
    }

    // Gives `take` at most `most` bytes that were read ahead from `offset` on, if any were and their piece is not to be kept;
    // how many.
    fn pass(&self, offset: u64, most: usize, take: impl FnOnce(&[u8])) -> Result<Option<usize>, Error> {
        let run = if most == 0 { None } else { self.fetched.ahead.streaming(self.number, offset) };
        let Some(mut run) = run else { return Ok(None) };
        let Some(stream) = run.stream.as_mut() else { return Ok(None) };
        if offset.is_multiple_of(PIECE) && !self.fetched.passes((self.number, offset / PIECE)) {
            self.fetched.ahead.put(run);
            return Ok(None);
        }
        let bytes = stream.fill_buf().map_err(Error::io("read", &self.source.at))?;
        if bytes.is_empty() {
            return Err(self.source.changed(Change::Content));
        }
        let length = most.min(bytes.len()).min(self.length_at(offset) as usize);
        take(&bytes[..length]);
        stream.consume(length);
        run.at += length as u64;
        // Piece by piece, as all else.
        let piece = offset / PIECE;
        if run.at == self.end_of(piece) {
            self.count(piece * PIECE..run.at);
        }
        if run.at < self.source.length {
            self.fetched.ahead.put(run);
        }
        Ok(Some(length))
    }

    // What is wanted for the first time, and in order, is read ahead and goes past the scratch disk. All else is fetched.
    fn come_by(&self, offset: u64) -> Result<(), Error> {
        let piece = offset / PIECE;
        let mut run = self.fetched.ahead.take(self.number, piece);
        if run.is_long && run.stream.is_none() {
            run.stream = Some(self.file.stream(run.at..self.source.length)?);
        }
        if run.stream.is_none() || run.at != offset || self.fetched.has_passed((self.number, piece)) {
            self.fetch_piece(piece, &mut run.stream)?;
            run.at = self.end_of(piece);
        }
        if run.at < self.source.length {
            self.fetched.ahead.put(run);
        }
        Ok(())
    }

    fn end_of(&self, piece: u64) -> u64 {
        self.source.length.min((piece + 1) * PIECE)
    }

    // From `ahead`, if it is read ahead, which then goes on behind the piece.
    fn fetch_piece(&self, piece: u64, ahead: &mut Option<Stream>) -> Result<(), Error> {
        let Some(_claim) = self.fetched.claim((self.number, piece)) else {
            *ahead = None;
            return Ok(());
        };
        let place = piece * PIECE..self.end_of(piece);
        loop {
            let slot = self.fetched.slot()?;
            let (mut stream, goes_on) = match ahead.take() {
                Some(stream) => (stream, true),
                None => (self.file.stream(place.clone())?, false),
            };
            if !self.fill(&slot, &mut stream, place.end - place.start)? {
                // The next one is a slot that has its place on the disk already, or there is none.
                slot.disk_is_full();
                continue;
            }
            slot.keep((self.number, piece));
            self.count(place);
            *ahead = Some(stream).filter(|_| goes_on);
            return Ok(());
        }
    }

    fn count(&self, bytes: Range<u64>) {
        if let Some(meter) = self.fetched.meter.get() {
            meter.read(&self.source.at, bytes);
        }
    }

    // Whether there was room on the disk.
    fn fill(&self, slot: &Slot<'_>, stream: &mut Stream, length: u64) -> Result<bool, Error> {
        let mut written = 0;
        while written < length {
            let bytes = stream.fill_buf().map_err(Error::io("read", &self.source.at))?;
            if bytes.is_empty() {
                return Err(self.source.changed(Change::Content));
            }
            let count = (length - written).min(bytes.len() as u64) as usize;
            if !slot.write(&bytes[..count], written)? {
                return Ok(false);
            }
            stream.consume(count);
            written += count as u64;
        }
        Ok(true)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.fetched.ahead.forget(self.number);
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
