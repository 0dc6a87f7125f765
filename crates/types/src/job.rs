//! The job file: `job.json`.
//!
//! JSON; comments and trailing commas are tolerated. One Rust type tree, strict: unknown fields are refused. What may
//! stand where is said twice: by the types for serde, by the grammar for people.
//! [`parse`] gives a [`JobFile`] or all problems with their places.

mod check;
mod checkpointing;
mod data;
mod entry;
mod grammar;
mod graph;
mod input;
mod locations;
mod model;
mod parse;
mod preset;
mod service;
mod shape;
mod train;
mod variables;
mod walk;

pub use check::{check, unknown_layers};
pub use checkpointing::{Checkpointing, Every};
pub use data::{Data, Feature, Format, OneOrMany, Source};
pub use entry::LayerEntry;
pub use graph::{Graph, GraphError, Node, Operation, Source as NodeSource};
pub use input::{Input, InputColumn};
pub use locations::is_remote;
pub use model::{Activation, BagMode, Init, LabelUse, Layer, Loss, Metric, Model, ModelKind, Padding, Pair};
pub use parse::{Problem, Problems, parse, place_of};
pub use preset::Preset;
pub use service::{Calls, Hdfs, Kdc, Kerberos, Security, Service};
pub use shape::{LayerShape, fits_loss};
pub use train::{LayerGroup, Optimizer, Schedule, Sync, Train};

use crate::timing::{self, Timing};
use serde::{Deserialize, Serialize};

/// A job file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFile {
    /// The job's name: 1 to 63 of `a-z 0-9 -`, beginning with a letter.
    pub name: String,
    /// What is trained.
    pub model: Model,
    /// What it is trained on.
    pub data: Data,
    /// How it is trained.
    pub train: Train,
    /// The tasks that compute gradients.
    #[serde(default)]
    pub worker: Worker,
    /// The tasks that hold the parameters.
    #[serde(default)]
    pub parameter_server: ParameterServer,
    /// Where results go.
    pub output: Output,
    /// How often parameters are saved, and where; absent: as its defaults say, and not once more at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpointing>,
    /// The site that files in HDFS are on, and who the job is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Seconds from the submission within which all tasks must have registered and the job must run; a worker that is
    /// launched again must register within as many.
    #[serde(default = "start_timeout")]
    pub start_timeout: u64,
    /// Seconds of silence after which a task is held for dead: 0.5 to 600.
    #[serde(default = "lease_seconds")]
    pub lease_seconds: f64,
    /// Seconds after which a task without a coordinator ends itself: from two leases up to a day; 30 leases if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphan_grace_seconds: Option<f64>,
}

fn start_timeout() -> u64 {
    60
}

fn lease_seconds() -> f64 {
    timing::LEASE_SECONDS
}

/// The tasks that compute gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// How many; at most `train.micro_batches`.
    pub count: u32,
    /// Threads that compute, for each; rounded up.
    pub cpus: f64,
    /// Memory in MB, for each. Nothing is held to it yet.
    pub mem: u64,
    /// How often each may be replaced without any progress of the job before it fails.
    pub max_restarts: u32,
    /// What happens to a worker that is late again and again.
    pub straggler: Straggler,
}

/// What happens to a worker that is late in [`crate::report::LATE_STEPS`] steps in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Straggler {
    /// It is named.
    #[default]
    Report,
    /// It is named, and its lanes go to the others.
    Move,
}

impl Default for Worker {
    fn default() -> Self {
        Self { count: 2, cpus: 1.0, mem: 1024, max_restarts: 8, straggler: Straggler::Report }
    }
}

/// Whole threads for a share of cpus.
pub fn threads(cpus: f64) -> u32 {
    (1..1024).find(|threads| f64::from(*threads) >= cpus).unwrap_or(1024)
}

/// The tasks that hold the parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParameterServer {
    /// How many.
    pub count: u32,
    /// Threads, for each; rounded up.
    pub cpus: f64,
    /// Memory in MB (2^20 bytes), for each: a job whose parameters need more fails at its start.
    pub mem: u64,
    /// The largest chunk in bytes: a multiple of 16 KiB up to 4 MiB. Chosen from the model's size if absent.
    pub chunk_bytes: Option<u64>,
    /// How often each may be replaced without any progress of the job before it fails.
    pub max_restarts: u32,
}

impl Default for ParameterServer {
    fn default() -> Self {
        Self { count: 1, cpus: 1.0, mem: 1024, chunk_bytes: None, max_restarts: 8 }
    }
}

/// Where results go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// A directory; each job gets a folder of its own in it, named by its id. Relative to the job file.
    pub dir: String,
}

impl JobFile {
    /// Makes every relative path absolute, as seen from `base` (an absolute path without trailing slash). Addresses stay as they are.
    pub fn resolve(&mut self, base: &str) {
        let absolute = |path: &mut String| {
            if !path.starts_with('/') && check::places::scheme(path).is_none() {
                *path = format!("{base}/{path}");
            }
        };
        let Data { train, eval, .. } = &mut self.data;
        for source in std::iter::once(train).chain(eval) {
            for paths in [&mut source.images, &mut source.labels, &mut source.files].into_iter().flatten() {
                paths.iter_mut().for_each(absolute);
            }
        }
        let checkpoints = self.checkpoint.iter_mut().filter_map(|checkpoint| checkpoint.dir.as_mut());
        for dir in std::iter::once(&mut self.output.dir).chain(checkpoints) {
            if let Some(path) = check::places::path_of(dir) {
                *dir = path.to_owned();
            }
            absolute(dir);
        }
        self.service.iter_mut().for_each(|service| service.resolve(base));
    }

    /// How long its coordinator and tasks wait for each other.
    pub fn timing(&self) -> Timing {
        Timing::new(self.lease_seconds, self.orphan_grace_seconds)
    }

    /// Micro-batches a step: as the file says, or the largest power of two up to 16 that divides the batch
    /// size and leaves at least 16 records a lane (at least 1).
    pub fn micro_batches(&self) -> u32 {
        let batch = self.train.batch_size;
        let fits = |g: &u32| batch.is_multiple_of(*g) && batch / g >= 16;
        self.train.micro_batches.unwrap_or_else(|| [16, 8, 4, 2].into_iter().find(fits).unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use super::threads;

    #[test]
    fn threads_are_rounded_up() {
        assert_eq!([0.0, 0.5, 1.0, 1.2, 4.0, 1e9, f64::NAN].map(threads), [1, 1, 1, 2, 4, 1024, 1024]);
    }
}
