//! Removing: manifests first, so that what is listed is there.

use crate::directory::Directory;
use crate::error::Error;
use crate::listing::{files, find, list};
use crate::name::{Belongs, manifest};
use std::collections::BTreeSet;
use tfcoord_types::id::CheckpointId;

/// Removes a checkpoint from `dir`; one that is not there, or only in part, is no error.
///
/// # Errors
/// A file cannot be removed; without its manifest, which goes first, it is a checkpoint no more.
pub fn remove(dir: &Directory, id: CheckpointId) -> Result<(), Error> {
    if dir.remove(&manifest(id))? {
        // Else a power cut might bring the manifest back, but not the parts.
        dir.sync()?;
    }
    tfcoord_fault::point!("checkpoint.remove.manifest");
    for (file, belongs) in files(dir)? {
        if matches!(belongs, Belongs::Part(of) | Belongs::Temporary(of) if of == id) {
            dir.remove(&file)?;
        }
    }
    tfcoord_fault::point!("checkpoint.remove.parts");
    Ok(())
}

/// Removes from `dir` all checkpoints but the newest `keep` (at least one) that are whole, what attempts that never became one
/// have left, if they are older than the newest whole one, and what was begun of committed ones under other names. Nothing else
/// of those `in_use` is touched: one that is being written or begun from; nor what is newer than all of them, as whoever asked
/// did not know of it: by now it may be what a job goes back to, while a newer one lies there that will not be committed.
/// Returns the checkpoints that are gone, the newest first.
///
/// # Errors
/// The first file that could not be removed; the others are.
pub fn sweep(dir: &Directory, keep: usize, in_use: &[CheckpointId]) -> Result<Vec<CheckpointId>, Error> {
    let all = list(dir)?;
    // Damaged ones do not count: what can be begun from is what is kept.
    let kept: Vec<CheckpointId> = find(dir)?.whole.iter().take(keep.max(1)).map(|manifest| manifest.id).collect();
    let (Some(newest), Some(oldest)) = (kept.first(), kept.last()) else { return Ok(Vec::new()) };
    let known = |id: &CheckpointId| in_use.iter().max().is_none_or(|newest| id < newest);
    let mut failed = None;
    let mut gone = Vec::new();
    for id in all.iter().filter(|id| *id < oldest && known(id) && !in_use.contains(id)) {
        match remove(dir, *id) {
            Ok(()) => gone.push(*id),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    // With a manifest, even a damaged one, a part may be of use to somebody; what was begun of it under another name is not.
    let committed: BTreeSet<CheckpointId> = list(dir)?.into_iter().collect();
    let left = |id: &CheckpointId| id < newest && known(id) && !committed.contains(id) && !in_use.contains(id);
    for (file, belongs) in files(dir)? {
        let unwanted = match belongs {
            Belongs::Part(id) => left(&id),
            Belongs::Temporary(id) => left(&id) || committed.contains(&id),
            Belongs::Manifest(_) => false,
        };
        if unwanted && let Err(error) = dir.remove(&file) {
            failed = failed.or(Some(error));
        }
    }
    failed.map_or(Ok(gone), Err)
}
