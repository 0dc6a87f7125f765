//! The counting model: the gradient of record i is +1 at coordinate i. With the optimizer `add` every coordinate
//! is E after E epochs, whatever happened on the way: an oracle for exactly-once.

use super::{Model, TrainFigures};
use crate::batch::Batch;
use crate::error::Error;
use crate::layer::Emit;
use tfcoord_types::variable::{Group, Initializer, Variable};

/// The one variable: a count for each training record.
pub(super) fn variable(records: u32) -> Variable {
    Variable { name: "count".into(), shape: vec![records], initializer: Initializer::Zeros, group: Group::Add, sync: None }
}

impl Model {
    /// Counts the batch's records.
    pub(super) fn count(&self, batch: &Batch, emit: &mut Emit<'_>) -> Result<TrainFigures, Error> {
        let refused = |problem: String| Error::Batch { records: batch.records, problem };
        if batch.indices.len() != batch.records {
            return Err(refused("the counting model needs the records' indices".into()));
        }
        let mut counts = vec![0.0; self.variables[0].shape[0] as usize];
        for index in &batch.indices {
            let count = usize::try_from(*index).ok().and_then(|index| counts.get_mut(index));
            *count.ok_or_else(|| refused(format!("record {index} is not in the training set")))? += 1.0;
        }
        let figures = TrainFigures { loss_sum: 0.0, records: batch.records as u32, correct: 0 };
        emit(self.curve(), &figures.curve());
        emit(0, &counts);
        Ok(figures)
    }
}
