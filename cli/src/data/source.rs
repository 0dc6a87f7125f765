//! What is put: files, directories with all that is in them, archives.

use super::archive::{self, Limits};
use super::{Error, Unfit, name};
use indicatif::ProgressBar;
use std::cell::Cell;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The most files and directories that are put at once.
pub const ENTRIES_MAX: usize = 1_000_000;

/// Something to put.
pub struct Source {
    path: PathBuf,
    // Bytes that are read of it, without what an archive holds packed.
    length: u64,
    contents: Contents,
}

enum Contents {
    Files(Vec<Found>),
    Archive(Limits, Stamp),
}

struct Found {
    name: String,
    path: PathBuf,
    // None for a directory.
    stamp: Option<Stamp>,
}

/// What shows that a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: (i64, i64),
}

/// A file or directory of a data set.
pub struct Item<'a> {
    /// Below the data set's own name.
    pub name: &'a str,
    /// What it is.
    pub body: Body<'a>,
}

/// What an [`Item`] is.
pub enum Body<'a> {
    /// A directory.
    Directory,
    /// A file with these bytes.
    File(&'a mut dyn Read),
}

impl Source {
    /// Looks at what has this name here. A directory stands for what is in it; links are followed to files.
    ///
    /// # Errors
    /// It is not there, or holds what cannot be put.
    pub fn find(path: &Path, limits: Limits) -> Result<Self, Error> {
        let unfit = |problem| Error::Source { path: path.to_owned(), problem };
        let metadata = fs::metadata(path).map_err(|error| unfit(error.into()))?;
        if metadata.is_dir() {
            let mut found = Vec::new();
            walk(path, "", &mut found).map_err(unfit)?;
            let length = found.iter().filter_map(|found| found.stamp).map(|stamp| stamp.length).sum();
            return Ok(Self { path: path.to_owned(), length, contents: Contents::Files(found) });
        }
        if !metadata.is_file() {
            return Err(unfit(Unfit::Special { name: path.display().to_string() }));
        }
        let stamp = Stamp::of(&metadata);
        let contents = if archive::is_archive(path) {
            Contents::Archive(limits, stamp)
        } else {
            let raw = path.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
            let name = name::clean(raw).map_err(unfit)?.unwrap_or_default();
            Contents::Files(vec![Found { name, path: path.to_owned(), stamp: Some(stamp) }])
        };
        Ok(Self { path: path.to_owned(), length: stamp.length, contents })
    }

    /// As it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are read of it.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The name of the single file that it is, and that is not unpacked.
    pub fn single(&self) -> Option<&str> {
        match &self.contents {
            Contents::Files(found) => found.iter().find(|found| found.path == self.path).map(|found| found.name.as_str()),
            Contents::Archive(..) => None,
        }
    }

    /// Shows each file and directory in it, always in the same order.
    ///
    /// # Errors
    /// It cannot be read, or has changed since it was looked at; or of `visit`.
    pub fn each(&self, meter: &Meter, visit: &mut dyn FnMut(Item<'_>) -> Result<(), Error>) -> Result<(), Error> {
        match &self.contents {
            Contents::Files(found) => found.iter().try_for_each(|found| self.show(found, meter, visit)),
            Contents::Archive(limits, stamp) => {
                let mut file = self.open(&self.path, "it", *stamp)?;
                archive::each(&self.path, &mut file, self.length, *limits, meter, visit)?;
                self.unchanged(&file, "it", *stamp)
            }
        }
    }

    fn show(&self, found: &Found, meter: &Meter, visit: &mut dyn FnMut(Item<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let name = found.name.as_str();
        let Some(stamp) = found.stamp else { return visit(Item { name, body: Body::Directory }) };
        let file = self.open(&found.path, name, stamp)?;
        visit(Item { name, body: Body::File(&mut meter.of(&file)) })?;
        self.unchanged(&file, name, stamp)
    }

    fn open(&self, path: &Path, name: &str, stamp: Stamp) -> Result<File, Error> {
        let file = File::open(path).map_err(|error| self.unfit(error.into()))?;
        self.unchanged(&file, name, stamp)?;
        Ok(file)
    }

    fn unchanged(&self, file: &File, name: &str, stamp: Stamp) -> Result<(), Error> {
        let now = file.metadata().map_err(|error| self.unfit(error.into()))?;
        if Stamp::of(&now) == stamp { Ok(()) } else { Err(self.unfit(Unfit::Changed { name: name.to_owned() })) }
    }

    fn unfit(&self, problem: Unfit) -> Error {
        Error::Source { path: self.path.clone(), problem }
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

fn walk(directory: &Path, above: &str, found: &mut Vec<Found>) -> Result<(), Unfit> {
    let mut entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let raw = entry.file_name();
        let last = name::clean(raw.as_encoded_bytes())?.unwrap_or_default();
        let name = if above.is_empty() { last } else { format!("{above}/{last}") };
        if found.len() == ENTRIES_MAX {
            return Err(Unfit::Entries { max: ENTRIES_MAX });
        }
        let path = entry.path();
        let metadata = fs::metadata(&path).map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        if metadata.is_dir() {
            if entry.file_type()?.is_symlink() {
                return Err(Unfit::Link { name });
            }
            // Its length is that of all names above it: the system allows no path that is too deep for this.
            name::clean(name.as_bytes())?;
            found.push(Found { name: name.clone(), path: path.clone(), stamp: None });
            walk(&path, &name, found)?;
        } else if metadata.is_file() {
            found.push(Found { name, path, stamp: Some(Stamp::of(&metadata)) });
        } else {
            return Err(Unfit::Special { name });
        }
    }
    Ok(())
}

/// How far the sources are read.
#[derive(Default)]
pub struct Meter {
    /// In bytes.
    position: Cell<u64>,
    bar: Option<ProgressBar>,
}

impl Meter {
    /// With a bar that shows it.
    pub fn shown(bar: Option<ProgressBar>) -> Self {
        Self { position: Cell::new(0), bar }
    }

    /// Where it is now.
    pub fn position(&self) -> u64 {
        self.position.get()
    }

    /// Goes back to there.
    pub fn set(&self, position: u64) {
        self.position.set(position);
        if let Some(bar) = &self.bar {
            bar.set_position(position);
        }
    }

    /// What is being put.
    pub fn tell(&self, name: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(crate::show::plain(name).into_owned());
        }
    }

    /// A reader whose bytes are counted.
    pub fn of<R: Read>(&self, inner: R) -> impl Read + use<'_, R> {
        Metered { inner, meter: self }
    }
}

struct Metered<'m, R> {
    inner: R,
    meter: &'m Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.meter.set(self.meter.position() + read as u64);
        Ok(read)
    }
}
