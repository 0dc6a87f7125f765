//! Puts a data set to its place: every file written, read back and compared, and all of them given their name at once.

use super::name::Names;
use super::source::{Body, ENTRIES_MAX, Item, Meter, Source};
use super::staging::{Left, Staging};
use super::{Error, Unfit};
use bytes::{Bytes, BytesMut};
use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};
use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tfcoord_fs::storage::{Create, FileSystem, Location, Placement, Problem};

const PIECE: usize = 1 << 20;
const MODE: u32 = 0o644;
/// How often a file is begun anew, where DataNodes die.
const BEGUN_MAX: u32 = 10;
/// And for how long: each time waits for the servers by itself.
const BEGUN_FOR: Duration = Duration::from_mins(5);

/// What was put.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Files.
    pub files: usize,
    /// Directories below the data set's own.
    pub directories: usize,
    /// Of all files.
    pub bytes: u64,
}

/// What to put where.
pub struct Order<'a> {
    /// What.
    pub sources: &'a [Source],
    /// Where: the data set's own directory.
    pub target: &'a Location,
    /// Whether what is there gives way.
    pub replace: bool,
    /// Set by who does not want it any more.
    pub stop: &'a AtomicBool,
}

/// Carries the order out. `told` is told once what earlier processes left.
///
/// # Errors
/// The target's name is taken, a source is not fit, or the file system refuses: nothing has the name then that had not before.
pub fn put(system: &dyn FileSystem, order: &Order<'_>, meter: &Meter, told: &mut dyn FnMut(&Left)) -> Result<Done, Error> {
    is_a_directory_meant(order)?;
    if !order.replace {
        is_free(system, order.target)?;
    }
    let (staging, left) = Staging::begin(system, order.target)?;
    told(&left);
    // What a killed process had moved aside may have its name again.
    if !order.replace && !left.settled.is_empty() {
        is_free(system, order.target)?;
    }
    let mut filler =
        Filler { system, at: staging.at(), stop: order.stop, names: Names::new(ENTRIES_MAX), made: HashSet::new(), done: Done::default() };
    for source in order.sources {
        filler.fill(source, meter)?;
    }
    let done = Done { directories: filler.names.directories(), ..filler.done };
    if done.files == 0 {
        let path = order.sources.first().map(|source| source.path().to_owned()).unwrap_or_default();
        return Err(Error::Source { path, problem: Unfit::Empty });
    }
    filler.go_on()?;
    staging.commit(order.replace)?;
    Ok(done)
}

fn is_free(system: &dyn FileSystem, target: &Location) -> Result<(), Error> {
    match system.stat(target) {
        Ok(_) => Err(Error::Exists { target: target.to_string() }),
        Err(error) if matches!(error.problem, Problem::Missing) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

// `put a.csv hdfs:///data/a.csv` would make a directory that is called a.csv.
fn is_a_directory_meant(order: &Order<'_>) -> Result<(), Error> {
    let [source] = order.sources else { return Ok(()) };
    match (source.single(), order.target.name()) {
        (Some(file), Some(name)) if file == name => Err(Error::Target {
            target: order.target.to_string(),
            why: "is called like the file: a data set is a directory, and its files go into it",
            remedy: format!("give the data set a name of its own, such as {}-data", order.target),
        }),
        _ => Ok(()),
    }
}

struct Filler<'a> {
    system: &'a dyn FileSystem,
    at: &'a Location,
    stop: &'a AtomicBool,
    names: Names,
    made: HashSet<String>,
    done: Done,
}

impl Filler<'_> {
    // A file whose DataNode dies is begun anew. An archive cannot go back: it is read from its beginning again then, and what is there
    // already is passed over.
    fn fill(&mut self, source: &Source, meter: &Meter) -> Result<(), Error> {
        let beginning = meter.position();
        let (mut settled, mut named, mut begun) = (0, 0, 0);
        let mut failed = None;
        loop {
            let mut index = 0;
            meter.set(beginning);
            let filled = source.each(meter, &mut |item| {
                index += 1;
                self.go_on()?;
                if index > named {
                    let is_directory = matches!(item.body, Body::Directory);
                    self.names
                        .take(item.name, is_directory)
                        .map_err(|problem| Error::Source { path: source.path().to_owned(), problem })?;
                    named = index;
                }
                if index > settled {
                    meter.tell(item.name);
                    self.item(item, source, begun)?;
                    (settled, begun, failed) = (index, 0, None);
                }
                Ok(())
            });
            match filled {
                Err(error)
                    if error.is_transient() && begun + 1 < BEGUN_MAX && failed.get_or_insert_with(Instant::now).elapsed() < BEGUN_FOR =>
                {
                    begun += 1;
                }
                filled => return filled,
            }
        }
    }

    fn go_on(&self) -> Result<(), Error> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    fn item(&mut self, item: Item<'_>, source: &Source, begun: u32) -> Result<(), Error> {
        match item.body {
            Body::Directory => self.directory(item.name),
            Body::File(body) => {
                if let Some((directory, _)) = item.name.rsplit_once('/') {
                    self.directory(directory)?;
                }
                let at = self.at.join(item.name);
                let written = self.write(&at, body, source, begun)?;
                self.compare(&at, written)?;
                self.done.files += 1;
                self.done.bytes += written.length;
                Ok(())
            }
        }
    }

    fn directory(&mut self, name: &str) -> Result<(), Error> {
        if !self.made.contains(name) {
            self.system.make_directory(&self.at.join(name))?;
            self.made.insert(name.to_owned());
        }
        Ok(())
    }

    fn write(&self, at: &Location, body: &mut dyn Read, source: &Source, begun: u32) -> Result<Sum, Error> {
        let mut writer = self.system.create(at, Create { mode: MODE, begun })?;
        let mut sum = Sum::default();
        loop {
            self.go_on()?;
            let piece = piece(body).map_err(|error| Error::Source { path: source.path().to_owned(), problem: error.into() })?;
            if piece.is_empty() {
                break;
            }
            sum.add(&piece);
            writer.write(piece)?;
        }
        // Nobody else knows the directory: what may have the name is an earlier try of ours.
        writer.commit(Placement::Replace)?;
        Ok(sum)
    }

    fn compare(&self, at: &Location, written: Sum) -> Result<(), Error> {
        let mut stream = self.system.open(at)?.stream(0..u64::MAX)?;
        let mut read = Sum::default();
        while let Some(piece) = stream.next_piece()? {
            self.go_on()?;
            read.add(&piece);
        }
        if read == written {
            return Ok(());
        }
        Err(Error::Altered { at: at.to_string(), written: written.to_string(), read: read.to_string() })
    }
}

fn piece(body: &mut dyn Read) -> std::io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(PIECE);
    let mut filled = 0;
    while filled < PIECE {
        match body.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(filled);
    Ok(piece.freeze())
}

/// Length and CRC-32C of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    length: u64,
    crc32c: u32,
}

impl Sum {
    fn add(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, piece);
    }
}

impl Display for Sum {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes with CRC-32C {:08x}", self.length, self.crc32c)
    }
}

#[cfg(test)]
mod tests;
