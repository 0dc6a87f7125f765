//! Export to HDFS: the files are made on this machine, copied into a folder with a temporary name, and that takes its name.

use super::{CURVE, Error, MODEL_DIR, attempt_of, digest, digests, failed};
use bytes::Bytes;
use std::fs::File;
use std::path::Path;
use tfcoord_fs::storage::{self, FileSystem, Location, Placement, Problem, write_copy, write_whole};
use tfcoord_types::view::EXPORT_TEMPORARY;

const MODE: u32 = 0o644;

/// Name, length and SHA-256 of each file.
type Files = Vec<(String, u64, String)>;

/// Writes the model, which `make` makes in a folder in `scratch` that is not there yet, and then the curve, into the
/// folder `outputs` in HDFS.
pub(super) fn write(
    system: &dyn FileSystem,
    scratch: &Path,
    outputs: &Location,
    attempt: u64,
    make: impl FnOnce(&Path) -> Result<(), Error>,
    curve: String,
) -> Result<Files, Error> {
    system.make_directory(outputs)?;
    let temp = outputs.join(&format!("{EXPORT_TEMPORARY}{attempt}"));
    let made = tempfile::tempdir_in(scratch).map_err(failed("make a folder in", scratch))?;
    let local = made.path().join(MODEL_DIR);
    let written = make(&local).and_then(|()| copy(system, &local, &temp));
    tfcoord_fault::point!("worker.export.written");
    let files = written.and_then(|files| commit(system, &temp, &outputs.join(MODEL_DIR), files));
    if files.is_err() {
        // Where that fails too, it is done when the job is over.
        let _ = system.delete(&temp);
    }
    let files = files?;
    tfcoord_fault::point!("worker.export.renamed");
    let curve = Bytes::from(curve);
    write_whole(system, &outputs.join(CURVE), MODE, Placement::Replace, &mut |writer| writer.write(curve.clone()))?;
    for entry in system.list(outputs)? {
        // Later attempts are left alone: this one may be fenced already.
        if attempt_of(&entry.name).is_some_and(|of| of < attempt) {
            system.delete(&outputs.join(&entry.name))?;
        }
    }
    Ok(files)
}

fn copy(system: &dyn FileSystem, from: &Path, to: &Location) -> Result<Files, Error> {
    let files = digests(from)?;
    system.delete(to)?;
    system.make_directory(to)?;
    for (name, ..) in &files {
        let file = File::open(from.join(name)).map_err(failed("read", &from.join(name)))?;
        write_copy(system, &to.join(name), MODE, Placement::New, &file)?;
    }
    Ok(files)
}

fn commit(system: &dyn FileSystem, temp: &Location, to: &Location, files: Files) -> Result<Files, Error> {
    match system.rename(temp, to) {
        // Another attempt may have been first, or the answer was lost.
        Err(error) if matches!(error.problem, Problem::Exists | Problem::Undecided { .. }) => {
            let there = digests_of(system, to);
            if matches!(error.problem, Problem::Undecided { .. }) && there.is_err() {
                return Err(error.into());
            }
            if there? != files {
                return Err(Error::Taken { path: to.clone() });
            }
            system.delete(temp)?;
        }
        done => done?,
    }
    Ok(files)
}

fn digests_of(system: &dyn FileSystem, dir: &Location) -> Result<Files, storage::Error> {
    let mut files = Vec::new();
    for entry in system.list(dir)? {
        let at = dir.join(&entry.name);
        let failed =
            |cause: std::io::Error| storage::Error { operation: "read", location: at.to_string(), access: None, problem: cause.into() };
        let stream = system.open(&at)?.stream(0..u64::MAX)?;
        let (length, digest) = digest(stream).map_err(|cause| cause.downcast().unwrap_or_else(failed))?;
        files.push((entry.name, length, digest));
    }
    files.sort();
    Ok(files)
}
