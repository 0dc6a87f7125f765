//! The memory of a pass: made once for a number of records, used again for every batch.

use crate::error::Error;
use crate::kernel::Buffer;
use crate::layer::Kept;
use crate::loss::Judgement;
use crate::model::{Model, Network, Placed, Step};
use std::collections::TryReserveError;

/// Activations, gradients and scratch of a model for some records. One at a time is enough for training and evaluation;
/// it grows when a larger batch, or another model, comes. [`Workspace::new`] makes all of it at once.
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

/// What room is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Passes forward and back.
    Train,
    /// Passes forward only: no gradients but that by the outputs, and no zeros to sum them over.
    Evaluate,
}

impl Workspace {
    /// Room for training and evaluating `records` records at once with `model`: nothing is allocated later.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn new(model: &Model, records: usize) -> Result<Self, Error> {
        let mut workspace = Self::default();
        if let Some(network) = model.layers() {
            workspace.fit(network, records, model.threads().count(), Purpose::Train)?;
        }
        Ok(workspace)
    }

    /// The bytes that [`Self::new`] takes where the model has so many threads.
    pub fn bytes(model: &Model, records: usize, threads: usize) -> u64 {
        let Some(network) = model.layers() else { return 0 };
        let (mut buffers, mut places, mut scratch) = (Vec::new(), 0, 0);
        for Placed { step, outputs, .. } in network.placed() {
            buffers.push(records * outputs);
            let Step::Layer(layer) = step else { continue };
            let needs = layer.needs(records);
            buffers.extend([needs.kept, needs.zeros]);
            places += needs.places;
            scratch = scratch.max(needs.scratch(threads));
        }
        buffers.push(scratch);
        buffers.extend(network.gradients().iter().map(|values| records * values));
        let values: usize = buffers.into_iter().map(Buffer::values_for).sum();
        ((values + places) * size_of::<f32>() + records * size_of::<Judgement>()) as u64
    }

    /// The records that it has room for.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Makes room for `records` records in all that `network` needs for this purpose with so many threads.
    pub(crate) fn fit(&mut self, network: &Network, records: usize, threads: usize, purpose: Purpose) -> Result<(), Error> {
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
            if purpose == Purpose::Train {
                slot.kept.zeros.grow(needs.zeros).map_err(full(records, name, needs.zeros))?;
            }
            let places = &mut slot.kept.places;
            places.try_reserve_exact(needs.places.saturating_sub(places.len())).map_err(full(records, name, needs.places))?;
            places.resize(needs.places.max(places.len()), 0);
            scratch = scratch.max(needs.scratch(threads));
        }
        self.scratch.grow(scratch).map_err(full(records, "scratch", scratch))?;
        for (at, (gradient, values)) in self.gradients.iter_mut().zip(network.gradients()).enumerate() {
            let values = match purpose {
                Purpose::Train => records * values,
                // What the loss says of the outputs.
                Purpose::Evaluate if at == network.first_gradient() => records * network.outputs(),
                Purpose::Evaluate => 0,
            };
            gradient.grow(values).map_err(full(records, "gradients", values))?;
        }
        let judgements = &mut self.judgements;
        judgements.try_reserve_exact(records.saturating_sub(judgements.len())).map_err(full(records, "losses", records))?;
        judgements.resize(records.max(judgements.len()), Judgement::default());
        self.records = self.records.max(records);
        Ok(())
    }

    #[cfg(test)]
    fn allocated(&self) -> usize {
        let of_slots = self.slots.iter().flat_map(|Slot { output, kept }| [output, &kept.values, &kept.zeros]);
        let values: usize = of_slots.chain(&self.gradients).chain([&self.scratch]).map(Buffer::capacity).sum();
        let places: usize = self.slots.iter().map(|slot| slot.kept.places.capacity()).sum();
        (values + places) * size_of::<f32>() + self.judgements.capacity() * size_of::<Judgement>()
    }
}

fn full(records: usize, what: &str, len: usize) -> impl FnOnce(TryReserveError) -> Error {
    move |_| Error::Memory { records, what: what.to_owned(), bytes: len.saturating_mul(size_of::<f32>()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Isa;
    use crate::model::Options;
    use tfcoord_types::job::Input;

    #[test]
    fn its_bytes_are_known_before_and_all_of_them_are_there_at_once() {
        let layers = [
            r#"{"conv2d": {"filters": 4, "kernel": 3, "activation": "gelu"}}, {"batch_norm": {}}, {"max_pool2d": {"size": 2}},
               {"residual": {"layers": [{"conv2d": {"filters": 4, "kernel": 3, "padding": "same"}}, {"dropout": {"rate": 0.5}}]}},
               {"flatten": {}}, {"layer_norm": {}}, {"dense": {"units": 5}}"#,
            r#"{"reshape": {"shape": [20, 11]}}, {"lstm": {"units": 9, "sequences": true}}, {"gru": {"units": 5}}"#,
            r#"{"reshape": {"shape": [220]}}, {"embedding": {"dim": 3, "vocabulary": 1700}}, {"flatten": {}}, {"dense": {"units": 5}}"#,
        ];
        for layers in layers {
            let spec = serde_json::from_str(&format!(r#"{{"layers": [{layers}], "loss": "softmax_cross_entropy"}}"#)).unwrap();
            let model = |threads| {
                let options = Options { threads, train_records: 0, isa: Isa::detect() };
                Model::new(&spec, &Input::plain(&[2, 10, 11], 5), options).unwrap()
            };
            for (records, model) in [(1, model(1)), (7, model(3)), (32, model(1))] {
                let mut workspace = Workspace::new(&model, records).unwrap();
                assert_eq!(workspace.allocated() as u64, Workspace::bytes(&model, records, model.threads().count()), "{layers}");
                let network = model.layers().unwrap();
                for purpose in [Purpose::Train, Purpose::Evaluate] {
                    workspace.fit(network, records, model.threads().count(), purpose).unwrap();
                }
                assert_eq!(workspace.allocated() as u64, Workspace::bytes(&model, records, model.threads().count()), "{layers}");
            }
            let model = model(1);
            let mut evaluating = Workspace::default();
            evaluating.fit(model.layers().unwrap(), 32, 1, Purpose::Evaluate).unwrap();
            let largest = evaluating.gradients.iter().map(|gradient| gradient.len()).max();
            assert_eq!(largest, Some(32 * 5), "that by the outputs alone");
            assert!(evaluating.slots.iter().all(|slot| slot.kept.zeros.is_empty()));
        }
    }
}
