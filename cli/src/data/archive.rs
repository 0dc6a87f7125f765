//! Archives (tar, plain or packed with gzip), which come from strangers: unpacked as a stream, with everything counted as it comes
//! out, whatever its headers say.

use super::source::{Body, Item, Meter};
use super::{Error, Unfit, name};
use flate2::read::MultiGzDecoder;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use tar::EntryType;

/// What ends a name that is unpacked.
const ENDINGS: [&str; 3] = [".tar", ".tgz", ".tar.gz"];
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// For names, attributes and padding between two entries' bytes. The tar reader holds them in memory.
const HEADERS_MAX: u64 = 1 << 20;
/// Small archives of small files pack well.
const RATIO_FREE: u64 = 1 << 20;
const BUFFER: usize = 1 << 18;

/// How far an archive is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most entries.
    pub entries_max: usize,
    /// The most bytes that come out of it, its headers counted.
    pub bytes_max: u64,
    /// How many times more may come out than it has packed.
    pub ratio_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries_max: 100_000, bytes_max: 2 << 30, ratio_max: 100 }
    }
}

/// Whether a file of this name is unpacked.
pub fn is_archive(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    ENDINGS.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending))
}

/// Shows each file and directory of an archive of `length` bytes, in its order.
///
/// # Errors
/// It is no archive that may be unpacked; or of `visit`. What was visited before is not to be used then.
pub fn each(
    path: &Path,
    file: &mut File,
    length: u64,
    limits: Limits,
    meter: &Meter,
    visit: &mut dyn FnMut(Item<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let unfit = |problem| Error::Source { path: path.to_owned(), problem };
    file.seek(SeekFrom::Start(0)).map_err(|error| unfit(error.into()))?;
    let mut packed = BufReader::with_capacity(BUFFER, meter.of(file));
    let is_gzip = packed.fill_buf().map_err(|error| unfit(error.into()))?.starts_with(&GZIP);
    let plain: Box<dyn Read + '_> = if is_gzip { Box::new(MultiGzDecoder::new(packed)) } else { Box::new(packed) };
    let guard = Guard::new(limits, length);
    let mut archive = tar::Archive::new(Guarded { inner: plain, guard: &guard });
    entries(&mut archive, &guard, limits, visit, &unfit)?;
    // A reader of tar stops at its end mark; what follows must be padding, and gzip's checksum stands behind it.
    let mut rest = archive.into_inner();
    let mut buffer = vec![0; BUFFER];
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) if buffer[..read].iter().all(|byte| *byte == 0) => {}
            Ok(_) => return Err(unfit(Unfit::Behind)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(unfit(guard.problem(error))),
        }
    }
}

