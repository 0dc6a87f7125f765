//! Labels that are far away: each is a byte, and a piece of the file is read at once.

use crate::error::Error;
use crate::idx::IdxFile;
use std::ops::Range;

/// Labels that are read at once: as many as records of a shard.
const WINDOW: u64 = 1 << 16;
/// Windows that are kept. Lanes read from a shard each, which lies in two.
const WINDOWS_MAX: usize = 32;
/// The most bytes that are kept.
pub(crate) const BYTES_MAX: u64 = WINDOW * WINDOWS_MAX as u64;

/// Labels that were read last.
#[derive(Debug, Default)]
pub(super) struct Windows {
    // The one that was wanted last, last.
    all: Vec<Window>,
}

#[derive(Debug)]
struct Window {
    file: usize,
    records: Range<u64>,
    labels: Vec<u8>,
}

impl Windows {
    /// The labels of some of the `count` records from `first` on; `file` is the number of `labels`.
    pub fn get(&mut self, file: usize, labels: &IdxFile, first: u64, count: usize) -> Result<&[u8], Error> {
        let holds = |window: &Window| window.file == file && window.records.contains(&first);
        match self.all.iter().rposition(holds) {
            Some(at) => self.all[at..].rotate_left(1),
            None => self.read(file, labels, first)?,
        }
        let window = &self.all[self.all.len() - 1];
        let from = (first - window.records.start) as usize;
        Ok(&window.labels[from..window.labels.len().min(from + count)])
    }

    fn read(&mut self, file: usize, labels: &IdxFile, record: u64) -> Result<(), Error> {
        let start = record / WINDOW * WINDOW;
        let records = start..labels.header.records.min(start + WINDOW);
        // The memory of the one that was wanted the longest time ago.
        let mut bytes = if self.all.len() < WINDOWS_MAX { Vec::new() } else { self.all.remove(0).labels };
        bytes.resize((records.end - records.start) as usize, 0);
        labels.read(start, &mut bytes)?;
        self.all.push(Window { file, records, labels: bytes });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Dir, idx};
    use crate::idx::Content;

    #[test]
    fn labels_are_those_of_the_file_and_few_are_kept() {
        let dir = Dir::new();
        let label = |file: usize, record: u64| (record * 7 + file as u64 + record / 251) as u8;
        let records = (WINDOWS_MAX as u64 + 1) * WINDOW / 2 + 5;
        let open = |file: usize| {
            let bytes = idx(&[u32::try_from(records).unwrap()], (0..records).map(|record| label(file, record)));
            IdxFile::open(&dir.put(&format!("l-{file}"), bytes), &dir.files(), Content::Labels).unwrap()
        };
        let files = [open(0), open(1)];
        let mut windows = Windows::default();
        for (file, first, count) in [(0, 0, 1), (1, 0, 3), (0, WINDOW - 1, 2), (1, records - 2, 2), (0, 5, 100)] {
            let found = windows.get(file, &files[file], first, count).unwrap();
            let within = count.min((WINDOW - first % WINDOW) as usize);
            assert_eq!(found, (first..first + within as u64).map(|record| label(file, record)).collect::<Vec<_>>());
        }
        for record in (0..records).step_by(WINDOW as usize) {
            for (file, labels) in files.iter().enumerate() {
                assert_eq!(windows.get(file, labels, record, 1).unwrap(), [label(file, record)]);
            }
        }
        assert_eq!(windows.all.len(), WINDOWS_MAX);
        // What was wanted last is here, also where the file is gone.
        dir.write("l-1", "");
        assert_eq!(windows.get(1, &files[1], records - 1, 1).unwrap(), [label(1, records - 1)]);
        assert!(windows.get(1, &files[1], 0, 1).is_err());
    }
}
