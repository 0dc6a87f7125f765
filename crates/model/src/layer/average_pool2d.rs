//! The mean of each window.

use super::window::Window;
use super::{Backward, Emit, Forward, Layer, Needs, Pass};
use crate::error::Error;
use crate::kernel::vectorized;
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
}

impl Layer for AveragePool2d {
    fn needs(&self, _: usize, _: usize) -> Needs {
        Needs::default()
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        means(pass.isa, &self.window, buffers.input, buffers.output);
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, _: &mut Emit<'_>) {
        if let Some(input_gradient) = buffers.input_gradient {
            shares(pass.isa, &self.window, buffers.output_gradient, input_gradient);
        }
    }
}

// Rows and columns of a window.
#[inline(always)]
fn within(window: &Window) -> impl Iterator<Item = (usize, usize)> + use<> {
    let size = window.size;
    (0..size.0 * size.1).map(move |at| (at / size.1, at % size.1))
}

// Where in a plane line `ky` of column `kx` of the windows of row `oy` begins.
#[inline(always)]
fn start(window: &Window, oy: usize, ky: usize, kx: usize) -> usize {
    (oy * window.stride.0 + ky) * window.input.1 + kx
}

#[inline(always)]
fn share(window: &Window) -> f32 {
    1.0 / (window.size.0 * window.size.1) as f32
}

vectorized! {
    fn means(window: &Window, inputs: &[f32], outputs: &mut [f32]) {
        let (share, stride) = (share(window), window.stride.1);
        let planes = outputs.chunks_exact_mut(window.output_plane());
        for (plane, outputs) in inputs.chunks_exact(window.input_plane()).zip(planes) {
            for (oy, line) in outputs.chunks_exact_mut(window.output.1).enumerate() {
                line.fill(0.0);
                for (ky, kx) in within(window) {
                    let source = plane[start(window, oy, ky, kx)..].iter().step_by(stride);
                    line.iter_mut().zip(source).for_each(|(sum, value)| *sum += value);
                }
                line.iter_mut().for_each(|sum| *sum *= share);
            }
        }
    }

    fn shares(window: &Window, gradients: &[f32], targets: &mut [f32]) {
        targets.fill(0.0);
        let (share, stride) = (share(window), window.stride.1);
        let planes = gradients.chunks_exact(window.output_plane());
        for (plane, gradients) in targets.chunks_exact_mut(window.input_plane()).zip(planes) {
            for (oy, line) in gradients.chunks_exact(window.output.1).enumerate() {
                for (ky, kx) in within(window) {
                    let target = plane[start(window, oy, ky, kx)..].iter_mut().step_by(stride);
                    line.iter().zip(target).for_each(|(gradient, target)| *target += gradient * share);
                }
            }
        }
    }
}