fn entries(
    archive: &mut tar::Archive<Guarded<'_, Box<dyn Read + '_>>>,
    guard: &Guard,
    limits: Limits,
    visit: &mut dyn FnMut(Item<'_>) -> Result<(), Error>,
    unfit: &dyn Fn(Unfit) -> Error,
) -> Result<(), Error> {
    let mut entries = archive.entries().map_err(|error| unfit(guard.problem(error)))?;
    let mut count = 0;
    loop {
        guard.headers();
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(|error| unfit(guard.problem(error)))?;
        count += 1;
        if count > limits.entries_max {
            return Err(unfit(Unfit::Entries { max: limits.entries_max }));
        }
        // Of all that follow; `git archive` writes one.
        if entry.header().entry_type().is_pax_global_extensions() {
            io::copy(&mut entry, &mut io::sink()).map_err(|error| unfit(guard.problem(error)))?;
            continue;
        }
        let raw = entry.path_bytes().into_owned();
        let kind = kind(&mut entry, &raw).map_err(unfit)?;
        guard.bytes();
        let Some(name) = name::clean(&raw).map_err(unfit)? else {
            if kind == Kind::Directory {
                continue;
            }
            return Err(unfit(Unfit::Name { name: String::from_utf8_lossy(&raw).into_owned(), why: "names no file" }));
        };
        let size = entry.size();
        let mut body = Counted { inner: &mut entry, guard, read: 0 };
        let item = if kind == Kind::Directory { Body::Directory } else { Body::File(&mut body) };
        let visited = visit(Item { name: &name, body: item });
        // What the reader met says more than what became of it.
        if let Some(problem) = guard.broken.take() {
            return Err(unfit(problem));
        }
        visited?;
        io::copy(&mut body, &mut io::sink()).map_err(|error| unfit(guard.problem(error)))?;
        if body.read != size {
            return Err(unfit(Unfit::Cut));
        }
    }
    if guard.ended.get() { Err(unfit(Unfit::Cut)) } else { Ok(()) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
}

fn kind<R: Read>(entry: &mut tar::Entry<'_, R>, raw: &[u8]) -> Result<Kind, Unfit> {
    let of = |kind| Unfit::Kind { name: String::from_utf8_lossy(raw).chars().take(200).collect(), kind };
    let kind = match entry.header().entry_type() {
        EntryType::Directory => Kind::Directory,
        // As the oldest tars wrote directories.
        EntryType::Regular if raw.ends_with(b"/") => Kind::Directory,
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Symlink => return Err(of("a symbolic link")),
        EntryType::Link => return Err(of("a hard link")),
        EntryType::Char | EntryType::Block => return Err(of("a device")),
        EntryType::Fifo => return Err(of("a pipe")),
        EntryType::GNUSparse => return Err(of("a sparse file")),
        _ => return Err(of("of a kind that is not known")),
    };
    let damaged = |error: io::Error| Unfit::Damaged { reason: error.to_string() };
    for extension in entry.pax_extensions().map_err(damaged)?.into_iter().flatten() {
        if extension.map_err(damaged)?.key_bytes().starts_with(b"GNU.sparse") {
            return Err(of("a sparse file"));
        }
    }
    if kind == Kind::Directory && entry.size() > 0 {
        return Err(of("a directory with bytes of its own"));
    }
    Ok(kind)
}

// What has come out of the archive so far, and what may still.
struct Guard {
    limits: Limits,
    length: u64,
    total: Cell<u64>,
    // Of headers, while those are read.
    headers_left: Cell<Option<u64>>,
    ended: Cell<bool>,
    broken: RefCell<Option<Unfit>>,
}

impl Guard {
    fn new(limits: Limits, length: u64) -> Self {
        let (total, headers_left, ended, broken) = (Cell::new(0), Cell::new(None), Cell::new(false), RefCell::new(None));
        Self { limits, length, total, headers_left, ended, broken }
    }

    fn headers(&self) {
        self.headers_left.set(Some(HEADERS_MAX));
    }

    fn bytes(&self) {
        self.headers_left.set(None);
    }

    fn count(&self, read: usize) -> Result<(), Unfit> {
        let total = self.total.get() + read as u64;
        self.total.set(total);
        if total > self.limits.bytes_max {
            return Err(Unfit::Bytes { max: self.limits.bytes_max });
        }
        if total > self.length.saturating_mul(self.limits.ratio_max).max(RATIO_FREE) {
            return Err(Unfit::Ratio { max: self.limits.ratio_max, length: self.length });
        }
        if let Some(left) = self.headers_left.get() {
            let left = left.checked_sub(read as u64).ok_or(Unfit::Headers { max: HEADERS_MAX })?;
            self.headers_left.set(Some(left));
        }
        Ok(())
    }

    // What is wrong where reading gave `error`.
    fn problem(&self, error: io::Error) -> Unfit {
        self.broken.take().unwrap_or_else(|| Self::of_reading(&error))
    }

    fn of_reading(error: &io::Error) -> Unfit {
        match error.kind() {
            ErrorKind::UnexpectedEof => Unfit::Cut,
            _ => Unfit::Damaged { reason: error.to_string() },
        }
    }
}

struct Guarded<'g, R> {
    inner: R,
    guard: &'g Guard,
}

impl<R: Read> Read for Guarded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        if read == 0 && !into.is_empty() {
            self.guard.ended.set(true);
        }
        self.guard.count(read).map_err(|problem| {
            self.guard.broken.replace(Some(problem));
            io::Error::other("a limit")
        })?;
        Ok(read)
    }
}

struct Counted<'e, R> {
    inner: &'e mut R,
    guard: &'e Guard,
    read: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into).inspect_err(|error| {
            if error.kind() != ErrorKind::Interrupted && self.guard.broken.borrow().is_none() {
                self.guard.broken.replace(Some(Guard::of_reading(error)));
            }
        })?;
        self.read += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
