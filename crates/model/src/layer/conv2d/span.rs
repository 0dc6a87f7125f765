//! What meets what along one side of a picture: place `o` of the output, value `t` of the window and place `i` of the
//! input meet if i = o · stride + t − before.

use super::Plane;
use crate::kernel::Grid;
use std::ops::Range;
use tfcoord_types::job::Padding;

/// A window sliding along one side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Places of the input.
    pub input: usize,
    /// Places of the output.
    pub output: usize,
    /// Values of the window.
    pub size: usize,
    stride: usize,
    // Places before the input that the first window covers.
    before: usize,
}

/// Rows of a product that have the same steps: every `step`th from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    first: usize,
    count: usize,
    step: usize,
    // In the left matrix: the first row's first place, from row to row, and from step to step of k.
    left: usize,
    left_per_row: usize,
    left_per_step: usize,
    // In the right one: the first place, and from step to step.
    right: usize,
    right_per_step: usize,
    steps: usize,
}

// The steps of one row: their first place on the left and on the right, and how many there are.
struct Met {
    left: usize,
    right: usize,
    steps: usize,
}

const NOTHING: Met = Met { left: 0, right: 0, steps: 0 };

impl Window {
    /// With [`Padding::Same`], what is missing for the last window is added half before and half after the input, the odd
    /// one after.
    pub fn new(input: usize, output: usize, size: usize, stride: usize, padding: Padding) -> Self {
        let before = match padding {
            Padding::Valid => 0,
            Padding::Same => ((output - 1) * stride + size).saturating_sub(input) / 2,
        };
        Self { input, output, size, stride, before }
    }

    /// Places before the input that the first window covers.
    pub fn before(&self) -> usize {
        self.before
    }

    /// The values of the window that lie on the input at place `o` of the output.
    #[inline(always)]
    pub fn values_at(&self, o: usize) -> Range<usize> {
        let begin = o * self.stride;
        self.before.saturating_sub(begin)..(self.input + self.before).saturating_sub(begin).min(self.size)
    }

    /// The places of the output whose window covers place `i` of the input.
    #[inline(always)]
    pub fn outputs_over(&self, i: usize) -> Range<usize> {
        let reach = i + self.before;
        (reach + 1).saturating_sub(self.size).div_ceil(self.stride)..(reach / self.stride + 1).min(self.output)
    }

    /// The place of the input under value `t` of the window at place `o` of the output; it must lie on it.
    #[inline(always)]
    pub fn input_at(&self, o: usize, t: usize) -> usize {
        o * self.stride + t - self.before
    }

    /// The value of the window at place `o` of the output that lies on place `i` of the input; it must lie there.
    #[inline(always)]
    pub fn value_on(&self, o: usize, i: usize) -> usize {
        i + self.before - o * self.stride
    }

    /// Rows are places of the output, steps values of the window.
    pub fn forward(&self) -> Vec<Span> {
        let met = |o: usize| {
            let values = self.values_at(o);
            if values.is_empty() {
                return NOTHING;
            }
            Met { left: self.input_at(o, values.start), right: values.start, steps: values.len() }
        };
        spans(self.output, (1, 1), met)
    }

    /// Rows are places of the input, steps places of the output, on the right values of the window from the last one on.
    pub fn by_input(&self) -> Vec<Span> {
        let met = |i: usize| {
            let outputs = self.outputs_over(i);
            if outputs.is_empty() {
                return NOTHING;
            }
            Met { left: outputs.start, right: self.size - 1 - self.value_on(outputs.start, i), steps: outputs.len() }
        };
        spans(self.input, (1, self.stride), met)
    }

    /// Rows are values of the window, steps places of the output.
    pub fn by_kernel(&self) -> Vec<Span> {
        let met = |t: usize| {
            let from = self.before.saturating_sub(t).div_ceil(self.stride);
            let to = (self.input + self.before).saturating_sub(t).div_ceil(self.stride).min(self.output);
            if from >= to {
                return NOTHING;
            }
            Met { left: from * self.stride + t - self.before, right: from, steps: to - from }
        };
        spans(self.size, (self.stride, 1), met)
    }
}

impl Span {
    /// Those of its rows that are in `rows`, counted from the first of these; nothing if none is.
    pub fn within(&self, rows: Range<usize>) -> Option<Self> {
        let before = |row: usize| row.saturating_sub(self.first).div_ceil(self.step).min(self.count);
        let (from, to) = (before(rows.start), before(rows.end));
        let (first, left) = (self.first + from * self.step, self.left + from * self.left_per_row);
        (from < to).then(|| Self { first: first - rows.start, count: to - from, left, ..*self })
    }
}

fn spans(rows: usize, (left_per_step, right_per_step): (usize, usize), met: impl Fn(usize) -> Met) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for row in 0..rows {
        let Met { left, right, steps } = met(row);
        let fits = |span: &&mut Span| {
            let next = |first: usize, per: usize| first + span.count * per;
            let regular =
                span.count == 1 && left >= span.left || next(span.first, span.step) == row && next(span.left, span.left_per_row) == left;
            (span.right, span.steps) == (right, steps) && regular
        };
        match spans.iter_mut().rev().find(fits) {
            Some(span) => {
                if span.count == 1 {
                    (span.step, span.left_per_row) = (row - span.first, left - span.left);
                }
                span.count += 1;
            }
            None => {
                let first = Span { first: row, count: 1, step: 1, left, left_per_row: 0, left_per_step, right, right_per_step, steps };
                spans.push(first);
            }
        }
    }
    spans
}

