//! The commit point: a manifest appears under its name, or does not.

use crate::error::Error;
use crate::listing::{read, verify_lengths};
use crate::manifest::Manifest;
use crate::name;
use std::io::Write;
use std::path::Path;
use tfcoord_fs::AtomicFile;

/// Commits a checkpoint whose parts lie in `dir`: afterwards it is there, and stays there through a power cut. Once more
/// with the same manifest, but for when it was saved and what has been evaluated until then, is no error: the first one stays.
///
/// # Errors
/// The manifest makes no sense, a part is not as long as it says, another manifest has the name ([`Error::Conflict`]),
/// or the system cannot. After an error of the last sync the manifest may be there and not be durable: commit it again.
pub fn commit(dir: &Path, manifest: &Manifest) -> Result<(), Error> {
    let text = manifest.encode()?;
    verify_lengths(dir, manifest)?;
    let path = dir.join(name::manifest(manifest.id));
    // Most often of an earlier life of whoever commits.
    if !path.exists() {
        match place(&path, &text) {
            Err(Error::Write(tfcoord_fs::Error::Exists { .. })) => {}
            placed => {
                placed?;
                return durable(dir);
            }
        }
    }
    match read(dir, manifest.id) {
        Ok(found) if found.says_what(manifest) => durable(dir),
        Ok(_) | Err(Error::Damaged { .. } | Error::Format { .. }) => Err(Error::Conflict { path }),
        Err(error) => Err(error),
    }
}

fn place(path: &Path, text: &[u8]) -> Result<(), Error> {
    let mut file = AtomicFile::create(path, 0o644)?;
    let written = tfcoord_fault::io!("checkpoint.manifest.write").and_then(|()| file.write_all(text));
    written.map_err(Error::io("write", path))?;
    tfcoord_fault::point!("checkpoint.manifest.written");
    tfcoord_fault::io!("checkpoint.manifest.sync").map_err(Error::io("sync", path))?;
    file.sync()?;
    tfcoord_fault::point!("checkpoint.manifest.synced");
    tfcoord_fault::io!("checkpoint.manifest.rename").map_err(Error::io("rename to", path))?;
    file.place_new()?;
    tfcoord_fault::point!("checkpoint.manifest.renamed");
    Ok(())
}

fn durable(dir: &Path) -> Result<(), Error> {
    tfcoord_fs::sync_directory(dir)?;
    tfcoord_fault::point!("checkpoint.manifest.dir_synced");
    Ok(())
}
