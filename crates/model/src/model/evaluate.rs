//! Evaluation and prediction.

use super::judge::{Truth, judge};
use super::{Body, Model, Network};
use crate::batch::{Batch, Labels};
use crate::error::Error;
use crate::kernel::Isa;
use crate::layer::{Mode, Pass};
use crate::loss::{Judgement, reconstruction, softmax};
use crate::math::sigmoid;
use crate::parameters::Parameters;
use crate::workspace::{Purpose, Workspace};
use std::collections::BTreeMap;
use tfcoord_types::figures::{AUC_BINS, Counts};
use tfcoord_types::job::{Loss, Metric};

/// Records that go through the layers together, if the workspace has not room for more: they stay in the caches. A
/// record's outputs do not depend on the others'.
pub const PIECE: usize = 32;

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
    /// The mean squared error of the features' reconstruction.
    Error(f32),
}

impl Model {
    /// Counts losses and predictions of a batch: the confusion matrix and the bins of the area under the ROC
    /// curve if the model's metrics ask for them. The bits follow from the parameters and the batch.
    ///
    /// # Errors
    /// If parameters or batch do not fit, or a value is not finite.
    pub fn evaluate(&self, parameters: &Parameters, batch: &Batch, workspace: &mut Workspace) -> Result<Counts, Error> {
        let (network, loss) = self.network()?;
        self.check_labels(loss, batch)?;
        let mut counts = Counts { records: batch.records as u64, ..Counts::default() };
        let mut bins = BTreeMap::new();
        let classes = self.input.classes as usize;
        if self.asks_for(Metric::ConfusionMatrix) && classes > 0 {
            counts.confusion = vec![0; classes * classes];
        }
        let (mut sum, mut first) = (0.0, 0);
        self.pieces(parameters, batch, workspace, |pass, features, workspace| {
            let (outputs, gradients, judgements) = network.outcome(features, workspace);
            let truth = Truth { labels: &batch.labels, first, features };
            let (_, correct) = judge(pass, loss, outputs, truth, gradients, judgements);
            counts.correct += u64::from(correct);
            for (at, (judgement, row)) in judgements.iter().zip(outputs.chunks_exact(network.outputs())).enumerate() {
                sum += judgement.loss;
                let Labels::Classes(labels) = &batch.labels else { continue };
                let label = labels[first + at];
                if let Some(count) = counts.confusion.get_mut(label as usize * classes + judgement.prediction as usize) {
                    *count += 1;
                }
                if let Some(score) = score(loss, row, judgement).filter(|_| self.asks_for(Metric::Auc)) {
                    let (negatives, positives) = bins.entry(bin(score)).or_insert((0, 0));
                    *(if label == 1 { positives } else { negatives }) += 1;
                }
            }
            first += judgements.len();
            if sum.is_finite() { Ok(()) } else { Err(self.culprit(parameters, network, (features, &batch.labels), workspace)) }
        })?;
        counts.loss_sum_bits = sum.to_bits();
        counts.bins = bins.into_iter().map(|(bin, (negatives, positives))| (bin, negatives, positives)).collect();
        Ok(counts)
    }

    /// What the model says about each record; labels are not looked at.
    ///
    /// # Errors
    /// If parameters or batch do not fit.
    pub fn predict(&self, parameters: &Parameters, batch: &Batch, workspace: &mut Workspace) -> Result<Vec<Prediction>, Error> {
        let (network, loss) = self.network()?;
        let mut predictions = Vec::with_capacity(batch.records);
        self.pieces(parameters, batch, workspace, |pass, features, workspace| {
            let (outputs, gradients, _) = network.outcome(features, workspace);
            let rows = outputs.chunks_exact(network.outputs()).zip(gradients.chunks_exact_mut(network.outputs()));
            let records = features.chunks_exact(self.features());
            predictions.extend(rows.zip(records).map(|((row, gradient), features)| prediction(pass.isa, loss, row, features, gradient)));
            Ok(())
        })?;
        Ok(predictions)
    }

    fn network(&self) -> Result<(&Network, Loss), Error> {
        match &self.body {
            Body::Layers { network, loss } => Ok((network, *loss)),
            Body::Counting => Err(Error::Spec { problem: "the counting model cannot be evaluated".into() }),
        }
    }

    // Sends the batch through the layers piece by piece; `use_outputs` gets a piece's features.
    fn pieces(
        &self,
        parameters: &Parameters,
        batch: &Batch,
        workspace: &mut Workspace,
        mut use_outputs: impl FnMut(&Pass<'_>, &[f32], &mut Workspace) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (network, _) = self.network()?;
        self.check_parameters(parameters)?;
        self.check_features(batch)?;
        let piece = batch.records.min(workspace.records().max(PIECE));
        workspace.fit(network, piece, self.threads.count(), Purpose::Evaluate)?;
        let pass = Pass { parameters, threads: &self.threads, isa: self.isa, mode: Mode::Evaluate };
        for features in batch.features.chunks(piece * self.features()) {
            network.forward(&pass, features, workspace)?;
            use_outputs(&pass, features, workspace)?;
        }
        Ok(())
    }

    fn asks_for(&self, metric: Metric) -> bool {
        self.spec.metrics.contains(&metric)
    }
}

// What says how much a record is of class 1, from 0 to 1; nothing with a loss that has no such score. The worse a record is
// reconstructed, the stranger it is.
fn score(loss: Loss, outputs: &[f32], judgement: &Judgement) -> Option<f32> {
    match loss {
        Loss::BinaryCrossEntropy => Some(sigmoid(outputs[0])),
        Loss::Reconstruction => Some((judgement.loss / (1.0 + judgement.loss)) as f32),
        Loss::SoftmaxCrossEntropy | Loss::Mse => None,
    }
}

fn prediction(isa: Isa, loss: Loss, outputs: &[f32], features: &[f32], gradient: &mut [f32]) -> Prediction {
    match loss {
        Loss::SoftmaxCrossEntropy => {
            let (scores, class) = softmax(isa, outputs);
            Prediction::Class { class, scores }
        }
        Loss::BinaryCrossEntropy => {
            let score = sigmoid(outputs[0]);
            Prediction::Class { class: u32::from(outputs[0] > 0.0), scores: vec![1.0 - score, score] }
        }
        Loss::Mse => Prediction::Number(outputs[0]),
        Loss::Reconstruction => Prediction::Error(reconstruction(outputs, features, gradient).loss as f32),
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
