//! One micro-batch: forward, loss, backward from the top.

use super::{Body, Model, Placed};
use crate::batch::{Batch, Labels};
use crate::error::Error;
use crate::layer::{Emit, Mode, Pass, Saved, StepKey};
use crate::loss::{Judgement, binary_cross_entropy, softmax_cross_entropy, squared_error};
use crate::parameters::Parameters;
use crate::tensor::{tensor, values};
use candle_core::Tensor;
use tfcoord_types::figures::CURVE_LEN;
use tfcoord_types::job::Loss;

/// The figures of a micro-batch: what the curve's variable carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainFigures {
    /// Sum of the records' losses, added in f64 in their order.
    pub loss_sum: f32,
    /// Records.
    pub records: u32,
    /// Records whose class was predicted; 0 where the label is a number.
    pub correct: u32,
}

impl TrainFigures {
    /// As the curve's variable has them.
    pub fn curve(&self) -> [f32; CURVE_LEN as usize] {
        [self.loss_sum, self.records as f32, self.correct as f32]
    }
}

impl Model {
    /// The gradient sums of one micro-batch. Emits each variable exactly once: the curve first, then the layers'
    /// from the top layer down; for moving averages, records times the statistic. A slice is good during the
    /// call only.
    ///
    /// # Errors
    /// If parameters or batch do not fit, or a value is not finite; then nothing, or not everything, was emitted.
    pub fn train(&self, parameters: &Parameters, batch: &Batch, key: StepKey, emit: &mut Emit<'_>) -> Result<TrainFigures, Error> {
        self.check_parameters(parameters)?;
        let (layers, loss) = match &self.body {
            Body::Layers { layers, loss } => (layers, *loss),
            Body::Counting => return self.count(batch, emit),
        };
        self.check_labels(loss, batch)?;
        let pass = Pass { parameters, threads: &self.threads, mode: Mode::Train(key) };
        let (outputs, saved) = forward(&pass, layers, self.features(batch)?)?;
        let (sum, correct, gradients) = judge(loss, &values(&outputs)?, batch);
        let figures = TrainFigures { loss_sum: sum as f32, records: batch.records as u32, correct };
        if !figures.loss_sum.is_finite() {
            return Err(self.culprit(&pass, layers, batch)?);
        }
        emit(self.curve(), &figures.curve());
        backward(&pass, layers, saved, tensor(gradients, outputs.dims())?, emit)?;
        Ok(figures)
    }
}

fn forward(pass: &Pass<'_>, layers: &[Placed], input: Tensor) -> Result<(Tensor, Vec<Saved>), Error> {
    let mut tensor = input;
    let mut all = Vec::with_capacity(layers.len());
    for Placed { layer, .. } in layers {
        let (output, saved) = layer.forward(pass, &tensor)?;
        all.push(saved);
        tensor = output;
    }
    Ok((tensor, all))
}

fn backward(pass: &Pass<'_>, layers: &[Placed], saved: Vec<Saved>, gradient: Tensor, emit: &mut Emit<'_>) -> Result<(), Error> {
    // Nobody below the lowest layer with variables needs a gradient.
    let lowest = layers.iter().position(|placed| !placed.variables.is_empty()).unwrap_or(layers.len());
    let mut gradient = Some(gradient);
    for (at, (Placed { layer, .. }, saved)) in layers.iter().zip(saved).enumerate().skip(lowest).rev() {
        let Some(of_output) = gradient else { break };
        gradient = layer.backward(pass, saved, of_output, at > lowest, emit)?;
    }
    Ok(())
}

// Loss sum, right predictions, gradients by the outputs. The labels were checked.
fn judge(loss: Loss, outputs: &[f32], batch: &Batch) -> (f64, u32, Vec<f32>) {
    let mut gradients = vec![0.0; outputs.len()];
    let rows = gradients.chunks_exact_mut(outputs.len() / batch.records).zip(outputs.chunks_exact(outputs.len() / batch.records));
    let (mut sum, mut correct) = (0.0, 0);
    for (record, (gradient, row)) in rows.enumerate() {
        let (judgement, right) = judge_record(loss, row, &batch.labels, record, gradient);
        sum += judgement.loss;
        correct += u32::from(right);
    }
    (sum, correct, gradients)
}

/// What `loss` says about one record, and whether its class was predicted.
pub(super) fn judge_record(loss: Loss, outputs: &[f32], labels: &Labels, record: usize, gradient: &mut [f32]) -> (Judgement, bool) {
    let judgement = match (loss, labels) {
        (Loss::SoftmaxCrossEntropy, Labels::Classes(classes)) => softmax_cross_entropy(outputs, classes[record] as usize, gradient),
        (Loss::BinaryCrossEntropy, Labels::Classes(classes)) => one(gradient, binary_cross_entropy(outputs[0], classes[record] == 1)),
        (Loss::Mse, Labels::Numbers(numbers)) => one(gradient, squared_error(outputs[0], numbers[record])),
        _ => unreachable!("the labels were checked against the loss"),
    };
    let right = matches!(labels, Labels::Classes(classes) if classes[record] == judgement.prediction);
    (judgement, right)
}

fn one(gradient: &mut [f32], (judgement, slope): (Judgement, f32)) -> Judgement {
    gradient[0] = slope;
    judgement
}
