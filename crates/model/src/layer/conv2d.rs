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
//!
//! Groups are convolutions beside each other: each has products of its own, on its channels of the same pictures. Where a
//! group is a single channel with one filter, [`depthwise`] takes all of them at once.
//!
//! Windows of 3 x 3 in steps of 1 are computed tile by tile with fewer multiplications, [`winograd`], where that pays.

mod depthwise;
mod span;
mod tiled;
mod winograd;

use super::activation::{finish, kept, parts, pull};
use super::{Backward, Emit, Forward, LINE, Layer, Needs, Pass, initializer, len, room, take, variable};
use crate::error::Error;
use crate::kernel::{Grid, Left, Out, Right, Start, product, transpose};
use crate::threads::Threads;
use depthwise::Depthwise;
use span::{Span, Window};
use std::ops::Range;
use tfcoord_types::job::{Activation, Init, LayerShape, Padding, Pair};
use tfcoord_types::variable::{Group, Initializer, Variable};
use winograd::Direction;

/// What a convolution is, as in the job file.
#[derive(Debug, Clone, Copy)]
pub struct Convolution {
    /// Height and width of the kernel.
    pub kernel: Pair,
    /// Step in height and width.
    pub stride: Pair,
    /// What is added around the input.
    pub padding: Padding,
    /// Groups of neighbouring channels; they divide those that come in and those that go out.
    pub groups: u32,
    /// Whether a number is added to each output channel.
    pub bias: bool,
    /// Applied to the output.
    pub activation: Option<Activation>,
    /// The kernel's first values.
    pub init: Init,
}

