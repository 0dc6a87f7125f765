//! The mean of each window.

use super::window::Window;
use super::{Backward, Emit, Forward, Layer, Needs, Pass, together};
use crate::kernel::vectorized;
use crate::sum::add;
use tfcoord_types::job::{LayerShape, Pair};

/// The mean of each window.
pub struct AveragePool2d {
    window: Window,
}

impl AveragePool2d {
    /// For records of `shape`; without a `stride` windows do not overlap.
    pub fn new(shape: &LayerShape, size: Pair, stride: Option<Pair>) -> Self {
        Self { window: Window::new(shape, size, stride) }
    }
}

impl Layer for AveragePool2d {
    fn needs(&self, _: usize) -> Needs {
        Needs::default()
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let (window, records) = (&self.window, together(self.window.inputs()));
        let parts = buffers.output.chunks_mut(records * window.outputs()).zip(buffers.input.chunks(records * window.inputs()));
        pass.threads.each(parts, |(outputs, inputs)| means(pass.isa, window, inputs, outputs));
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, _: &mut Emit<'_>) {
        if let Some(input_gradient) = buffers.input_gradient {
            let (window, records) = (&self.window, together(self.window.inputs()));
            let gradients = buffers.output_gradient.chunks(records * window.outputs());
            let parts = input_gradient.chunks_mut(records * window.inputs()).zip(gradients);
            pass.threads.each(parts, |(targets, gradients)| shares(pass.isa, window, gradients, targets));
        }
    }
}

#[inline(always)]
fn share(window: &Window) -> f32 {
    1.0 / (window.size.0 * window.size.1) as f32
}

vectorized! {
    fn means(window: &Window, inputs: &[f32], outputs: &mut [f32]) {
        let (channels, share) = (window.channels, share(window));
        let pictures = inputs.chunks_exact(window.inputs()).zip(outputs.chunks_exact_mut(window.outputs()));
        for (picture, outputs) in pictures {
            for (at, output) in outputs.chunks_exact_mut(channels).enumerate() {
                output.fill(0.0);
                window.under(at).for_each(|place| add(output, &picture[place * channels..][..channels]));
                output.iter_mut().for_each(|sum| *sum *= share);
            }
        }
    }

    fn shares(window: &Window, gradients: &[f32], targets: &mut [f32]) {
        targets.fill(0.0);
        let (channels, share) = (window.channels, share(window));
        let pictures = gradients.chunks_exact(window.outputs()).zip(targets.chunks_exact_mut(window.inputs()));
        for (gradients, picture) in pictures {
            for (at, gradient) in gradients.chunks_exact(channels).enumerate() {
                for place in window.under(at) {
                    let target = &mut picture[place * channels..][..channels];
                    target.iter_mut().zip(gradient).for_each(|(target, gradient)| *target += gradient * share);
                }
            }
        }
    }
}
