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

mod depthwise;
mod span;

use super::activation::{finish, kept, pull};
use super::{Backward, Emit, Forward, Layer, Needs, Pass, initializer, len, room, take, variable};
use crate::error::Error;
use crate::kernel::{Left, Out, Right, Start, product, transpose};
use crate::sum::add_rows;
use depthwise::Depthwise;
use span::{Span, Window};
use tfcoord_types::job::{Activation, Init, LayerShape, Padding, Pair};
use tfcoord_types::variable::{Group, Initializer, Variable};

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
        Ok(Self {
            filters: len(filters),
            channels: len(shape.input[0]),
            groups: len(groups),
            depthwise,
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

    // The sums of the kernel's gradient: [in channels, height, width, `columns`].
    fn sums_plane(&self, columns: usize) -> Plane {
        Plane { row: self.size.1 * columns, column: columns, within: (self.group().0, self.taps() * columns) }
    }

    // Filters whose sums lie together: those of a group, or of a thread where there are no groups, or one filter in each.
    fn filters_together(&self, pass: &Pass<'_>) -> usize {
        if self.groups == 1 || self.depthwise.is_some() { self.filters.div_ceil(pass.threads.count()) } else { self.group().1 }
    }

    fn kernel_gradient(&self, pass: &Pass<'_>, input: &[f32], gradient: &[f32], sums: &mut [f32]) {
        // Threads share the filters: the sums of each part are [in channels, height, width, its filters].
        let ((channels, filters), part) = (self.group(), self.filters_together(pass));
        let parts = sums.chunks_mut(channels * self.taps() * part).zip((0..self.filters).step_by(part));
        pass.threads.each(parts, |(sums, first)| {
            let columns = part.min(self.filters - first);
            let to = self.sums_plane(columns);
            let right = Plane { within: (1, 0), ..self.output_plane() };
            let pictures = input.chunks_exact(self.inputs()).zip(gradient.chunks_exact(self.outputs()));
            if let Some(depthwise) = &self.depthwise {
                sums.fill(0.0);
                return pictures.for_each(|(picture, gradient)| {
                    depthwise::kernel_gradient(pass.isa, depthwise, picture, gradient, first..first + columns, sums);
                });
            }
            for (at, (picture, gradient)) in pictures.enumerate() {
                let start = if at == 0 { Start::Zero } else { Start::Output };
                let values = &picture[first / filters * channels..];
                let left = Places { values, plane: self.input_plane(), rows: (channels, 1), steps: (1, 0) };
                multiply(pass, &self.by_kernel, left, (&gradient[first..], right, columns), (sums, to), start);
            }
        });
    }

    fn input_gradient(&self, pass: &Pass<'_>, turned: &[f32], gradient: &[f32], targets: &mut [f32]) {
        let (channels, filters) = self.group();
        let (to, kernel) = (Plane { within: (1, 0), ..self.input_plane() }, self.kernel_plane(filters, channels));
        let pictures = gradient.chunks_exact(self.outputs()).zip(targets.chunks_exact_mut(self.inputs()));
        pass.threads.each(pictures, |(gradient, target)| {
            if let Some(depthwise) = &self.depthwise {
                return depthwise::input_gradient(pass.isa, depthwise, gradient, turned, target);
            }
            for (group, turned) in turned.chunks_exact(self.taps() * channels * filters).enumerate() {
                let values = &gradient[group * filters..];
                let left = Places { values, plane: self.output_plane(), rows: (1, 0), steps: (filters, 1) };
                multiply(pass, &self.by_input, left, (turned, kernel, channels), (&mut target[group * channels..], to), Start::Zero);
            }
        });
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
    (rows, columns): &(Vec<Span>, Vec<Span>),
    left: Places<'_>,
    right: (&[f32], Plane, usize),
    (values, to): (&mut [f32], Plane),
    start: Start<'_>,
) {
    for (y, x) in rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column))) {
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
            ..Needs::default()
        }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let Forward { input, output, kept, mut scratch } = buffers;
        let (between, turned) = (take(&mut scratch, self.kernel_len()), take(&mut scratch, self.kernel_len()));
        self.turned_for_output(pass, between, turned);
        let turned = &*turned;
        let bias = self.bias.map(|bias| pass.parameters.values(bias));
        let (channels, filters) = self.group();
        let (to, kernel) = (Plane { within: (1, 0), ..self.output_plane() }, self.kernel_plane(channels, filters));
        let pictures = input.chunks_exact(self.inputs()).zip(output.chunks_exact_mut(self.outputs()));
        pass.threads.each(pictures, |(picture, output)| {
            if let Some(depthwise) = &self.depthwise {
                return depthwise::forward(pass.isa, depthwise, picture, turned, bias, output);
            }
            for (group, turned) in turned.chunks_exact(self.taps() * channels * filters).enumerate() {
                let start = bias.map_or(Start::Zero, |bias| Start::Row(&bias[group * filters..][..filters]));
                let values = &picture[group * channels..];
                let left = Places { values, plane: self.input_plane(), rows: (1, 0), steps: (channels, 1) };
                multiply(pass, &self.forward, left, (turned, kernel, filters), (&mut output[group * filters..], to), start);
            }
        });
        finish(self.activation, pass, output, &mut kept.values);
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { input, output, kept, output_gradient, input_gradient, mut scratch } = buffers;
        pull(pass.isa, self.activation, output, &kept.values, output_gradient);
        let (sums, turned) = (take(&mut scratch, self.kernel_len()), take(&mut scratch, self.kernel_len()));
        self.kernel_gradient(pass, input, output_gradient, sums);
        let (rest, part) = (self.group().0 * self.taps(), self.filters_together(pass));
        for (sums, gradient) in sums.chunks(rest * part).zip(turned.chunks_mut(rest * part)) {
            let filters = sums.len() / rest;
            transpose(pass.isa, sums, (rest, filters), filters, gradient, rest);
        }
        emit(self.kernel, turned);
        if let Some(bias) = self.bias {
            let bias_gradient = take(&mut scratch, self.filters);
            bias_gradient.fill(0.0);
            add_rows(pass.isa, output_gradient, bias_gradient);
            emit(bias, bias_gradient);
        }
        if let Some(input_gradient) = input_gradient {
            match self.depthwise {
                Some(_) => self.turned_for_output(pass, sums, turned),
                None => self.turned_for_input(pass, turned),
            }
            self.input_gradient(pass, turned, output_gradient, input_gradient);
        }
    }
}
