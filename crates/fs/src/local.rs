//! Files on this machine, or on what is mounted there.

use crate::atomic::AtomicFile;
use crate::directory::{self, commit_directory, create_directory, sync_parent};
use crate::storage::{self, Create, ENTRIES_MAX, Entry, Error, FileSystem, Kind, Location, Pieces, Placement, Problem, Status, Stream};
use bytes::{Bytes, BytesMut};
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

// How much is read at a time. The system reads ahead of it.
const PIECE: usize = 1 << 20;

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Local;

impl FileSystem for Local {
    fn stat(&self, at: &Location) -> Result<Status, Error> {
        let path = path("look at", at)?;
        fs::metadata(path).map(|metadata| status(&metadata)).map_err(failed("look at", at))
    }

    fn list(&self, at: &Location) -> Result<Vec<Entry>, Error> {
        let failed = |error| failed("list", at)(error);
        let mut entries = Vec::new();
        for entry in path("list", at)?.read_dir().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // What was removed meanwhile, and links to nothing, are not there.
            let metadata = match fs::metadata(entry.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => found.map_err(failed)?,
            };
            if entries.len() == ENTRIES_MAX {
                return Err(problem("list", at, Problem::TooMany { limit: ENTRIES_MAX }));
            }
            let name = entry.file_name().into_string();
            let name = name.map_err(|name| problem("list", at, Problem::Name { name: format!("{name:?}") }))?;
            entries.push(Entry { name, status: status(&metadata) });
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    fn open(&self, at: &Location) -> Result<Box<dyn storage::File>, Error> {
        let failed = failed("read", at);
        let opened = File::open(path("read", at)?).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(failed)?;
        if metadata.is_dir() {
            return Err(problem("read", at, Problem::NotAFile));
        }
        Ok(Box::new(Opened { file: Arc::new(file), status: status(&metadata), at: at.clone() }))
    }

    fn create(&self, at: &Location, how: Create) -> Result<Box<dyn storage::Writer>, Error> {
        let file = AtomicFile::create(path("write", at)?, how.mode).map_err(durable("write", at))?;
        Ok(Box::new(Writer { file, at: at.clone() }))
    }

    fn rename(&self, from: &Location, to: &Location) -> Result<(), Error> {
        let (old, new) = (path("rename", from)?, path("rename", to)?);
        let metadata = fs::symlink_metadata(old).map_err(failed("rename", from))?;
        if metadata.is_dir() {
            return commit_directory(old, new).and_then(|()| sync_parent(old)).map_err(durable("rename to", to));
        }
        let renamed = directory::rename_new(old, new).and_then(|()| sync_parent(new)).and_then(|()| sync_parent(old));
        renamed.map_err(durable("rename to", to))
    }

    fn delete(&self, at: &Location) -> Result<bool, Error> {
        let path = path("remove", at)?;
        let removed = fs::symlink_metadata(path).and_then(
            |metadata| {
                if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
            },
        );
        match removed {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("remove", at)(error)),
            Ok(()) => sync_parent(path).map_err(durable("remove", at)).map(|()| true),
        }
    }

    fn make_directory(&self, at: &Location) -> Result<(), Error> {
        create_directory(path("make", at)?).map_err(durable("make", at))
    }
}

struct Opened {
    file: Arc<File>,
    status: Status,
    at: Location,
}

impl storage::File for Opened {
    fn status(&self) -> Status {
        self.status
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        let length = self.status.length.saturating_sub(offset).min(length as u64) as usize;
        read(&self.file, offset, BytesMut::zeroed(length)).map_err(|error| self.failed(error))
    }

    fn stream(&self, range: Range<u64>) -> Result<Stream, Error> {
        let end = range.end.min(self.status.length);
        // It only says how it will be read: whether the system listens does not matter.
        let _ = fadvise(&self.file, range.start, NonZeroU64::new(end.saturating_sub(range.start)), Advice::Sequential);
        let opened = Self { file: Arc::clone(&self.file), status: self.status, at: self.at.clone() };
        Ok(Stream::new(Box::new(InOrder { opened, next: range.start, end, buffer: BytesMut::new() })))
    }
}

impl Opened {
    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            ErrorKind::UnexpectedEof => problem("read", &self.at, Problem::Changed { was: self.status.length }),
            _ => failed("read", &self.at)(error),
        }
    }
}

struct InOrder {
    opened: Opened,
    next: u64,
    end: u64,
    // Its memory is used again once nobody has the last piece any more.
    buffer: BytesMut,
}

impl Pieces for InOrder {
    fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let length = self.end.saturating_sub(self.next).min(PIECE as u64) as usize;
        if length == 0 {
            return Ok(None);
        }
        self.buffer.resize(length, 0);
        let piece = read(&self.opened.file, self.next, self.buffer.split());
        // Nothing follows an error.
        self.next = piece.as_ref().map_or(self.end, |_| self.next + length as u64);
        piece.map(Some).map_err(|error| self.opened.failed(error))
    }
}

fn read(file: &File, offset: u64, mut buffer: BytesMut) -> io::Result<Bytes> {
    file.read_exact_at(&mut buffer, offset)?;
    Ok(buffer.freeze())
}

struct Writer {
    file: AtomicFile,
    at: Location,
}

impl storage::Writer for Writer {
    fn write(&mut self, piece: Bytes) -> Result<(), Error> {
        self.file.write_all(&piece).map_err(failed("write", &self.at))
    }

    fn commit(self: Box<Self>, placement: Placement) -> Result<(), Error> {
        let Self { mut file, at } = *self;
        let done = match placement {
            Placement::Replace => file.commit(),
            Placement::New => file.sync().and_then(|()| {
                let path = file.path().to_owned();
                file.place_new()?;
                sync_parent(&path)
            }),
        };
        done.map_err(durable("write", &at))
    }
}

/// What the system says of a file or directory.
pub fn status(metadata: &Metadata) -> Status {
    let nanoseconds = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    let kind = match metadata.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        _ => Kind::Other,
    };
    let length = if kind == Kind::File { metadata.len() } else { 0 };
    Status { kind, length, modified_ns: u64::try_from(nanoseconds).unwrap_or(0) }
}

fn path<'a>(operation: &'static str, at: &'a Location) -> Result<&'a Path, Error> {
    match at {
        Location::Local(path) => Ok(path),
        Location::Remote(_) => Err(problem(operation, at, Problem::Elsewhere)),
    }
}

fn problem(operation: &'static str, at: &Location, problem: Problem) -> Error {
    Error { operation, location: at.to_string(), access: None, problem }
}

fn failed(operation: &'static str, at: &Location) -> impl Fn(io::Error) -> Error {
    move |error| problem(operation, at, error.into())
}

fn durable(operation: &'static str, at: &Location) -> impl Fn(crate::Error) -> Error {
    move |error| {
        let cause = match error {
            crate::Error::Io { source, .. } => source.into(),
            crate::Error::Exists { .. } => Problem::Exists,
            other => Problem::Io(io::Error::other(other)),
        };
        problem(operation, at, cause)
    }
}
