//! Rows one after the other, from a place in a file on, with bounded memory.

use super::place::line_of;
use crate::RECORD_BYTES_MAX;
use crate::error::{Error, RowProblem};
use crate::plain::Plain;
use csv::{ByteRecord, ReaderBuilder};
use std::io::{self, Read};
use tfcoord_fs::storage::Location;

/// Rows one after the other. The header is a row.
pub(crate) struct Rows<'a> {
    reader: csv::Reader<Bytes<'a>>,
    plain: &'a Plain,
    at: &'a Location,
    // What the reader's place 0 is in the file.
    base: u64,
    skipped: u64,
}

impl<'a> Rows<'a> {
    /// The few rows of `plain` from byte `start` on, where a row begins; `at` is its name for errors.
    pub fn few(plain: &'a Plain, at: &'a Location, start: u64) -> Self {
        Self::new(plain.few(start), plain, at, start)
    }

    /// As [`few`](Self::few), to the file's end.
    pub fn all(plain: &'a Plain, at: &'a Location, start: u64) -> Result<Self, Error> {
        let bytes = plain.in_order(start).map_err(Error::io("read", at))?;
        Ok(Self::new(bytes, plain, at, start))
    }

    fn new(file: Box<dyn Read + 'a>, plain: &'a Plain, at: &'a Location, start: u64) -> Self {
        // In the middle of a file U+FEFF is text: a line end before it keeps the parser from taking it for a mark.
        let skipped = u64::from(start > 0);
        let bytes = Bytes { file, before: start > 0, budget: 0 };
        Self { reader: parser(bytes), plain, at, base: start, skipped }
    }

    /// Reads the next row; the byte it begins at, or nothing at the end.
    pub fn next(&mut self, row: &mut ByteRecord) -> Result<Option<u64>, Error> {
        let start = self.place();
        self.reader.get_mut().budget = RECORD_BYTES_MAX;
        match self.reader.read_byte_record(row) {
            Ok(true) => Ok(Some(start)),
            Ok(false) => Ok(None),
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(self.problem(start, RowProblem::TooLong)),
                csv::ErrorKind::Io(error) => Err(Error::io("read", self.at)(error)),
                // Lengths and UTF-8 are checked by whoever knows the header.
                other => Err(Error::io("read", self.at)(io::Error::other(format!("{other:?}")))),
            },
        }
    }

    /// Where the next row begins, line ends before it included.
    pub fn place(&self) -> u64 {
        self.base + self.reader.position().byte().saturating_sub(self.skipped)
    }

    /// What is wrong with the row that begins at byte `start`.
    pub fn problem(&self, start: u64, problem: RowProblem) -> Error {
        Error::Row { at: self.at.to_string(), line: line_of(self.plain, start), problem }
    }
}

/// The one dialect: every row counts, whatever its length.
pub(super) fn parser<R: Read>(bytes: R) -> csv::Reader<R> {
    ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(1 << 16).from_reader(bytes)
}

// A part of a file. Refuses to give more than the budget, which every row gets anew: otherwise a quote that is not
// closed would take the rest of the file into memory.
struct Bytes<'a> {
    file: Box<dyn Read + 'a>,
    before: bool,
    budget: u64,
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.before) {
            buffer[0] = b'\n';
            return Ok(1);
        }
        if self.budget == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.file.read(buffer)?;
        self.budget = self.budget.saturating_sub(read as u64);
        Ok(read)
    }
}
