//! The manifest: what a checkpoint consists of, and all that training goes on from beside the parts.
//!
//! One JSON object whose last field is the CRC-32C, in hexadecimal, of every byte before that field:
//!
//! ```text
//!   {
//!     "format": 1,
//!     …
//!     "parts": […],
//!     "crc32c": "9a8b7c6d"
//!   }
//! ```

use crate::error::Error;
use crate::name::PartName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tfcoord_fs::storage::Location;
use tfcoord_types::checkpoint::PartFile;
use tfcoord_types::id::{CheckpointId, JobId};
use tfcoord_types::job::{Model, Train};
use tfcoord_types::layout::Layout;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::variable::Variable;
use tfcoord_types::view::Evaluation;

/// The format that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

/// A model may have many variables, and a job many evaluations.
pub(crate) const BYTES_MAX: u64 = 256 << 20;

/// What a checkpoint consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Which checkpoint. Its step is the next one to be trained: every chunk's cursor says so, and no lane of it is in. Within an
    /// epoch outside of `bsp` each chunk has a cursor of its own in the parts.
    pub id: CheckpointId,
    /// The job that it is of.
    pub job: JobId,
    /// When it was committed, in ms since 1970, by the clock of whoever wrote it: for people.
    pub saved_at_ms: u64,
    /// Records, lanes, steps.
    pub plan: TrainPlan,
    /// How the job trains: seed, optimizer, schedule.
    pub train: Train,
    /// What was trained on what: whoever goes on must train the same. Checkpoints of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The model's variables, in order.
    pub variables: Vec<Variable>,
    /// The largest chunk, in elements, when it was cut. Another job may cut otherwise.
    pub chunk_elements: u64,
    /// The kernel path of the gradients.
    pub kernel_path: String,
    /// Evaluations that were complete, in order.
    pub evaluations: Vec<Evaluation>,
    /// The servers' files.
    pub parts: Vec<PartFile>,
}

/// What a checkpoint's job trained, as far as the plan and the variables do not tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// As the job file has it.
    pub model: Model,
    /// As [`ManifestSummary`](tfcoord_types::manifest::ManifestSummary) has it.
    pub records_digest: String,
    /// Whether each epoch had an order of its own.
    pub shuffle: bool,
    /// Whether it was trained so from the seed on, whichever jobs did.
    #[serde(default)]
    pub from_seed: bool,
}

#[derive(Deserialize)]
struct Header {
    format: u32,
}

impl Manifest {
    /// Whether it makes sense: what it says is used without looking again.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), Error> {
        self.problem().map_or(Ok(()), |problem| Err(Error::Manifest { id: self.id, problem }))
    }

    fn problem(&self) -> Option<String> {
        let TrainPlan { records, batch_size, micro_batches, epochs } = self.plan;
        if records == 0 || batch_size == 0 || epochs == 0 || !micro_batches.is_power_of_two() || !batch_size.is_multiple_of(micro_batches) {
            return Some(format!("{:?} is no plan", self.plan));
        }
        if let Err(error) = Layout::new(&self.variables, self.chunk_elements) {
            return Some(error.to_string());
        }
        if self.parts.is_empty() {
            return Some("it names no parts".to_owned());
        }
        let mut slots = BTreeSet::new();
        // A path would lead out of the directory.
        let wrong = |part: &&PartFile| PartName::parse(&part.file).is_none_or(|name| name.id != self.id || !slots.insert(name.slot));
        let wrong = self.parts.iter().find(wrong)?;
        Some(format!("{:?} is no part of it, or of a server that has another one", wrong.file.chars().take(128).collect::<String>()))
    }

    /// Whether both are the same checkpoint: all but when they were written, and what was known then that can be found out
    /// again. An evaluation may end between two attempts at one commit.
    pub(crate) fn says_what(&self, other: &Self) -> bool {
        *self == Self { saved_at_ms: self.saved_at_ms, evaluations: self.evaluations.clone(), ..other.clone() }
    }

    /// Its text.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        self.check()?;
        let problem = |problem: String| Error::Manifest { id: self.id, problem };
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| problem(error.to_string()))?;
        bytes.truncate(bytes.len() - END.len());
        bytes.extend_from_slice(tail(&bytes).as_bytes());
        // Values that JSON has no word for, such as NaN, would come back as something else.
        let back = decode(&bytes).is_ok_and(|back| back == *self);
        back.then_some(bytes).ok_or_else(|| problem("it cannot be written as JSON".to_owned()))
    }

    /// Reads the text of the file `path`, which should be of the checkpoint `id`.
    pub(crate) fn read(path: &Location, bytes: &[u8], id: CheckpointId) -> Result<Self, Error> {
        // The format first: another one may have other fields.
        if let Ok(Header { format }) = serde_json::from_slice(bytes)
            && format != FORMAT
        {
            return Err(Error::Format { path: path.clone(), found: format });
        }
        let manifest = decode(bytes).map_err(|problem| Error::damaged(path, problem))?;
        if manifest.id != id {
            return Err(Error::damaged(path, format!("it is the manifest of {}", manifest.id)));
        }
        manifest.problem().map_or(Ok(manifest), |problem| Err(Error::damaged(path, problem)))
    }
}

// How the text of an object ends.
const END: &str = "\n}";

// What follows `body`, which lacks its end.
fn tail(body: &[u8]) -> String {
    format!(",\n  \"crc32c\": \"{:08x}\"{END}\n", crc32c::crc32c(body))
}

fn decode(bytes: &[u8]) -> Result<Manifest, String> {
    let length = bytes.len().checked_sub(tail(b"").len()).ok_or("it is cut off")?;
    let (body, end) = bytes.split_at(length);
    if end != tail(body).as_bytes() {
        return Err("it is damaged or cut off: its checksum is another one".to_owned());
    }
    let text = [body, END.as_bytes()].concat();
    serde_json::from_slice(&text).map_err(|error| format!("it is no manifest ({error})"))
}
