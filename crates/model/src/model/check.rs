//! Whether batches and parameters fit a model, and which value is not finite first.

use super::{Model, Placed};
use crate::batch::{Batch, Labels};
use crate::error::Error;
use crate::layer::Pass;
use crate::parameters::Parameters;
use crate::tensor::values;
use candle_core::Tensor;
use tfcoord_types::job::Loss;

impl Model {
    /// The features of `batch` in the shape of the model's input.
    pub(super) fn features(&self, batch: &Batch) -> Result<Tensor, Error> {
        let shape: Vec<usize> = std::iter::once(batch.records).chain(self.input.iter().map(|d| *d as usize)).collect();
        let (have, each) = (batch.features.elem_count() / batch.records, shape[1..].iter().product::<usize>());
        if have != each {
            let problem = format!("{have} features a record, but the model takes {each}");
            return Err(Error::Batch { records: batch.records, problem });
        }
        Ok(batch.features.reshape(shape)?)
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

    /// The first tensor that is not finite, in the order of computing; called when the loss is not. The pass is
    /// done again for it, so that healthy passes keep nothing.
    pub(super) fn culprit(&self, pass: &Pass<'_>, layers: &[Placed], batch: &Batch) -> Result<Error, Error> {
        let found = |tensor: String| Ok(Error::NotFinite { tensor });
        if !finite(&values(&batch.features)?) {
            return found("features".into());
        }
        if let Labels::Numbers(numbers) = &batch.labels
            && !finite(numbers)
        {
            return found("labels".into());
        }
        let mut tensor = self.features(batch)?;
        for Placed { name, layer, variables } in layers {
            if let Some(variable) = variables.clone().find(|variable| !finite(pass.parameters.values(*variable))) {
                return found(self.variables[variable].name.clone());
            }
            tensor = layer.forward(pass, &tensor)?.0;
            if !finite(&values(&tensor)?) {
                return found(format!("{name}/output"));
            }
        }
        found("loss".into())
    }
}

fn finite(values: &[f32]) -> bool {
    values.iter().all(|value| value.is_finite())
}
