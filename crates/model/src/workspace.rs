//! The memory of a pass: made once for a number of records, used again for every batch.

use crate::error::Error;
use crate::layer::Kept;
use crate::model::Placed;

/// Activations, gradients and scratch of a model for some records. One at a time is enough for training and evaluation;
/// it grows when a larger batch, or another model, comes.
#[derive(Default)]
pub struct Workspace {
    pub(crate) slots: Vec<Slot>,
    /// The gradient by a layer's output, and by its input.
    pub(crate) gradients: [Vec<f32>; 2],
    pub(crate) scratch: Vec<f32>,
    records: usize,
}

/// What belongs to one layer.
#[derive(Default)]
pub(crate) struct Slot {
    pub output: Vec<f32>,
    pub kept: Kept,
}

impl Workspace {
    /// The records that it has room for.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Makes room for `records` records in all that `layers` need.
    pub(crate) fn fit(&mut self, layers: &[Placed], records: usize, threads: usize) -> Result<(), Error> {
        self.slots.resize_with(layers.len().max(self.slots.len()), Slot::default);
        let mut room = Room { records };
        let (mut gradient, mut scratch) = (0, 0);
        for (placed, slot) in layers.iter().zip(&mut self.slots) {
            let needs = placed.layer.needs(records, threads);
            room.grow(&placed.name, &mut slot.output, records * placed.outputs)?;
            room.grow(&placed.name, &mut slot.kept.values, needs.kept)?;
            room.grow(&placed.name, &mut slot.kept.places, needs.places)?;
            gradient = gradient.max(records * placed.outputs);
            scratch = scratch.max(needs.scratch);
        }
        room.grow("scratch", &mut self.scratch, scratch)?;
        for gradients in &mut self.gradients {
            room.grow("gradients", gradients, gradient)?;
        }
        self.records = self.records.max(records);
        Ok(())
    }
}

struct Room {
    records: usize,
}

impl Room {
    fn grow<T: Copy + Default>(&mut self, what: &str, values: &mut Vec<T>, len: usize) -> Result<(), Error> {
        let more = len.saturating_sub(values.len());
        let full = |_| Error::Memory { records: self.records, what: what.to_owned(), bytes: len.saturating_mul(size_of::<T>()) };
        values.try_reserve_exact(more).map_err(full)?;
        values.resize(len.max(values.len()), T::default());
        Ok(())
    }
}
