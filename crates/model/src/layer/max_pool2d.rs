//! The largest value of each window.

use super::window::Window;
use super::{Backward, Emit, Forward, Layer, Needs, Pass, values_of};
use crate::error::Error;
use crate::kernel::vectorized;
use tfcoord_types::job::{LayerShape, Padding, Pair};

/// The largest value of each window; of equal ones the first, column by column, takes the gradient.
pub struct MaxPool2d {
    window: Window,
    outputs: usize,
}

impl MaxPool2d {
    /// For records of `shape`; without a `stride` windows do not overlap.
    ///
    /// # Errors
    /// If a plane has more values than can be counted.
    pub fn new(shape: &LayerShape, size: Pair, stride: Option<Pair>) -> Result<Self, Error> {
        let larger = || Error::Spec { problem: format!("{} is larger than memory", shape.name) };
        let window = Window::new(shape, size, stride.unwrap_or(size), Padding::Valid).ok_or_else(larger)?;
        Ok(Self { window, outputs: values_of(&shape.output) })
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
struct Line<'a> {
    best: &'a mut [f32],
    place: &'a mut [u32],
    candidate: &'a mut [u32],
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
    // Keeps where in its plane each output stands, and two lines more.
    fn needs(&self, records: usize, _: usize) -> Needs {
        let width = self.window.input.1;
        Needs { places: 2 * width + records * self.outputs, scratch: width, kept: 0 }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let width = self.window.input.1;
        let (place, rest) = buffers.kept.places.split_at_mut(width);
        let (candidate, places) = rest.split_at_mut(width);
        let mut line = Line { best: &mut buffers.scratch[..width], place, candidate };
        largest(pass.isa, &self.window, buffers.input, buffers.output, &mut places[..], &mut line);
    }

    fn backward(&self, _: &Pass<'_>, buffers: Backward<'_>, _: &mut Emit<'_>) {
        let Some(input_gradient) = buffers.input_gradient else { return };
        input_gradient.fill(0.0);
        let planes = self.window.output_plane();
        let places = buffers.kept.places[2 * self.window.input.1..].chunks_exact(planes);
        let sources = buffers.output_gradient.chunks_exact(planes).zip(places);
        for (plane, (gradients, places)) in input_gradient.chunks_exact_mut(self.window.input_plane()).zip(sources) {
            for (gradient, place) in gradients.iter().zip(places) {
                plane[*place as usize] += gradient;
            }
        }
    }
}

vectorized! {
    // The largest values, and where in their plane they stand: down each column first, which is vector code, then along
    // the columns' largest.
    fn largest(window: &Window, inputs: &[f32], outputs: &mut [f32], places: &mut [u32], line: &mut Line<'_>) {
        let planes = window.output_plane();
        let rooms = outputs.chunks_exact_mut(planes).zip(places.chunks_exact_mut(planes));
        for (plane, (outputs, places)) in inputs.chunks_exact(window.input_plane()).zip(rooms) {
            of_plane(window, plane, outputs, places, line);
        }
    }
}

#[inline(always)]
fn of_plane(window: &Window, plane: &[f32], outputs: &mut [f32], places: &mut [u32], line: &mut Line<'_>) {
    let Window { input, output, size, stride, .. } = *window;
    let rooms = outputs.chunks_exact_mut(output.1).zip(places.chunks_exact_mut(output.1));
    for (oy, (outputs, places)) in rooms.enumerate() {
        let from = oy * stride.0 * input.1;
        let mut rows = plane[from..].chunks_exact(input.1).take(size.0);
        if let Some(row) = rows.next() {
            line.best.copy_from_slice(row);
            line.place.iter_mut().zip(from as u32..).for_each(|(place, at)| *place = at);
        }
        line.candidate.copy_from_slice(line.place);
        for row in rows {
            let candidates = row.iter().zip(&mut *line.candidate);
            for ((best, place), (value, at)) in line.best.iter_mut().zip(&mut *line.place).zip(candidates) {
                *at = at.wrapping_add(input.1 as u32);
                (*best, *place) = larger((*best, *place), (*value, *at));
            }
        }
        let rooms = outputs.iter_mut().zip(places);
        if stride.1 == 2 && size.1 == 2 {
            // The commonest one: its length is known when this is compiled.
            along(line.best.as_chunks::<2>().0.iter().map(|c| &c[..]).zip(line.place.as_chunks::<2>().0.iter().map(|c| &c[..])), rooms);
        } else if stride.1 == size.1 {
            along(line.best.chunks_exact(size.1).zip(line.place.chunks_exact(size.1)), rooms);
        } else {
            along(line.best.windows(size.1).zip(line.place.windows(size.1)).step_by(stride.1), rooms);
        }
    }
}
