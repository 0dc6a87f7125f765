//! Evaluation and prediction.

use super::train::judge_record;
use super::{Body, Model, Placed};
use crate::batch::{Batch, Labels};
use crate::error::Error;
use crate::layer::{Mode, Pass};
use crate::loss::softmax;
use crate::math::sigmoid;
use crate::parameters::Parameters;
use crate::tensor::values;
use candle_core::Tensor;
use std::collections::BTreeMap;
use tfcoord_types::figures::{AUC_BINS, Counts};
use tfcoord_types::job::{Loss, Metric};

/// What a model says about a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Prediction {
    /// A class.
    Class {
        /// The class.
        class: u32,
        /// Each class's probability.
        scores: Vec<f32>,
    },
    /// A number.
    Number(f32),
}

impl Model {
    /// Counts losses and predictions of a batch: the confusion matrix and the bins of the area under the ROC
    /// curve if the model's metrics ask for them. The bits follow from the parameters and the batch, its number
    /// of records included.
    ///
    /// # Errors
    /// If parameters or batch do not fit, or a value is not finite.
    pub fn evaluate(&self, parameters: &Parameters, batch: &Batch) -> Result<Counts, Error> {
        let (layers, loss) = self.layers()?;
        self.check_labels(loss, batch)?;
        let pass = self.pass(parameters)?;
        let outputs = self.outputs(&pass, layers, batch)?;
        let outputs = values(&outputs)?;
        let mut counts = Counts { records: batch.records as u64, ..Counts::default() };
        let mut bins = BTreeMap::new();
        let classes = self.classes as usize;
        if self.asks_for(Metric::ConfusionMatrix) && classes > 0 {
            counts.confusion = vec![0; classes * classes];
        }
        let width = outputs.len() / batch.records;
        let (mut sum, mut gradient) = (0.0, vec![0.0; width]);
        for (record, row) in outputs.chunks_exact(width).enumerate() {
            let (judgement, right) = judge_record(loss, row, &batch.labels, record, &mut gradient);
            sum += judgement.loss;
            counts.correct += u64::from(right);
            let Labels::Classes(labels) = &batch.labels else { continue };
            if let Some(count) = counts.confusion.get_mut(labels[record] as usize * classes + judgement.prediction as usize) {
                *count += 1;
            }
            if loss == Loss::BinaryCrossEntropy && self.asks_for(Metric::Auc) {
                let (negatives, positives) = bins.entry(bin(sigmoid(row[0]))).or_insert((0, 0));
                *(if labels[record] == 1 { positives } else { negatives }) += 1;
            }
        }
        if !sum.is_finite() {
            return Err(self.culprit(&pass, layers, batch)?);
        }
        counts.loss_sum_bits = sum.to_bits();
        counts.bins = bins.into_iter().map(|(bin, (negatives, positives))| (bin, negatives, positives)).collect();
        Ok(counts)
    }

    /// What the model says about each record; labels are not looked at.
    ///
    /// # Errors
    /// If parameters or batch do not fit.
    pub fn predict(&self, parameters: &Parameters, batch: &Batch) -> Result<Vec<Prediction>, Error> {
        let (layers, loss) = self.layers()?;
        let outputs = self.outputs(&self.pass(parameters)?, layers, batch)?;
        let outputs = values(&outputs)?;
        Ok(outputs.chunks_exact(outputs.len() / batch.records).map(|row| prediction(loss, row)).collect())
    }

    fn layers(&self) -> Result<(&[Placed], Loss), Error> {
        match &self.body {
            Body::Layers { layers, loss } => Ok((layers, *loss)),
            Body::Counting => Err(Error::Spec { problem: "the counting model cannot be evaluated".into() }),
        }
    }

    fn pass<'a>(&'a self, parameters: &'a Parameters) -> Result<Pass<'a>, Error> {
        self.check_parameters(parameters)?;
        Ok(Pass { parameters, threads: &self.threads, mode: Mode::Evaluate })
    }

    fn outputs(&self, pass: &Pass<'_>, layers: &[Placed], batch: &Batch) -> Result<Tensor, Error> {
        layers.iter().try_fold(self.features(batch)?, |tensor, placed| Ok(placed.layer.forward(pass, &tensor)?.0))
    }

    fn asks_for(&self, metric: Metric) -> bool {
        self.spec.metrics.contains(&metric)
    }
}

fn prediction(loss: Loss, outputs: &[f32]) -> Prediction {
    match loss {
        Loss::SoftmaxCrossEntropy => {
            let (scores, class) = softmax(outputs);
            Prediction::Class { class, scores }
        }
        Loss::BinaryCrossEntropy => {
            let score = sigmoid(outputs[0]);
            Prediction::Class { class: u32::from(outputs[0] > 0.0), scores: vec![1.0 - score, score] }
        }
        Loss::Mse => Prediction::Number(outputs[0]),
    }
}

// min(floor(score * 4096), 4095); a NaN, which ends the evaluation anyway, is 0.
fn bin(score: f32) -> u16 {
    (score * AUC_BINS as f32).min(AUC_BINS as f32 - 1.0) as u16
}

#[cfg(test)]
mod tests {
    use super::bin;

    #[test]
    fn scores_fall_into_4096_bins() {
        for (score, expected) in [(0.0, 0), (1.0, 4095), (0.5, 2048), (0.999_9, 4095), (1.0 / 4096.0, 1), (0.000_244, 0)] {
            assert_eq!(bin(score), expected, "{score}");
        }
    }
}
