//! The mean of each window.

use super::window::Window;
use super::{Emit, Layer, Pass, Saved, values_of, with_records};
use crate::error::Error;
use crate::tensor::{tensor, values};
use candle_core::Tensor;
use tfcoord_types::job::{LayerShape, Padding, Pair};

/// The mean of each window.
pub struct AveragePool2d {
    window: Window,
    input: Vec<u32>,
    output: Vec<u32>,
}

impl AveragePool2d {
    /// For records of `shape`; without a `stride` windows do not overlap.
    pub fn new(shape: &LayerShape, size: Pair, stride: Option<Pair>) -> Self {
        let window = Window::new(shape, size, stride.unwrap_or(size), Padding::Valid);
        Self { window, input: shape.input.clone(), output: shape.output.clone() }
    }

    // Where in a plane line `ky` of column `kx` of the windows of row `oy` begins.
    fn start(&self, oy: usize, ky: usize, kx: usize) -> usize {
        (oy * self.window.stride.0 + ky) * self.window.input.1 + kx
    }

    fn within(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let size = self.window.size;
        (0..size.0 * size.1).map(move |at| (at / size.1, at % size.1))
    }

    fn share(&self) -> f32 {
        1.0 / (self.window.size.0 * self.window.size.1) as f32
    }
}

impl Layer for AveragePool2d {
    fn forward(&self, _: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        let inputs = values(input)?;
        let records = inputs.len() / values_of(&self.input);
        let mut outputs = vec![0.0; records * values_of(&self.output)];
        let (share, stride) = (self.share(), self.window.stride.1);
        let planes = outputs.chunks_exact_mut(self.window.output_plane());
        for (plane, outputs) in inputs.chunks_exact(self.window.input_plane()).zip(planes) {
            for (oy, line) in outputs.chunks_exact_mut(self.window.output.1).enumerate() {
                for (ky, kx) in self.within() {
                    let source = plane[self.start(oy, ky, kx)..].iter().step_by(stride);
                    line.iter_mut().zip(source).for_each(|(sum, value)| *sum += value);
                }
                line.iter_mut().for_each(|sum| *sum *= share);
            }
        }
        Ok((tensor(outputs, &with_records(records, &self.output))?, Saved::default()))
    }

    fn backward(&self, _: &Pass<'_>, _: Saved, output_gradient: Tensor, wants: bool, _: &mut Emit<'_>) -> Result<Option<Tensor>, Error> {
        if !wants {
            return Ok(None);
        }
        let gradients = values(&output_gradient)?;
        let records = gradients.len() / values_of(&self.output);
        let mut input_gradients = vec![0.0; records * values_of(&self.input)];
        let (share, stride) = (self.share(), self.window.stride.1);
        let planes = gradients.chunks_exact(self.window.output_plane());
        for (plane, gradients) in input_gradients.chunks_exact_mut(self.window.input_plane()).zip(planes) {
            for (oy, line) in gradients.chunks_exact(self.window.output.1).enumerate() {
                for (ky, kx) in self.within() {
                    let target = plane[self.start(oy, ky, kx)..].iter_mut().step_by(stride);
                    line.iter().zip(target).for_each(|(gradient, target)| *target += gradient * share);
                }
            }
        }
        Ok(Some(tensor(input_gradients, &with_records(records, &self.input))?))
    }
}
