//! A file that is not on this machine.
//!
//! Records of a shard come in a permuted order, and each alone would cost a journey: whole pieces are fetched when a record of
//! theirs is wanted first, and kept on the scratch disk ([`Fetched`]). Whoever wants several pieces gets them at the same time;
//! whoever wants one after the other has them read ahead ([`Ahead`](crate::ahead::Ahead)).

use crate::error::{Change, Error};
use crate::fetched::{Fetched, PIECE, Slot};
use crate::identity::Identity;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tfcoord_fs::storage::{self, Stream};

/// Pieces that are fetched at the same time.
pub(crate) const AT_ONCE: usize = 4;
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
        let left = self.source.length.saturating_sub(offset);
        let (piece, within) = (offset / PIECE, offset % PIECE);
        let length = left.min(PIECE - within).min(buffer.len() as u64) as usize;
        if length == 0 {
            return Ok(0);
        }
        let buffer = &mut buffer[..length];
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(known) = self.start.get(at..at.saturating_add(length)) {
            buffer.copy_from_slice(known);
            return Ok(length);
        }
        // What was fetched may have had to go again for what another thread wants.
        while !self.fetched.read((self.number, piece), within, buffer)? {
            self.fetch_piece(piece)?;
        }
        Ok(length)
    }

    /// Fetches what is missing of `places`, if that is more than one piece.
    pub fn fetch(&self, places: impl Iterator<Item = Range<u64>>) -> Result<(), Error> {
        let pieces: BTreeSet<u64> = places.filter(|place| !place.is_empty()).flat_map(|p| p.start / PIECE..=(p.end - 1) / PIECE).collect();
        let missing: Vec<u64> = pieces.into_iter().filter(|piece| !self.fetched.has((self.number, *piece))).collect();
        if !(2..=self.fetched.capacity()).contains(&missing.len()) {
            return Ok(());
        }
        let (next, first) = (AtomicUsize::new(0), Mutex::new(Ok(())));
        let work = || {
            while let Some(piece) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.fetch_piece(*piece) {
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

    /// All bytes from `offset` on, one after the other, past the scratch disk.
    pub fn in_order(&self, offset: u64) -> Result<Stream, storage::Error> {
        self.count(offset..self.source.length);
        self.file.stream(offset..self.source.length)
    }

    fn fetch_piece(&self, piece: u64) -> Result<(), Error> {
        let start = piece * PIECE;
        let end = self.source.length.min(start + PIECE);
        loop {
            let slot = self.fetched.slot()?;
            let mut run = self.fetched.ahead.take(self.number, piece);
            let mut stream = match run.stream.take() {
                Some(stream) => stream,
                None => self.file.stream(start..if run.is_long { self.source.length } else { end })?,
            };
            if !self.fill(&slot, &mut stream, end - start)? {
                // The next one is a slot that has its place on the disk already, or there is none.
                slot.disk_is_full();
                continue;
            }
            slot.keep((self.number, piece));
            self.count(start..end);
            run.stream = Some(stream).filter(|_| run.is_long && end < self.source.length);
            self.fetched.ahead.put(run);
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
