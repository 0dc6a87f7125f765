//! Windows that slide over height and width.

use super::len;
use crate::kernel::Rows;
use tfcoord_types::job::{LayerShape, Padding, Pair};

/// A window sliding over pictures of `channels` planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Planes of the input.
    pub channels: usize,
    /// Height and width of the input.
    pub input: (usize, usize),
    /// Places of the window: rows, columns.
    pub output: (usize, usize),
    /// Height and width of the window.
    pub size: (usize, usize),
    /// Step in height and width.
    pub stride: (usize, usize),
    /// Rows above and columns to the left of the input that the first window covers.
    pub before: (usize, usize),
}

impl Window {
    /// From and to pictures of `shape`. With [`Padding::Same`], what is missing for the last window is added
    /// half before and half after the input, the odd one after.
    ///
    /// Nothing if a plane, or what the window covers, has more values than can be counted.
    pub fn new(shape: &LayerShape, size: Pair, stride: Pair, padding: Padding) -> Option<Self> {
        let each = |(a, b): (u32, u32)| (len(a), len(b));
        let (size, stride) = (each(size.get()), each(stride.get()));
        let (input, output) = (each((shape.input[1], shape.input[2])), each((shape.output[1], shape.output[2])));
        let before = |input: usize, output: usize, size: usize, stride: usize| match padding {
            Padding::Valid => 0,
            Padding::Same => ((output - 1) * stride + size).saturating_sub(input) / 2,
        };
        let before = (before(input.0, output.0, size.0, stride.0), before(input.1, output.1, size.1, stride.1));
        let window = Self { channels: len(shape.input[0]), input, output, size, stride, before };
        window.fits(1).then_some(window)
    }

    /// Whether all lengths that concern one picture and so many filters can be counted, in bytes.
    pub fn fits(&self, filters: usize) -> bool {
        let wide = |n: usize| n as f64;
        let reach = |input: usize, output: usize, size: usize| wide(input) + wide(output) + wide(size);
        let plane = reach(self.input.0, self.output.0, self.size.0) * reach(self.input.1, self.output.1, self.size.1);
        let covered = wide(self.channels) * wide(self.size.0) * wide(self.size.1);
        let outputs = wide(self.output.0) * wide(self.output.1);
        let all = [wide(self.channels) * plane, 2.0 * wide(filters) * plane, covered * outputs, 2.0 * covered * wide(filters)];
        16.0 * all.iter().sum::<f64>() < isize::MAX as f64
    }

    /// Values of one input plane.
    pub fn input_plane(&self) -> usize {
        self.input.0 * self.input.1
    }

    /// Places of the window.
    pub fn output_plane(&self) -> usize {
        self.output.0 * self.output.1
    }

    /// Values that the window covers over all planes.
    pub fn covered(&self) -> usize {
        self.channels * self.size.0 * self.size.1
    }

    /// Whether what a value of the window meets at all places is the picture itself, shifted.
    pub fn is_shifted(&self) -> bool {
        self.stride == (1, 1)
    }

    /// Height and width of the input with its padding, as far as the window reaches.
    fn padded(&self) -> (usize, usize) {
        let side = |input: usize, before: usize, output: usize, size: usize| (input + before).max(output - 1 + size);
        (side(self.input.0, self.before.0, self.output.0, self.size.0), side(self.input.1, self.before.1, self.output.1, self.size.1))
    }

    /// Values of one padded input plane.
    pub fn padded_plane(&self) -> usize {
        self.padded().0 * self.padded().1
    }

    /// From the places of one row to those of the next, as they are counted: along what the window sees.
    pub fn pitch(&self) -> usize {
        if self.is_shifted() { self.padded().1 } else { self.output.1 }
    }

    /// Places as they are counted, up to the last one.
    pub fn places(&self) -> usize {
        (self.output.0 - 1) * self.pitch() + self.output.1
    }

