//! A disk whose writes are pending until they are synced. A crash of the machine keeps what was durable, and any part
//! of what was pending: whole names or none, single sectors of bytes, a length without its bytes. A crash of a process
//! loses nothing. After a failed sync the bytes can still be read but are never made durable, as the kernel does it
//! (Rebello et al. 2020, "Can applications recover from fsync failures?").

use crate::chance::Chance;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use tfcoord_coordinator::log::{Disk, DiskFile};

/// Bytes that reach the medium together.
const SECTOR: usize = 64;

/// What goes wrong on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No room: writes fail, in the middle of what they write.
    Full,
    /// The next sync fails, and the ones after it do not.
    SyncFails,
    /// The power goes at the operation after so many more: it and all that follow fail.
    PowerCut { after: u32 },
}

/// A simulated disk with one directory. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    files: Vec<File>,
    // Names as processes see them, and as the medium has them.
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    trouble: Option<Trouble>,
    powerless: bool,
    chance: Chance,
    failed: u64,
}

#[derive(Debug, Default, Clone)]
struct File {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    // What a sync must still write; what a failed sync let go of is not among it.
    pending: Vec<Range<usize>>,
    length_pending: bool,
    lost: bool,
}

impl SimDisk {
    pub fn new(chance: Chance) -> Self {
        let (files, names) = (Vec::new(), BTreeMap::new());
        let state = State { files, durable_names: names.clone(), names, trouble: None, powerless: false, chance, failed: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the disk")
    }

    /// From now on this goes wrong; `None`: nothing more does.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }

    /// Whether the power went in the middle of something.
    pub fn powerless(&self) -> bool {
        self.state().powerless
    }

    /// Whether a power cut is about to happen.
    pub fn is_about_to_lose_power(&self) -> bool {
        matches!(self.state().trouble, Some(Trouble::PowerCut { .. }))
    }

    /// Operations that have failed so far.
    pub fn failed(&self) -> u64 {
        self.state().failed
    }

    /// The machine stops and starts again: of what was pending any part is there.
    pub fn crash(&self) {
        let mut state = self.state();
        let State { files, names, durable_names, chance, .. } = &mut *state;
        for name in names.keys().chain(durable_names.clone().keys()).cloned().collect::<Vec<_>>() {
            let (seen, kept) = (names.get(&name).copied(), durable_names.get(&name).copied());
            if seen != kept && chance.percent(50) {
                match seen {
                    Some(file) => drop(durable_names.insert(name, file)),
                    None => drop(durable_names.remove(&name)),
                }
            }
        }
        files.iter_mut().for_each(|file| file.crash(chance));
        state.names = state.durable_names.clone();
        (state.trouble, state.powerless) = (None, false);
    }

    /// Whether everything that was written would be there after a crash.
    pub fn is_durable(&self) -> bool {
        let state = self.state();
        // A name that was removed may come back.
        let durable = |(name, file): (&PathBuf, &usize)| state.durable_names.get(name) == Some(file) && state.files[*file].is_durable();
        state.names.iter().all(durable)
    }

    fn file(&self, file: usize) -> Box<dyn DiskFile> {
        Box::new(Open { disk: self.clone(), file })
    }
}

impl State {
    // One operation; fails if the power is gone, or goes now.
    fn operate(&mut self) -> io::Result<()> {
        if let Some(Trouble::PowerCut { after }) = &mut self.trouble {
            match after.checked_sub(1) {
                Some(left) => *after = left,
                None => self.powerless = true,
            }
        }
        if self.powerless { Err(self.fail(ErrorKind::Other, "the power is gone")) } else { Ok(()) }
    }

    fn fail(&mut self, kind: ErrorKind, why: &str) -> io::Error {
        self.failed += 1;
        io::Error::new(kind, why)
    }

    fn full(&mut self) -> io::Result<()> {
        if self.trouble == Some(Trouble::Full) { Err(self.fail(ErrorKind::StorageFull, "no space left on device")) } else { Ok(()) }
    }

    fn create(&mut self, path: &Path) -> io::Result<usize> {
        self.operate()?;
        self.full()?;
        if self.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.files.push(File::default());
        self.names.insert(path.to_owned(), self.files.len() - 1);
        Ok(self.files.len() - 1)
    }

    fn write(&mut self, file: usize, bytes: &[u8], offset: usize) -> io::Result<()> {
        let (fine, full) = (self.operate(), self.full());
        let whole = fine.is_ok() && full.is_ok();
        let part = if whole { bytes.len() } else { self.chance.index(bytes.len() + 1) };
        self.files[file].write(&bytes[..part], offset);
        fine.and(full)
    }

