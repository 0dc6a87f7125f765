//! The memory of a pass: made once for a number of records, used again for every batch.

use crate::error::Error;
use crate::kernel::Buffer;
use crate::layer::Kept;
use crate::loss::Judgement;
use crate::model::Placed;
use std::collections::TryReserveError;

/// Activations, gradients and scratch of a model for some records. One at a time is enough for training and evaluation;
/// it grows when a larger batch, or another model, comes.
#[derive(Default)]
pub struct Workspace {
    pub(crate) slots: Vec<Slot>,
    /// The gradient by a layer's output, and by its input.
    pub(crate) gradients: [Buffer; 2],
    pub(crate) scratch: Buffer,
    /// What the loss says about each record.
    pub(crate) judgements: Vec<Judgement>,
    records: usize,
}

/// What belongs to one layer.
#[derive(Default)]
pub(crate) struct Slot {
    pub output: Buffer,
    pub kept: Kept,
}

impl Workspace {
    /// The records that it has room for.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Makes room for `records` records in all that `layers`, and `outputs` values of each, need.
    pub(crate) fn fit(&mut self, layers: &[Placed], outputs: usize, records: usize) -> Result<(), Error> {
        self.slots.resize_with(layers.len().max(self.slots.len()), Slot::default);
        let (mut gradient, mut scratch) = (records * outputs, 0);
        for (Placed { layer, name, outputs, .. }, slot) in layers.iter().zip(&mut self.slots) {
            let needs = layer.needs(records);
            let outputs = records * outputs;
            slot.output.grow(outputs).map_err(full(records, name, outputs))?;
            slot.kept.values.grow(needs.kept).map_err(full(records, name, needs.kept))?;
            let places = &mut slot.kept.places;
            places.try_reserve_exact(needs.places.saturating_sub(places.len())).map_err(full(records, name, needs.places))?;
            places.resize(needs.places.max(places.len()), 0);
            (gradient, scratch) = (gradient.max(outputs), scratch.max(needs.scratch));
        }
        self.scratch.grow(scratch).map_err(full(records, "scratch", scratch))?;
        for gradients in &mut self.gradients {
            gradients.grow(gradient).map_err(full(records, "gradients", gradient))?;
        }
        let judgements = &mut self.judgements;
        judgements.try_reserve_exact(records.saturating_sub(judgements.len())).map_err(full(records, "losses", records))?;
        judgements.resize(records.max(judgements.len()), Judgement::default());
        self.records = self.records.max(records);
        Ok(())
    }
}

fn full(records: usize, what: &str, len: usize) -> impl FnOnce(TryReserveError) -> Error {
    move |_| Error::Memory { records, what: what.to_owned(), bytes: len.saturating_mul(size_of::<f32>()) }
}
