//! Cross-correlation over height and width.
//!
//! Values lie place by place with the channels side by side, so all three products are grids in what is there:
//!
//! | product | a row is | a step of k is | right matrix |
//! |---|---|---|---|
//! | output | a place of the output | a value under the window | the kernel, filters side by side |
//! | gradient by the input | a place of the input | a filter at a place of the output | the kernel, channels side by side |
//! | gradient by the kernel | a value under the window | a place of the output | the gradient by the output |
//!
//! Where the window hangs over an edge, or steps over places, rows differ in the steps that they have: [`span`] sorts them
//! into grids. Zeros of the padding are never multiplied.

mod span;

use super::activation::{finish, kept, parts, pull};
use super::{Backward, Emit, Forward, LINE, Layer, Needs, Pass, glorot, len, room, take, variable};
use crate::error::Error;
use crate::kernel::{Grid, Left, Out, Right, Start, product, transpose};
use crate::threads::Threads;
use span::{Span, Window};
use std::ops::Range;
use tfcoord_types::job::{Activation, LayerShape, Padding, Pair};
use tfcoord_types::variable::{Group, Initializer, Variable};

/// Cross-correlation over height and width; the kernel is \[out channels, in channels, height, width\].
pub struct Conv2d {
    filters: usize,
    channels: usize,
    // Height and width.
    input: (usize, usize),
    output: (usize, usize),
    size: (usize, usize),
    kernel: usize,
    bias: Option<usize>,
    activation: Option<Activation>,
    // Of rows and columns each.
    forward: (Vec<Span>, Vec<Span>),
    by_input: (Vec<Span>, Vec<Span>),
    by_kernel: (Vec<Span>, Vec<Span>),
}

// How far apart the values of neighbouring rows and columns are, and what lies within a place: (how many, how far apart).
#[derive(Clone, Copy)]
struct Plane {
    row: usize,
    column: usize,
    within: (usize, usize),
}