/// Cross-correlation over height and width; the kernel is \[out channels, in channels of a group, height, width\].
pub struct Conv2d {
    filters: usize,
    channels: usize,
    groups: usize,
    // Where each channel is a group, and has one filter.
    depthwise: Option<Depthwise>,
    // Where these take fewer multiplications.
    winograd: Option<Direction>,
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
        Convolution { kernel, stride, padding, groups, bias, activation, init }: Convolution,
        variables: &mut Vec<Variable>,
    ) -> Result<Self, Error> {
        let (filters, channels, (height, width)) = (shape.output[0], shape.input[0] / groups, kernel.get());
        // Buffers for three kernels are made, and every step of a row is counted.
        let kernel_bytes = [filters, channels, height, width].iter().fold(16.0, |bytes, d| bytes * f64::from(*d));
        if kernel_bytes > isize::MAX as f64 {
            return Err(Error::Spec { problem: format!("{} is larger than memory", shape.name) });
        }
        let area = f64::from(height) * f64::from(width);
        let first = initializer(init, f64::from(channels) * area, f64::from(filters / groups) * area);
        let kernel_shape = [filters, channels, height, width];
        let kernel_variable = variable(variables, &shape.name, "kernel", &kernel_shape, first, Group::Train);
        let bias = bias.then(|| variable(variables, &shape.name, "bias", &[filters], Initializer::Zeros, Group::Train));
        let rows = Window::new(len(shape.input[1]), len(shape.output[1]), len(height), len(stride.get().0), padding);
        let columns = Window::new(len(shape.input[2]), len(shape.output[2]), len(width), len(stride.get().1), padding);
        let depthwise = (groups > 1 && filters == groups && channels == 1).then_some(Depthwise { rows, columns, channels: len(groups) });
        let winograd = ((height, width) == (3, 3) && stride.get() == (1, 1) && depthwise.is_none())
            .then(|| Direction::forward((&rows, &columns), (len(channels), len(filters / groups)), len(groups)))
            .filter(Direction::pays);
        Ok(Self {
            filters: len(filters),
            channels: len(shape.input[0]),
            groups: len(groups),
            depthwise,
            winograd,
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

    // Channels and filters of a group.
    fn group(&self) -> (usize, usize) {
        (self.channels / self.groups, self.filters / self.groups)
    }

    fn kernel_len(&self) -> usize {
        self.filters * self.group().0 * self.taps()
    }

    // Of one group, seen from its first channel or filter.
    fn input_plane(&self) -> Plane {
        Plane { row: self.input.1 * self.channels, column: self.channels, within: (self.group().0, 1) }
    }

    fn output_plane(&self) -> Plane {
        Plane { row: self.output.1 * self.filters, column: self.filters, within: (self.group().1, 1) }
    }

    // A group's kernel that lies in the order of the steps: [height, width, `within`, `columns`].
    fn kernel_plane(&self, within: usize, columns: usize) -> Plane {
        Plane { row: self.size.1 * within * columns, column: within * columns, within: (within, columns) }
    }

    // Group after group: [height, width, in channels, out channels]. In one, where a group is a channel with one filter.
    fn turned_for_output(&self, pass: &Pass<'_>, between: &mut [f32], turned: &mut [f32]) {
        let (kernel, taps) = (pass.parameters.values(self.kernel), self.taps());
        if self.depthwise.is_some() {
            return transpose(pass.isa, kernel, (self.filters, taps), taps, turned, self.filters);
        }
        let (channels, filters) = self.group();
        let (rest, all) = (channels * taps, channels * taps * filters);
        let groups = kernel.chunks_exact(all).zip(between.chunks_exact_mut(all)).zip(turned.chunks_exact_mut(all));
        for ((kernel, between), turned) in groups {
            transpose(pass.isa, kernel, (filters, rest), rest, between, filters);
            for (at, values) in between.chunks_exact(filters).enumerate() {
                turned[(at % taps * channels + at / taps) * filters..][..filters].copy_from_slice(values);
            }
        }
    }

    // Group after group: [height, width, out channels, in channels], rows and columns in reverse: a place of the input meets
    // the last value of the kernel in the first window that covers it.
    fn turned_for_input(&self, pass: &Pass<'_>, turned: &mut [f32]) {
        let ((channels, filters), taps) = (self.group(), self.taps());
        let all = channels * taps * filters;
        let groups = pass.parameters.values(self.kernel).chunks_exact(all).zip(turned.chunks_exact_mut(all));
        for (kernel, turned) in groups {
            for (filter, values) in kernel.chunks_exact(channels * taps).enumerate() {
                for (channel, values) in values.chunks_exact(taps).enumerate() {
                    for (tap, value) in values.iter().rev().enumerate() {
                        turned[(tap * filters + filter) * channels + channel] = *value;
                    }
                }
            }
        }
    }

    // The sums of the kernel's gradient: [`channels`, height, width, `columns`].
    fn sums_plane(&self, channels: usize, columns: usize) -> Plane {
        Plane { row: self.size.1 * columns, column: columns, within: (channels, self.taps() * columns) }
    }

    // How the kernel's gradient is computed: groups beside each other, the channels and filters of one. Depthwise ones are
    // computed as one.
    fn groups(&self) -> (usize, usize, usize) {
        let (channels, filters) = self.group();
        if self.depthwise.is_some() { (1, 1, self.filters) } else { (self.groups, channels, filters) }
    }

    // How the threads share the kernel's gradient: the channels and the filters of a part, which is a group, or of a single
    // group a part. Rows of a product are the channels', columns the filters': these fill vectors, and are parted only where
    // channels are few.
    fn shares(&self, threads: usize) -> (usize, usize) {
        let (groups, channels, filters) = self.groups();
        if groups > 1 {
            return (channels, filters);
        }
        let rows = channels.min(threads);
        let columns = filters.div_ceil(threads.div_ceil(rows)).next_multiple_of(LINE);
        (channels.div_ceil(rows), columns.min(filters))
    }

    // Parts of the kernel's gradient, each [its channels, height, width, its filters].
    fn parts<'a>(&self, mut sums: &'a mut [f32], (channels, filters): (usize, usize)) -> impl Iterator<Item = Part<'a>> + Send + use<'a> {
        let ((groups, of_group, filters_of_group), taps) = (self.groups(), self.taps());
        let first = (0..groups).flat_map(move |group| {
            let channels = (0..of_group).step_by(channels);
            channels.flat_map(move |c| (0..filters_of_group).step_by(filters).map(move |f| (group, c, f)))
        });
        first.map(move |(group, c, f)| {
            let (c_end, f_end) = (of_group.min(c + channels), filters_of_group.min(f + filters));
            let of = |count: usize, from: usize, to: usize| group * count + from..group * count + to;
            let (channels, filters) = (of(of_group, c, c_end), of(filters_of_group, f, f_end));
            let sums = sums.split_off_mut(..channels.len() * taps * filters.len()).unwrap_or_default();
            let to = (filters.start * of_group + c) * taps;
            Part { channels, filters, is_first: c == 0, to, sums }
        })
    }

    // The gradient by the kernel, [out channels, in channels, height, width], into `kernel`, and by the bias.
    fn kernel_gradient(&self, pass: &Pass<'_>, input: &[f32], gradient: &[f32], sums: &mut [f32], kernel: &mut [f32], bias: &mut [f32]) {
        let threads = self.threads(pass, input.len() / self.inputs());
        let shares = self.shares(threads.count());
        let mut bias = bias;
        // A part of the first channels has its filters' bias as well: so all of the gradient is in the cache once.
        let parts = self.parts(sums, shares).map(|part| {
            let bias = if part.is_first { bias.split_off_mut(..part.filters.len()) } else { None };
            (part, bias.unwrap_or_default())
        });
        threads.each(parts, |(Part { channels, filters, sums, .. }, bias)| {
            let to = self.sums_plane(channels.len(), filters.len());
            let right = Plane { within: (1, 0), ..self.output_plane() };
            let pictures = input.chunks_exact(self.inputs()).zip(gradient.chunks_exact(self.outputs()));
            let (rows, columns) = &self.by_kernel;
            if self.depthwise.is_some() {
                sums.fill(0.0);
            }
            for (at, (picture, gradient)) in pictures.enumerate() {
                let start = if at == 0 { Start::Zero } else { Start::Output };
                let of_filters = &gradient[filters.start..];
                match &self.depthwise {
                    Some(depthwise) => depthwise::kernel_gradient(pass.isa, depthwise, picture, gradient, filters.clone(), sums),
                    None => {
                        let values = &picture[channels.start..];
                        let left = Places { values, plane: self.input_plane(), rows: (channels.len(), 1), steps: (1, 0) };
                        let right = (of_filters, right, filters.len());
                        multiply(pass, (rows.iter().copied(), columns), left, right, (sums, to), start);
                    }
                }
                if !bias.is_empty() {
                    self.add_places(pass, of_filters, bias, start);
                }
            }
        });
        let rest = self.group().0 * self.taps();
        for Part { channels, filters, to, sums, .. } in self.parts(sums, shares) {
            transpose(pass.isa, sums, (channels.len() * self.taps(), filters.len()), filters.len(), &mut kernel[to..], rest);
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
        let (channels, filters) = self.group();
        let kernel = self.kernel_plane(filters, channels);
        let pictures = targets.chunks_exact_mut(self.inputs()).zip(gradient.chunks_exact(self.outputs()));
        let (threads, band) = (self.threads(pass, pictures.len()), self.band(pass, pictures.len(), self.input.0));
        let parts = pictures.flat_map(|(target, gradient)| {
            let bands = target.chunks_mut(band * self.input.1 * self.channels).zip((0..).step_by(band));
            bands.map(move |(target, first)| (target, first, gradient))
        });
        threads.each(parts, |(target, first, gradient)| {
            if let Some(depthwise) = &self.depthwise {
                return depthwise::input_gradient(pass.isa, depthwise, gradient, turned, first, target);
            }
            for (group, turned) in turned.chunks_exact(self.taps() * channels * filters).enumerate() {
                let values = &gradient[group * filters..];
                let left = Places { values, plane: self.output_plane(), rows: (1, 0), steps: (filters, 1) };
                let (rows, columns) = &self.by_input;
                let rows = rows.iter().filter_map(|span| span.within(first..first + band));
                let to = Plane { within: (1, 0), ..self.input_plane() };
                multiply(pass, (rows, columns), left, (turned, kernel, channels), (&mut target[group * channels..], to), Start::Zero);
            }
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

// A part of the kernel's gradient: the picture's channels, the filters, and where it begins in the kernel.
struct Part<'a> {
    channels: Range<usize>,
    filters: Range<usize>,
    // Whether its channels are the first of their group.
    is_first: bool,
    to: usize,
    sums: &'a mut [f32],
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
            scratch: 2 * room(self.kernel_len()) + room(self.filters) + self.winograd.map_or(0, |winograd| room(winograd.kernel_len())),
            scratch_each: self.winograd.map_or(0, |winograd| room(winograd.scratch())),
            ..Needs::default()
        }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let Forward { input, output, kept, mut scratch } = buffers;
        let (between, turned) = (take(&mut scratch, self.kernel_len()), take(&mut scratch, self.kernel_len()));
        self.turned_for_output(pass, between, turned);
        let turned = &*turned;
        let bias = self.bias.map(|bias| pass.parameters.values(bias));
        if let Some(winograd) = &self.winograd {
            return self.tiled_forward(pass, winograd, (input, turned, bias), (output, &mut kept.values), scratch);
        }
        let (channels, filters) = self.group();
        let (to, kernel) = (Plane { within: (1, 0), ..self.output_plane() }, self.kernel_plane(channels, filters));
        let pictures = input.chunks_exact(self.inputs());
        let (threads, band) = (self.threads(pass, pictures.len()), self.band(pass, pictures.len(), self.output.0));
        let bands = pictures.zip(parts(output, &mut kept.values, self.outputs())).flat_map(|(picture, (output, kept))| {
            let bands = parts(output, kept, band * self.output_plane().row).zip((0..).step_by(band));
            bands.map(move |((output, kept), first)| (picture, output, kept, first))
        });
        threads.each(bands, |(picture, output, kept, first)| {
            if let Some(depthwise) = &self.depthwise {
                depthwise::forward(pass.isa, depthwise, picture, turned, bias, first, output);
                return finish(self.activation, pass, output, kept);
            }
            for (group, turned) in turned.chunks_exact(self.taps() * channels * filters).enumerate() {
                let start = bias.map_or(Start::Zero, |bias| Start::Row(&bias[group * filters..][..filters]));
                let values = &picture[group * channels..];
                let left = Places { values, plane: self.input_plane(), rows: (1, 0), steps: (channels, 1) };
                let (rows, columns) = &self.forward;
                let rows = rows.iter().filter_map(|span| span.within(first..first + band));
                multiply(pass, (rows, columns), left, (turned, kernel, filters), (&mut output[group * filters..], to), start);
            }
            finish(self.activation, pass, output, kept);
        });
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { input, output, kept, output_gradient, input_gradient, mut scratch } = buffers;
        pull(pass, self.activation, output, &kept.values, output_gradient);
        let (sums, turned) = (take(&mut scratch, self.kernel_len()), take(&mut scratch, self.kernel_len()));
        let bias_gradient = take(&mut scratch, if self.bias.is_some() { self.filters } else { 0 });
        let points = take(&mut scratch, self.winograd.map_or(0, |winograd| winograd.kernel_len()));
        match &self.winograd {
            Some(winograd) => {
                let gradients = (&mut *points, &mut *sums, &mut *turned, &mut *bias_gradient);
                self.tiled_kernel_gradient(pass, winograd, (input, output_gradient), gradients, &mut *scratch);
            }
            None => self.kernel_gradient(pass, input, output_gradient, sums, turned, bias_gradient),
        }
        emit(self.kernel, turned);
        self.bias.into_iter().for_each(|bias| emit(bias, bias_gradient));
        if let Some(input_gradient) = input_gradient {
            match self.depthwise {
                Some(_) => self.turned_for_output(pass, sums, turned),
                None => self.turned_for_input(pass, turned),
            }
            match &self.winograd {
                Some(winograd) => {
                    self.tiled_input_gradient(pass, &winograd.back(), (output_gradient, turned), points, input_gradient, scratch);
                }
                None => self.input_gradient(pass, turned, output_gradient, input_gradient),
            }
        }
    }
}