    /// Where each value under the window begins in what the window sees, for its place 0.
    ///
    /// Nothing if the table cannot be held.
    pub fn seen(&self) -> Option<Rows> {
        if !self.is_shifted() {
            return Some(Rows::every(self.output_plane(), self.covered()));
        }
        let of = |row: usize| {
            let (plane, ky, kx) = self.covered_at(row);
            plane * self.padded_plane() + ky * self.pitch() + kx
        };
        Rows::of(self.covered(), of)
    }

    /// Values of the copy that the window sees; 0 where it sees the picture as it lies.
    pub fn seen_len(&self) -> usize {
        match self.is_shifted() {
            true if self.padded() == self.input => 0,
            true => self.channels * self.padded_plane(),
            false => self.covered() * self.output_plane(),
        }
    }

    /// A picture with zeros around it.
    pub fn pad(&self, picture: &[f32], padded: &mut [f32]) {
        padded.fill(0.0);
        for (target, source) in self.lines(padded.chunks_exact_mut(self.padded().1)).zip(picture.chunks_exact(self.input.1)) {
            target[self.before.1..][..self.input.1].copy_from_slice(source);
        }
    }

    /// The reverse of [`Self::pad`].
    pub fn crop(&self, padded: &[f32], picture: &mut [f32]) {
        for (source, target) in self.lines(padded.chunks_exact(self.padded().1)).zip(picture.chunks_exact_mut(self.input.1)) {
            target.copy_from_slice(&source[self.before.1..][..self.input.1]);
        }
    }

    // Of all padded lines, those that are not padding.
    fn lines<T>(&self, lines: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let (height, before, inside) = (self.padded().0, self.before.0, self.input.0);
        lines.enumerate().filter(move |(at, _)| (before..before + inside).contains(&(at % height))).map(|(_, line)| line)
    }

    /// The rows of a picture as the window sees them: `columns` becomes \[covered, places\], 0 where the window
    /// stands beyond the input (im2col).
    pub fn gather(&self, picture: &[f32], columns: &mut [f32]) {
        for (row, line) in columns.chunks_exact_mut(self.output_plane()).enumerate() {
            let (plane, ky, kx) = self.covered_at(row);
            let plane = &picture[plane * self.input_plane()..][..self.input_plane()];
            let (from, to) = self.inside(kx, self.input.1, self.output.1, self.stride.1, self.before.1);
            for (oy, line) in line.chunks_exact_mut(self.output.1).enumerate() {
                let Some(y) = self.row(oy, ky).filter(|_| from < to) else {
                    line.fill(0.0);
                    continue;
                };
                line[..from].fill(0.0);
                line[to..].fill(0.0);
                let start = y * self.input.1 + from * self.stride.1 + kx - self.before.1;
                let (line, source) = (&mut line[from..to], &plane[start..]);
                if self.stride.1 == 1 {
                    for (value, source) in line.iter_mut().zip(source) {
                        *value = *source;
                    }
                } else {
                    for (value, source) in line.iter_mut().zip(source.iter().step_by(self.stride.1)) {
                        *value = *source;
                    }
                }
            }
        }
    }

    /// The reverse of [`Self::gather`]: adds each value to the place it was taken from.
    pub fn scatter(&self, columns: &[f32], picture: &mut [f32]) {
        for (row, line) in columns.chunks_exact(self.output_plane()).enumerate() {
            let (plane, ky, kx) = self.covered_at(row);
            let plane = &mut picture[plane * self.input_plane()..][..self.input_plane()];
            let (from, to) = self.inside(kx, self.input.1, self.output.1, self.stride.1, self.before.1);
            for (oy, line) in line.chunks_exact(self.output.1).enumerate() {
                let Some(y) = self.row(oy, ky).filter(|_| from < to) else {
                    continue;
                };
                let start = y * self.input.1 + from * self.stride.1 + kx - self.before.1;
                let (line, target) = (&line[from..to], &mut plane[start..]);
                if self.stride.1 == 1 {
                    for (value, target) in line.iter().zip(target) {
                        *target += value;
                    }
                } else {
                    for (value, target) in line.iter().zip(target.iter_mut().step_by(self.stride.1)) {
                        *target += value;
                    }
                }
            }
        }
    }

