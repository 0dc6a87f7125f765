//! Cross-correlation over height and width, as matrix products on pictures that lie as they lie.
//!
//! With a stride of 1, what a value of the kernel meets at all places of the window is the picture itself, shifted: a
//! row of the right matrix that begins elsewhere. So nothing is gathered. The places are counted along the picture's
//! rows, those included where the window would hang over the right edge; what comes out there is dropped, and gradients
//! there are 0. Only padding, and a larger stride, cost a copy ([`Window::pad`], [`Window::gather`]).

mod backward;

use super::activation::{finish, kept, relu};
use super::window::Window;
use super::{Backward, Emit, Forward, Layer, Needs, Pass, glorot, len, take, values_of, variable};
use crate::error::Error;
use crate::kernel::{Left, Out, Right, Rows, Start, product, vectorized};
use std::ops::Range;
use tfcoord_types::job::{Activation, LayerShape, Padding, Pair};
use tfcoord_types::variable::{Group, Initializer, Variable};

/// Places that are computed at once: their outputs stay in the nearest cache until they are finished.
const PLACES: usize = 64;

/// Cross-correlation over height and width; the kernel is \[out channels, in channels, height, width\].
pub struct Conv2d {
    window: Window,
    filters: usize,
    kernel: usize,
    bias: Option<usize>,
    activation: Option<Activation>,
    inputs: usize,
    outputs: usize,
    // Where each value under the window begins in what the window sees.
    seen: Rows,
    // Where each value of a filter's gradient begins, from a place of the input backwards.
    back: Rows,
}

impl Conv2d {
    /// For records of `shape`; adds its variables to the model's.
    ///
    /// # Errors
    /// If the values under the window would be more than memory holds.
    pub fn new(
        shape: &LayerShape,
        kernel: Pair,
        stride: Pair,
        padding: Padding,
        bias: bool,
        activation: Option<Activation>,
        variables: &mut Vec<Variable>,
    ) -> Result<Self, Error> {
        let (filters, channels, (height, width)) = (shape.output[0], shape.input[0], kernel.get());
        let larger = || Error::Spec { problem: format!("{} is larger than memory", shape.name) };
        let window = Window::new(shape, kernel, stride, padding).filter(|window| window.fits(len(filters))).ok_or_else(larger)?;
        let area = f64::from(height) * f64::from(width);
        let limit = glorot(f64::from(channels) * area, f64::from(filters) * area);
        let kernel_shape = [filters, channels, height, width];
        let kernel_variable = variable(variables, &shape.name, "kernel", &kernel_shape, limit, Group::Train);
        let bias = bias.then(|| variable(variables, &shape.name, "bias", &[filters], Initializer::Zeros, Group::Train));
        let filters = len(filters);
        Ok(Self {
            filters,
            kernel: kernel_variable,
            bias,
            activation,
            inputs: values_of(&shape.input),
            outputs: values_of(&shape.output),
            seen: window.seen().ok_or_else(larger)?,
            back: backward::rows(&window, filters).ok_or_else(larger)?,
            window,
        })
    }

    // What the window sees of a picture: itself, or a copy in scratch of as many values as `seen_len` says.
    fn see<'a>(&self, picture: &'a [f32], scratch: &'a mut [f32]) -> &'a [f32] {
        if self.window.seen_len() == 0 {
            return picture;
        }
        if self.window.is_shifted() {
            self.window.pad(picture, scratch);
        } else {
            self.window.gather(picture, scratch);
        }
        scratch
    }

    fn picture_forward(&self, pass: &Pass<'_>, picture: &[f32], output: &mut [f32], mut scratch: &mut [f32]) {
        let seen = self.see(picture, take(&mut scratch, self.window.seen_len()));
        let kernel = pass.parameters.values(self.kernel);
        let rows = Rows::every(self.window.covered(), self.filters);
        let bias = self.bias.map(|bias| pass.parameters.values(bias));
        let places = self.window.places();
        for from in (0..places).step_by(PLACES) {
            let columns = PLACES.min(places - from);
            let sums = &mut scratch[..(self.filters - 1) * PLACES + columns];
            let right = Right { values: seen, rows: &self.seen, k: self.window.covered(), start: from, columns };
            product(pass.isa, Left::new(kernel, &rows), right, Out { values: sums, stride: PLACES }, Start::Zero);
            let relu = self.activation == Some(Activation::Relu);
            drop_edges(pass.isa, &self.window, from..from + columns, sums, bias, relu, output);
        }
    }

    // The scratch of one picture on its way forward.
    fn forward_scratch(&self) -> usize {
        self.window.seen_len() + self.filters * PLACES
    }
}

impl Layer for Conv2d {
    fn needs(&self, records: usize, threads: usize) -> Needs {
        let scratch = self.backward_scratch(records, threads).max(threads * self.forward_scratch());
        Needs { kept: kept(self.activation, records * self.outputs), scratch, places: 0 }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let records = buffers.input.len() / self.inputs;
        let part = records.div_ceil(pass.threads.count());
        let inputs = buffers.input.chunks(part * self.inputs);
        let parts = inputs.zip(buffers.output.chunks_mut(part * self.outputs)).zip(buffers.scratch.chunks_mut(self.forward_scratch()));
        pass.threads.each(parts, |((inputs, outputs), scratch)| {
            for (picture, output) in inputs.chunks_exact(self.inputs).zip(outputs.chunks_exact_mut(self.outputs)) {
                self.picture_forward(pass, picture, output, scratch);
            }
        });
        // The commonest one is done where edges are dropped.
        finish(self.activation.filter(|function| *function != Activation::Relu), pass, buffers.output, &mut buffers.kept.values);
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        self.backward(pass, buffers, emit);
    }
}

// Moves the sums of some places to where they belong in the output.
#[inline(always)]
fn move_sums(window: &Window, places: Range<usize>, sums: &[f32], bias: Option<&[f32]>, output: &mut [f32], function: impl Fn(f32) -> f32) {
    let (width, pitch, plane) = (window.output.1, window.pitch(), window.output_plane());
    let mut place = places.start;
    while place < places.end {
        let (row, column) = (place / pitch, place % pitch);
        let end = places.end.min(row * pitch + width);
        for (filter, sums) in sums.chunks(PLACES).enumerate().filter(|_| place < end) {
            let target = &mut output[filter * plane + row * width + column..][..end - place];
            let bias = bias.map_or(0.0, |bias| bias[filter]);
            let sums = &sums[place - places.start..][..target.len()];
            target.iter_mut().zip(sums).for_each(|(target, sum)| *target = function(sum + bias));
        }
        place = (row + 1) * pitch;
    }
}

vectorized! {
    fn drop_edges(window: &Window, places: Range<usize>, sums: &[f32], bias: Option<&[f32]>, with_relu: bool, output: &mut [f32]) {
        if with_relu {
            move_sums(window, places, sums, bias, output, relu);
        } else {
            move_sums(window, places, sums, bias, output, |x| x);
        }
    }
}
