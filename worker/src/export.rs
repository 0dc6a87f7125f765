//! Export: the model's files and the curve, complete or not there at all.

mod remote;

use crate::figures::Metrics;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tfcoord_data::Preprocessing;
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::{self, Invalid, Location};
use tfcoord_model::file::{self, FORMAT, ModelFile};
use tfcoord_model::{Model, Parameters};
use tfcoord_types::figures::{CurvePoint, EVALUATION_BATCH};
use tfcoord_types::report::{Exported, Fault, FaultKind};
use tfcoord_types::view::{EXPORT_TEMPORARY, Export};

/// The folder of the model's files in the job's outputs.
const MODEL_DIR: &str = "model";
/// The file with the job's evaluations.
const METRICS: &str = "metrics.json";
/// The file with the curve.
const CURVE: &str = "curve.csv";
/// What to do where the disk is at fault.
const REMEDY: &str = "see that output.dir has room and can be written to, then submit the job again";

/// The way to where files go.
#[derive(Debug)]
pub struct Place {
    /// The file systems.
    pub systems: FileSystems,
    /// Where files are made that go to HDFS.
    pub scratch: PathBuf,
}

/// A model that is not exported. Another attempt would fare no better.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The training went astray in its last step.
    #[error("{variable} is not finite after the last step, {step}: try a smaller learning rate or train.clip_norm")]
    NotFinite {
        /// The first bad variable.
        variable: String,
        /// The last step.
        step: u64,
    },
    /// Something else lies where the model belongs.
    #[error("export: {path} is there already and is another model: move it away, then submit the job again")]
    Taken {
        /// The model's folder.
        path: Location,
    },
    /// The operating system refused.
    #[error("export: cannot {operation} {path}: {cause}; {REMEDY}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A durable write failed.
    #[error("export: {0}; {REMEDY}")]
    Write(#[from] tfcoord_fs::Error),
    /// Where it is to go is no place.
    #[error("export: output.dir: {0}")]
    Location(#[from] Invalid),
    /// A file system refused.
    #[error("export: {0}, then submit the job again")]
    Storage(#[from] storage::Error),
    /// The model's files could not be written.
    #[error("export: {0}; {REMEDY}")]
    Model(#[from] file::Error),
    /// The evaluations cannot be written down.
    #[error("export: {METRICS}: {0}")]
    Metrics(#[from] serde_json::Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let kind = if matches!(error, Error::NotFinite { .. }) { FaultKind::NotFinite } else { FaultKind::Job };
        Self { kind, message: error.to_string() }
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::File { operation, path, cause }
}

/// Writes `model/` and then `curve.csv` into the directory of the job's outputs. What an earlier attempt completed is left
/// as it is: it has the same bits. What earlier attempts began goes.
///
/// # Errors
/// As [`Error`] says; of this attempt only what is complete is left.
pub fn write(
    place: &Place,
    export: &Export,
    preprocessing: &Preprocessing,
    curve: &[CurvePoint],
    model: &Model,
    parameters: &Parameters,
) -> Result<Exported, Error> {
    for (index, variable) in model.variables().iter().enumerate() {
        if !parameters.values(index).iter().all(|value| value.is_finite()) {
            return Err(Error::NotFinite { variable: variable.name.clone(), step: export.step.saturating_sub(1) });
        }
    }
    let outputs = match Location::parse(&export.dir, None)? {
        Location::Local(path) => path,
        at @ Location::Remote(_) => {
            let write = |dir: &Path| write_model(dir, export, preprocessing, model, parameters);
            let files = remote::write(&*place.systems.get(&at)?, &place.scratch, &at, export.attempt, write, curve_text(curve))?;
            return Ok(Exported { dir: at.join(MODEL_DIR).to_string(), files });
        }
    };
    let outputs = outputs.as_path();
    std::fs::create_dir_all(outputs).map_err(failed("make", outputs))?;
    let temp = outputs.join(format!("{EXPORT_TEMPORARY}{}", export.attempt));
    let written = write_model(&temp, export, preprocessing, model, parameters);
    tfcoord_fault::point!("worker.export.written");
    let files = written.and_then(|()| commit(&temp, &outputs.join(MODEL_DIR)));
    if files.is_err() {
        // Where that fails too, the coordinator does it when the job is over.
        let _ = std::fs::remove_dir_all(&temp);
    }
    let files = files?;
    tfcoord_fault::point!("worker.export.renamed");
    tfcoord_fs::write_atomic(&outputs.join(CURVE), curve_text(curve).as_bytes(), 0o644)?;
    remove_earlier(outputs, export.attempt).map_err(failed("tidy", outputs))?;
    Ok(Exported { dir: format!("{}/{MODEL_DIR}", export.dir.trim_end_matches('/')), files })
}

fn write_model(temp: &Path, export: &Export, preprocessing: &Preprocessing, model: &Model, parameters: &Parameters) -> Result<(), Error> {
    if temp.exists() {
        std::fs::remove_dir_all(temp).map_err(failed("remove", temp))?;
    }
    std::fs::create_dir(temp).map_err(failed("make", temp))?;
    let description = ModelFile {
        format: FORMAT,
        model: model.spec().clone(),
        input: model.input().clone(),
        evaluation_batch_size: u32::try_from(EVALUATION_BATCH).expect("a small constant"),
        preprocessing: preprocessing.clone(),
        tensors_sha256: None,
    };
    file::write(temp, description, model.variables(), parameters)?;
    let metrics = Metrics::new(&export.evaluations, model.classes());
    let metrics = serde_json::to_string_pretty(&metrics)? + "\n";
    Ok(tfcoord_fs::write_atomic(&temp.join(METRICS), metrics.as_bytes(), 0o644)?)
}

// What lies at `to` then.
fn commit(temp: &Path, to: &Path) -> Result<Vec<(String, u64, String)>, Error> {
    let files = digests(temp)?;
    match tfcoord_fs::commit_directory(temp, to) {
        // Another attempt may have been first, in this very moment.
        Err(tfcoord_fs::Error::Exists { .. }) => {
            if digests(to)? != files {
                return Err(Error::Taken { path: to.into() });
            }
            std::fs::remove_dir_all(temp).map_err(failed("remove", temp))?;
        }
        done => done?,
    }
    Ok(files)
}

// Later attempts are left alone: this one may be fenced already.
fn remove_earlier(outputs: &Path, attempt: u64) -> io::Result<()> {
    for entry in std::fs::read_dir(outputs)? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(attempt_of).is_some_and(|of| of < attempt) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

// Whose temporary folder has this name.
fn attempt_of(name: &str) -> Option<u64> {
    name.strip_prefix(EXPORT_TEMPORARY)?.parse().ok()
}

// Length and SHA-256 of a file, which may be larger than memory.
fn digest(mut file: impl Read) -> io::Result<(u64, String)> {
    let (mut hash, mut length) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((length, hex(&hash.finalize()))),
            Ok(read) => {
                hash.update(&buffer[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

// (name, length, SHA-256) of each file, by name.
fn digests(dir: &Path) -> Result<Vec<(String, u64, String)>, Error> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed("list", dir))? {
        let path = entry.map_err(failed("list", dir))?.path();
        let (length, digest) = std::fs::File::open(&path).and_then(digest).map_err(failed("read", &path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, length, digest));
    }
    files.sort();
    Ok(files)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

// The shortest decimals that read back to the same value, and the sum's bits.
fn curve_text(curve: &[CurvePoint]) -> String {
    let mut text = String::from("step,loss,accuracy,loss_sum_bits\n");
    for point in curve {
        let (loss, accuracy) = (point.loss_sum / point.records, point.correct / point.records);
        let _infallible = writeln!(text, "{},{loss},{accuracy},{:08x}", point.step, point.loss_sum.to_bits());
    }
    text
}

#[cfg(test)]
mod tests;