    // Plane, row and column within the window of row `row` of the gathered matrix.
    fn covered_at(&self, row: usize) -> (usize, usize, usize) {
        (row / (self.size.0 * self.size.1), row / self.size.1 % self.size.0, row % self.size.1)
    }

    // The input's row under row `ky` of the window at its place `oy`.
    fn row(&self, oy: usize, ky: usize) -> Option<usize> {
        (oy * self.stride.0 + ky).checked_sub(self.before.0).filter(|y| *y < self.input.0)
    }

    // The places, along one side, at which value `k` of the window stands on the input.
    fn inside(&self, k: usize, input: usize, output: usize, stride: usize, before: usize) -> (usize, usize) {
        let from = before.saturating_sub(k).div_ceil(stride);
        let to = (input + before).saturating_sub(k).div_ceil(stride).min(output);
        (from.min(to), to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfcoord_types::job::{Layer, shapes};

    proptest! {
        #[test]
        fn each_value_is_gathered_and_scattered_where_the_window_stands(
            channels in 1u32..3, height in 1u32..7, width in 1u32..7, kernel in (1u32..5, 1u32..5), stride in (1u32..4, 1u32..4), same: bool,
        ) {
            let padding = if same { Padding::Same } else { Padding::Valid };
            let (kernel, stride) = (Pair::Each([kernel.0, kernel.1]), Pair::Each([stride.0, stride.1]));
            let layer = Layer::Conv2d { filters: 1, kernel, stride, padding, activation: None, bias: false };
            let shapes = shapes(&[layer], &[channels, height, width]);
            prop_assume!(shapes.is_ok());
            let w = Window::new(&shapes.unwrap()[0], kernel, stride, padding).unwrap();
            let picture: Vec<f32> = (0..w.channels * w.input_plane()).map(|n| n as f32 + 1.0).collect();
            let mut columns = vec![-1.0; w.covered() * w.output_plane()];
            w.gather(&picture, &mut columns);
            let mut back = vec![0.0; picture.len()];
            w.scatter(&columns, &mut back);
            let mut expected_back = vec![0.0; picture.len()];
            for c in 0..w.channels {
                for (ky, kx, oy, ox) in quadruples(w.size, w.output) {
                    let y = (oy * w.stride.0 + ky) as isize - w.before.0 as isize;
                    let x = (ox * w.stride.1 + kx) as isize - w.before.1 as isize;
                    let inside = (0..w.input.0 as isize).contains(&y) && (0..w.input.1 as isize).contains(&x);
                    let at = c * w.input_plane() + (y * w.input.1 as isize + x) as usize * usize::from(inside);
                    let expected = if inside { picture[at] } else { 0.0 };
                    let row = (c * w.size.0 + ky) * w.size.1 + kx;
                    prop_assert_eq!(columns[row * w.output_plane() + oy * w.output.1 + ox], expected);
                    if inside {
                        expected_back[at] += expected;
                    }
                }
            }
            prop_assert_eq!(back, expected_back);
        }
    }

    fn quadruples(a: (usize, usize), b: (usize, usize)) -> impl Iterator<Item = (usize, usize, usize, usize)> {
        (0..a.0 * a.1 * b.0 * b.1).map(move |n| (n / (a.1 * b.0 * b.1), n / (b.0 * b.1) % a.1, n / b.1 % b.0, n % b.1))
    }

    #[test]
    fn the_odd_one_of_same_padding_is_after() {
        let shape = LayerShape { name: "conv2d_0".into(), input: vec![1, 5, 6], output: vec![1, 5, 3] };
        let window = Window::new(&shape, Pair::Each([4, 3]), Pair::Each([1, 2]), Padding::Same).unwrap();
        assert_eq!(window.before, (1, 0)); // 3 rows are missing: 1 above, 2 below; 1 column: to the right
    }
}
