//! Windows that slide over height and width, for pooling.

use super::len;
use tfcoord_types::job::{LayerShape, Pair};

/// A window sliding over pictures, whose values lie place by place with the channels side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Values of a place.
    pub channels: usize,
    /// Height and width of the input.
    pub input: (usize, usize),
    /// Places of the window: rows, columns.
    pub output: (usize, usize),
    /// Height and width of the window.
    pub size: (usize, usize),
    /// Step in height and width.
    pub stride: (usize, usize),
}

impl Window {
    /// From and to pictures of `shape`; without a `stride` windows do not overlap.
    pub fn new(shape: &LayerShape, size: Pair, stride: Option<Pair>) -> Self {
        let each = |(a, b): (u32, u32)| (len(a), len(b));
        Self {
            channels: len(shape.input[0]),
            input: each((shape.input[1], shape.input[2])),
            output: each((shape.output[1], shape.output[2])),
            size: each(size.get()),
            stride: each(stride.unwrap_or(size).get()),
        }
    }

    /// Values of one picture, before and after.
    pub fn inputs(&self) -> usize {
        self.input.0 * self.input.1 * self.channels
    }

    /// As [`Self::inputs`].
    pub fn outputs(&self) -> usize {
        self.output.0 * self.output.1 * self.channels
    }

    /// Places of the input under the window at place number `at` of the output, row by row.
    #[inline(always)]
    pub fn under(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let (top, left) = (at / self.output.1 * self.stride.0, at % self.output.1 * self.stride.1);
        let (size, width) = (self.size, self.input.1);
        (top..top + size.0).flat_map(move |y| (left..left + size.1).map(move |x| y * width + x))
    }
}
