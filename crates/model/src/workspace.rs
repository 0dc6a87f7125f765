//! The memory of a pass: made once for a number of records, used again for every batch.

use crate::error::Error;
use crate::kernel::Buffer;
use crate::layer::Kept;
use crate::loss::Judgement;
use crate::model::{Network, Placed, Step};
use std::collections::TryReserveError;

/// Activations, gradients and scratch of a model for some records. One at a time is enough for training and evaluation;
/// it grows when a larger batch, or another model, comes.
#[derive(Default)]
pub struct Workspace {
    pub(crate) slots: Vec<Slot>,
    /// Gradients by outputs, as [`Network::gradients`] has them.
    pub(crate) gradients: Vec<Buffer>,
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

    /// Makes room for `records` records in all that `network` needs.
    pub(crate) fn fit(&mut self, network: &Network, records: usize) -> Result<(), Error> {
        let placed = network.placed();
        self.slots.resize_with(placed.len().max(self.slots.len()), Slot::default);
        self.gradients.resize_with(network.gradients().len().max(self.gradients.len()), Buffer::default);
        let mut scratch = 0;
        for (Placed { step, name, outputs, .. }, slot) in placed.iter().zip(&mut self.slots) {
            let outputs = records * outputs;
            slot.output.grow(outputs).map_err(full(records, name, outputs))?;
            let Step::Layer(layer) = step else { continue };
            let needs = layer.needs(records);
            slot.kept.values.grow(needs.kept).map_err(full(records, name, needs.kept))?;
            slot.kept.zeros.grow(needs.zeros).map_err(full(records, name, needs.zeros))?;
            let places = &mut slot.kept.places;
            places.try_reserve_exact(needs.places.saturating_sub(places.len())).map_err(full(records, name, needs.places))?;
            places.resize(needs.places.max(places.len()), 0);
            scratch = scratch.max(needs.scratch);
        }
        self.scratch.grow(scratch).map_err(full(records, "scratch", scratch))?;
        for (gradient, values) in self.gradients.iter_mut().zip(network.gradients()) {
            gradient.grow(records * values).map_err(full(records, "gradients", records * values))?;
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
