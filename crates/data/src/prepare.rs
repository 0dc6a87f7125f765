//! The one look at a job's data before anything is launched.

use crate::error::Error;
use crate::files::Files;
use crate::identity::hex;
use sha2::{Digest, Sha256};
use std::path::Path;
use tfcoord_types::job::{Format, JobFile};
use tfcoord_types::manifest::{Beside, Manifest, ManifestSummary};

mod fit;
mod gather;
mod holders;
mod pictures;
mod table;

pub use holders::holders;

/// Looks at the data of `job`, whose paths are absolute: lists and counts them, collects what their preprocessing
/// needs, and checks them against the model and against each other. Reads every file to its end, a table two to
/// four times; blocks. What it unpacks and indexes stays in the scratch directory for the readers.
///
/// # Errors
/// The first thing that would keep the job from running, with its place and its remedy.
pub fn prepare(job: &JobFile, files: &Files) -> Result<Manifest, Error> {
    let manifest = match job.data.format {
        Format::Idx => pictures::prepare(job, files)?,
        Format::Csv => table::prepare(job, files)?,
    };
    fit::check(job, &manifest)?;
    Ok(manifest)
}

/// The manifest as JSON, and what the coordinator's log keeps of it.
pub fn summary(manifest: &Manifest) -> (Vec<u8>, ManifestSummary) {
    let json = serde_json::to_vec(manifest).expect("a manifest has no maps and no numbers that JSON lacks");
    let summary = ManifestSummary {
        digest: hex(&Sha256::digest(&json)),
        records_digest: records_digest(manifest),
        train_records: manifest.train.records,
        eval_records: manifest.eval.as_ref().map_or(0, |eval| eval.records),
        input: manifest.into(),
        beside: Beside::default(),
        holders: None,
    };
    (json, summary)
}

// A copy of the files, elsewhere and from another time, has the same records.
fn records_digest(manifest: &Manifest) -> String {
    let mut anywhere = manifest.clone();
    let name = |path: &str| Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for file in anywhere.train.files.iter_mut().chain(anywhere.eval.iter_mut().flat_map(|eval| &mut eval.files)) {
        (file.path, file.labels) = (name(&file.path), file.labels.as_deref().map(name));
        (file.modified_ns, file.labels_modified_ns) = (0, 0);
    }
    hex(&Sha256::digest(serde_json::to_vec(&anywhere).expect("as the manifest itself")))
}

#[cfg(test)]
mod tests;