    fn sync(&mut self, file: usize) -> io::Result<()> {
        self.operate()?;
        if self.trouble == Some(Trouble::SyncFails) {
            self.trouble = None;
            self.files[file].let_go();
            return Err(self.fail(ErrorKind::Other, "input/output error"));
        }
        self.files[file].sync();
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.operate()?;
        self.durable_names = self.names.clone();
        Ok(())
    }
}

impl File {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
            self.length_pending = true;
        }
        self.bytes[offset..end].copy_from_slice(bytes);
        self.pending.push(offset..end);
    }

    fn resize(&mut self, len: usize) {
        self.bytes.resize(len, 0);
        self.length_pending = true;
    }

    fn sync(&mut self) {
        self.sync_length();
        for Range { start, end } in std::mem::take(&mut self.pending) {
            self.keep(start, end);
        }
        // Until it was written anew.
        self.lost = self.lost && self.bytes != self.durable;
    }

    fn sync_length(&mut self) {
        if std::mem::take(&mut self.length_pending) {
            self.durable.resize(self.bytes.len(), 0);
        }
    }

    // What lies beyond either length is not there to be kept.
    fn keep(&mut self, start: usize, end: usize) {
        let end = end.min(self.durable.len()).min(self.bytes.len());
        if start < end {
            self.durable[start..end].copy_from_slice(&self.bytes[start..end]);
        }
    }

    fn let_go(&mut self) {
        self.lost |= !self.pending.is_empty();
        self.pending.clear();
        // A length is metadata: the journal of the file system writes it all the same.
        self.sync_length();
    }

    fn is_durable(&self) -> bool {
        !self.lost && !self.length_pending && self.pending.is_empty()
    }

    fn crash(&mut self, chance: &mut Chance) {
        if chance.percent(50) {
            self.sync_length();
        }
        for Range { start, end } in std::mem::take(&mut self.pending) {
            for sector in start / SECTOR..end.div_ceil(SECTOR) {
                if chance.percent(50) {
                    self.keep(start.max(sector * SECTOR), end.min((sector + 1) * SECTOR));
                }
            }
        }
        (self.bytes, self.length_pending, self.lost) = (self.durable.clone(), false, false);
    }
}

#[derive(Debug)]
struct Open {
    disk: SimDisk,
    file: usize,
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("a simulated file is small")
}

impl DiskFile for Open {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.state().write(self.file, bytes, place(offset))
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.state();
        let from = state.files[self.file].bytes.get(place(offset)..).and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate()?;
        state.files[self.file].resize(place(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.state().sync(self.file)
    }
}

impl Disk for SimDisk {
    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let names = state.names.keys().filter(|path| path.parent() == Some(dir)).filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        state.names.get(path).map(|file| state.files[*file].bytes.clone()).ok_or(ErrorKind::NotFound.into())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.state().create(path)?;
        Ok(self.file(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.state().names.get(path).copied().ok_or(ErrorKind::NotFound)?;
        Ok(self.file(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.names.remove(path).map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn sync_directory(&self, dir: &Path) -> Result<(), tfcoord_fs::Error> {
        self.state().sync_names().map_err(failed("sync", dir))
    }

    // Step by step as the real one does it: the name is taken once the bytes are durable.
    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> Result<(), tfcoord_fs::Error> {
        let mut state = self.state();
        let temporary = path.with_extension("tmp");
        state.names.remove(&temporary);
        let written = state.create(&temporary).and_then(|file| {
            state.write(file, bytes, 0)?;
            state.sync(file)
        });
        if let Err(error) = written {
            state.names.remove(&temporary);
            return Err(failed("write", path)(error));
        }
        state.operate().map_err(failed("rename to", path))?;
        let file = state.names.remove(&temporary).expect("it was just made");
        state.names.insert(path.to_owned(), file);
        state.sync_names().map_err(failed("sync", path))
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> tfcoord_fs::Error {
    let path = path.to_owned();
    move |source| tfcoord_fs::Error::Io { operation, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(seed: u64) -> (SimDisk, PathBuf) {
        (SimDisk::new(Chance::new(seed, 0)), PathBuf::from("/log/a"))
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_any_part_of_the_rest() {
        let mut kept = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let (disk, path) = disk(seed);
            let file = disk.create(&path).unwrap();
            file.write_all_at(&[1; SECTOR], 0).unwrap();
            file.sync().unwrap();
            disk.sync_directory(Path::new("/log")).unwrap();
            assert!(disk.is_durable());
            file.write_all_at(&[2; 2 * SECTOR], SECTOR as u64).unwrap();
            assert!(!disk.is_durable());
            disk.crash();
            let bytes = disk.read(&path).unwrap();
            assert_eq!(bytes[..SECTOR], [1; SECTOR]);
            kept.insert(bytes[SECTOR..].to_vec());
        }
        assert!(kept.contains(&vec![]) && kept.contains(&[[0; SECTOR], [2; SECTOR]].concat()), "{} ways", kept.len());
    }

    #[test]
    fn a_name_is_durable_with_its_directory() {
        let there = (0..50).filter(|seed| {
            let (disk, path) = disk(*seed);
            disk.create(&path).unwrap().sync().unwrap();
            disk.crash();
            disk.open(&path).is_ok()
        });
        assert!((5..45).contains(&there.count()));
    }

    #[test]
    fn what_a_failed_sync_let_go_of_never_becomes_durable() {
        let (disk, path) = disk(1);
        let file = disk.create(&path).unwrap();
        disk.sync_directory(Path::new("/log")).unwrap();
        file.write_all_at(b"abc", 0).unwrap();
        disk.trouble(Some(Trouble::SyncFails));
        assert!(file.sync().is_err());
        file.sync().unwrap();
        assert!(!disk.is_durable());
        disk.crash();
        assert_ne!(disk.read(&path).unwrap(), b"abc");
    }

    #[test]
    fn a_full_disk_takes_a_part() {
        let (disk, path) = disk(3);
        let file = disk.create(&path).unwrap();
        disk.trouble(Some(Trouble::Full));
        assert_eq!(file.write_all_at(&[7; 100], 0).unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(disk.read(&path).unwrap().len() <= 100);
        disk.trouble(None);
        file.write_all_at(&[7; 100], 0).unwrap();
    }
}
