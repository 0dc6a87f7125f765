//! A convolution's gradients.
//!
//! Pictures are taken in runs, as many as keep all threads busy. First each picture's output gradient is laid out twice:
//! place by place with the filters side by side, which is the right matrix of the kernel's gradient, and filter by filter
//! with zeros around, which is that of the input's. Then the kernel's gradient is added up, its rows shared among the
//! threads. An element of it is one chain over all pictures and places, however long the runs are.

use super::super::activation::pull;
use super::super::window::Window;
use super::super::{Backward, Emit, Pass, take};
use super::Conv2d;
use crate::kernel::{Isa, Left, Out, Right, Rows, Start, product, transpose};
use crate::sum::add_rows;

/// Runs of pictures are so many for each thread, where there is more than one.
const PICTURES: usize = 4;

/// Where the gradients of a filter that meet a value of the kernel begin, for the input's place 0: filter by filter,
/// value by value.
pub(super) fn rows(window: &Window, filters: usize) -> Option<Rows> {
    if !window.is_shifted() {
        return Some(Rows::every(window.output_plane(), filters));
    }
    let (plane, before) = (spread_plane(window), spread_before(window));
    let taps = window.size.0 * window.size.1;
    let shift = |tap: usize| tap / window.size.1 * window.pitch() + tap % window.size.1;
    Rows::of(filters * taps, |at| at / taps * plane + before - shift(at % taps))
}

// Zeros before a filter's gradients that are spread over the places: as far back as the window reaches.
fn spread_before(window: &Window) -> usize {
    (window.size.0 - 1) * window.pitch() + window.size.1 - 1
}

// A filter's gradients with their zeros.
fn spread_plane(window: &Window) -> usize {
    spread_before(window) + window.padded_plane()
}

/// Parts of the scratch that belong to one picture of a run.
struct Room<'a> {
    seen: &'a mut [f32],
    turned: &'a mut [f32],
    spread: &'a mut [f32],
    wide: &'a mut [f32],
}