/// Rows and steps of the left matrix; within a place of `plane` there are further rows, or further steps.
pub(super) fn left((y, x): (Span, Span), plane: Plane, rows: (usize, usize), steps: (usize, usize)) -> (Grid, Grid) {
    let row = [(y.count, y.left_per_row * plane.row), (x.count, x.left_per_row * plane.column), rows];
    let step = [(y.steps, y.left_per_step * plane.row), (x.steps, x.left_per_step * plane.column), steps];
    (Grid::new(y.left * plane.row + x.left * plane.column, row), Grid::new(0, step))
}

/// Steps of the right matrix.
pub(super) fn right((y, x): (Span, Span), plane: Plane) -> Grid {
    let step = [(y.steps, y.right_per_step * plane.row), (x.steps, x.right_per_step * plane.column), plane.within];
    Grid::new(y.right * plane.row + x.right * plane.column, step)
}

/// Rows of the output.
pub(super) fn out((y, x): (Span, Span), plane: Plane) -> Grid {
    let row = [(y.count, y.step * plane.row), (x.count, x.step * plane.column), plane.within];
    Grid::new(y.first * plane.row + x.first * plane.column, row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // (row, left place, right place) of every step of every row, in order.
    fn met(spans: &[Span]) -> Vec<(usize, usize, usize)> {
        let of_row = |span: &Span, n: usize| {
            let (row, left) = (span.first + n * span.step, span.left + n * span.left_per_row);
            let span = *span;
            (0..span.steps).map(move |k| (row, left + k * span.left_per_step, span.right + k * span.right_per_step))
        };
        let mut all: Vec<_> = spans.iter().flat_map(|span| (0..span.count).flat_map(move |n| of_row(span, n))).collect();
        all.sort_by_key(|(row, ..)| *row);
        all
    }

    proptest! {
        #[test]
        fn all_that_meet_do_and_nothing_else(input in 1usize..12, size in 1usize..7, stride in 1usize..5, same: bool, band in 1usize..7) {
            let output = if same { input.div_ceil(stride) } else { (input.max(size) - size) / stride + 1 };
            let input = if same { input } else { input.max(size) };
            let window = Window::new(input, output, size, stride, if same { Padding::Same } else { Padding::Valid });
            let all = (0..output).flat_map(|o| (0..size).map(move |t| (o, t)));
            let meeting = |(o, t): (usize, usize)| (o * stride + t).checked_sub(window.before).filter(|i| *i < input).map(|i| (o, t, i));
            let all: Vec<_> = all.filter_map(meeting).collect();
            let sorted = |mut all: Vec<(usize, usize, usize)>| {
                all.sort_unstable();
                all
            };
            prop_assert_eq!(met(&window.forward()), sorted(all.iter().map(|(o, t, i)| (*o, *i, *t)).collect()));
            prop_assert_eq!(met(&window.by_input()), sorted(all.iter().map(|(o, t, i)| (*i, *o, size - 1 - t)).collect()));
            prop_assert_eq!(met(&window.by_kernel()), sorted(all.iter().map(|(o, t, i)| (*t, *i, *o)).collect()));
            for (spans, rows) in [(window.forward(), output), (window.by_input(), input), (window.by_kernel(), size)] {
                prop_assert_eq!(spans.iter().map(|span| span.count).sum::<usize>(), rows);
                // Band by band they are the same.
                let of_band = |first: usize| {
                    let band: Vec<Span> = spans.iter().filter_map(|span| span.within(first..first + band)).collect();
                    met(&band).into_iter().map(move |(row, left, right)| (first + row, left, right))
                };
                prop_assert_eq!((0..rows).step_by(band).flat_map(of_band).collect::<Vec<_>>(), met(&spans));
            }
        }
    }

    #[test]
    fn inner_rows_are_one_span() {
        let window = Window::new(100, 100, 3, 1, Padding::Same);
        let counts = |spans: Vec<Span>| spans.iter().map(|span| span.count).collect::<Vec<_>>();
        assert_eq!(counts(window.forward()), [1, 98, 1]);
        assert_eq!(counts(window.by_input()), [1, 98, 1]);
        assert_eq!(counts(window.by_kernel()), [1, 1, 1]);
        let window = Window::new(101, 50, 3, 2, Padding::Valid);
        assert_eq!(counts(window.forward()), [50]);
        assert_eq!(counts(window.by_kernel()), [3]);
    }

    #[test]
    fn the_odd_one_of_same_padding_is_after() {
        assert_eq!(Window::new(5, 5, 4, 1, Padding::Same).before, 1);
        assert_eq!(Window::new(6, 3, 3, 2, Padding::Same).before, 0);
    }
}
