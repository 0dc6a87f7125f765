//! Whether batches and parameters fit a model, and which value is not finite first.

use super::{Body, Model, Placed};
use crate::batch::{Batch, Labels};
use crate::error::Error;
use crate::layer::values_of;
use crate::parameters::Parameters;
use crate::workspace::Workspace;
use tfcoord_types::job::Loss;

impl Model {
    /// Whether a record of `batch` has as many features as the model takes, and the layer that sees them takes each.
    pub(super) fn check_features(&self, batch: &Batch) -> Result<(), Error> {
        let (have, each) = (batch.features.len() / batch.records, values_of(&self.input));
        if have != each {
            return Err(Error::Batch { records: batch.records, problem: format!("{have} features a record, but the model takes {each}") });
        }
        match &self.body {
            Body::Layers { layers, .. } => layers.first().map_or(Ok(()), |first| first.layer.check(self.isa, &batch.features)),
            Body::Counting => Ok(()),
        }
    }

    /// Whether each variable has its values.
    pub(super) fn check_parameters(&self, parameters: &Parameters) -> Result<(), Error> {
        let lengths = parameters.lengths();
        let fits = lengths.len() == self.variables.len()
            && lengths.zip(&self.variables).all(|(len, variable)| Some(len as u64) == variable.elements());
        if fits { Ok(()) } else { Err(Error::Parameters { problem: "they are of another model".into() }) }
    }

    /// Whether the labels are of the kind that `loss` takes.
    pub(super) fn check_labels(&self, loss: Loss, batch: &Batch) -> Result<(), Error> {
        match (loss, &batch.labels) {
            (Loss::Mse, Labels::Numbers(_)) => Ok(()),
            (Loss::SoftmaxCrossEntropy | Loss::BinaryCrossEntropy, Labels::Classes(labels)) => {
                match labels.iter().position(|label| *label >= self.classes) {
                    Some(record) => Err(Error::Label { record, label: labels[record], classes: self.classes }),
                    None => Ok(()),
                }
            }
            _ => Err(Error::Batch { records: batch.records, problem: "its labels are not of the kind that the loss takes".into() }),
        }
    }

    /// The first tensor that is not finite, in the order of computing; called when the loss is not, with what the pass
    /// over `features` has left in `workspace`.
    pub(super) fn culprit(
        &self,
        parameters: &Parameters,
        layers: &[Placed],
        (features, labels): (&[f32], &Labels),
        workspace: &Workspace,
    ) -> Error {
        let found = |tensor: String| Error::NotFinite { tensor };
        if !finite(features) {
            return found("features".into());
        }
        if let Labels::Numbers(numbers) = labels
            && !finite(numbers)
        {
            return found("labels".into());
        }
        let records = features.len() / values_of(&self.input);
        for (placed, slot) in layers.iter().zip(&workspace.slots) {
            if let Some(variable) = placed.variables.clone().find(|variable| !finite(parameters.values(*variable))) {
                return found(self.variables[variable].name.clone());
            }
            if !finite(&slot.output[..records * placed.outputs]) {
                return found(format!("{}/output", placed.name));
            }
        }
        found("loss".into())
    }
}

fn finite(values: &[f32]) -> bool {
    values.iter().all(|value| value.is_finite())
}
