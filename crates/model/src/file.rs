//! The model file: a directory with `model.safetensors` (every variable but the curve, f32) and `model.json`
//! (what the parameters belong to). The same model gives the same bytes.
//!
//! What is read is not trusted: lengths are looked at before anything is allocated, shapes come from the
//! model's description and the tensors must have them. Values may be anything, NaN too.

mod tensors;

use crate::error::Error as ModelError;
use crate::kernel::Isa;
use crate::model::{Model, Options};
use crate::parameters::Parameters;
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use tfcoord_types::figures::CURVE_VARIABLE;
use tfcoord_types::job;
use tfcoord_types::variable::Variable;

/// The file with the parameters.
pub const TENSORS: &str = "model.safetensors";
/// The file with everything else.
pub const DESCRIPTION: &str = "model.json";
/// The format that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

// A vocabulary may have a million texts.
const DESCRIPTION_BYTES_MAX: u64 = 256 << 20;
const HEADER_BYTES_MAX: u64 = 16 << 20;

/// `model.json`. `P` says how a file's values become features; it belongs to the reader of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile<P> {
    /// [`FORMAT`].
    pub format: u32,
    /// The model.
    pub model: job::Model,
    /// The records that it takes.
    #[serde(flatten)]
    pub input: job::Input,
    /// Records a batch of the evaluations that the job reported: with the same, the same figures come out.
    pub evaluation_batch_size: u32,
    /// How a file's values become features and labels.
    pub preprocessing: P,
    /// SHA-256 of [`TENSORS`] in hexadecimal: [`write()`] fills it in. Files that are older than this field lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensors_sha256: Option<String>,
}

/// What can go wrong with a model file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read or written.
    #[error("{}: {cause}{}", path.display(), remedy(cause))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It is not what a model file is.
    #[error("{}: {problem}: export the model again", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It is of a format that this version does not know.
    #[error("{}: format {found}, but this version reads format {FORMAT}: use the version that wrote it", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It describes a model that cannot be.
    #[error("{}: {cause}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: ModelError,
    },
}

/// Writes both files into the directory `dir`, which must exist, over what may be there, and syncs them.
///
/// # Errors
/// If they cannot be written, or `parameters` are not those of `variables`.
pub fn write<P: Serialize>(dir: &Path, mut file: ModelFile<P>, variables: &[Variable], parameters: &Parameters) -> Result<(), Error> {
    let (description, tensors) = (dir.join(DESCRIPTION), dir.join(TENSORS));
    file.tensors_sha256 = Some(tensors::write(&tensors, variables, parameters)?);
    let mut json = serde_json::to_vec_pretty(&file).map_err(|cause| content(&description, cause))?;
    json.push(b'\n');
    write_synced(&description, &json)
}

/// Reads both files of `dir` and builds the model.
///
/// # Errors
/// With the file's name and what is wrong with it.
pub fn read<P: DeserializeOwned>(dir: &Path, threads: usize) -> Result<(ModelFile<P>, Model, Parameters), Error> {
    let description = dir.join(DESCRIPTION);
    let json = read_at_most(&description, DESCRIPTION_BYTES_MAX)?;
    // The format first: another one may have other fields.
    let Header { format } = serde_json::from_slice(&json).map_err(|cause| content(&description, cause))?;
    if format != FORMAT {
        return Err(Error::Format { path: description, found: format });
    }
    let file: ModelFile<P> = serde_json::from_slice(&json).map_err(|cause| content(&description, cause))?;
    if file.model.kind == job::ModelKind::Counting {
        return Err(content(&description, "the counting model is not for use"));
    }
    if file.evaluation_batch_size == 0 {
        return Err(content(&description, "evaluation_batch_size is 0"));
    }
    let options = Options { threads, train_records: 0, isa: Isa::detect() };
    let model = Model::new(&file.model, &file.input, options);
    let model = model.map_err(|cause| Error::Model { path: description, cause })?;
    let tensors = dir.join(TENSORS);
    let elements: u64 = exported(model.variables()).filter_map(|(_, variable)| variable.elements()).sum();
    let bytes = read_at_most(&tensors, 4 * elements + HEADER_BYTES_MAX)?;
    let parameters = decode(&bytes, model.variables()).map_err(|problem| content(&tensors, problem))?;
    if file.tensors_sha256.as_ref().is_some_and(|expected| *expected != hex(&Sha256::digest(&bytes))) {
        return Err(content(&tensors, format!("is damaged, or of another model: it has not the SHA-256 that {DESCRIPTION} names")));
    }
    Ok((file, model, parameters))
}

#[derive(Deserialize)]
struct Header {
    format: u32,
}

fn content(path: &Path, problem: impl ToString) -> Error {
    Error::Content { path: path.to_owned(), problem: problem.to_string() }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    |cause| Error::Io { path: path.to_owned(), cause }
}

fn remedy(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            "\n  help: name the directory of an exported model: `model` in a job's folder of outputs, with model.json and model.safetensors"
        }
        _ => "",
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn exported(variables: &[Variable]) -> impl Iterator<Item = (usize, &Variable)> {
    variables.iter().enumerate().filter(|(_, variable)| variable.name != CURVE_VARIABLE)
}

fn shape(variable: &Variable) -> Vec<usize> {
    variable.shape.iter().map(|d| *d as usize).collect()
}

fn decode(bytes: &[u8], variables: &[Variable]) -> Result<Parameters, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|cause| format!("is damaged or cut off ({cause})"))?;
    let mut views = Vec::new();
    for (place, variable) in exported(variables) {
        let view = file.tensor(&variable.name).map_err(|_| format!("has no tensor {:?}", variable.name))?;
        if view.dtype() != Dtype::F32 || view.shape() != shape(variable) {
            let found = format!("{:?} of shape {:?}", view.dtype(), view.shape());
            return Err(format!("{:?} is {found}, but the model has F32 of shape {:?}", variable.name, variable.shape));
        }
        views.push((place, view));
    }
    if file.len() != views.len() {
        return Err(format!("has {} tensors, but the model has {}", file.len(), views.len()));
    }
    // Only now: the file is as long as its shapes say.
    let mut parameters = Parameters::new(variables).map_err(|cause| cause.to_string())?;
    for (place, view) in views {
        parameters.write(place, 0, view.data()).map_err(|cause| cause.to_string())?;
    }
    Ok(parameters)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let write = || {
        let mut file = std::fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(io(path))
}

fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io(path))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(io(path))?;
    if bytes.len() as u64 > most {
        return Err(content(path, format!("is longer than the {most} bytes it can have")));
    }
    Ok(bytes)
}
