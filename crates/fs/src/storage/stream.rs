//! Bytes in their order, piece by piece.

use crate::storage::Error;
use bytes::{Buf, Bytes};
use std::io::{self, BufRead, Read};

/// What a [`Stream`] takes its bytes from.
pub trait Pieces: Send {
    /// The next piece, never empty; none behind the last.
    ///
    /// # Errors
    /// It cannot be read; there is no further piece then.
    fn next(&mut self) -> Result<Option<Bytes>, Error>;
}

/// A part of a file, read in order. As [`Read`] and [`BufRead`] its errors carry the [`Error`] inside.
pub struct Stream {
    pieces: Box<dyn Pieces>,
    current: Bytes,
}

impl Stream {
    /// Of `pieces`.
    pub fn new(pieces: Box<dyn Pieces>) -> Self {
        Self { pieces, current: Bytes::new() }
    }

    /// What comes next, as large as it lies in memory, without copying it; none at the end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, Error> {
        if self.current.is_empty() { self.pieces.next() } else { Ok(Some(std::mem::take(&mut self.current))) }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.len().min(into.len());
        self.current.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.current.is_empty() {
            self.current = self.pieces.next().map_err(io::Error::from)?.unwrap_or_default();
        }
        Ok(&self.current)
    }

    fn consume(&mut self, length: usize) {
        self.current.advance(length);
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("current", &self.current.len()).finish_non_exhaustive()
    }
}
