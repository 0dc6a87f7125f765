//! A log is a list of entries, whatever happens to it; and damage is seen, not repaired away.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::PathBuf;

fn entry(index: u64, len: usize) -> Entry {
    let byte = u8::try_from(index % 251).unwrap();
    Entry { index, term: 1 + index / 7, payload: vec![byte; len] }
}

fn open(dir: &Path) -> Result<FileLog, Error> {
    FileLog::open(dir, 200)
}

fn all(log: &FileLog) -> Vec<Entry> {
    log.read(log.range()).unwrap()
}

/// What lies in the directory: names and bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).map(|p| (p.clone(), fs::read(p).unwrap())).collect();
    files.sort();
    files
}

fn restore(dir: &Path, to: &[(PathBuf, Vec<u8>)]) {
    files(dir).iter().for_each(|(path, _)| fs::remove_file(path).unwrap());
    to.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

/// Writes one batch for each list of payload lengths; returns the entries, and how many of them the last batch has.
fn written(dir: &Path, batches: &[Vec<usize>]) -> (Vec<Entry>, usize) {
    let mut log = open(dir).unwrap();
    let mut entries = Vec::new();
    for batch in batches {
        let batch: Vec<Entry> = batch.iter().zip(log.range().end..).map(|(len, index)| entry(index, *len)).collect();
        log.append(&batch).unwrap();
        entries.extend(batch);
    }
    (entries, batches.last().map_or(0, Vec::len))
}

fn batches() -> impl Strategy<Value = Vec<Vec<usize>>> {
    proptest::collection::vec(proptest::collection::vec(0usize..50, 1..4), 1..5)
}

#[derive(Debug, Clone)]
enum Operation {
    Append(Vec<usize>),
    Truncate(u64),
    Purge(u64),
    Reopen,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        4 => proptest::collection::vec(0usize..80, 0..5).prop_map(Operation::Append),
        1 => (0u64..12).prop_map(Operation::Truncate),
        1 => (0u64..12).prop_map(Operation::Purge),
        1 => Just(Operation::Reopen),
    ];
    proptest::collection::vec(operation, 0..30)
}

/// Opens the damaged log. It holds every entry of `before`, and of the others none but the right ones; where it is
/// refused instead, no byte has changed.
fn check_damaged(dir: &Path, entries: &[Entry], before: usize) -> Result<Option<usize>, TestCaseError> {
    let damaged = files(dir);
    match open(dir) {
        Ok(mut log) => {
            let kept = all(&log);
            prop_assert!(kept.len() >= before, "{} of {before} entries before the damage", kept.len());
            prop_assert_eq!(&kept[..], &entries[..kept.len()]);
            log.append(&[entry(kept.len() as u64 + 1, 5)]).unwrap();
            Ok(Some(kept.len()))
        }
        Err(error) => {
            prop_assert!(matches!(error, Error::Damaged { .. } | Error::Missing { .. }), "{error}");
            prop_assert_eq!(files(dir), damaged);
            Ok(None)
        }
    }
}

/// How many entries lie wholly before byte `at` of file number `file`.
fn entries_before(files: &[(PathBuf, Vec<u8>)], file: usize, at: usize) -> usize {
    let count = |bytes: &[u8], end: usize| {
        let (mut offset, mut count) = (segment::HEADER_BYTES, 0);
        while let Some(frame) = bytes.get(offset..).and_then(frame::read).filter(|frame| offset + frame.bytes() <= end) {
            offset += frame.bytes();
            count += 1;
        }
        count
    };
    files[..file].iter().map(|(_, bytes)| count(bytes, usize::MAX)).sum::<usize>() + count(&files[file].1, at)
}

