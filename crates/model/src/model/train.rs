//! One micro-batch: forward, loss, backward.

use super::{Body, Model};
use crate::batch::{Batch, Labels};
use crate::error::Error;
use crate::kernel::vectorized;
use crate::layer::{Emit, Mode, Pass, StepKey};
use crate::loss::{Judgement, binary_cross_entropy, reconstruction, softmax_cross_entropy, squared_error};
use crate::parameters::Parameters;
use crate::workspace::{Purpose, Workspace};
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
        let (network, loss) = match &self.body {
            Body::Layers { network, loss } => (network, *loss),
            Body::Counting => return self.count(batch, emit),
        };
        self.check_labels(loss, batch)?;
        self.check_features(batch)?;
        workspace.fit(network, batch.records, Purpose::Train)?;
        let pass = Pass { parameters, threads: &self.threads, isa: self.isa, mode: Mode::Train(key) };
        network.forward(&pass, &batch.features, workspace)?;
        let (outputs, gradients) = network.output_and_gradient(&batch.features, workspace);
        let (sum, correct) = judge(self.isa, loss, outputs, batch, gradients);
        let figures = TrainFigures { loss_sum: sum as f32, records: batch.records as u32, correct };
        if !figures.loss_sum.is_finite() {
            return Err(self.culprit(parameters, network, (&batch.features, &batch.labels), workspace));
        }
        emit(self.curve(), &figures.curve());
        network.backward(&pass, &batch.features, workspace, emit);
        Ok(figures)
    }
}

vectorized! {
    // Loss sum and right predictions; fills in the gradients by the outputs. The labels were checked.
    fn judge(loss: Loss, outputs: &[f32], batch: &Batch, gradients: &mut [f32]) -> (f64, u32) {
        let each = outputs.len() / batch.records;
        let rows = gradients.chunks_exact_mut(each).zip(outputs.chunks_exact(each));
        let (mut sum, mut correct) = (0.0, 0);
        for (record, (gradient, row)) in rows.enumerate() {
            let (judgement, right) = judge_record(loss, row, batch, record, gradient);
            sum += judgement.loss;
            correct += u32::from(right);
        }
        (sum, correct)
    }
}

/// What `loss` says about record number `record` of `batch`, for which `outputs` came out, and whether its class was
/// predicted.
#[inline(always)]
pub(super) fn judge_record(loss: Loss, outputs: &[f32], batch: &Batch, record: usize, gradient: &mut [f32]) -> (Judgement, bool) {
    let judgement = match (loss, &batch.labels) {
        (Loss::SoftmaxCrossEntropy, Labels::Classes(classes)) => softmax_cross_entropy(outputs, classes[record] as usize, gradient),
        (Loss::BinaryCrossEntropy, Labels::Classes(classes)) => one(gradient, binary_cross_entropy(outputs[0], classes[record] == 1)),
        (Loss::Mse, Labels::Numbers(numbers)) => one(gradient, squared_error(outputs[0], numbers[record])),
        (Loss::Reconstruction, _) => return (reconstruction(outputs, batch.features_of(record), gradient), false),
        _ => unreachable!("the labels were checked against the loss"),
    };
    let right = matches!(&batch.labels, Labels::Classes(classes) if classes[record] == judgement.prediction);
    (judgement, right)
}

fn one(gradient: &mut [f32], (judgement, slope): (Judgement, f32)) -> Judgement {
    gradient[0] = slope;
    judgement
}
