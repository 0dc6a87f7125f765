//! Whether results can be written: better known now than after the training.

use bytes::Bytes;
use std::path::Path;
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::{self, Location, Placement, write_whole};
use tfcoord_types::job::JobFile;

/// Writes a file where the job's results will go, and where its checkpoints will if they are in HDFS, and removes it.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn probe(job: &JobFile) -> Result<(), String> {
    let checkpoints = job.checkpoint.as_ref().and_then(|checkpoint| checkpoint.dir.as_deref());
    let systems = FileSystems::of_environment();
    for (field, dir) in [("output.dir", Some(job.output.dir.as_str())), ("checkpoint.dir", checkpoints)] {
        let Some(dir) = dir else { continue };
        match Location::parse(dir, None).map_err(|error| format!("{field}: {error}"))? {
            // The coordinator makes that one itself.
            Location::Local(_) if field == "checkpoint.dir" => {}
            Location::Local(path) => here(&path)
                .map_err(|cause| format!("{field}: cannot write in {dir}: {cause}\n  help: name a directory that you may write to"))?,
            at @ Location::Remote(_) => {
                remote(&systems, &at).map_err(|error| format!("{field}: {}\n  help: {}", error.what(), error.problem.remedy()))?;
            }
        }
    }
    Ok(())
}

fn here(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    tempfile::tempfile_in(dir).map(drop)
}

// Whole, and then removed: what is dropped is removed later, by a process that is there then.
fn remote(systems: &FileSystems, dir: &Location) -> Result<(), storage::Error> {
    let system = systems.get(dir)?;
    system.make_directory(dir)?;
    let at = dir.join(".tfcoord-probe");
    // A quota on space is looked at where there are bytes. Others may do the same at the same time.
    write_whole(&*system, &at, 0o600, Placement::Replace, &mut |writer| writer.write(Bytes::from_static(b"probe\n")))?;
    system.delete(&at).map(drop)
}
