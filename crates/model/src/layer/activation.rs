//! Functions of each value, as a layer and fused into others.

use super::{Emit, Layer, Mode, Pass, Saved};
use crate::error::Error;
use crate::math;
use crate::tensor::{tensor, values};
use candle_core::Tensor;
use tfcoord_types::job::Activation as Function;

/// A function of each value.
pub struct Activation {
    function: Function,
}

impl Activation {
    /// The layer.
    pub fn new(function: Function) -> Self {
        Self { function }
    }
}

impl Layer for Activation {
    fn forward(&self, pass: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        let copy = values(input)?.to_vec();
        let (output, kept) = finish(Some(self.function), copy, input.dims(), pass.mode)?;
        Ok((output, Saved::tensors(kept)))
    }

    fn backward(
        &self,
        _: &Pass<'_>,
        saved: Saved,
        output_gradient: Tensor,
        wants: bool,
        _: &mut Emit<'_>,
    ) -> Result<Option<Tensor>, Error> {
        if !wants {
            return Ok(None);
        }
        let input_gradient = pull(self.function, &values(&saved.tensors[0])?, &values(&output_gradient)?);
        Ok(Some(tensor(input_gradient, output_gradient.dims())?))
    }
}

/// A tensor of `function` of `inputs`, and what [`pull`] needs of the pass: the input for gelu, the output for
/// the others, nothing without a function or outside of training.
pub(super) fn finish(
    function: Option<Function>,
    mut inputs: Vec<f32>,
    shape: &[usize],
    mode: Mode,
) -> Result<(Tensor, Option<Tensor>), Error> {
    let Some(function) = function else {
        return Ok((tensor(inputs, shape)?, None));
    };
    let trains = matches!(mode, Mode::Train(_));
    let kept = if function == Function::Gelu && trains { Some(tensor(inputs.clone(), shape)?) } else { None };
    apply(function, &mut inputs);
    let output = tensor(inputs, shape)?;
    let kept = kept.or_else(|| trains.then(|| output.clone()));
    Ok((output, kept))
}

fn apply(function: Function, values: &mut [f32]) {
    match function {
        // NaN stays NaN, so that it reaches the loss.
        Function::Relu => each(values, |x| if x < 0.0 { 0.0 } else { x }),
        Function::Tanh => each(values, math::tanh),
        Function::Sigmoid => each(values, math::sigmoid),
        Function::Gelu => each(values, math::gelu),
    }
}

#[inline(always)]
fn each(values: &mut [f32], function: impl Fn(f32) -> f32) {
    for value in values {
        *value = function(*value);
    }
}

/// The gradient by the function's input, from what [`finish`] kept and the gradient by its output.
pub(super) fn pull(function: Function, kept: &[f32], gradient: &[f32]) -> Vec<f32> {
    let mut pulled = Vec::with_capacity(gradient.len());
    pull_into(function, kept, gradient, &mut pulled);
    pulled
}

/// As [`pull`], into a buffer whose content is dropped.
pub(super) fn pull_into(function: Function, kept: &[f32], gradient: &[f32], pulled: &mut Vec<f32>) {
    pulled.clear();
    let pairs = kept.iter().zip(gradient);
    match function {
        Function::Relu => pulled.extend(pairs.map(|(y, g)| if *y > 0.0 { *g } else { 0.0 })),
        Function::Tanh => pulled.extend(pairs.map(|(y, g)| (1.0 - y * y) * g)),
        Function::Sigmoid => pulled.extend(pairs.map(|(y, g)| y * (1.0 - y) * g)),
        Function::Gelu => pulled.extend(pairs.map(|(x, g)| math::gelu_slope(*x) * g)),
    }
}
