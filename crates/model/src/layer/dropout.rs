//! Dropout: in training, a share of the values becomes 0 and the others are divided by what remains.

use super::{BLOCK, Backward, Emit, Forward, Layer, Mode, Needs, Pass, values_of};
use crate::kernel::vectorized;
use tfcoord_types::draw::Stream;
use tfcoord_types::job::LayerShape;

/// Inverted dropout. The mask is a pure function of the step, the lane and the layer's place: value i of the
/// micro-batch is kept if number i of the stream is at least the rate.
pub struct Dropout {
    index: u64,
    rate: f32,
    features: usize,
}

impl Dropout {
    /// As layer number `index`, for records of `shape`, dropping a share of `rate` (from 0 to below 1).
    pub fn new(index: usize, rate: f32, shape: &LayerShape) -> Self {
        Self { index: index as u64, rate, features: values_of(&shape.input) }
    }
}

impl Layer for Dropout {
    // Keeps what each value is multiplied by.
    fn needs(&self, records: usize) -> Needs {
        Needs { kept: records * self.features, ..Needs::default() }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let Forward { input, output, kept, .. } = buffers;
        let Mode::Train(key) = pass.mode else {
            return output.copy_from_slice(input);
        };
        let keys = [key.seed, u64::from(key.epoch), key.step, u64::from(key.lane), self.index];
        let stream = Stream::new("dropout", &keys);
        let scale = 1.0 / (1.0 - self.rate);
        let values = input.chunks(BLOCK).zip(output.chunks_mut(BLOCK));
        let parts = kept.values.chunks_mut(BLOCK).zip((0..).step_by(BLOCK));
        pass.threads.each(values.zip(parts), |((input, output), (mask, first))| {
            let mut stream = stream.clone();
            stream.seek(first);
            let mask = &mut mask[..input.len()];
            stream.units(mask);
            keep(pass.isa, self.rate, scale, mask);
            multiply(pass.isa, input, mask, output);
        });
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, _: &mut Emit<'_>) {
        if let Some(input_gradient) = buffers.input_gradient {
            let sources = buffers.output_gradient.chunks(BLOCK).zip(buffers.kept.values.chunks(BLOCK));
            let parts = input_gradient.chunks_mut(BLOCK).zip(sources);
            pass.threads.each(parts, |(products, (gradients, mask))| multiply(pass.isa, gradients, mask, products));
        }
    }
}

vectorized! {
    // Uniform numbers become what values are multiplied by.
    fn keep(rate: f32, scale: f32, mask: &mut [f32]) {
        mask.iter_mut().for_each(|unit| *unit = if *unit >= rate { scale } else { 0.0 });
    }

    fn multiply(a: &[f32], b: &[f32], products: &mut [f32]) {
        products.iter_mut().zip(a.iter().zip(b)).for_each(|(product, (a, b))| *product = a * b);
    }
}
