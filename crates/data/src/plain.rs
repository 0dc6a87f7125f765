//! A file's plain bytes, wherever they are: on this machine, in HDFS, or unpacked in the scratch directory.

use crate::error::{Change, Error};
use crate::files::Files;
use crate::identity::Identity;
use crate::remote::Remote;
use crate::unpack::unpack;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tfcoord_fs::local;
use tfcoord_fs::storage::Location;
use tfcoord_types::manifest::Derived;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file of plain bytes, of which any can be read.
#[derive(Debug)]
pub(crate) struct Plain {
    bytes: Bytes,
    pub length: u64,
}

/// A file as it lies there, plain or not.
#[derive(Debug)]
pub(crate) enum Bytes {
    Here(File),
    Remote(Arc<Remote>),
}

impl Plain {
    /// The plain bytes of a file that may be compressed.
    pub fn open(source: &Identity, files: &Files) -> Result<Self, Error> {
        let bytes = Bytes::open(source, files)?;
        let mut start = [0; 2];
        let packed = bytes.read_some(&mut start, 0).map_err(Error::io("read", &source.at))? == 2 && start == GZIP;
        if !packed {
            return Ok(Self { bytes, length: source.length });
        }
        let path = files.scratch.dir.join(source.derived(Derived::Unpacked));
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                files.make_scratch()?;
                unpack(source, &bytes, &path, files)?;
                File::open(&path)
            }
            opened => opened,
        };
        let file = file.map_err(Error::scratch_io("open", &path))?;
        let length = file.metadata().map_err(Error::scratch_io("look at", &path))?.len();
        Ok(Self { bytes: Bytes::Here(file), length })
    }

    /// Reads exactly `buffer`; where the file ends before, it has changed since it was looked at.
    pub fn read(&self, mut buffer: &mut [u8], mut offset: u64, source: &Identity) -> Result<(), Error> {
        while !buffer.is_empty() {
            match self.read_some(buffer, offset).map_err(Error::io("read", &source.at))? {
                0 => return Err(source.changed(Change::Content)),
                read => (buffer, offset) = (&mut buffer[read..], offset + read as u64),
            }
        }
        Ok(())
    }

    /// Gives `take` all bytes of `place`, in as many parts as they come in: as they lie in memory, or in `buffer`, which is as
    /// long as the place. Where the file ends before, it has changed since it was looked at.
    pub fn take(&self, place: Range<u64>, buffer: &mut [u8], source: &Identity, mut take: impl FnMut(&[u8])) -> Result<(), Error> {
        let Bytes::Remote(remote) = &self.bytes else {
            self.read(buffer, place.start, source)?;
            take(buffer);
            return Ok(());
        };
        let mut at = place.start;
        while at < place.end {
            let most = (place.end - at).min(buffer.len() as u64) as usize;
            match remote.take_some(&mut buffer[..most], at, &mut take)? {
                0 => return Err(source.changed(Change::Content)),
                taken => at += taken as u64,
            }
        }
        Ok(())
    }

    /// Reads some bytes from `offset` on, none at the end.
    pub fn read_some(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.bytes.read_some(buffer, offset)
    }

    /// Whether it is far away.
    pub fn is_remote(&self) -> bool {
        matches!(self.bytes, Bytes::Remote(_))
    }

    /// Gets what of `places` is far away, several at the same time.
    pub fn fetch(&self, places: impl Iterator<Item = Range<u64>>) -> Result<(), Error> {
        match &self.bytes {
            Bytes::Here(_) => Ok(()),
            Bytes::Remote(remote) => remote.fetch(places),
        }
    }

    /// Begins to get what of `place` is far away: it will be wanted soon.
    pub fn expect(&self, place: Range<u64>) {
        if let Bytes::Remote(remote) = &self.bytes {
            remote.expect(place);
        }
    }

    /// Bytes from `offset` on, of which few are wanted.
    pub fn few(&self, offset: u64) -> Box<dyn Read + '_> {
        Box::new(InOrder { bytes: &self.bytes, at: offset })
    }

    /// All bytes from `offset` on.
    pub fn in_order(&self, offset: u64) -> io::Result<Box<dyn Read + '_>> {
        self.bytes.in_order(offset)
    }
}

impl Bytes {
    /// Opens a file, which must be what it was.
    pub fn open(source: &Identity, files: &Files) -> Result<Self, Error> {
        let Location::Local(path) = &source.at else {
            let file = files.system(&source.at)?.open(&source.at)?;
            source.check(file.status())?;
            return Ok(Self::Remote(Arc::new(Remote::new(file, source, &files.fetched)?)));
        };
        let file = File::open(path).map_err(Error::io("read", &source.at))?;
        source.check(local::status(&file.metadata().map_err(Error::io("look at", &source.at))?))?;
        Ok(Self::Here(file))
    }

    fn read_some(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Here(file) => loop {
                match file.read_at(buffer, offset) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    read => return read,
                }
            },
            Self::Remote(remote) => remote.read_some(buffer, offset).map_err(io::Error::other),
        }
    }

    /// All bytes from `offset` on.
    pub fn in_order(&self, offset: u64) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Self::Here(_) => Ok(Box::new(InOrder { bytes: self, at: offset })),
            Self::Remote(remote) => Ok(Box::new(remote.in_order(offset)?)),
        }
    }
}

struct InOrder<'a> {
    bytes: &'a Bytes,
    at: u64,
}

impl Read for InOrder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read_some(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
