//! One micro-batch: forward, loss, backward.

use super::judge::{Truth, judge};
use super::{Body, Model};
use crate::batch::Batch;
use crate::error::Error;
use crate::layer::{Emit, Mode, Pass, StepKey};
use crate::parameters::Parameters;
use crate::workspace::{Purpose, Workspace};
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
        let (network, loss) = match &self.body {
            Body::Layers { network, loss } => (network, *loss),
            Body::Counting => return self.count(batch, emit),
        };
        self.check_labels(loss, batch)?;
        self.check_features(batch)?;
        workspace.fit(network, batch.records, self.threads.count(), Purpose::Train)?;
        let pass = Pass { parameters, threads: &self.threads, isa: self.isa, mode: Mode::Train(key) };
        network.forward(&pass, &batch.features, workspace)?;
        let truth = Truth { labels: &batch.labels, first: 0, features: &batch.features };
        let (outputs, gradients, judgements) = network.outcome(&batch.features, workspace);
        let (sum, correct) = judge(&pass, loss, outputs, truth, gradients, judgements);
        let figures = TrainFigures { loss_sum: sum as f32, records: batch.records as u32, correct };
        if !figures.loss_sum.is_finite() {
            return Err(self.culprit(parameters, network, (&batch.features, &batch.labels), workspace));
        }
        emit(self.curve(), &figures.curve());
        network.backward(&pass, &batch.features, workspace, emit);
        Ok(figures)
    }
}
