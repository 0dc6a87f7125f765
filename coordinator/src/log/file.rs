//! The log in segment files of one directory.

use super::frame::PAYLOAD_BYTES_MAX;
use super::segment::{Opened, Segment};
use super::{Disk, Entry, Error, Log, Real, Vote};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A segment that has reached this length is followed by a new one.
pub const SEGMENT_BYTES: u64 = 16 << 20;
const VOTE_FILE: &str = "vote.json";

/// The log in segment files of one directory.
#[derive(Debug)]
pub struct FileLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_bytes: u64,
    // Contiguous; at least one, entries are appended to the last.
    segments: Vec<Segment>,
    poisoned: bool,
}

impl FileLog {
    /// Opens the log in `dir`, which must exist and be this process's alone; an empty one begins at 1. A segment that
    /// has reached `segment_bytes` is followed by a new one ([`SEGMENT_BYTES`]).
    ///
    /// # Errors
    /// Acknowledged entries are damaged or missing, or the file system fails.
    pub fn open(dir: &Path, segment_bytes: u64) -> Result<Self, Error> {
        Self::open_on(Arc::new(Real), dir, segment_bytes)
    }

    /// As [`open`](Self::open), on this disk.
    ///
    /// # Errors
    /// The same ones.
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, segment_bytes: u64) -> Result<Self, Error> {
        let firsts = firsts(&*disk, dir)?;
        let mut segments: Vec<Segment> = Vec::new();
        for (place, first) in firsts.iter().enumerate() {
            match Segment::open(&*disk, dir, *first, place + 1 == firsts.len())? {
                Opened::Segment(segment) => segments.push(segment),
                Opened::Unborn => remove(&*disk, &dir.join(Segment::name(*first)))?,
            }
        }
        for pair in segments.windows(2) {
            let (expected, found) = (pair[0].next(), pair[1].first);
            if expected != found {
                return Err(Error::Missing { path: pair[1].path.clone(), found, expected });
            }
        }
        if segments.is_empty() {
            segments.push(Segment::create(&*disk, dir, 1)?);
        }
        // As for bytes, see `Segment::open`: a name that is there may not be on the disk.
        disk.sync_directory(dir)?;
        Ok(Self { disk, dir: dir.to_owned(), segment_bytes, segments, poisoned: false })
    }

    /// Whether anything of a log is in `dir`: a segment that has begun, or a snapshot.
    ///
    /// # Errors
    /// The file system fails.
    pub fn is_begun(dir: &Path) -> Result<bool, Error> {
        let names = Real.names(dir).map_err(Error::file("list", dir))?;
        let has_header = |name: &String| Segment::first_of(name).is_some() && Segment::has_header(&dir.join(name));
        Ok(names.iter().any(|name| name.starts_with("snapshot-") || has_header(name)))
    }

    fn last(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("there is always a segment")
    }

    fn follows(&self, entries: &[Entry]) -> Result<(), Error> {
        let Range { start: first, end: next } = self.range();
        let out_of_order = entries.iter().zip(next..).find(|(entry, index)| entry.index != *index);
        if let Some((entry, _)) = out_of_order {
            return Err(Error::Range { from: entry.index, to: entry.index + 1, first, next });
        }
        match entries.iter().find(|entry| entry.payload.len() > PAYLOAD_BYTES_MAX) {
            Some(entry) => Err(Error::TooLong { bytes: entry.payload.len() }),
            None => Ok(()),
        }
    }

    fn write(&mut self, entries: &[Entry]) -> Result<(), Error> {
        let (first, next) = (self.last().first, self.last().next());
        if self.last().len >= self.segment_bytes && next > first {
            let segment = Segment::create(&*self.disk, &self.dir, next)?;
            self.segments.push(segment);
            tfcoord_fault::point!("log.segment.rolled");
        }
        let started = Instant::now();
        self.last().append(entries)?;
        metrics::histogram!("tfcoord_log_fsync_seconds").record(started.elapsed());
        metrics::counter!("tfcoord_log_entries_total").increment(entries.len() as u64);
        Ok(())
    }

    fn remove_segment(&mut self, place: usize) -> Result<(), Error> {
        let segment = self.segments.remove(place);
        remove(&*self.disk, &segment.path)?;
        tfcoord_fault::point!("log.segment.removed");
        Ok(self.disk.sync_directory(&self.dir)?)
    }
}

