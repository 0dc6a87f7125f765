//! The largest value of each window.

use super::window::Window;
use super::{Backward, Emit, Forward, Layer, Needs, Pass, together};
use crate::kernel::vectorized;
use tfcoord_types::job::{LayerShape, Pair};

/// The largest value of each window; of equal ones the first, row by row, takes the gradient.
pub struct MaxPool2d {
    window: Window,
}

impl MaxPool2d {
    /// For records of `shape`; without a `stride` windows do not overlap.
    pub fn new(shape: &LayerShape, size: Pair, stride: Option<Pair>) -> Self {
        Self { window: Window::new(shape, size, stride) }
    }
}

impl Layer for MaxPool2d {
    // Keeps the place in its picture that each output comes from.
    fn needs(&self, records: usize) -> Needs {
        Needs { places: records * self.window.outputs(), ..Needs::default() }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let (window, records) = (&self.window, together(self.window.inputs()));
        let outputs = records * window.outputs();
        let rooms = buffers.output.chunks_mut(outputs).zip(buffers.kept.places.chunks_mut(outputs));
        pass.threads.each(rooms.zip(buffers.input.chunks(records * window.inputs())), |((outputs, places), inputs)| {
            largest(pass.isa, window, inputs, outputs, places);
        });
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, _: &mut Emit<'_>) {
        let Some(input_gradient) = buffers.input_gradient else { return };
        let (window, records) = (&self.window, together(self.window.inputs()));
        let outputs = records * window.outputs();
        let sources = buffers.output_gradient.chunks(outputs).zip(buffers.kept.places.chunks(outputs));
        let parts = input_gradient.chunks_mut(records * window.inputs()).zip(sources);
        pass.threads.each(parts, |(targets, (gradients, places))| scatter(window, gradients, places, targets));
    }
}

fn scatter(window: &Window, gradients: &[f32], places: &[u32], targets: &mut [f32]) {
    targets.fill(0.0);
    let (channels, outputs) = (window.channels, window.outputs());
    let sources = gradients.chunks_exact(outputs).zip(places.chunks_exact(outputs));
    for (picture, (gradients, places)) in targets.chunks_exact_mut(window.inputs()).zip(sources) {
        for (gradients, places) in gradients.chunks_exact(channels).zip(places.chunks_exact(channels)) {
            for (channel, (gradient, place)) in gradients.iter().zip(places).enumerate() {
                picture[*place as usize * channels + channel] += gradient;
            }
        }
    }
}

/// The larger value with its place; the first of equal ones. NaN is taken and stays, so that it reaches the loss.
/// Without a branch: which one it is cannot be predicted.
#[inline(always)]
fn larger(best: (f32, u32), other: (f32, u32)) -> (f32, u32) {
    let takes = u32::from(other.0 > best.0) | u32::from(other.0.is_nan());
    let mask = takes.wrapping_neg();
    let select = |a: u32, b: u32| (a & !mask) | (b & mask);
    (f32::from_bits(select(best.0.to_bits(), other.0.to_bits())), select(best.1, other.1))
}

vectorized! {
    fn largest(window: &Window, inputs: &[f32], outputs: &mut [f32], places: &mut [u32]) {
        let channels = window.channels;
        let rooms = outputs.chunks_exact_mut(window.outputs()).zip(places.chunks_exact_mut(window.outputs()));
        for (picture, (outputs, places)) in inputs.chunks_exact(window.inputs()).zip(rooms) {
            let rooms = outputs.chunks_exact_mut(channels).zip(places.chunks_exact_mut(channels));
            for (at, (outputs, places)) in rooms.enumerate() {
                let mut under = window.under(at);
                let Some(first) = under.next() else { continue };
                outputs.copy_from_slice(&picture[first * channels..][..channels]);
                places.fill(first as u32);
                for place in under {
                    let values = &picture[place * channels..][..channels];
                    for (value, (output, at)) in values.iter().zip(outputs.iter_mut().zip(places.iter_mut())) {
                        (*output, *at) = larger((*output, *at), (*value, place as u32));
                    }
                }
            }
        }
    }
}
