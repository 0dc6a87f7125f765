//! How a file's values become features and labels: found in training, kept with the model.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use tfcoord_types::job::Format;
use tfcoord_types::manifest::{Column, ColumnKind, Label, Manifest};

/// How a file's values become features and labels. A part of the manifest, and of an exported model, so that new
/// data are read as the training data were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// The record format.
    pub format: Format,
    /// Shape of one record's features, outermost dimension first.
    pub input: Vec<u32>,
    /// What a label is.
    pub label: Label,
    /// Columns of a table, in the features' order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// Features are `value * scale` (IDX).
    pub scale: f32,
    /// Texts that stand for a missing value (csv), beside the empty one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The label's column (csv).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
}

impl From<&Manifest> for Preprocessing {
    fn from(manifest: &Manifest) -> Self {
        Self {
            format: manifest.format,
            input: manifest.input.clone(),
            label: manifest.label.clone(),
            columns: manifest.columns.clone(),
            scale: manifest.scale,
            missing: manifest.missing.clone(),
            label_column: manifest.label_column.clone(),
        }
    }
}

impl Preprocessing {
    /// Features of one record.
    ///
    /// # Errors
    /// The parts do not fit together: it comes from a damaged or foreign model.
    pub fn features(&self) -> Result<usize, Error> {
        let wrong = |message: String| Error::job("preprocessing", message, "use the model.json that the training job wrote");
        let features = self.input.iter().try_fold(1u64, |n, d| n.checked_mul(u64::from(*d))).unwrap_or(u64::MAX);
        if !(1..=crate::FEATURES_MAX).contains(&features) {
            return Err(wrong(format!("an input of shape {:?} has {features} features", self.input)));
        }
        let width: usize = self.columns.iter().map(Column::width).sum();
        if self.format == Format::Csv && width as u64 != features {
            return Err(wrong(format!("the columns make {width} features, but the input is of shape {:?}", self.input)));
        }
        if let Some(column) = self.columns.iter().find(|column| !sound(&column.kind)) {
            return Err(wrong(format!("column {:?} has no usable mean and deviation, or unsorted categories or no rows", column.name)));
        }
        Ok(usize::try_from(features).expect("at most FEATURES_MAX"))
    }

    /// The classes' names; empty where the label is a number.
    pub fn classes(&self) -> &[String] {
        match &self.label {
            Label::Class { names } => names,
            Label::Number => &[],
        }
    }
}

fn sound(kind: &ColumnKind) -> bool {
    match kind {
        ColumnKind::Number { mean, deviation } => mean.is_finite() && deviation.is_finite() && *deviation > 0.0,
        ColumnKind::Raw { rows } => *rows != Some(0),
        ColumnKind::Category { names } | ColumnKind::Index { names } => names.is_sorted(),
    }
}