impl Log for FileLog {
    fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        self.follows(entries)?;
        if entries.is_empty() {
            return Ok(());
        }
        // After a failed fsync the kernel may have dropped the dirty pages: trying again could succeed without the
        // bytes being on the disk (Rebello et al. 2020, "Can applications recover from fsync failures?").
        self.write(entries).inspect_err(|_| self.poisoned = true)
    }

    fn truncate_after(&mut self, index: u64) -> Result<(), Error> {
        let Range { start: first, end: next } = self.range();
        if index + 1 < first {
            return Err(Error::Range { from: index + 1, to: next, first, next });
        }
        while self.segments.len() > 1 && self.last().first > index {
            self.remove_segment(self.segments.len() - 1)?;
        }
        self.last().truncate(index + 1)
    }

    fn purge_before(&mut self, index: u64) -> Result<(), Error> {
        while self.segments.get(1).is_some_and(|second| second.first <= index) {
            self.remove_segment(0)?;
        }
        if self.last().next() < index {
            // The oldest first: whatever is left after a crash is contiguous, and purged again.
            self.remove_segment(0)?;
            let segment = Segment::create(&*self.disk, &self.dir, index)?;
            self.segments.push(segment);
        }
        Ok(())
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<Entry>, Error> {
        let Range { start: first, end: next } = self.range();
        if range.start < first || range.end > next {
            return Err(Error::Range { from: range.start, to: range.end, first, next });
        }
        let mut entries = Vec::new();
        self.segments.iter().try_for_each(|segment| segment.read(range.clone(), &mut entries))?;
        Ok(entries)
    }

    fn range(&self) -> Range<u64> {
        let ends = self.segments.first().zip(self.segments.last());
        ends.map_or(1..1, |(first, last)| first.first..last.next())
    }

    fn save_vote(&mut self, vote: &Vote) -> Result<(), Error> {
        let json = serde_json::to_vec(vote).expect("a vote is plain numbers");
        Ok(self.disk.write_atomic(&self.dir.join(VOTE_FILE), &json)?)
    }

    fn read_vote(&self) -> Result<Option<Vote>, Error> {
        let path = self.dir.join(VOTE_FILE);
        match self.disk.read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::file("read", &path)(e.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read", &path)(error)),
        }
    }
}

fn firsts(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>, Error> {
    let names = disk.names(dir).map_err(Error::file("list", dir))?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|name| Segment::first_of(name)).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

fn remove(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    disk.remove(path).map_err(Error::file("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64) -> Entry {
        Entry { index, term: 1, payload: vec![7; 10] }
    }

    #[test]
    fn a_failed_write_is_the_last_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = FileLog::open(dir.path(), SEGMENT_BYTES).unwrap();
        log.append(&[entry(1)]).unwrap();
        let read_only = std::fs::File::open(&log.last().path).unwrap();
        let file = std::mem::replace(&mut log.last().file, Box::new(read_only));
        let error = log.append(&[entry(2)]).unwrap_err().to_string();
        assert!(error.contains("cannot write") && error.contains("segment-"), "{error}");
        log.last().file = file;
        assert!(matches!(log.append(&[entry(2)]), Err(Error::Poisoned)));
        drop(log);
        let mut log = FileLog::open(dir.path(), SEGMENT_BYTES).unwrap();
        assert_eq!(log.range(), 1..2);
        log.append(&[entry(2)]).unwrap();
    }

    #[test]
    fn entries_must_follow() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = FileLog::open(dir.path(), SEGMENT_BYTES).unwrap();
        assert!(matches!(log.append(&[entry(2)]), Err(Error::Range { from: 2, next: 1, .. })));
        let long = Entry { payload: vec![0; PAYLOAD_BYTES_MAX + 1], ..entry(1) };
        assert!(matches!(log.append(&[long]), Err(Error::TooLong { .. })));
        log.append(&[entry(1), entry(2)]).unwrap();
        assert!(matches!(log.read(0..1), Err(Error::Range { .. })));
        assert!(matches!(log.read(1..4), Err(Error::Range { .. })));
    }

    #[test]
    fn a_vote_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = FileLog::open(dir.path(), SEGMENT_BYTES).unwrap();
        assert_eq!(log.read_vote().unwrap(), None);
        let vote = Vote { term: 3, node: Some(1) };
        log.save_vote(&vote).unwrap();
        assert_eq!(FileLog::open(dir.path(), SEGMENT_BYTES).unwrap().read_vote().unwrap(), Some(vote));
    }
}
