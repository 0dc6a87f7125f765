//! A CSV file of which any record can be read.

use super::index::Index;
use super::place::line_of;
use super::rows::{Rows, parser};
use crate::READ_BYTES_MAX;
use crate::error::{Change, Error, FileProblem, RowProblem};
use crate::files::Files;
use crate::identity::Identity;
use crate::plain::Plain;
use csv::ByteRecord;
use std::ops::Range;
use tfcoord_fs::storage::Location;

/// A CSV file that has been opened, with its header and its index.
#[derive(Debug)]
pub(crate) struct CsvFile {
    /// The columns' names.
    pub header: Vec<String>,
    source: Identity,
    plain: Plain,
    index: Index,
}

impl CsvFile {
    /// Opens a file, and makes its index unless there is one.
    pub fn open(source: &Identity, files: &Files) -> Result<Self, Error> {
        let plain = Plain::open(source, files)?;
        let index = Index::open(source, &plain, files)?;
        let mut row = ByteRecord::new();
        let mut rows = Rows::few(&plain, &source.at, 0);
        let start = rows.next(&mut row)?.ok_or_else(|| Error::file(&source.at)(FileProblem::NoHeader))?;
        let name = |(at, field)| match std::str::from_utf8(field) {
            Ok(name) => Ok(name.trim_ascii().to_owned()),
            Err(_) => Err(rows.problem(start, RowProblem::NotUtf8 { field: at + 1 })),
        };
        let header = row.iter().enumerate().map(name).collect::<Result<_, _>>()?;
        drop(rows);
        Ok(Self { header, source: source.clone(), plain, index })
    }

    /// How many records it has.
    pub fn records(&self) -> u64 {
        self.index.records
    }

    /// Where it is.
    pub fn at(&self) -> &Location {
        &self.source.at
    }

    /// Calls `each` with the `count` rows from record `first` on, in order.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn rows(&self, first: u64, count: u64, mut each: impl FnMut(&ByteRecord) -> Result<(), RowProblem>) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        let mut rows = Rows::all(&self.plain, &self.source.at, self.index.places(first, 1)?[0])?;
        let mut row = ByteRecord::new();
        for _ in 0..count {
            let start = rows.next(&mut row)?.ok_or_else(|| self.source.changed(Change::Content))?;
            each(&row).map_err(|problem| rows.problem(start, problem))?;
        }
        Ok(())
    }

    /// Calls `each` with the rows of `records`, in this order; neighbours are read together.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn read(
        &self,
        records: &[u64],
        bytes: &mut Vec<u8>,
        mut each: impl FnMut(&ByteRecord) -> Result<(), RowProblem>,
    ) -> Result<(), Error> {
        if self.plain.is_remote() {
            let place = |record: &u64| self.index.places(*record, 1).map(|places| places[0]..places[1]);
            self.plain.fetch(records.iter().map(place).collect::<Result<Vec<_>, _>>()?.into_iter())?;
        }
        let mut rest = records;
        while !rest.is_empty() {
            let starts = self.gather(rest, bytes)?;
            let mut parser = parser(bytes.as_slice());
            let mut row = ByteRecord::new();
            for start in &starts {
                let found = parser.read_byte_record(&mut row).unwrap_or(false);
                let checked = if found { each(&row) } else { Err(RowProblem::Fields { found: 0, expected: self.header.len() }) };
                checked.map_err(|problem| Error::Row { at: self.source.at.to_string(), line: line_of(&self.plain, *start), problem })?;
            }
            // More rows than records: the bytes are not those that were indexed.
            if parser.read_byte_record(&mut row).unwrap_or(true) {
                return Err(self.source.changed(Change::Content));
            }
            rest = &rest[starts.len()..];
        }
        Ok(())
    }

    /// Begins to get `records`, where they are far away.
    pub fn expect(&self, records: Range<u64>) -> Result<(), Error> {
        if self.plain.is_remote() && !records.is_empty() {
            self.plain.expect(self.index.places(records.start, 1)?[0]..self.index.places(records.end - 1, 1)?[1]);
        }
        Ok(())
    }

    // The bytes of as many of `records` as are read at once, and where each one began in the file. A line end stands
    // before each: the last record of a file may lack one, and at the very beginning U+FEFF would be taken for a mark.
    fn gather(&self, records: &[u64], bytes: &mut Vec<u8>) -> Result<Vec<u64>, Error> {
        bytes.clear();
        let mut starts = Vec::new();
        while starts.len() < records.len() && (bytes.len() as u64) < READ_BYTES_MAX {
            let rest = &records[starts.len()..];
            let run = rest.windows(2).take_while(|pair| pair[0].checked_add(1) == Some(pair[1])).count() + 1;
            let places = self.index.places(rest[0], run)?;
            let room = READ_BYTES_MAX - bytes.len() as u64;
            let fits = places.partition_point(|place| place - places[0] <= room).saturating_sub(1).max(1);
            bytes.push(b'\n');
            let at = bytes.len();
            let length = places[fits] - places[0];
            bytes.resize(at + usize::try_from(length).expect("at most a read, or a record"), 0);
            self.plain.read(&mut bytes[at..], places[0], &self.source)?;
            starts.extend(&places[..fits]);
        }
        Ok(starts)
    }
}
