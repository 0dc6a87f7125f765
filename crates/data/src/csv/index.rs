//! Where a file's records begin: little-endian u64, one a record and one for the end of the last.

use super::rows::{Rows, parser};
use crate::RECORD_BYTES_MAX;
use crate::error::{Error, FileProblem, RowProblem};
use crate::files::Files;
use crate::identity::Identity;
use crate::plain::Plain;
use csv::ByteRecord;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tfcoord_fs::AtomicFile;
use tfcoord_types::manifest::Derived;

/// Where the records of a file begin. Made by one pass over the file that checks every row's fields and text, kept
/// in the scratch directory by the file's identity.
#[derive(Debug)]
pub(super) struct Index {
    file: File,
    path: PathBuf,
    pub records: u64,
}

impl Index {
    /// Opens the index of `source`, whose plain bytes are `plain`, or makes it.
    pub fn open(source: &Identity, plain: &Plain, files: &Files) -> Result<Self, Error> {
        let path = files.scratch.dir.join(source.derived(Derived::Records));
        if !path.exists() {
            files.make_scratch()?;
            build(&path, source, plain, files)?;
        }
        let file = File::open(&path).map_err(Error::scratch_io("open", &path))?;
        let length = file.metadata().map_err(Error::scratch_io("look at", &path))?.len();
        if length < 8 || !length.is_multiple_of(8) {
            return Err(Error::file(&path.into())(FileProblem::Index));
        }
        Ok(Self { file, path, records: length / 8 - 1 })
    }

    /// The bytes at which `count` records from `first` on begin, and at which the last of them ends: ascending, each
    /// record at most [`RECORD_BYTES_MAX`] long.
    pub fn places(&self, first: u64, count: usize) -> Result<Vec<u64>, Error> {
        let damaged = || Error::file(&self.path.clone().into())(FileProblem::Index);
        let mut bytes = vec![0; (count + 1) * 8];
        self.file.read_exact_at(&mut bytes, first * 8).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => damaged(),
            _ => Error::scratch_io("read", &self.path)(error),
        })?;
        let places: Vec<u64> = bytes.chunks_exact(8).map(|b| u64::from_le_bytes(*b.first_chunk().expect("chunks of eight"))).collect();
        let sound = places.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] <= longest());
        if sound { Ok(places) } else { Err(damaged()) }
    }
}

// The budget of a row is counted in whole buffers.
fn longest() -> u64 {
    RECORD_BYTES_MAX + (1 << 17)
}

fn build(path: &Path, source: &Identity, plain: &Plain, files: &Files) -> Result<(), Error> {
    let mut rows = Rows::all(plain, &source.at, 0)?;
    let mut row = ByteRecord::new();
    let mut last = rows.next(&mut row)?.ok_or_else(|| Error::file(&source.at)(FileProblem::NoHeader))?;
    let fields = row.len();
    check(&row, fields).map_err(|problem| rows.problem(last, problem))?;
    let mut writer = BufWriter::new(AtomicFile::create(path, 0o600).map_err(Error::scratch)?);
    let mut put = |place: u64| writer.write_all(&place.to_le_bytes()).map_err(Error::scratch_io("write", path));
    while let Some(start) = rows.next(&mut row)? {
        check(&row, fields).map_err(|problem| rows.problem(start, problem))?;
        put(start)?;
        last = start;
    }
    let end = rows.place();
    // A quote that is still open would take one more line in, instead of letting it be a record.
    let mut tail = vec![0; usize::try_from((end - last).min(longest())).expect("at most a record's length")];
    plain.read(&mut tail, last, source)?;
    if count([b"\n", tail.as_slice(), b"\nx"].concat().as_slice()) < 2 {
        return Err(rows.problem(last, RowProblem::OpenQuote));
    }
    put(end)?;
    let file = writer.into_inner().map_err(|error| Error::scratch_io("write", path)(error.into_error()))?;
    // What was read while somebody wrote must not be kept under the old identity.
    source.check_now(files)?;
    file.commit().map_err(Error::scratch)
}

/// Whether a row has as many fields as the header, all text.
pub(super) fn check(row: &ByteRecord, expected: usize) -> Result<(), RowProblem> {
    if row.len() != expected {
        return Err(RowProblem::Fields { found: row.len(), expected });
    }
    let broken = row.iter().position(|field| std::str::from_utf8(field).is_err());
    broken.map_or(Ok(()), |at| Err(RowProblem::NotUtf8 { field: at + 1 }))
}

fn count(bytes: &[u8]) -> usize {
    parser(bytes).byte_records().count()
}
