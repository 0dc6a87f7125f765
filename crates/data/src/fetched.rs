//! Pieces of remote files that were fetched, on the scratch disk: one file without a name, cut into slots, which goes with its
//! process. What was not wanted for long gives way, and the disk is never filled.

use crate::ahead::Ahead;
use crate::error::Error;
use crate::identity::Identity;
use crate::meter::Meter;
use crate::scratch::Scratch;
use crate::soon::Soon;
use rustix::fs::fstatvfs;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes of a piece; of a file's last one there may be fewer.
pub(crate) const PIECE: u64 = 4 << 20;
/// So much of the disk stays free, but a twentieth of it at most: others write there too.
const LEFT_FREE_MAX: u64 = 4 << 30;

/// A file's number, and a piece's.
pub(crate) type Key = (u32, u64);

/// Pieces of remote files.
#[derive(Debug)]
pub(crate) struct Fetched {
    dir: PathBuf,
    slots_max: usize,
    file: OnceLock<File>,
    slots: Mutex<Slots>,
    // One of them is written no longer.
    written: Condvar,
    pub ahead: Ahead,
    pub soon: Soon,
    /// Where somebody wants to know it.
    pub meter: OnceLock<Meter>,
}

#[derive(Debug, Default)]
struct Slots {
    files: HashMap<Identity, u32>,
    places: HashMap<Key, usize>,
    // Were read past the disk once; no more of them than there can be slots.
    passed: HashSet<Key>,
    // What is in each; nothing while it is written.
    all: Vec<Option<Kept>>,
    free: Vec<usize>,
    writing: usize,
    fetching: HashSet<Key>,
    // Those behind it were looked at longest ago.
    hand: usize,
    is_full: bool,
}

#[derive(Debug)]
struct Kept {
    key: Key,
    // Since the hand passed.
    wanted: bool,
}

/// A place for a piece, to be written. Free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    fetched: &'a Fetched,
    file: &'a File,
    at: Option<usize>,
}

/// The right to fetch a piece, as long as it is held.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    fetched: &'a Fetched,
    key: Key,
}

impl Fetched {
    /// None yet.
    pub fn new(scratch: &Scratch) -> Self {
        let slots_max = usize::try_from(scratch.limits.fetched_bytes_max / PIECE).unwrap_or(usize::MAX).max(1);
        let (dir, file) = (scratch.dir.clone(), OnceLock::new());
        let (slots, written, ahead, soon) = (Mutex::default(), Condvar::new(), Ahead::default(), Soon::default());
        Self { dir, slots_max, file, slots, written, ahead, soon, meter: OnceLock::new() }
    }

    /// A number for a file: the same one for the same file, unless it has changed.
    pub fn number(&self, source: &Identity) -> u32 {
        let files = &mut self.slots().files;
        let next = u32::try_from(files.len()).expect("fewer files than FILES_MAX, in a few data sets");
        *files.entry(source.clone()).or_insert(next)
    }

    /// How many pieces there can be.
    pub fn capacity(&self) -> usize {
        let slots = self.slots();
        if slots.is_full { slots.all.len() } else { self.slots_max }
    }

    /// Whether a piece is there.
    #[cfg(test)]
    pub fn has(&self, key: Key) -> bool {
        self.slots().places.contains_key(&key)
    }

    /// Those of the pieces of a file that are not there.
    pub fn missing(&self, file: u32, mut pieces: Vec<u64>) -> Vec<u64> {
        let slots = self.slots();
        pieces.retain(|piece| !slots.places.contains_key(&(file, *piece)));
        pieces
    }

    /// Notes that a piece is read past the disk, unless it was before. What would find no room there is not noted.
    pub fn passes(&self, key: Key) -> bool {
        let mut slots = self.slots();
        if slots.passed.len() < self.slots_max { slots.passed.insert(key) } else { !slots.passed.contains(&key) }
    }

    /// Whether it was noted before.
    pub fn has_passed(&self, key: Key) -> bool {
        self.slots().passed.contains(&key)
    }