impl Conv2d {
    /// For records of `shape`; adds its variables to the model's.
    ///
    /// # Errors
    /// If the kernel is larger than memory.
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
        // Buffers for three kernels are made, and every step of a row is counted.
        let kernel_bytes = [filters, channels, height, width].iter().fold(16.0, |bytes, d| bytes * f64::from(*d));
        if kernel_bytes > isize::MAX as f64 {
            return Err(Error::Spec { problem: format!("{} is larger than memory", shape.name) });
        }
        let area = f64::from(height) * f64::from(width);
        let limit = glorot(f64::from(channels) * area, f64::from(filters) * area);
        let kernel_shape = [filters, channels, height, width];
        let kernel_variable = variable(variables, &shape.name, "kernel", &kernel_shape, limit, Group::Train);
        let bias = bias.then(|| variable(variables, &shape.name, "bias", &[filters], Initializer::Zeros, Group::Train));
        let rows = Window::new(len(shape.input[1]), len(shape.output[1]), len(height), len(stride.get().0), padding);
        let columns = Window::new(len(shape.input[2]), len(shape.output[2]), len(width), len(stride.get().1), padding);
        Ok(Self {
            filters: len(filters),
            channels: len(channels),
            input: (rows.input, columns.input),
            output: (rows.output, columns.output),
            size: (len(height), len(width)),
            kernel: kernel_variable,
            bias,
            activation,
            forward: (rows.forward(), columns.forward()),
            by_input: (rows.by_input(), columns.by_input()),
            by_kernel: (rows.by_kernel(), columns.by_kernel()),
        })
    }

    // Values of one picture, before and after.
    fn inputs(&self) -> usize {
        self.input.0 * self.input.1 * self.channels
    }

    fn outputs(&self) -> usize {
        self.output.0 * self.output.1 * self.filters
    }

    // Values of a filter in one channel.
    fn taps(&self) -> usize {
        self.size.0 * self.size.1
    }

    fn kernel_len(&self) -> usize {
        self.filters * self.channels * self.taps()
    }

    fn input_plane(&self) -> Plane {
        Plane { row: self.input.1 * self.channels, column: self.channels, within: (self.channels, 1) }
    }

    fn output_plane(&self) -> Plane {
        Plane { row: self.output.1 * self.filters, column: self.filters, within: (self.filters, 1) }
    }

    // A kernel that lies in the order of the steps: [height, width, `within`, `columns`].
    fn kernel_plane(&self, within: usize, columns: usize) -> Plane {
        Plane { row: self.size.1 * within * columns, column: within * columns, within: (within, columns) }
    }

    // [height, width, in channels, out channels]
    fn turned_for_output(&self, pass: &Pass<'_>, between: &mut [f32], turned: &mut [f32]) {
        let (kernel, taps) = (pass.parameters.values(self.kernel), self.taps());
        let rest = self.channels * taps;
        transpose(pass.isa, kernel, (self.filters, rest), rest, between, self.filters);
        for (at, filters) in between.chunks_exact(self.filters).enumerate() {
            turned[(at % taps * self.channels + at / taps) * self.filters..][..self.filters].copy_from_slice(filters);
        }
    }

    // [height, width, out channels, in channels], rows and columns in reverse: a place of the input meets the last value
    // of the kernel in the first window that covers it.
    fn turned_for_input(&self, pass: &Pass<'_>, turned: &mut [f32]) {
        let (channels, taps) = (self.channels, self.taps());
        let filters = pass.parameters.values(self.kernel).chunks_exact(channels * taps);
        for (filter, values) in filters.enumerate() {
            for (channel, values) in values.chunks_exact(taps).enumerate() {
                for (tap, value) in values.iter().rev().enumerate() {
                    turned[(tap * self.filters + filter) * channels + channel] = *value;
                }
            }
        }
    }

    // The sums of the kernel's gradient: [`channels`, height, width, `columns`].
    fn sums_plane(&self, channels: usize, columns: usize) -> Plane {
        Plane { row: self.size.1 * columns, column: columns, within: (channels, self.taps() * columns) }
    }

    // How the threads share the kernel's gradient: the channels and the filters of a part. Rows of a product are the
    // channels', columns the filters': these fill vectors, and are parted only where channels are few.
    fn shares(&self, threads: usize) -> (usize, usize) {
        let channels = self.channels.min(threads);
        let filters = self.filters.div_ceil(threads.div_ceil(channels)).next_multiple_of(LINE);
        (self.channels.div_ceil(channels), filters.min(self.filters))
    }

    // Parts of the kernel's gradient, each [its channels, height, width, its filters]: the channels, the filters, and the sums.
    fn parts<'a>(
        &self,
        mut sums: &'a mut [f32],
        (channels, filters): (usize, usize),
    ) -> impl Iterator<Item = (Range<usize>, Range<usize>, &'a mut [f32])> + Send + use<'a> {
        let (all, taps) = ((self.channels, self.filters), self.taps());
        let first = (0..all.0).step_by(channels).flat_map(move |c| (0..all.1).step_by(filters).map(move |f| (c, f)));
        first.map(move |(c, f)| {
            let (channels, filters) = (c..all.0.min(c + channels), f..all.1.min(f + filters));
            let len = channels.len() * taps * filters.len();
            (channels, filters, sums.split_off_mut(..len).unwrap_or_default())
        })
    }

    // The gradient by the kernel, [out channels, in channels, height, width], into `kernel`, and by the bias.
    fn kernel_gradient(&self, pass: &Pass<'_>, input: &[f32], gradient: &[f32], sums: &mut [f32], kernel: &mut [f32], bias: &mut [f32]) {
        let threads = self.threads(pass, input.len() / self.inputs());
        let shares = self.shares(threads.count());
        let mut bias = bias;
        // A part of the first channels has its filters' bias as well: so all of the gradient is in the cache once.
        let parts = self.parts(sums, shares).map(|(channels, filters, sums)| {
            let bias = if channels.start == 0 { bias.split_off_mut(..filters.len()) } else { None };
            (channels, filters, sums, bias.unwrap_or_default())
        });
        threads.each(parts, |(channels, filters, sums, bias)| {
            let to = self.sums_plane(channels.len(), filters.len());
            let right = Plane { within: (1, 0), ..self.output_plane() };
            let pictures = input.chunks_exact(self.inputs()).zip(gradient.chunks_exact(self.outputs()));
            let (rows, columns) = &self.by_kernel;
            for (at, (picture, gradient)) in pictures.enumerate() {
                let start = if at == 0 { Start::Zero } else { Start::Output };
                let values = &picture[channels.start..];
                let left = Places { values, plane: self.input_plane(), rows: (channels.len(), 1), steps: (1, 0) };
                let gradient = &gradient[filters.start..];
                multiply(pass, (rows.iter().copied(), columns), left, (gradient, right, filters.len()), (sums, to), start);
                if !bias.is_empty() {
                    self.add_places(pass, gradient, bias, start);
                }
            }
        });
        let rest = self.channels * self.taps();
        for (channels, filters, sums) in self.parts(sums, shares) {
            let to = &mut kernel[filters.start * rest + channels.start * self.taps()..];
            transpose(pass.isa, sums, (channels.len() * self.taps(), filters.len()), filters.len(), to, rest);
        }
    }

    // Adds up the places of a picture's gradient, for as many filters as there are sums.
    fn add_places(&self, pass: &Pass<'_>, gradient: &[f32], sums: &mut [f32], start: Start<'_>) {
        let places = self.output.0 * self.output.1;
        // A multiple of 1 is the value itself.
        let left = Left { values: &[1.0], rows: Grid::every(0, 1), steps: Grid::every(0, places) };
        let right = Right { values: gradient, steps: Grid::every(self.filters, places), columns: sums.len() };
        product(pass.isa, left, right, Out { values: sums, rows: Grid::every(0, 1) }, start);
    }

    fn input_gradient(&self, pass: &Pass<'_>, turned: &[f32], gradient: &[f32], targets: &mut [f32]) {
        let kernel = self.kernel_plane(self.filters, self.channels);
        let pictures = targets.chunks_exact_mut(self.inputs()).zip(gradient.chunks_exact(self.outputs()));
        let (threads, band) = (self.threads(pass, pictures.len()), self.band(pass, pictures.len(), self.input.0));
        let parts = pictures.flat_map(|(target, gradient)| {
            let bands = target.chunks_mut(band * self.input_plane().row).zip((0..).step_by(band));
            bands.map(move |(target, first)| (target, first, gradient))
        });
        threads.each(parts, |(target, first, gradient)| {
            let left = Places { values: gradient, plane: self.output_plane(), rows: (1, 0), steps: (self.filters, 1) };
            let (rows, columns) = &self.by_input;
            let rows = rows.iter().filter_map(|span| span.within(first..first + band));
            let to = Plane { within: (1, 0), ..self.input_plane() };
            multiply(pass, (rows, columns), left, (turned, kernel, self.channels), (target, to), Start::Zero);
        });
    }

    // How many of a picture's `rows` are computed together: all of them where there are pictures for all threads.
    fn band(&self, pass: &Pass<'_>, pictures: usize, rows: usize) -> usize {
        let threads = self.threads(pass, pictures).count();
        let bands = if pictures.is_multiple_of(threads) || pictures > 8 * threads { 1 } else { 2 * threads };
        rows.div_ceil(bands)
    }

    // The threads for so many pictures.
    fn threads<'a>(&self, pass: &'a Pass<'_>, pictures: usize) -> &'a Threads {
        let places = self.output.0 * self.output.1;
        pass.threads(pictures.saturating_mul(places).saturating_mul(self.kernel_len()))
    }
}