impl Conv2d {
    pub(super) fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { input, output, kept, output_gradient, mut input_gradient, mut scratch } = buffers;
        pull(pass.isa, self.activation, output, &kept.values, output_gradient);
        let variables = take(&mut scratch, self.variables_scratch());
        let (sums, rest) = variables.split_at_mut((self.window.covered() + 1) * self.filters);
        if input_gradient.is_some() {
            self.turn_kernel(pass.parameters.values(self.kernel), rest);
        }
        let run = self.run(input.len() / self.inputs, pass.threads.count());
        for (at, (input, gradient)) in input.chunks(run * self.inputs).zip(output_gradient.chunks(run * self.outputs)).enumerate() {
            let target = input_gradient.as_deref_mut().map(|all| {
                let from = at * run * self.inputs;
                &mut all[from..from + input.len()]
            });
            self.pictures(pass, (input, gradient), rest, target, scratch);
            self.add(pass, input, scratch, sums, if at == 0 { Start::Zero } else { Start::Output });
        }
        let (kernel_sums, bias_sums) = sums.split_at(self.window.covered() * self.filters);
        // The turned kernel is not needed any more.
        let gradient = &mut rest[..kernel_sums.len()];
        transpose(pass.isa, kernel_sums, (self.window.covered(), self.filters), self.filters, gradient, self.window.covered());
        emit(self.kernel, gradient);
        if let Some(bias) = self.bias {
            emit(bias, bias_sums);
        }
    }

    // Everything that concerns one picture alone.
    fn pictures(
        &self,
        pass: &Pass<'_>,
        (input, gradient): (&[f32], &[f32]),
        turned_kernel: &[f32],
        target: Option<&mut [f32]>,
        scratch: &mut [f32],
    ) {
        let pictures = input.chunks_exact(self.inputs).zip(gradient.chunks_exact(self.outputs));
        let mut targets = target.map(|target| target.chunks_exact_mut(self.inputs));
        let rooms = scratch.chunks_exact_mut(self.picture_scratch());
        let items = pictures.zip(rooms).map(|(picture, room)| (picture, room, targets.as_mut().and_then(Iterator::next)));
        pass.threads.each(items, |((picture, gradient), room, target)| {
            let room = self.room(room);
            self.see(picture, room.seen);
            self.turn(pass.isa, gradient, room.turned);
            if let Some(target) = target {
                self.picture_back(pass, gradient, turned_kernel, room.spread, room.wide, target);
            }
        });
    }

    // Adds a run's gradients by kernel, [covered, filters], and bias.
    fn add(&self, pass: &Pass<'_>, input: &[f32], scratch: &[f32], sums: &mut [f32], start: Start) {
        let places = self.window.places();
        let turned_rows = Rows::every(self.filters, places);
        let (covered, per_part) = (self.window.covered(), self.window.covered().div_ceil(pass.threads.count()));
        let (kernel_sums, bias_sums) = sums.split_at_mut(covered * self.filters);
        let pictures = || input.chunks_exact(self.inputs).zip(scratch.chunks_exact(self.picture_scratch()));
        let start_of = |picture: usize| if picture == 0 { start } else { Start::Output };
        let parts = kernel_sums.chunks_mut(per_part * self.filters).zip((0..covered).step_by(per_part));
        pass.threads.each(parts, |(sums, first)| {
            for (at, (picture, room)) in pictures().enumerate() {
                let (seen, rest) = room.split_at(self.window.seen_len());
                let values = if seen.is_empty() { picture } else { seen };
                let left = Left { first, count: sums.len() / self.filters, ..Left::new(values, &self.seen) };
                let right = Right { values: rest, rows: &turned_rows, k: places, start: 0, columns: self.filters };
                product(pass.isa, left, right, Out { values: sums, stride: self.filters }, start_of(at));
            }
        });
        if self.bias.is_some() {
            for (at, (_, room)) in pictures().enumerate() {
                if start_of(at) == Start::Zero {
                    bias_sums.fill(0.0);
                }
                add_rows(pass.isa, &room[self.window.seen_len()..][..places * self.filters], bias_sums);
            }
        }
    }

    // Place by place, the filters side by side; 0 where the window would hang over the edge.
    fn turn(&self, isa: Isa, gradient: &[f32], turned: &mut [f32]) {
        let (plane, pitch, (rows, width)) = (self.window.output_plane(), self.window.pitch(), self.window.output);
        for row in 0..rows {
            let from = row * pitch * self.filters;
            let end = turned.len().min(from + pitch * self.filters);
            let (inside, edge) = turned[from..end].split_at_mut(width * self.filters);
            transpose(isa, &gradient[row * width..], (self.filters, width), plane, inside, self.filters);
            edge.fill(0.0);
        }
    }

    // The gradient by one picture.
    fn picture_back(
        &self,
        pass: &Pass<'_>,
        gradient: &[f32],
        turned_kernel: &[f32],
        spread: &mut [f32],
        wide: &mut [f32],
        target: &mut [f32],
    ) {
        let window = &self.window;
        if !window.is_shifted() {
            // The gradient of what was gathered, then each value back to where it came from.
            let (places, rows) = (window.output_plane(), Rows::every(1, window.covered()));
            let kernel = pass.parameters.values(self.kernel);
            let left = Left { stride: window.covered(), ..Left::new(kernel, &rows) };
            let right = Right { values: gradient, rows: &self.back, k: self.filters, start: 0, columns: places };
            product(pass.isa, left, right, Out { values: wide, stride: places }, Start::Zero);
            target.fill(0.0);
            return window.scatter(wide, target);
        }
        let (width, pitch) = (window.output.1, window.pitch());
        spread.fill(0.0);
        let planes = spread.chunks_exact_mut(spread_plane(window)).zip(gradient.chunks_exact(window.output_plane()));
        for (spread, plane) in planes {
            for (line, row) in spread[spread_before(window)..].chunks_mut(pitch).zip(plane.chunks_exact(width)) {
                line[..width].copy_from_slice(row);
            }
        }
        let (k, columns) = (self.filters * window.size.0 * window.size.1, window.padded_plane());
        let rows = Rows::every(k, window.channels);
        let right = Right { values: spread, rows: &self.back, k, start: 0, columns };
        let left = Left::new(&turned_kernel[..k * window.channels], &rows);
        if window.seen_len() == 0 {
            return product(pass.isa, left, right, Out { values: target, stride: columns }, Start::Zero);
        }
        product(pass.isa, left, right, Out { values: wide, stride: columns }, Start::Zero);
        window.crop(wide, target);
    }

    // [in channels, out channels, height, width]
    fn turn_kernel(&self, kernel: &[f32], turned: &mut [f32]) {
        let taps = self.window.size.0 * self.window.size.1;
        if self.window.is_shifted() {
            for (filter, values) in kernel.chunks_exact(self.window.covered()).enumerate() {
                for (channel, values) in values.chunks_exact(taps).enumerate() {
                    turned[(channel * self.filters + filter) * taps..][..taps].copy_from_slice(values);
                }
            }
        }
    }

    // Pictures of a run.
    fn run(&self, records: usize, threads: usize) -> usize {
        if threads == 1 { 1 } else { (PICTURES * threads).min(records) }
    }

    // Sums by kernel and bias, and room for the kernel once more.
    fn variables_scratch(&self) -> usize {
        (2 * self.window.covered() + 1) * self.filters
    }

    fn spread_len(&self) -> usize {
        if self.window.is_shifted() { self.filters * spread_plane(&self.window) } else { 0 }
    }

    // What the input's gradient is computed in where it cannot be computed in its place.
    fn wide_len(&self) -> usize {
        match (self.window.is_shifted(), self.window.seen_len()) {
            (true, 0) => 0,
            (true, _) => self.window.channels * self.window.padded_plane(),
            (false, _) => self.window.covered() * self.window.output_plane(),
        }
    }

    fn picture_scratch(&self) -> usize {
        self.window.seen_len() + self.window.places() * self.filters + self.spread_len() + self.wide_len()
    }

    fn room<'a>(&self, mut scratch: &'a mut [f32]) -> Room<'a> {
        Room {
            seen: take(&mut scratch, self.window.seen_len()),
            turned: take(&mut scratch, self.window.places() * self.filters),
            spread: take(&mut scratch, self.spread_len()),
            wide: scratch,
        }
    }

    pub(super) fn backward_scratch(&self, records: usize, threads: usize) -> usize {
        self.variables_scratch() + self.run(records, threads) * self.picture_scratch()
    }
}
