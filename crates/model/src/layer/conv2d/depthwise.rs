//! Convolutions in which each channel has a filter of its own: too thin for products of matrices, but channels lie side by
//! side, so that each value under a window is a run of them.
//!
//! Each element is the chain of fused multiply-adds that a product would make of it.

use super::span::Window;
use crate::kernel::vectorized;
use std::ops::Range;

/// The windows of one picture's rows and columns, and its channels.
#[derive(Clone, Copy)]
pub(super) struct Depthwise {
    pub rows: Window,
    pub columns: Window,
    pub channels: usize,
}

impl Depthwise {
    // Where the values of a place of the input begin, and those of the output.
    #[inline(always)]
    fn input(&self, row: usize, column: usize) -> usize {
        (row * self.columns.input + column) * self.channels
    }

    #[inline(always)]
    fn output(&self, row: usize, column: usize) -> usize {
        (row * self.columns.output + column) * self.channels
    }
}

vectorized! {
    /// One picture's output from row `first` on, of the kernel as \[height, width, channels\].
    pub(super) fn forward(of: &Depthwise, picture: &[f32], kernel: &[f32], bias: Option<&[f32]>, first: usize, output: &mut [f32]) {
        let (n, width) = (of.channels, of.columns.size);
        for (at, sums) in output.chunks_exact_mut(n).enumerate() {
            let (row, column) = (first + at / of.columns.output, at % of.columns.output);
            match bias {
                Some(bias) => sums.copy_from_slice(bias),
                None => sums.fill(0.0),
            }
            for y in of.rows.values_at(row) {
                for x in of.columns.values_at(column) {
                    let under = of.input(of.rows.input_at(row, y), of.columns.input_at(column, x));
                    multiply_add(&picture[under..][..n], &kernel[(y * width + x) * n..][..n], sums);
                }
            }
        }
    }

    /// The gradient by one picture from row `first` on, of that by its output.
    pub(super) fn input_gradient(of: &Depthwise, gradients: &[f32], kernel: &[f32], first: usize, target: &mut [f32]) {
        let (n, width) = (of.channels, of.columns.size);
        for (at, sums) in target.chunks_exact_mut(n).enumerate() {
            let (row, column) = (first + at / of.columns.input, at % of.columns.input);
            sums.fill(0.0);
            for y in of.rows.outputs_over(row) {
                for x in of.columns.outputs_over(column) {
                    let (gradient, value) = (of.output(y, x), of.rows.value_on(y, row) * width + of.columns.value_on(x, column));
                    multiply_add(&gradients[gradient..][..n], &kernel[value * n..][..n], sums);
                }
            }
        }
    }

    /// Adds what one picture gives to the gradient by the kernel of some `channels`: \[height, width, those channels\].
    pub(super) fn kernel_gradient(of: &Depthwise, picture: &[f32], gradients: &[f32], channels: Range<usize>, sums: &mut [f32]) {
        let (first, count, width) = (channels.start, channels.len(), of.columns.size);
        for row in 0..of.rows.output {
            for column in 0..of.columns.output {
                let gradient = &gradients[of.output(row, column) + first..][..count];
                for y in of.rows.values_at(row) {
                    for x in of.columns.values_at(column) {
                        let under = of.input(of.rows.input_at(row, y), of.columns.input_at(column, x)) + first;
                        multiply_add(&picture[under..][..count], gradient, &mut sums[(y * width + x) * count..][..count]);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn multiply_add(a: &[f32], b: &[f32], sums: &mut [f32]) {
    for ((a, b), sum) in a.iter().zip(b).zip(sums) {
        *sum = a.mul_add(*b, *sum);
    }
}
