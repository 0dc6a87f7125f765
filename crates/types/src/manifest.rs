//! What preparation found in a job's data. Written once, before the job is admitted; every task reads it.

mod derived;

pub use derived::Derived;

use crate::holders::Holders;
use crate::job::{Format, Input, InputColumn};
use serde::{Deserialize, Serialize};

/// The data of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The record format of all files.
    pub format: Format,
    /// The training records.
    pub train: DataSet,
    /// The records for evaluation, if the job has any.
    pub eval: Option<DataSet>,
    /// Shape of one record's features, outermost dimension first: `[1, 28, 28]` for a grey picture (channels,
    /// height, width), `[n]` for a table.
    pub input: Vec<u32>,
    /// What a label is.
    pub label: Label,
    /// Columns of a table, in the order of the job file's features; empty for pictures.
    pub columns: Vec<Column>,
    /// Features are `value * scale` (IDX bytes: 1/255); 1 for tables.
    pub scale: f32,
    /// The label's column in the header (csv).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Texts that stand for a missing value (csv), beside the empty one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// A list of files that are read as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSet {
    /// In the order of their relative paths.
    pub files: Vec<DataFile>,
    /// The first record used, counted over all files.
    pub first: u64,
    /// How many records are used.
    pub records: u64,
}

/// A file, or a pair of files with features and labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Absolute path.
    pub path: String,
    /// Absolute path of the labels' file (IDX).
    pub labels: Option<String>,
    /// Length in bytes when it was prepared.
    pub length: u64,
    /// Modification time when it was prepared, nanoseconds since 1970.
    pub modified_ns: u64,
    /// Length of the labels' file; 0 without one.
    pub labels_length: u64,
    /// Modification time of the labels' file; 0 without one.
    pub labels_modified_ns: u64,
    /// Records in it.
    pub records: u64,
}

/// What a label is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// One of these classes; the label is the place in the list.
    Class {
        /// The classes' names, in order.
        names: Vec<String>,
    },
    /// A number.
    Number,
}

/// A column of a table and what preparation found there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// How it becomes features.
    pub kind: ColumnKind,
}

/// How a column becomes features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// One feature: (value - mean) / deviation; a missing value is the mean, so 0.
    Number {
        /// Mean of the training records' values, missing ones left out.
        mean: f64,
        /// Their standard deviation; 1 where it would be 0.
        deviation: f64,
    },
    /// One feature: the value, 0 for a missing one.
    Raw {
        /// How many rows it may name, if it names rows of an embedding's table: it must be a whole number below.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u32>,
    },
    /// One feature a category (one-hot), in this order, and a last one for categories not seen in training.
    /// A missing value is the category `""`.
    Category {
        /// The categories of the training records, sorted.
        names: Vec<String>,
    },
    /// One feature: the category's place among `names`, their count for categories not seen in training.
    /// A missing value is the category `""`.
    Index {
        /// The categories of the training records, sorted.
        names: Vec<String>,
    },
}

impl Column {
    /// How many features it becomes.
    pub fn width(&self) -> usize {
        match &self.kind {
            ColumnKind::Number { .. } | ColumnKind::Raw { .. } | ColumnKind::Index { .. } => 1,
            ColumnKind::Category { names } => names.len() + 1,
        }
    }

    /// How many different whole numbers, from 0, its single feature may be: what an embedding needs rows for. Nothing
    /// where its features are no index.
    pub fn categories(&self) -> Option<usize> {
        match &self.kind {
            ColumnKind::Index { names } => Some(names.len() + 1),
            ColumnKind::Number { .. } | ColumnKind::Raw { .. } | ColumnKind::Category { .. } => None,
        }
    }
}

impl From<&Manifest> for Input {
    fn from(manifest: &Manifest) -> Self {
        Self::of(&manifest.input, &manifest.columns, &manifest.label)
    }
}

impl Input {
    /// A record of this shape, whose features come from these columns, if any.
    pub fn of(shape: &[u32], columns: &[Column], label: &Label) -> Self {
        // More than u32 holds is refused before; a foreign model file that has them fits no shape.
        let saturated = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let column = |column: &Column| InputColumn {
            name: column.name.clone(),
            features: saturated(column.width()),
            categories: saturated(column.categories().unwrap_or(0)),
        };
        let classes = match label {
            Label::Class { names } => saturated(names.len()),
            Label::Number => 0,
        };
        Self { shape: shape.to_vec(), columns: columns.iter().map(column).collect(), classes }
    }
}

/// What the coordinator's log keeps of a manifest: enough to plan, and the digest of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestSummary {
    /// SHA-256 of the manifest's JSON, in hexadecimal: its name in the coordinator's state directory.
    pub digest: String,
    /// SHA-256, in hexadecimal, of all that decides what the records are, but not of where their files lie and when they were
    /// written: the same for a copy. Logs of earlier versions lack it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub records_digest: String,
    /// Training records.
    pub train_records: u64,
    /// Evaluation records; 0 without any.
    pub eval_records: u64,
    /// A record as the model sees it.
    #[serde(flatten)]
    pub input: Input,
    /// What tasks take of memory. Logs of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Beside::is_untold")]
    pub beside: Beside,
    /// Which hosts hold the training records; nothing where none of them is in HDFS, and in logs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holders: Option<Box<Holders>>,
}

/// Bytes that tasks take beside what belongs to the parameters; 0 where they were not told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// A worker: its program, activations and gradients, records.
    pub worker: u64,
    /// A server: its program.
    pub server: u64,
}

impl Beside {
    /// Whether nothing was told.
    pub fn is_untold(&self) -> bool {
        *self == Self::default()
    }
}