    /// Reads all of `buffer` from byte `within` of a piece on; nothing if the piece is not there.
    pub fn read(&self, key: Key, within: u64, buffer: &mut [u8]) -> Result<bool, Error> {
        let mut slots = self.slots();
        let Some(at) = slots.places.get(&key).copied() else { return Ok(false) };
        if let Some(Some(kept)) = slots.all.get_mut(at) {
            kept.wanted = true;
        }
        // Under the lock: nobody may write there meanwhile.
        let read = self.file()?.read_exact_at(buffer, at as u64 * PIECE + within);
        read.map_err(Error::scratch_io("read", &self.dir)).map(|()| true)
    }

    /// The right to fetch a piece that is not there. Whoever has it meanwhile is waited for.
    pub fn claim(&self, key: Key) -> Option<Claim<'_>> {
        let mut slots = self.slots();
        while slots.fetching.contains(&key) {
            slots = self.written.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
        let is_missing = !slots.places.contains_key(&key) && slots.fetching.insert(key);
        is_missing.then(|| Claim { fetched: self, key })
    }

    /// A place for another piece. Where the limit is reached, or the disk is full, an older piece gives way.
    ///
    /// # Errors
    /// There is no room for a single one.
    pub fn slot(&self) -> Result<Slot<'_>, Error> {
        let file = self.file()?;
        let mut slots = self.slots();
        let grows = !slots.is_full && slots.all.len() < self.slots_max && slots.free.is_empty();
        if grows && !self.has_room(file)? {
            slots.is_full = true;
        }
        loop {
            if let Some(at) = slots.take(self.slots_max) {
                slots.writing += 1;
                return Ok(Slot { fetched: self, file, at: Some(at) });
            }
            if slots.writing == 0 {
                return Err(Error::scratch_io("write", &self.dir)(ErrorKind::StorageFull.into()));
            }
            slots = self.written.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn has_room(&self, file: &File) -> Result<bool, Error> {
        let disk = fstatvfs(file).map_err(|error| Error::scratch_io("look at", &self.dir)(error.into()))?;
        let left = LEFT_FREE_MAX.min(disk.f_blocks.saturating_mul(disk.f_frsize) / 20);
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >= left + PIECE)
    }

    fn file(&self) -> Result<&File, Error> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let made = std::fs::create_dir_all(&self.dir).and_then(|()| tempfile::tempfile_in(&self.dir));
        let made = made.map_err(Error::scratch_io("make a file in", &self.dir))?;
        Ok(self.file.get_or_init(|| made))
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn take(&mut self, slots_max: usize) -> Option<usize> {
        if let Some(free) = self.free.pop() {
            return Some(free);
        }
        if !self.is_full && self.all.len() < slots_max {
            self.all.push(None);
            return Some(self.all.len() - 1);
        }
        // Twice around: what was wanted since the hand passed stays for one round more.
        for _ in 0..2 * self.all.len() {
            self.hand = (self.hand + 1) % self.all.len();
            match &mut self.all[self.hand] {
                Some(kept) if kept.wanted => kept.wanted = false,
                slot => {
                    if let Some(Kept { key, .. }) = slot.take() {
                        self.places.remove(&key);
                        return Some(self.hand);
                    }
                }
            }
        }
        None
    }
}

impl Slot<'_> {
    /// Writes a part of the piece. Whether there was room.
    pub fn write(&self, bytes: &[u8], within: u64) -> Result<bool, Error> {
        let at = self.at.expect("a slot is given back once");
        match self.file.write_all_at(bytes, at as u64 * PIECE + within) {
            Ok(()) => Ok(true),
            Err(error) if is_full(&error) => Ok(false),
            Err(error) => Err(Error::scratch_io("write", &self.fetched.dir)(error)),
        }
    }

    /// The piece is whole.
    pub fn keep(mut self, key: Key) {
        let mut slots = self.fetched.slots();
        // Another thread may have fetched the same.
        if !slots.places.contains_key(&key)
            && let Some(at) = self.at.take()
        {
            slots.all[at] = Some(Kept { key, wanted: true });
            slots.places.insert(key, at);
        }
    }

    /// From now on there are no more slots than have been filled; this one is none.
    pub fn disk_is_full(mut self) {
        self.at = None;
        self.fetched.slots().is_full = true;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut slots = self.fetched.slots();
        slots.free.extend(self.at);
        slots.writing -= 1;
        self.fetched.written.notify_all();
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.fetched.slots().fetching.remove(&self.key);
        self.fetched.written.notify_all();
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
