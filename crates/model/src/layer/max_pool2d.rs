//! The largest value of each window.

use super::window::Window;
use super::{Emit, Layer, Pass, Saved, values_of, with_records};
use crate::error::Error;
use crate::tensor::{tensor, values};
use candle_core::Tensor;
use tfcoord_types::job::{LayerShape, Padding, Pair};

/// The largest value of each window; of equal ones the first, row by row, takes the gradient.
pub struct MaxPool2d {
    window: Window,
    input: Vec<u32>,
    output: Vec<u32>,
}

impl MaxPool2d {
    /// For records of `shape`; without a `stride` windows do not overlap.
    pub fn new(shape: &LayerShape, size: Pair, stride: Option<Pair>) -> Self {
        let window = Window::new(shape, size, stride.unwrap_or(size), Padding::Valid);
        Self { window, input: shape.input.clone(), output: shape.output.clone() }
    }

    // The largest values of one plane, and where in the plane they stand.
    fn plane(&self, plane: &[f32], outputs: &mut [f32], places: &mut [u32]) {
        let Window { input, output, size, stride, .. } = self.window;
        for oy in 0..output.0 {
            let (best, place) = (&mut outputs[oy * output.1..][..output.1], &mut places[oy * output.1..][..output.1]);
            for ky in 0..size.0 {
                for kx in 0..size.1 {
                    let from = (oy * stride.0 + ky) * input.1 + kx;
                    let candidates = plane[from..].iter().step_by(stride.1).zip((from as u32..).step_by(stride.1));
                    let first = ky == 0 && kx == 0;
                    for ((best, place), (value, at)) in best.iter_mut().zip(&mut *place).zip(candidates) {
                        // NaN is taken and stays, so that it reaches the loss.
                        let takes = first || *value > *best || value.is_nan();
                        *best = if takes { *value } else { *best };
                        *place = if takes { at } else { *place };
                    }
                }
            }
        }
    }
}

impl Layer for MaxPool2d {
    fn forward(&self, _: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        let inputs = values(input)?;
        let records = inputs.len() / values_of(&self.input);
        let planes = self.window.output_plane();
        let mut outputs = vec![0.0; records * values_of(&self.output)];
        let mut places = vec![0; outputs.len()];
        let rooms = outputs.chunks_exact_mut(planes).zip(places.chunks_exact_mut(planes));
        for (plane, (outputs, places)) in inputs.chunks_exact(self.window.input_plane()).zip(rooms) {
            self.plane(plane, outputs, places);
        }
        Ok((tensor(outputs, &with_records(records, &self.output))?, Saved { tensors: Vec::new(), places }))
    }

    fn backward(&self, _: &Pass<'_>, saved: Saved, output_gradient: Tensor, wants: bool, _: &mut Emit<'_>) -> Result<Option<Tensor>, Error> {
        if !wants {
            return Ok(None);
        }
        let gradients = values(&output_gradient)?;
        let records = gradients.len() / values_of(&self.output);
        let mut input_gradients = vec![0.0; records * values_of(&self.input)];
        let planes = self.window.output_plane();
        let sources = gradients.chunks_exact(planes).zip(saved.places.chunks_exact(planes));
        for (plane, (gradients, places)) in input_gradients.chunks_exact_mut(self.window.input_plane()).zip(sources) {
            for (gradient, place) in gradients.iter().zip(places) {
                plane[*place as usize] += gradient;
            }
        }
        Ok(Some(tensor(input_gradients, &with_records(records, &self.input))?))
    }
}