// The left matrix of all spans: the values of a plane, and what further rows and steps there are within its places.
struct Places<'a> {
    values: &'a [f32],
    plane: Plane,
    rows: (usize, usize),
    steps: (usize, usize),
}

// One picture's product, span by span; the right matrix has so many columns.
fn multiply(
    pass: &Pass<'_>,
    (rows, columns): (impl Iterator<Item = Span>, &[Span]),
    left: Places<'_>,
    right: (&[f32], Plane, usize),
    (values, to): (&mut [f32], Plane),
    start: Start<'_>,
) {
    for (y, x) in rows.flat_map(|row| columns.iter().map(move |column| (row, *column))) {
        let (rows, steps) = span::left((y, x), left.plane, left.rows, left.steps);
        let left = Left { values: left.values, rows, steps };
        let right = Right { values: right.0, steps: span::right((y, x), right.1), columns: right.2 };
        product(pass.isa, left, right, Out { values, rows: span::out((y, x), to) }, start);
    }
}

impl Layer for Conv2d {
    fn needs(&self, records: usize) -> Needs {
        Needs {
            kept: kept(self.activation, records * self.outputs()),
            scratch: 2 * room(self.kernel_len()) + room(self.filters),
            places: 0,
        }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let Forward { input, output, kept, mut scratch } = buffers;
        let (between, turned) = (take(&mut scratch, self.kernel_len()), take(&mut scratch, self.kernel_len()));
        self.turned_for_output(pass, between, turned);
        let turned = &*turned;
        let start = self.bias.map_or(Start::Zero, |bias| Start::Row(pass.parameters.values(bias)));
        let (to, kernel) = (Plane { within: (1, 0), ..self.output_plane() }, self.kernel_plane(self.channels, self.filters));
        let pictures = input.chunks_exact(self.inputs());
        let (threads, band) = (self.threads(pass, pictures.len()), self.band(pass, pictures.len(), self.output.0));
        let bands = pictures.zip(parts(output, &mut kept.values, self.outputs())).flat_map(|(picture, (output, kept))| {
            let bands = parts(output, kept, band * self.output_plane().row).zip((0..).step_by(band));
            bands.map(move |((output, kept), first)| (picture, output, kept, first))
        });
        threads.each(bands, |(picture, output, kept, first)| {
            let left = Places { values: picture, plane: self.input_plane(), rows: (1, 0), steps: (self.channels, 1) };
            let (rows, columns) = &self.forward;
            let rows = rows.iter().filter_map(|span| span.within(first..first + band));
            multiply(pass, (rows, columns), left, (turned, kernel, self.filters), (output, to), start);
            finish(self.activation, pass, output, kept);
        });
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { input, output, kept, output_gradient, input_gradient, mut scratch } = buffers;
        pull(pass, self.activation, output, &kept.values, output_gradient);
        let (sums, turned) = (take(&mut scratch, self.kernel_len()), take(&mut scratch, self.kernel_len()));
        let bias_gradient = take(&mut scratch, self.bias.map_or(0, |_| self.filters));
        self.kernel_gradient(pass, input, output_gradient, sums, turned, bias_gradient);
        emit(self.kernel, turned);
        self.bias.into_iter().for_each(|bias| emit(bias, bias_gradient));
        if let Some(input_gradient) = input_gradient {
            self.turned_for_input(pass, turned);
            self.input_gradient(pass, turned, output_gradient, input_gradient);
        }
    }
}
