//! Pictures and their labels, from a pair of IDX files.

use crate::READ_BYTES_MAX;
use crate::batch::RecordBatch;
use crate::error::{Error, FileProblem};
use crate::files::Files;
use crate::identity::Identity;
use crate::idx::{Content, IdxFile};
use crate::reader::windows::Windows;
use tfcoord_types::manifest::Label;

/// Opens pictures and their labels, and checks that there are as many of them.
pub(crate) fn open(images: &Identity, labels: Option<&Identity>, files: &Files) -> Result<(IdxFile, Option<IdxFile>), Error> {
    let pictures = IdxFile::open(images, files, Content::Images)?;
    let Some(source) = labels else {
        return Ok((pictures, None));
    };
    let labels = IdxFile::open(source, files, Content::Labels)?;
    let counts = (pictures.header.records, labels.header.records);
    if counts.0 != counts.1 {
        return Err(pictures.problem(FileProblem::IdxCounts { images: counts.0, file: source.at.to_string(), labels: counts.1 }));
    }
    Ok((pictures, Some(labels)))
}

/// Adds the features of `records` to `batch`.
pub(super) fn read(images: &IdxFile, scale: f32, records: &[u64], bytes: &mut Vec<u8>, batch: &mut RecordBatch) -> Result<(), Error> {
    images.fetch(records)?;
    let mut rest = records;
    while let Some((first, count)) = run(images, rest) {
        images.take(first, count, bytes, |bytes| batch.features.extend(bytes.iter().map(|byte| f32::from(*byte) * scale)))?;
        rest = &rest[count..];
    }
    Ok(())
}

/// Adds the labels of `records` to `batch`; `file` is the number of theirs.
pub(super) fn read_labels(
    (file, labels): (usize, &IdxFile),
    label: &Label,
    records: &[u64],
    (windows, bytes): (&mut Windows, &mut Vec<u8>),
    batch: &mut RecordBatch,
) -> Result<(), Error> {
    let mut rest = records;
    while let Some((first, count)) = run(labels, rest) {
        let read = if labels.is_remote() {
            windows.get(file, labels, first, count)?
        } else {
            bytes.resize(count, 0);
            labels.read(first, bytes)?;
            &**bytes
        };
        match label {
            Label::Number => batch.numbers.extend(read.iter().map(|byte| f32::from(*byte))),
            Label::Class { names } => {
                check_labels(labels, first, read, names.len())?;
                batch.classes.extend(read.iter().map(|byte| u32::from(*byte)));
            }
        }
        rest = &rest[read.len()..];
    }
    Ok(())
}

/// Whether the labels of the records from `first` on are below `classes`.
pub(crate) fn check_labels(labels: &IdxFile, first: u64, bytes: &[u8], classes: usize) -> Result<(), Error> {
    match bytes.iter().position(|byte| usize::from(*byte) >= classes) {
        Some(at) => {
            let record = first + at as u64;
            Err(labels.problem(FileProblem::IdxLabel { record, byte: labels.header.data + record, label: bytes[at], classes }))
        }
        None => Ok(()),
    }
}

/// Calls `each` with all labels of the records from `first` up to `end`, piece by piece.
pub(crate) fn each_label(
    labels: &IdxFile,
    first: u64,
    end: u64,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut buffer = Vec::new();
    let mut at = first;
    while at < end {
        let count = (end - at).min(READ_BYTES_MAX);
        buffer.resize(usize::try_from(count).expect("at most a read"), 0);
        labels.read(at, &mut buffer)?;
        each(at, &buffer)?;
        at += count;
    }
    Ok(())
}

// The neighbours that `records` begin with, as far as they are read at once: the first one, and how many.
fn run(file: &IdxFile, records: &[u64]) -> Option<(u64, usize)> {
    let first = *records.first()?;
    let most = usize::try_from((READ_BYTES_MAX / file.header.record_bytes).max(1)).expect("at most a read");
    let neighbours = records.windows(2).take(most - 1).take_while(|pair| pair[0].checked_add(1) == Some(pair[1]));
    Some((first, neighbours.count() + 1))
}
