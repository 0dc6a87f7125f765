use super::*;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use tfcoord_fs::local::Local;
use tfcoord_fs::storage::{Create, Entry, Error, FileSystem, Problem, Status};

const MODE: u32 = 0o644;
const LENGTH: u64 = 9 * PIECE as u64 + 1234;

/// This machine's files, of which the first ones break off in the midst of being written, as where a DataNode dies.
#[derive(Debug, Default)]
struct Breaking {
    left: AtomicU32,
    begun: AtomicU32,
}

struct Broken(Box<dyn Writer>, u32);

impl Writer for Broken {
    fn write(&mut self, piece: Bytes) -> Result<(), Error> {
        self.1 -= 1;
        let problem = || Problem::Broken { detail: "a test".to_owned() };
        let broken = || Error { operation: "write", location: "there".to_owned(), access: None, problem: problem() };
        if self.1 == 0 { Err(broken()) } else { self.0.write(piece) }
    }

    fn commit(self: Box<Self>, placement: Placement) -> Result<(), Error> {
        self.0.commit(placement)
    }
}

impl FileSystem for Breaking {
    fn stat(&self, at: &Location) -> Result<Status, Error> {
        Local.stat(at)
    }

    fn list(&self, at: &Location) -> Result<Vec<Entry>, Error> {
        Local.list(at)
    }

    fn open(&self, at: &Location) -> Result<Box<dyn storage::File>, Error> {
        Local.open(at)
    }

    fn create(&self, at: &Location, how: Create) -> Result<Box<dyn Writer>, Error> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let writer = Local.create(at, how)?;
        let breaks = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        Ok(if breaks.is_ok() { Box::new(Broken(writer, 5 + how.begun)) } else { writer })
    }

    fn rename(&self, from: &Location, to: &Location) -> Result<(), Error> {
        Local.rename(from, to)
    }

    fn delete(&self, at: &Location) -> Result<bool, Error> {
        Local.delete(at)
    }

    fn make_directory(&self, at: &Location) -> Result<(), Error> {
        Local.make_directory(at)
    }
}

fn byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8
}

fn begin(dir: &Path, system: &Arc<Breaking>) -> Outgoing {
    let there = Directory::new(Arc::clone(system) as Arc<dyn FileSystem>, dir.into());
    Outgoing::begin(&there, &there.at().join("part"), MODE, tempfile::tempfile().unwrap()).unwrap()
}

// Gathers these bytes; those before `ready` are there then.
fn gather(outgoing: &Outgoing, place: std::ops::Range<u64>, ready: u64) {
    outgoing.file().write_all_at(&place.clone().map(byte).collect::<Vec<_>>(), place.start).unwrap();
    outgoing.ready(ready);
}

fn names(dir: &Path) -> Vec<String> {
    dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_was_gathered_in_any_order_arrives_however_often_it_begins_anew() {
    for breaks in [0, 3] {
        let dir = tempfile::tempdir().unwrap();
        let system = Arc::new(Breaking { left: breaks.into(), ..Breaking::default() });
        let mut outgoing = begin(dir.path(), &system);
        let piece = PIECE as u64;
        gather(&outgoing, 3 * piece..5 * piece, 0);
        gather(&outgoing, 0..piece + 9, piece + 9);
        gather(&outgoing, piece + 9..3 * piece, 5 * piece);
        gather(&outgoing, 5 * piece..LENGTH, LENGTH);
        outgoing.finish().unwrap();
        let there = std::fs::read(dir.path().join("part")).unwrap();
        assert!(there == (0..LENGTH).map(byte).collect::<Vec<_>>());
        assert_eq!((system.begun.load(Ordering::Relaxed), names(dir.path()).len()), (breaks + 1, 1));
    }
}

#[test]
fn little_or_nothing_is_a_part_too() {
    for length in [0, 5] {
        let dir = tempfile::tempdir().unwrap();
        let mut outgoing = begin(dir.path(), &Arc::default());
        gather(&outgoing, 0..length, length);
        outgoing.finish().unwrap();
        assert_eq!(std::fs::read(dir.path().join("part")).unwrap().len() as u64, length);
    }
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let system = Arc::new(Breaking::default());
    let mut outgoing = begin(dir.path(), &system);
    gather(&outgoing, 0..LENGTH, LENGTH);
    outgoing.gathered.change(|state| state.is_unwanted = true);
    let sender = outgoing.sender.take().unwrap();
    drop(outgoing);
    // Whether it had begun or not.
    let _unwanted = sender.join().unwrap();
    assert!(names(dir.path()).is_empty());
    // What nobody waits for is not begun again and again.
    assert!(system.begun.load(Ordering::Relaxed) <= 1);
}

#[test]
fn a_name_that_is_taken_stays_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("part"), "of another").unwrap();
    let mut outgoing = begin(dir.path(), &Arc::default());
    gather(&outgoing, 0..LENGTH, LENGTH);
    let error = outgoing.finish().unwrap_err();
    assert!(matches!(error.problem, Problem::Exists), "{error}");
    assert_eq!(std::fs::read(dir.path().join("part")).unwrap(), b"of another");
}
