//! The commit point: a manifest appears under its name, or does not.

use crate::directory::Directory;
use crate::error::Error;
use crate::listing::{read, verify_lengths};
use crate::manifest::Manifest;
use crate::name;
use bytes::Bytes;
use std::io::{self, Write};
use std::path::Path;
use tfcoord_fs::AtomicFile;
use tfcoord_fs::storage::{self, Location, Placement, Problem, write_whole};

/// Commits a checkpoint whose parts lie in `dir`: afterwards it is there, and stays there through a power cut. Once more
/// with the same manifest, but for when it was saved and what has been evaluated until then, is no error: the first one stays.
///
/// # Errors
/// The manifest makes no sense, a part is not as long as it says, another manifest has the name ([`Error::Conflict`]),
/// or the system cannot. After an error of the last sync the manifest may be there and not be durable: commit it again.
pub fn commit(dir: &Directory, manifest: &Manifest) -> Result<(), Error> {
    let text = manifest.encode()?;
    verify_lengths(dir, manifest)?;
    let path = dir.file(&name::manifest(manifest.id));
    // Most often of an earlier life of whoever commits.
    let mut undecided = None;
    if is_free(dir, &path)? {
        match place(dir, &path, text) {
            Ok(()) => return durable(dir),
            Err(Error::Write(tfcoord_fs::Error::Exists { .. })) => {}
            Err(Error::Storage(error)) if matches!(error.problem, Problem::Exists) => {}
            // The answer was lost: what lies there tells.
            Err(Error::Storage(error)) if matches!(error.problem, Problem::Undecided { .. }) => undecided = Some(error),
            Err(error) => return Err(error),
        }
    }
    match read(dir, manifest.id) {
        Ok(found) if found.says_what(manifest) => durable(dir),
        Ok(_) | Err(Error::Damaged { .. } | Error::Format { .. }) => Err(Error::Conflict { path }),
        Err(error) => Err(undecided.map_or(error, Error::Storage)),
    }
}

fn is_free(dir: &Directory, path: &Location) -> Result<bool, Error> {
    match dir.system.stat(path) {
        Ok(_) => Ok(false),
        Err(error) if matches!(error.problem, Problem::Missing) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn place(dir: &Directory, path: &Location, text: Vec<u8>) -> Result<(), Error> {
    match path {
        Location::Local(at) => place_here(at, &text, path)?,
        Location::Remote(_) => place_remote(dir, path, text.into())?,
    }
    tfcoord_fault::point!("checkpoint.manifest.renamed");
    Ok(())
}

fn place_here(at: &Path, text: &[u8], path: &Location) -> Result<(), Error> {
    let mut file = AtomicFile::create(at, 0o644)?;
    let written = tfcoord_fault::io!("checkpoint.manifest.write").and_then(|()| file.write_all(text));
    written.map_err(Error::io("write", path))?;
    tfcoord_fault::point!("checkpoint.manifest.written");
    tfcoord_fault::io!("checkpoint.manifest.sync").map_err(Error::io("sync", path))?;
    file.sync()?;
    tfcoord_fault::point!("checkpoint.manifest.synced");
    tfcoord_fault::io!("checkpoint.manifest.rename").map_err(Error::io("rename to", path))?;
    Ok(file.place_new()?)
}

fn place_remote(dir: &Directory, path: &Location, text: Bytes) -> Result<(), Error> {
    let failed =
        |operation, cause: io::Error| storage::Error { operation, location: path.to_string(), access: None, problem: cause.into() };
    let fill = &mut |writer: &mut dyn storage::Writer| {
        tfcoord_fault::io!("checkpoint.manifest.write").map_err(|cause| failed("write", cause))?;
        writer.write(text.clone())?;
        tfcoord_fault::point!("checkpoint.manifest.written");
        tfcoord_fault::io!("checkpoint.manifest.rename").map_err(|cause| failed("rename to", cause))
    };
    Ok(write_whole(&*dir.system, path, 0o644, Placement::New, fill)?)
}

fn durable(dir: &Directory) -> Result<(), Error> {
    dir.sync()?;
    tfcoord_fault::point!("checkpoint.manifest.dir_synced");
    Ok(())
}
