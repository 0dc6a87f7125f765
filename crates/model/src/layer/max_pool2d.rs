//! The largest value of each window.

use super::window::Window;
use super::{Emit, Layer, Pass, Saved, values_of, with_records};
use crate::error::Error;
use crate::tensor::{tensor, values};
use candle_core::Tensor;
use tfcoord_types::job::{LayerShape, Padding, Pair};

/// The largest value of each window; of equal ones the first, column by column, takes the gradient.
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

    // The largest values of one plane, and where in the plane they stand: down each column first, which is vector
    // code, then along the columns' largest.
    fn plane(&self, plane: &[f32], outputs: &mut [f32], places: &mut [u32], line: &mut Line) {
        let Window { input, output, size, stride, .. } = self.window;
        let rooms = outputs.chunks_exact_mut(output.1).zip(places.chunks_exact_mut(output.1));
        for (oy, (outputs, places)) in rooms.enumerate() {
            let from = oy * stride.0 * input.1;
            let mut rows = plane[from..].chunks_exact(input.1).take(size.0);
            if let Some(row) = rows.next() {
                line.best.copy_from_slice(row);
                line.place.clear();
                line.place.extend(from as u32..(from + input.1) as u32);
            }
            line.candidate.copy_from_slice(&line.place);
            for row in rows {
                let candidates = row.iter().zip(&mut line.candidate);
                for ((best, place), (value, at)) in line.best.iter_mut().zip(&mut line.place).zip(candidates) {
                    *at = at.wrapping_add(input.1 as u32);
                    (*best, *place) = larger((*best, *place), (*value, *at));
                }
            }
            let rooms = outputs.iter_mut().zip(places);
            if stride.1 == size.1 {
                along(line.best.chunks_exact(size.1).zip(line.place.chunks_exact(size.1)), rooms);
            } else {
                along(line.best.windows(size.1).zip(line.place.windows(size.1)).step_by(stride.1), rooms);
            }
        }
    }
}

// The largest of each window along a line; as many windows as there are rooms.
#[inline(always)]
fn along<'a>(windows: impl Iterator<Item = (&'a [f32], &'a [u32])>, rooms: impl Iterator<Item = (&'a mut f32, &'a mut u32)>) {
    for ((output, place), (values, places)) in rooms.zip(windows) {
        let mut best = (values[0], places[0]);
        for (value, at) in values.iter().zip(places).skip(1) {
            best = larger(best, (*value, *at));
        }
        (*output, *place) = best;
    }
}

// The largest value of each column of a row of windows, where it stands, and where the next one to look at does.
struct Line {
    best: Vec<f32>,
    place: Vec<u32>,
    candidate: Vec<u32>,
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

impl Layer for MaxPool2d {
    fn forward(&self, _: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        let inputs = values(input)?;
        let records = inputs.len() / values_of(&self.input);
        let planes = self.window.output_plane();
        let mut outputs = vec![0.0; records * values_of(&self.output)];
        let mut places = vec![0; outputs.len()];
        let width = self.window.input.1;
        let mut line = Line { best: vec![0.0; width], place: vec![0; width], candidate: vec![0; width] };
        let rooms = outputs.chunks_exact_mut(planes).zip(places.chunks_exact_mut(planes));
        for (plane, (outputs, places)) in inputs.chunks_exact(self.window.input_plane()).zip(rooms) {
            self.plane(plane, outputs, places, &mut line);
        }
        Ok((tensor(outputs, &with_records(records, &self.output))?, Saved { tensors: Vec::new(), places }))
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
