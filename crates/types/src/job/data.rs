//! `data`: what a job is trained on.

use serde::{Deserialize, Serialize};

/// What a job is trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The record format.
    pub format: Format,
    /// The training records.
    pub train: Source,
    /// The records for evaluation after each epoch; no evaluation if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval: Option<Source>,
    /// Columns that become features (csv). All but the label if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// The label's column (csv).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Texts that stand for a missing value (csv), beside the empty one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Whether each epoch has an order of its own. On by default.
    #[serde(default = "yes")]
    pub shuffle: bool,
}

fn yes() -> bool {
    true
}

/// The record format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// IDX pictures and labels, as MNIST has them; plain or gzip.
    Idx,
    /// Comma-separated values with a header; plain or gzip.
    Csv,
}

/// Files that are read as one list of records. Each path is a file, a directory (its files by name), or has
/// `*` in its last component; on this machine, relative to the job file, or in HDFS (`hdfs://…`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Files with pictures (idx).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<OneOrMany>,
    /// Files with labels (idx), as many as `images`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<OneOrMany>,
    /// Files with rows (csv).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<OneOrMany>,
    /// Use records from the first number up to, not including, the second one, counted over all files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<[u64; 2]>,
}

/// A text, or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &String> {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one).iter(),
            OneOrMany::Many(many) => many.iter(),
        }
    }

    /// All, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut String> {
        match self {
            OneOrMany::One(one) => std::slice::from_mut(one).iter_mut(),
            OneOrMany::Many(many) => many.iter_mut(),
        }
    }
}

/// A column that becomes features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", expecting = "expected {\"number\": \"column\"}, or raw, category or index in its place")]
pub enum Feature {
    /// A number: standardized to mean 0 and deviation 1.
    Number(String),
    /// A number as it is.
    Raw(String),
    /// A category: one feature for each value seen in training.
    Category(String),
    /// A category: one feature, its place among the values seen in training.
    Index(String),
}

impl Feature {
    /// The column's name in the header.
    pub fn column(&self) -> &str {
        let (Feature::Number(name) | Feature::Raw(name) | Feature::Category(name) | Feature::Index(name)) = self;
        name
    }
}
