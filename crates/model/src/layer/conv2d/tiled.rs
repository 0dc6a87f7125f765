//! The three passes of a convolution computed tile by tile ([`super::winograd`]), shared among the threads.

use super::super::activation::{finish, parts};
use super::super::{Pass, room, take};
use super::Conv2d;
use super::winograd::{Band, Direction, POINTS};
use crate::kernel::{Start, transpose};

impl Conv2d {
    /// The output and what is kept, from the input, the kernel as \[height, width, in channels, out channels\] and the bias.
    pub(super) fn tiled_forward(
        &self,
        pass: &Pass<'_>,
        direction: &Direction,
        (input, turned, bias): (&[f32], &[f32], Option<&[f32]>),
        (output, kept): (&mut [f32], &mut [f32]),
        mut scratch: &mut [f32],
    ) {
        let kernel = take(&mut scratch, direction.kernel_len());
        direction.kernel(pass.isa, turned, kernel);
        let kernel = &*kernel;
        let pictures = input.len() / self.inputs();
        let threads = self.threads(pass, pictures);
        let together = direction.together(pictures, threads.count());
        let items = parts(output, kept, together.0 * self.outputs()).zip(input.chunks(together.0 * self.inputs()));
        let items = items.flat_map(|((output, kept), input)| {
            let bands = parts(output, kept, direction.band(together)).zip((0..).step_by(together.1));
            bands.map(move |((output, kept), first)| (input, output, kept, first))
        });
        let rooms = scratch.chunks_exact_mut(room(direction.scratch()));
        threads.each_in(rooms, items, |scratch, (input, output, kept, first)| {
            direction.compute(pass.isa, kernel, bias, Band { from: input, first, to: output }, scratch);
            finish(self.activation, pass, output, kept);
        });
    }

    /// The gradient by the input, from the kernel as for its product.
    pub(super) fn tiled_input_gradient(
        &self,
        pass: &Pass<'_>,
        direction: &Direction,
        (gradient, turned): (&[f32], &[f32]),
        kernel: &mut [f32],
        targets: &mut [f32],
        scratch: &mut [f32],
    ) {
        direction.kernel(pass.isa, turned, kernel);
        let kernel = &*kernel;
        let pictures = gradient.len() / self.outputs();
        let threads = self.threads(pass, pictures);
        let together = direction.together(pictures, threads.count());
        let items = targets.chunks_mut(together.0 * self.inputs()).zip(gradient.chunks(together.0 * self.outputs()));
        let items = items.flat_map(|(target, gradient)| {
            let bands = target.chunks_mut(direction.band(together)).zip((0..).step_by(together.1));
            bands.map(move |(target, first)| (gradient, target, first))
        });
        let rooms = scratch.chunks_exact_mut(room(direction.scratch()));
        threads.each_in(rooms, items, |scratch, (gradient, target, first)| {
            direction.compute(pass.isa, kernel, None, Band { from: gradient, first, to: target }, scratch);
        });
    }

    /// The gradient by the kernel into `kernel`, and by the bias.
    pub(super) fn tiled_kernel_gradient(
        &self,
        pass: &Pass<'_>,
        direction: &Direction,
        (input, gradient): (&[f32], &[f32]),
        (sums, between, kernel, mut bias): (&mut [f32], &mut [f32], &mut [f32], &mut [f32]),
        scratch: &mut [f32],
    ) {
        let ((channels, filters), threads) = (self.group(), self.threads(pass, input.len() / self.inputs()));
        let (one, rows) = (channels * filters, direction.points(threads.count()));
        // A part that begins with the first points has its filters' bias as well: so a picture is in the cache once.
        let items = sums.chunks_mut(POINTS * POINTS * one).enumerate().flat_map(|(group, sums)| {
            let mut bias = bias.split_off_mut(..filters.min(bias.len())).unwrap_or_default();
            let parts = sums.chunks_mut(rows * POINTS * one).zip((0..POINTS).step_by(rows));
            parts.map(move |(sums, first)| (group, first..(first + rows).min(POINTS), sums, std::mem::take(&mut bias)))
        });
        let rooms = scratch.chunks_exact_mut(room(direction.scratch()));
        threads.each_in(rooms, items, |scratch, (group, points, sums, bias)| {
            direction.kernel_gradient(pass.isa, (input, gradient), (group, points), sums, scratch, |picture| {
                if !bias.is_empty() {
                    let start = if picture == 0 { Start::Zero } else { Start::Output };
                    self.add_places(pass, &gradient[picture * self.outputs() + group * filters..], bias, start);
                }
            });
        });
        let groups = sums.chunks_exact(POINTS * POINTS * one).zip(between.chunks_exact_mut(9 * one)).zip(kernel.chunks_exact_mut(9 * one));
        for ((sums, between), kernel) in groups {
            direction.finish(pass.isa, sums, between);
            transpose(pass.isa, between, (9 * channels, filters), filters, kernel, 9 * channels);
        }
    }
}
