//! One micro-batch: forward, loss, backward from the top.

use super::judge::judge;
use super::{Body, Model, Placed};
use crate::batch::Batch;
use crate::error::Error;
use crate::layer::{Backward, Emit, Forward, Mode, Pass, StepKey};
use crate::parameters::Parameters;
use crate::workspace::{Slot, Workspace};
use tfcoord_types::figures::CURVE_LEN;

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
        let Workspace { slots, gradients: [gradients, _], judgements, .. } = &mut *workspace;
        let outputs = outputs(layers, slots, &batch.features, batch.records);
        let (sum, correct) = judge(&pass, loss, outputs, (&batch.labels, 0), gradients, &mut judgements[..batch.records]);
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
