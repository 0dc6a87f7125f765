//! Functions of each value, as a layer and fused into others.

use super::{BLOCK, Backward, Emit, Forward, Layer, Mode, Needs, Pass, values_of};
use crate::kernel::vectorized;
use crate::math;
use tfcoord_types::job::{Activation as Function, LayerShape};

/// A function of each value.
pub struct Activation {
    function: Function,
    features: usize,
}

impl Activation {
    /// The layer, for records of `shape`.
    pub fn new(function: Function, shape: &LayerShape) -> Self {
        Self { function, features: values_of(&shape.input) }
    }
}

impl Layer for Activation {
    fn needs(&self, records: usize) -> Needs {
        Needs { kept: kept(Some(self.function), records * self.features), ..Needs::default() }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let parts = parts(buffers.output, &mut buffers.kept.values, BLOCK).zip(buffers.input.chunks(BLOCK));
        pass.threads.each(parts, |((output, kept), input)| {
            output.copy_from_slice(input);
            finish(Some(self.function), pass, output, kept);
        });
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, _: &mut Emit<'_>) {
        if let Some(input_gradient) = buffers.input_gradient {
            input_gradient.copy_from_slice(buffers.output_gradient);
            pull(pass, Some(self.function), buffers.output, &buffers.kept.values, input_gradient);
        }
    }
}

/// How many of `values` values [`finish`] keeps for [`pull`]: gelu's inputs. The others' outputs are enough.
pub(super) fn kept(function: Option<Function>, values: usize) -> usize {
    if function == Some(Function::Gelu) { values } else { 0 }
}

/// Parts of `len` of `values`, each with as many of `kept`, if there are any.
pub(super) fn parts<'a>(
    values: &'a mut [f32],
    kept: &'a mut [f32],
    len: usize,
) -> impl Iterator<Item = (&'a mut [f32], &'a mut [f32])> + Send {
    values.chunks_mut(len).zip(kept.chunks_mut(len).chain(std::iter::repeat_with(Default::default)))
}

/// As [`finish`], shared among the threads.
pub(super) fn finish_all(function: Option<Function>, pass: &Pass<'_>, values: &mut [f32], kept: &mut [f32]) {
    if function.is_some() {
        pass.threads.each(parts(values, kept, BLOCK), |(values, kept)| finish(function, pass, values, kept));
    }
}

/// `values` become `function` of themselves; in training, `kept` becomes what [`pull`] needs.
pub(super) fn finish(function: Option<Function>, pass: &Pass<'_>, values: &mut [f32], kept: &mut [f32]) {
    let Some(function) = function else { return };
    if function == Function::Gelu && matches!(pass.mode, Mode::Train(_)) {
        kept[..values.len()].copy_from_slice(values);
    }
    apply(pass.isa, function, values);
}

/// max(x, 0); NaN stays NaN, so that it reaches the loss.
#[inline(always)]
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

#[inline(always)]
fn each(values: &mut [f32], function: impl Fn(f32) -> f32) {
    for value in values {
        *value = function(*value);
    }
}

/// `gradient`, by the function's outputs, becomes that by its inputs.
pub(super) fn pull(pass: &Pass<'_>, function: Option<Function>, outputs: &[f32], kept: &[f32], gradient: &mut [f32]) {
    if let Some(function) = function {
        let values = if function == Function::Gelu { kept } else { outputs };
        pass.threads.each(gradient.chunks_mut(BLOCK).zip(values.chunks(BLOCK)), |(gradient, values)| {
            pull_each(pass.isa, function, values, gradient);
        });
    }
}

#[inline(always)]
fn pairs(gradient: &mut [f32], values: &[f32], function: impl Fn(f32, f32) -> f32) {
    for (gradient, value) in gradient.iter_mut().zip(values) {
        *gradient = function(*gradient, *value);
    }
}

vectorized! {
    fn apply(function: Function, values: &mut [f32]) {
        match function {
            Function::Relu => each(values, relu),
            Function::Tanh => each(values, math::tanh),
            Function::Sigmoid => each(values, math::sigmoid),
            Function::Gelu => each(values, math::gelu),
        }
    }

    fn pull_each(function: Function, kept: &[f32], gradient: &mut [f32]) {
        match function {
            Function::Relu => pairs(gradient, kept, |g, y| if y > 0.0 { g } else { 0.0 }),
            Function::Tanh => pairs(gradient, kept, |g, y| (1.0 - y * y) * g),
            Function::Sigmoid => pairs(gradient, kept, |g, y| y * (1.0 - y) * g),
            Function::Gelu => pairs(gradient, kept, |g, x| math::gelu_slope(x) * g),
        }
    }
}
