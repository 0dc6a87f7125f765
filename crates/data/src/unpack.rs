//! Gzip files are unpacked once into the scratch directory.
//!
//! The unpacked file is named by the identity of the compressed one and appears by an atomic rename, so any number
//! of processes may race for it: all write the same bytes, and whoever finds it there uses it.

use crate::error::{Error, FileProblem};
use crate::files::Files;
use crate::identity::Identity;
use crate::plain::Bytes;
use flate2::read::MultiGzDecoder;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use tfcoord_fs::AtomicFile;

/// Writes the plain bytes of `source`, which is `packed`, to the file `to`.
pub(crate) fn unpack(source: &Identity, packed: &Bytes, to: &Path, files: &Files) -> Result<(), Error> {
    let limits = files.scratch.limits;
    let bytes_max = limits.unpacked_bytes_max.min(source.length.saturating_mul(limits.ratio_max));
    let mut target = AtomicFile::create(to, 0o600).map_err(Error::scratch)?;
    let mut plain = MultiGzDecoder::new(packed.in_order(0).map_err(Error::io("read", &source.at))?);
    let mut buffer = vec![0; 1 << 17];
    let mut written = 0u64;
    loop {
        let read = match plain.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(damaged(source, error)),
        };
        written += read as u64;
        if written > bytes_max {
            return Err(Error::file(&source.at)(FileProblem::Bomb { bytes_max, length: source.length }));
        }
        target.write_all(&buffer[..read]).map_err(Error::scratch_io("write", to))?;
    }
    // What was read while somebody wrote must not stay under the old identity.
    source.check_now(files)?;
    target.commit().map_err(Error::scratch)
}

// What HDFS says is no damage.
fn damaged(source: &Identity, error: std::io::Error) -> Error {
    Error::of_reading(error).unwrap_or_else(|error| Error::file(&source.at)(FileProblem::Gzip { reason: error.to_string() }))
}

#[cfg(test)]
mod tests;
