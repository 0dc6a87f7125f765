//! The mean of each window.

use super::window::Window;
use super::{Backward, Emit, Forward, Layer, Needs, Pass};
use crate::error::Error;
use tfcoord_types::job::{LayerShape, Padding, Pair};

/// The mean of each window.
pub struct AveragePool2d {
    window: Window,
}

impl AveragePool2d {
    /// For records of `shape`; without a `stride` windows do not overlap.
    ///
    /// # Errors
    /// If a plane has more values than can be counted.
    pub fn new(shape: &LayerShape, size: Pair, stride: Option<Pair>) -> Result<Self, Error> {
        let larger = || Error::Spec { problem: format!("{} is larger than memory", shape.name) };
        Ok(Self { window: Window::new(shape, size, stride.unwrap_or(size), Padding::Valid).ok_or_else(larger)? })
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
    fn needs(&self, _: usize, _: usize) -> Needs {
        Needs::default()
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let (share, stride) = (self.share(), self.window.stride.1);
        let planes = buffers.output.chunks_exact_mut(self.window.output_plane());
        pass.isa.run(|| {
            for (plane, outputs) in buffers.input.chunks_exact(self.window.input_plane()).zip(planes) {
                for (oy, line) in outputs.chunks_exact_mut(self.window.output.1).enumerate() {
                    line.fill(0.0);
                    for (ky, kx) in self.within() {
                        let source = plane[self.start(oy, ky, kx)..].iter().step_by(stride);
                        line.iter_mut().zip(source).for_each(|(sum, value)| *sum += value);
                    }
                    line.iter_mut().for_each(|sum| *sum *= share);
                }
            }
        });
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, _: &mut Emit<'_>) {
        let Some(input_gradient) = buffers.input_gradient else { return };
        input_gradient.fill(0.0);
        let (share, stride) = (self.share(), self.window.stride.1);
        let planes = buffers.output_gradient.chunks_exact(self.window.output_plane());
        pass.isa.run(|| {
            for (plane, gradients) in input_gradient.chunks_exact_mut(self.window.input_plane()).zip(planes) {
                for (oy, line) in gradients.chunks_exact(self.window.output.1).enumerate() {
                    for (ky, kx) in self.within() {
                        let target = plane[self.start(oy, ky, kx)..].iter_mut().step_by(stride);
                        line.iter().zip(target).for_each(|(gradient, target)| *target += gradient * share);
                    }
                }
            }
        });
    }
}
