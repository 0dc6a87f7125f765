//! Dropout: in training, a share of the values becomes 0 and the others are divided by what remains.

use super::{Emit, Layer, Mode, Pass, Saved};
use crate::error::Error;
use crate::tensor::{tensor, values};
use candle_core::Tensor;
use tfcoord_types::draw::Stream;

/// Inverted dropout. The mask is a pure function of the step, the lane and the layer's place: value i of the
/// micro-batch is kept if number i of the stream is at least the rate.
pub struct Dropout {
    index: u64,
    rate: f32,
}

impl Dropout {
    /// As layer number `index`, dropping a share of `rate` (from 0 to below 1).
    pub fn new(index: usize, rate: f32) -> Self {
        Self { index: index as u64, rate }
    }
}

impl Layer for Dropout {
    fn forward(&self, pass: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        let Mode::Train(key) = pass.mode else {
            return Ok((input.clone(), Saved::default()));
        };
        let keys = [key.seed, u64::from(key.epoch), key.step, u64::from(key.lane), self.index];
        let mut stream = Stream::new("dropout", &keys);
        let scale = 1.0 / (1.0 - self.rate);
        let mask: Vec<f32> = (0..input.elem_count()).map(|_| if stream.unit() >= self.rate { scale } else { 0.0 }).collect();
        let output = product(&values(input)?, &mask);
        Ok((tensor(output, input.dims())?, Saved::tensors([tensor(mask, input.dims())?])))
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
        let input_gradient = product(&values(&output_gradient)?, &values(&saved.tensors[0])?);
        Ok(Some(tensor(input_gradient, output_gradient.dims())?))
    }
}

fn product(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}
