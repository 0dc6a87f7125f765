//! What a model is told of the data: enough to know all its shapes.

use serde::{Deserialize, Serialize};

/// A record as a model sees it. Other structs hold its fields among theirs in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Input {
    /// Shape of its features, outermost dimension first: `[1, 28, 28]` for a grey picture (channels, height, width),
    /// `[n]` for a table.
    #[serde(rename = "input")]
    pub shape: Vec<u32>,
    /// A table's columns, in the order of the features; empty for pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<InputColumn>,
    /// Classes of the label; 0 where it is a number.
    pub classes: u32,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputColumn {
    /// Its name in the header.
    pub name: String,
    /// Features that it becomes.
    pub features: u32,
    /// Of how many categories its one feature is the number; 0 where features are just numbers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub categories: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Input {
    /// Features of this shape, without columns.
    pub fn plain(shape: &[u32], classes: u32) -> Self {
        Self { shape: shape.to_vec(), columns: Vec::new(), classes }
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::ManifestSummary;

    #[test]
    fn what_earlier_versions_wrote_is_read() {
        let json = r#"{"digest":"ab","train_records":2,"eval_records":1,"input":[1,28,28],"classes":10}"#;
        let summary: ManifestSummary = serde_json::from_str(json).unwrap();
        assert_eq!((&summary.input.shape[..], summary.input.classes), (&[1, 28, 28][..], 10));
        assert_eq!(serde_json::to_string(&summary).unwrap(), json);
    }
}