proptest! {
    // Each case syncs at every byte.
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn cut_anywhere(batches in batches()) {
        let dir = tempfile::tempdir().unwrap();
        let (entries, _) = written(dir.path(), &batches);
        let whole = files(dir.path());
        for file in 0..whole.len() {
            for at in 0..whole[file].1.len() {
                restore(dir.path(), &whole);
                fs::write(&whole[file].0, &whole[file].1[..at]).unwrap();
                let kept = check_damaged(dir.path(), &entries, entries_before(&whole, file, at))?;
                prop_assert!(kept.is_some() == (file + 1 == whole.len()), "cut of file {file} of {} at {at}: {kept:?}", whole.len());
            }
        }
    }

    #[test]
    fn flipped_anywhere(batches in batches(), bit in 0u32..8) {
        let dir = tempfile::tempdir().unwrap();
        let (entries, last_batch) = written(dir.path(), &batches);
        let whole = files(dir.path());
        for file in 0..whole.len() {
            for at in 0..whole[file].1.len() {
                restore(dir.path(), &whole);
                let mut bytes = whole[file].1.clone();
                bytes[at] ^= 1 << bit;
                fs::write(&whole[file].0, bytes).unwrap();
                let kept = check_damaged(dir.path(), &entries, entries_before(&whole, file, at))?;
                // Only of the last batch nothing tells whether it was acknowledged.
                prop_assert!(kept.is_none_or(|kept| kept >= entries.len() - last_batch), "{kept:?} of {}", entries.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_log_is_a_list(operations in operations()) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path()).unwrap();
        let (mut first, mut list): (u64, Vec<Entry>) = (1, Vec::new());
        for operation in operations {
            let next = first + list.len() as u64;
            match operation {
                Operation::Append(lens) => {
                    let batch: Vec<Entry> = lens.into_iter().zip(next..).map(|(len, index)| entry(index, len)).collect();
                    log.append(&batch).unwrap();
                    list.extend(batch);
                }
                Operation::Truncate(back) => {
                    let after = next.saturating_sub(1 + back).max(first - 1);
                    log.truncate_after(after).unwrap();
                    list.truncate(usize::try_from(after + 1 - first).unwrap());
                }
                Operation::Purge(ahead) => {
                    log.purge_before(first + ahead).unwrap();
                    // Whole segments only: anything up to what was asked for may be gone.
                    let left = log.range().start;
                    prop_assert!(left >= first && left <= first + ahead);
                    list.drain(..list.len().min(usize::try_from(left - first).unwrap()));
                    first = left;
                }
                Operation::Reopen => {
                    drop(log);
                    log = open(dir.path()).unwrap();
                }
            }
            prop_assert_eq!(log.range(), first..first + list.len() as u64);
            prop_assert_eq!(&all(&log), &list);
        }
    }

    #[test]
    fn a_batch_torn_by_a_power_cut_is_no_damage(batches in batches(), torn in proptest::collection::vec(any::<bool>(), 64)) {
        let dir = tempfile::tempdir().unwrap();
        let (entries, last_batch) = written(dir.path(), &batches);
        let mut whole = files(dir.path());
        let acknowledged = entries.len() - last_batch;
        let lies_before = |at| entries_before(&whole, whole.len() - 1, at);
        let last_file = whole.len() - 1;
        let start = (0..whole[last_file].1.len()).find(|at| lies_before(*at) >= acknowledged && *at >= segment::HEADER_BYTES).unwrap();
        // Any sectors of the batch reached the disk, the rest is zeros.
        for (at, byte) in whole[last_file].1.iter_mut().enumerate().skip(start) {
            if torn[at / 16 % torn.len()] {
                *byte = 0;
            }
        }
        restore(dir.path(), &whole);
        let kept = check_damaged(dir.path(), &entries, acknowledged)?;
        prop_assert!(kept.is_some(), "a torn batch keeps the coordinator from starting");
    }
}

#[test]
fn a_flipped_bit_of_the_last_entry_is_damage_and_no_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    for last in [vec![90], vec![20, 90, 30]] {
        written(dir.path(), &[vec![40], last]);
        let (path, whole) = files(dir.path()).pop().unwrap();
        let frame = |from: usize| frame::read(&whole[from..]).unwrap().bytes();
        let mut from = segment::HEADER_BYTES + frame(segment::HEADER_BYTES);
        while from < whole.len() {
            let bytes = frame(from);
            // Numbers of few bytes may become zeros, as if they had never been written.
            let told = (from..from + 8).chain(from + frame::HEADER_BYTES..from + bytes);
            for (at, bit) in told.flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                fs::write(&path, &bytes).unwrap();
                let error = FileLog::open(dir.path(), SEGMENT_BYTES).unwrap_err();
                assert!(matches!(error, Error::Damaged { offset, .. } if offset <= at as u64), "{at} bit {bit}: {error}");
                assert_eq!(fs::read(&path).unwrap(), bytes, "nothing is cut off");
            }
            from += bytes;
        }
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_log_that_is_gone_is_told_from_one_that_has_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!FileLog::is_begun(dir.path()).unwrap());
    written(dir.path(), &[vec![10]]);
    assert!(FileLog::is_begun(dir.path()).unwrap());
    let (path, whole) = files(dir.path()).remove(0);
    for len in [0, segment::HEADER_BYTES - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(!FileLog::is_begun(dir.path()).unwrap(), "{len}");
    }
    Snapshots::new(dir.path()).save(&Snapshot { index: 1, term: 1, payload: vec![1] }).unwrap();
    assert!(FileLog::is_begun(dir.path()).unwrap());
}

#[test]
fn errors_name_file_and_offset() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &[vec![10], vec![10], vec![10]]);
    let (path, mut bytes) = files(dir.path()).remove(0);
    let offset = segment::HEADER_BYTES + frame::HEADER_BYTES + 10;
    bytes[offset + 40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} is damaged at byte {offset}: acknowledged entries from 2 on", path.display())), "{error}");
}

#[test]
fn a_missing_segment_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &vec![vec![100]; 6]);
    let all = files(dir.path());
    assert!(all.len() >= 3);
    fs::remove_file(&all[1].0).unwrap();
    assert!(matches!(open(dir.path()), Err(Error::Missing { expected: 3, .. })), "{:?}", open(dir.path()));
}
