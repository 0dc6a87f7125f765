//! Layers: an explicit forward and backward each, one file a layer.

mod activation;
mod average_pool2d;
mod batch_norm;
mod conv2d;
mod dense;
mod dropout;
mod flatten;
mod layer_norm;
mod max_pool2d;
#[cfg(test)]
mod tests;
mod window;

pub use activation::Activation;
pub use average_pool2d::AveragePool2d;
pub use batch_norm::BatchNorm;
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use layer_norm::LayerNorm;
pub use max_pool2d::MaxPool2d;

use crate::error::Error;
use crate::parameters::Parameters;
use crate::threads::Threads;
use candle_core::Tensor;
use tfcoord_types::job::{self, LayerShape};
use tfcoord_types::variable::{Group, Initializer, Variable};

/// Which micro-batch is computed: what random numbers come from, beside the layer's place in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepKey {
    /// The job's seed.
    pub seed: u64,
    /// The epoch, from 0.
    pub epoch: u32,
    /// The step, from 0.
    pub step: u64,
    /// The lane.
    pub lane: u32,
}

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Training.
    Train(StepKey),
    /// Evaluation or prediction.
    Evaluate,
}

/// What all layers of one pass share.
pub struct Pass<'a> {
    /// The model's parameters.
    pub parameters: &'a Parameters,
    /// The model's threads.
    pub threads: &'a Threads,
    /// What the pass is for.
    pub mode: Mode,
}

/// What a layer's forward keeps for its backward.
#[derive(Default)]
pub struct Saved {
    /// Tensors, as the layer has them.
    pub tensors: Vec<Tensor>,
    /// Places of values, as the layer has them.
    pub places: Vec<u32>,
}

impl Saved {
    /// Keeps `tensors`.
    pub fn tensors(tensors: impl IntoIterator<Item = Tensor>) -> Self {
        Self { tensors: tensors.into_iter().collect(), places: Vec::new() }
    }
}

/// Takes a variable's place in the model's list and its gradient: the sum over the micro-batch's records.
pub type Emit<'a> = dyn FnMut(usize, &[f32]) + 'a;

/// A layer of a model. Tensors are contiguous, f32, on the CPU, with the records as outermost dimension.
pub trait Layer: Send + Sync {
    /// The output for `input`, and what [`Self::backward`] needs.
    ///
    /// # Errors
    /// Only if `input` has not the shape the layer was made for.
    fn forward(&self, pass: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error>;

    /// From the gradient of the loss sum by the output: emits that by each of the layer's variables once (for
    /// moving averages: records times the statistic), as early as it is ready, and gives that by the input if
    /// it is wanted.
    ///
    /// # Errors
    /// Only if `output_gradient` has not the output's shape.
    fn backward(
        &self,
        pass: &Pass<'_>,
        saved: Saved,
        output_gradient: Tensor,
        wants_input_gradient: bool,
        emit: &mut Emit<'_>,
    ) -> Result<Option<Tensor>, Error>;
}

/// Makes layer number `index` of a model and adds its variables to the model's.
pub(crate) fn build(layer: &job::Layer, index: usize, shape: &LayerShape, variables: &mut Vec<Variable>) -> Result<Box<dyn Layer>, Error> {
    Ok(match *layer {
        job::Layer::Flatten {} => Box::new(Flatten),
        job::Layer::Dense { activation, bias, .. } => Box::new(Dense::new(shape, bias, activation, variables)),
        job::Layer::Conv2d { kernel, stride, padding, activation, bias, .. } => {
            Box::new(Conv2d::new(shape, kernel, stride, padding, bias, activation, variables)?)
        }
        job::Layer::MaxPool2d { size, stride } => Box::new(MaxPool2d::new(shape, size, stride)),
        job::Layer::AveragePool2d { size, stride } => Box::new(AveragePool2d::new(shape, size, stride)),
        job::Layer::Dropout { rate } => Box::new(Dropout::new(index, rate)),
        job::Layer::Activation(function) => Box::new(Activation::new(function)),
        job::Layer::LayerNorm { epsilon } => Box::new(LayerNorm::new(shape, epsilon, variables)),
        job::Layer::BatchNorm { momentum, epsilon } => Box::new(BatchNorm::new(shape, momentum, epsilon, variables)),
    })
}

/// Adds a variable of a layer; its place in the model's list.
fn variable(variables: &mut Vec<Variable>, layer: &str, name: &str, shape: &[u32], initializer: Initializer, group: Group) -> usize {
    variables.push(Variable { name: format!("{layer}/{name}"), shape: shape.to_vec(), initializer, group });
    variables.len() - 1
}

/// Glorot and Bengio 2010: uniform in ±sqrt(6 / (fan in + fan out)).
fn glorot(fan_in: f64, fan_out: f64) -> Initializer {
    Initializer::Uniform { limit: (6.0 / (fan_in + fan_out)).sqrt() as f32 }
}

/// A dimension as a length; `u32` always fits.
fn len(dimension: u32) -> usize {
    dimension as usize
}

/// All values of one record.
fn values_of(shape: &[u32]) -> usize {
    shape.iter().map(|d| len(*d)).product()
}

/// `[records, dimensions of one record...]`
fn with_records(records: usize, shape: &[u32]) -> Vec<usize> {
    std::iter::once(records).chain(shape.iter().map(|d| len(*d))).collect()
}
