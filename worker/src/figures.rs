//! `metrics.json`: what the job's evaluations found. `predict` prints the same figures.

use serde::Serialize;
use tfcoord_types::figures::Counts;
use tfcoord_types::view::Evaluation;

/// Figures of one evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Records evaluated.
    pub records: u64,
    /// Mean loss a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Share of records whose class was predicted; only where the label is a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Records whose class was predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<u64>,
    /// Area under the ROC curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Records by label (row) and prediction (column).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confusion_matrix: Vec<Vec<u64>>,
}

/// Figures with their place in the training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placed {
    /// Epochs trained.
    pub epoch: u32,
    /// Steps trained.
    pub step: u64,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The content of `metrics.json`: the last evaluation, and all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// The last evaluation: that of the exported parameters.
    #[serde(flatten)]
    pub last: Option<Placed>,
    /// All evaluations, in order.
    pub evaluations: Vec<Placed>,
}

impl Figures {
    /// Of what was counted; `classes` is 0 where the label is a number.
    pub fn new(counts: &Counts, classes: u32) -> Self {
        let of_classes = classes > 0;
        Self {
            records: counts.records,
            loss: counts.loss(),
            accuracy: counts.accuracy().filter(|_| of_classes),
            correct: of_classes.then_some(counts.correct),
            auc: counts.auc(),
            confusion_matrix: counts.confusion.chunks(classes.max(1) as usize).map(<[u64]>::to_vec).collect(),
        }
    }
}

impl Metrics {
    /// Of a job's evaluations.
    pub fn new(evaluations: &[Evaluation], classes: u32) -> Self {
        let placed = |e: &Evaluation| Placed { epoch: e.epoch, step: e.step, figures: Figures::new(&e.counts, classes) };
        let evaluations: Vec<_> = evaluations.iter().map(placed).collect();
        Self { last: evaluations.last().cloned(), evaluations }
    }
}
