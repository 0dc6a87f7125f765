//! Snapshots: the state after an entry, in a file of its own.
//!
//! ```text
//!   "tfcdsnap" │ crc32c u32 (of all that follows) │ version u32 │ index u64 │ term u64 │ payload …
//! ```

use super::frame::{u32_at, u64_at};
use super::{Disk, Error, Real};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"tfcdsnap";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 32;
/// Older ones are kept in case the newest is damaged.
const KEPT: usize = 2;

/// The state after an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry that it contains.
    pub index: u64,
    /// That entry's term.
    pub term: u64,
    /// The state.
    pub payload: Vec<u8>,
}

/// The snapshots in a directory.
#[derive(Debug)]
pub struct Snapshots {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl Snapshots {
    /// Those in `dir`, which must exist.
    pub fn new(dir: &Path) -> Self {
        Self::new_on(Arc::new(Real), dir)
    }

    /// As [`new`](Self::new), on this disk.
    pub fn new_on(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: dir.to_owned() }
    }

    /// Keeps a snapshot, durable when this returns, and removes those that are no longer needed. Returns the index of
    /// the oldest one kept: the log may be purged up to it.
    ///
    /// # Errors
    /// The file system fails.
    pub fn save(&self, snapshot: &Snapshot) -> Result<u64, Error> {
        let mut body = VERSION.to_le_bytes().to_vec();
        body.extend_from_slice(&snapshot.index.to_le_bytes());
        body.extend_from_slice(&snapshot.term.to_le_bytes());
        body.extend_from_slice(&snapshot.payload);
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        bytes.append(&mut body);
        tfcoord_fault::point!("log.snapshot.made");
        self.disk.write_atomic(&self.path(snapshot.index), &bytes)?;
        tfcoord_fault::point!("log.snapshot.written");
        let all = self.indices()?;
        let (old, kept) = all.split_at(all.len().saturating_sub(KEPT));
        for index in old {
            let path = self.path(*index);
            self.disk.remove(&path).map_err(Error::file("remove", &path))?;
        }
        Ok(kept.first().copied().unwrap_or(snapshot.index))
    }

    /// The newest snapshot that is whole; damaged ones are left alone.
    ///
    /// # Errors
    /// The file system fails, or a newer version wrote it.
    pub fn newest(&self) -> Result<Option<Snapshot>, Error> {
        for index in self.indices()?.into_iter().rev() {
            let path = self.path(index);
            let bytes = self.disk.read(&path).map_err(Error::file("read", &path))?;
            match read(&path, &bytes)?.filter(|snapshot| snapshot.index == index) {
                Some(snapshot) => return Ok(Some(snapshot)),
                None => tracing::warn!(path = %path.display(), "a snapshot is damaged: trying the one before"),
            }
        }
        Ok(None)
    }

    fn path(&self, index: u64) -> PathBuf {
        self.dir.join(format!("snapshot-{index:020}"))
    }

    fn indices(&self) -> Result<Vec<u64>, Error> {
        let names = self.disk.names(&self.dir).map_err(Error::file("list", &self.dir))?;
        let index = |name: &String| name.strip_prefix("snapshot-")?.parse::<u64>().ok();
        let mut indices: Vec<u64> = names.iter().filter_map(index).collect();
        indices.sort_unstable();
        Ok(indices)
    }
}

fn read(path: &Path, bytes: &[u8]) -> Result<Option<Snapshot>, Error> {
    let (Some(sum), Some(version), Some(index), Some(term)) = (u32_at(bytes, 8), u32_at(bytes, 12), u64_at(bytes, 16), u64_at(bytes, 24))
    else {
        return Ok(None);
    };
    if bytes[..8] != *MAGIC || crc32c::crc32c(&bytes[12..]) != sum {
        return Ok(None);
    }
    if version != VERSION {
        return Err(Error::Version { path: path.to_owned(), found: version, expected: VERSION });
    }
    Ok(Some(Snapshot { index, term, payload: bytes[HEADER_BYTES..].to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn snapshot(index: u64) -> Snapshot {
        Snapshot { index, term: 1, payload: format!("state {index}").into_bytes() }
    }

    #[test]
    fn the_newest_whole_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::new(dir.path());
        assert_eq!(snapshots.newest().unwrap(), None);
        assert_eq!(snapshots.save(&snapshot(5)).unwrap(), 5);
        assert_eq!(snapshots.save(&snapshot(9)).unwrap(), 5);
        assert_eq!(snapshots.save(&snapshot(12)).unwrap(), 9);
        assert_eq!(snapshots.newest().unwrap(), Some(snapshot(12)));
        let path = snapshots.path(12);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            assert_eq!(snapshots.newest().unwrap(), Some(snapshot(9)), "{at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(snapshots.newest().unwrap(), Some(snapshot(9)), "{at}");
        }
    }
}
