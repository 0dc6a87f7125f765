//! One micro-batch: forward, loss, backward from the top.

use super::{Body, Model, Placed};
use crate::batch::{Batch, Labels};
use crate::error::Error;
use crate::kernel::vectorized;
use crate::layer::{Backward, Emit, Forward, Mode, Pass, StepKey};
use crate::loss::{Judgement, binary_cross_entropy, softmax_cross_entropy, squared_error};
use crate::parameters::Parameters;
use crate::workspace::{Slot, Workspace};
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
    /// call only. Allocates nothing once `workspace` has seen a batch as large.
    ///
    /// # Errors
    /// If parameters or batch do not fit, or a value is not finite; then nothing, or not everything, was emitted.
    pub fn train(
        &self,
        parameters: &Parameters,
        batch: &Batch,
        key: StepKey,
        workspace: &mut Workspace,
        emit: &mut Emit<'_>,
    ) -> Result<TrainFigures, Error> {
        self.check_parameters(parameters)?;
        let (layers, loss) = match &self.body {
            Body::Layers { layers, loss } => (layers, *loss),
            Body::Counting => return self.count(batch, emit),
        };
        self.check_labels(loss, batch)?;
        self.check_features(batch)?;
        workspace.fit(layers, self.outputs(), batch.records)?;
        let pass = Pass { parameters, threads: &self.threads, isa: self.isa, mode: Mode::Train(key) };
        forward(&pass, layers, &batch.features, workspace);
        let Workspace { slots, gradients: [gradients, _], .. } = &mut *workspace;
        let outputs = outputs(layers, slots, &batch.features, batch.records);
        let gradients = &mut gradients[..outputs.len()];
        let (sum, correct) = judge(self.isa, loss, outputs, &batch.labels, batch.records, gradients);
        let figures = TrainFigures { loss_sum: sum as f32, records: batch.records as u32, correct };
        if !figures.loss_sum.is_finite() {
            return Err(self.culprit(parameters, layers, (&batch.features, &batch.labels), workspace));
        }
        emit(self.curve(), &figures.curve());
        backward(&pass, layers, batch, workspace, emit);
        Ok(figures)
    }
}

/// Fills the slots of `workspace` for the records of `features`, for which it must have room.
pub(super) fn forward(pass: &Pass<'_>, layers: &[Placed], features: &[f32], workspace: &mut Workspace) {
    let Some(first) = layers.first() else { return };
    let records = features.len() / first.inputs;
    let Workspace { slots, scratch, .. } = workspace;
    for (at, placed) in layers.iter().enumerate() {
        let (before, rest) = slots.split_at_mut(at);
        let input = before.last().map_or(features, |slot| &slot.output[..records * placed.inputs]);
        let Slot { output, kept } = &mut rest[0];
        placed.layer.forward(pass, Forward { input, output: &mut output[..records * placed.outputs], kept, scratch });
    }
}

/// What came out of the last layer.
pub(super) fn outputs<'a>(layers: &[Placed], slots: &'a [Slot], features: &'a [f32], records: usize) -> &'a [f32] {
    let last = layers.len().checked_sub(1).map(|last| &slots[last].output[..records * layers[last].outputs]);
    last.unwrap_or(features)
}

fn backward(pass: &Pass<'_>, layers: &[Placed], batch: &Batch, workspace: &mut Workspace, emit: &mut Emit<'_>) {
    // Nobody below the lowest layer with variables needs a gradient.
    let lowest = layers.iter().position(|placed| !placed.variables.is_empty()).unwrap_or(layers.len());
    let Workspace { slots, gradients: [above, below], scratch, .. } = workspace;
    let (mut above, mut below) = (above, below);
    for (at, placed) in layers.iter().enumerate().skip(lowest).rev() {
        let (before, rest) = slots.split_at_mut(at);
        let input = before.last().map_or(&batch.features[..], |slot| &slot.output[..batch.records * placed.inputs]);
        let (outputs, Slot { output, kept }) = (batch.records * placed.outputs, &mut rest[0]);
        let buffers = Backward {
            input,
            output: &output[..outputs],
            kept,
            output_gradient: &mut above[..outputs],
            input_gradient: (at > lowest).then(|| &mut below[..input.len()]),
            scratch,
        };
        placed.layer.backward(pass, buffers, emit);
        std::mem::swap(&mut above, &mut below);
    }
}

vectorized! {
    // Loss sum and right predictions; fills in the gradients by the outputs. The labels were checked.
    fn judge(loss: Loss, outputs: &[f32], labels: &Labels, records: usize, gradients: &mut [f32]) -> (f64, u32) {
        let each = outputs.len() / records;
        let rows = gradients.chunks_exact_mut(each).zip(outputs.chunks_exact(each));
        let (mut sum, mut correct) = (0.0, 0);
        for (record, (gradient, row)) in rows.enumerate() {
            let (judgement, right) = judge_record(loss, row, labels, record, gradient);
            sum += judgement.loss;
            correct += u32::from(right);
        }
        (sum, correct)
    }
}

/// What `loss` says about one record, and whether its class was predicted.
#[inline(always)]
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
