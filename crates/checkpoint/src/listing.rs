//! Which checkpoints there are, and whether they are whole.

use crate::directory::Directory;
use crate::error::Error;
use crate::manifest::{BYTES_MAX, Manifest};
use crate::name::{self, Belongs, belongs};
use crate::part::{OpenPart, file_length, verify_length};
use tfcoord_types::id::CheckpointId;

/// The checkpoints in `dir`, the newest first; whether they are whole has not been looked at. None where there is no
/// such directory.
///
/// # Errors
/// It cannot be listed.
pub fn list(dir: &Directory) -> Result<Vec<CheckpointId>, Error> {
    let files = files(dir)?;
    let mut ids: Vec<_> =
        files.iter().filter_map(|(_, belongs)| if let Belongs::Manifest(id) = belongs { Some(*id) } else { None }).collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    Ok(ids)
}

/// The files of checkpoints in `dir`, and what they are.
pub(crate) fn files(dir: &Directory) -> Result<Vec<(String, Belongs)>, Error> {
    let ours = |name: String| belongs(&name).map(|belongs| (name, belongs));
    Ok(dir.names()?.into_iter().filter_map(ours).collect())
}

/// The manifest of a checkpoint in `dir`, as it was written.
///
/// # Errors
/// There is none, it is damaged, or of another version.
pub fn read(dir: &Directory, id: CheckpointId) -> Result<Manifest, Error> {
    let path = dir.file(&name::manifest(id));
    if file_length(dir, &path)? > BYTES_MAX {
        return Err(Error::damaged(&path, format!("it is longer than the {BYTES_MAX} bytes that a manifest can have")));
    }
    let file = dir.system.open(&path)?;
    let length = usize::try_from(file.status().length.min(BYTES_MAX)).unwrap_or_default();
    Manifest::read(&path, &file.read_at(0, length)?, id)
}

/// Whether all parts are there and as long as they were.
///
/// # Errors
/// Which one is not.
pub fn verify_lengths(dir: &Directory, manifest: &Manifest) -> Result<(), Error> {
    manifest.parts.iter().try_for_each(|part| verify_length(dir, part))
}

/// Whether all parts are there and as they were written: each is read once.
///
/// # Errors
/// Which one is not.
pub fn verify(dir: &Directory, manifest: &Manifest) -> Result<(), Error> {
    manifest.parts.iter().try_for_each(|part| OpenPart::open(dir, part)?.stream(|_, _, _| {}))
}

/// What a directory has to begin from.
#[derive(Debug)]
pub struct Found {
    /// Checkpoints whose manifest is whole and whose parts have their lengths, the newest first.
    pub whole: Vec<Manifest>,
    /// The others, the newest first, and why.
    pub passed_over: Vec<(CheckpointId, Error)>,
}

/// Looks for checkpoints in `dir` to begin from.
///
/// # Errors
/// The directory cannot be listed.
pub fn find(dir: &Directory) -> Result<Found, Error> {
    let mut found = Found { whole: Vec::new(), passed_over: Vec::new() };
    for id in list(dir)? {
        match read(dir, id).and_then(|manifest| verify_lengths(dir, &manifest).map(|()| manifest)) {
            Ok(manifest) => found.whole.push(manifest),
            Err(error) => found.passed_over.push((id, error)),
        }
    }
    Ok(found)
}
