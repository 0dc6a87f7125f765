//! From tiles of pictures to matrices, one of each of the 36 points, and back.
#![allow(unsafe_code)] // vectors are read and written through pointers; bounds are checked once for all of a run's tiles

use super::points::{self, POINTS, SHARES};
use crate::kernel::Isa;
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Places of a tile's side.
pub(super) const SIDE: usize = 4;

/// Pictures cut into tiles, whose first one begins `top` rows and `left` columns from the pictures' own beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub height: usize,
    pub width: usize,
    /// Values of a place.
    pub depth: usize,
    pub top: isize,
    pub left: isize,
    /// Rows and columns of tiles.
    pub tiles: (usize, usize),
}

/// Matrices one behind the other, `apart` values from one to the next, with a row of `columns` values a tile, `stride` apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrices {
    pub columns: usize,
    pub stride: usize,
    pub apart: usize,
}

const OUTSIDE: usize = usize::MAX;

impl Frame {
    // Where the rows and the columns from the beginning of tile number `at` on are; those that no picture has are outside.
    #[inline(always)]
    fn places<const N: usize>(&self, at: usize) -> ([usize; N], [usize; N]) {
        let (row, column) = (at / self.tiles.1, at % self.tiles.1);
        let (picture, row) = (row / self.tiles.0, row % self.tiles.0);
        let rows = std::array::from_fn(
            #[inline(always)]
            |n| match place(self.top, row * SIDE + n, self.height) {
                OUTSIDE => OUTSIDE,
                y => (picture * self.height + y) * self.width * self.depth,
            },
        );
        let columns = std::array::from_fn(
            #[inline(always)]
            |n| match place(self.left, column * SIDE + n, self.width) {
                OUTSIDE => OUTSIDE,
                x => x * self.depth,
            },
        );
        (rows, columns)
    }
}

// The place `step` after `first`, if it is before `end`.
#[inline(always)]
fn place(first: isize, step: usize, end: usize) -> usize {
    let at = first.wrapping_add_unsigned(step).cast_unsigned();
    if at < end { at } else { OUTSIDE }
}

// A whole vector, or the first `count` values of one.
#[inline(always)]
unsafe fn load<S: Simd, const FULL: bool>(simd: S, from: *const f32, count: usize) -> S::f32s {
    // SAFETY: the caller vouches for so many values.
    unsafe { if FULL { from.cast::<S::f32s>().read_unaligned() } else { simd.partial_load_f32s(std::slice::from_raw_parts(from, count)) } }
}

#[inline(always)]
unsafe fn store<S: Simd, const FULL: bool>(simd: S, to: *mut f32, count: usize, value: S::f32s) {
    // SAFETY: the caller vouches for so many values.
    unsafe {
        if FULL {
            to.cast::<S::f32s>().write_unaligned(value);
        } else {
            simd.partial_store_f32s(std::slice::from_raw_parts_mut(to, count), value);
        }
    }
}

// An array of values, one for each number below 3, 4 or 6.
macro_rules! each {
    (3, $n:ident => $value:expr) => {
        each!($n => $value; 0 1 2)
    };
    (4, $n:ident => $value:expr) => {
        each!($n => $value; 0 1 2 3)
    };
    (6, $n:ident => $value:expr) => {
        each!($n => $value; 0 1 2 3 4 5)
    };
    ($n:ident => $value:expr; $($at:literal)*) => {
        [$({
            const $n: usize = $at;
            $value
        }),*]
    };
}

// There are too many for the registers, and a vector that lies across two lines is written and read twice.
#[repr(align(64))]
struct Aligned<T>(T);

// Turns each column of what is loaded, then each row of what came out, and stores that. No closures: those that are not
// inlined lose the vectors.
macro_rules! both_sides {
    ($turn:expr, $simd:expr, load $n:tt [$R:ident, $C:ident] $load:expr, store $rows:expr, [$row:ident, $column:ident, $value:ident] $store:expr) => {{
        let between = Aligned(each!($n, $C => $turn($simd, each!($n, $R => $load))));
        for $row in $rows {
            let turned = $turn($simd, each!($n, $C => between.0[$C][$row]));
            for $column in 0..turned.len() {
                let $value = turned[$column];
                $store;
            }
        }
    }};
}

// Vector by vector of `count` values: whether it is a whole one, the first value, how many.
macro_rules! vectors {
    ($count:expr, $lanes:expr, $vector:ident $(, $inside:tt)?) => {{
        let (count, lanes) = ($count, $lanes);
        for first in (0..count / lanes * lanes).step_by(lanes) {
            $vector!($($inside,)? true, first, lanes);
        }
        if count % lanes > 0 {
            $vector!($($inside,)? false, count / lanes * lanes, count % lanes);
        }
    }};
}

impl Frame {
    // Whether all places of the first `tiles` tiles, `columns` values of each, lie within so many values.
    fn fits(&self, tiles: usize, columns: usize, len: usize) -> bool {
        let pictures = tiles.div_ceil(self.tiles.0 * self.tiles.1);
        tiles == 0 || columns <= self.depth && (pictures * self.height * self.width - 1) * self.depth + columns <= len
    }
}

impl Matrices {
    // Whether so many matrices of `rows` rows lie within so many values.
    fn fit(&self, count: usize, rows: usize, len: usize) -> bool {
        count == 0 || rows == 0 || (count - 1) * self.apart + (rows - 1) * self.stride + self.columns <= len
    }
}

/// Some rows of points of the tiles `run`: of the input, or of the gradient by the output.
pub(super) struct Taken<'a> {
    pub frame: Frame,
    pub pictures: &'a [f32],
    pub run: Range<usize>,
    pub points: Range<usize>,
    pub matrices: Matrices,
    pub to: &'a mut [f32],
}

impl Taken<'_> {
    fn check(&self) {
        let Self { frame, pictures, run, points, matrices, to } = self;
        assert!(frame.fits(run.end, matrices.columns, pictures.len()), "{frame:?} beyond {} values", pictures.len());
        assert!(
            points.end <= POINTS && matrices.fit(points.len() * POINTS, run.len(), to.len()),
            "{matrices:?} beyond {} values",
            to.len()
        );
    }
}

struct Input<'a>(Taken<'a>);
struct Gradient<'a>(Taken<'a>);

/// From the six rows and columns that a tile's windows cover.
pub(super) fn input(isa: Isa, taken: Taken<'_>) {
    taken.check();
    isa.0.dispatch(Input(taken));
}

/// From a tile's four rows and columns.
pub(super) fn gradient(isa: Isa, taken: Taken<'_>) {
    taken.check();
    isa.0.dispatch(Gradient(taken));
}

macro_rules! take {
    ($name:ident, $n:tt, $turn:path) => {
        impl WithSimd for $name<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Taken { frame, pictures, run, points, matrices, to } = self.0;
                let (pictures, to) = (pictures.as_ptr(), to.as_mut_ptr());
                for (at, tile) in run.enumerate() {
                    let (rows, columns) = frame.places::<$n>(tile);
                    let inside = rows.iter().chain(&columns).all(|place| *place != OUTSIDE);
                    macro_rules! vector {
                                                ($inside:tt, $full:tt, $first:expr, $count:expr) => {{
                                                    let (first, count) = ($first, $count);
                                                    // SAFETY: `check` has found all places of all tiles, `matrices.columns` values of each, within
                                                    // the pictures, and all matrices within `to`.
                                                    unsafe {
                                                        let (pictures, to) = (pictures.add(first), to.add(at * matrices.stride + first));
                                                        both_sides!(
                                                            $turn, simd,
                                                            load $n [R, C] {
                                                                if $inside || rows[R] != OUTSIDE && columns[C] != OUTSIDE {
                                                                    load::<S, $full>(simd, pictures.add(rows[R] + columns[C]), count)
                                                                } else {
                                                                    simd.splat_f32s(0.0)
                                                                }
                                                            },
                                                            store points.clone(), [row, column, value] {
                                                                let matrix = (row - points.start) * POINTS + column;
                                                                store::<S, $full>(simd, to.add(matrix * matrices.apart), count, value);
                                                            }
                                                        );
                                                    }
                                                }};
                                            }
                    if inside {
                        vectors!(matrices.columns, S::F32_LANES, vector, true);
                    } else {
                        vectors!(matrices.columns, S::F32_LANES, vector, false);
                    }
                }
            }
        }
    };
}

take!(Input, 6, points::input);
take!(Gradient, 4, points::gradient);

/// The places of the tiles `run`, from the products.
pub(super) struct Output<'a> {
    pub frame: Frame,
    pub products: &'a [f32],
    pub matrices: Matrices,
    pub run: Range<usize>,
    /// Added to each place.
    pub bias: Option<&'a [f32]>,
    pub pictures: &'a mut [f32],
}

impl Output<'_> {
    pub fn put(self, isa: Isa) {
        let Self { frame, products, matrices, run, bias, pictures } = &self;
        assert!(frame.fits(run.end, matrices.columns, pictures.len()), "{frame:?} beyond {} values", pictures.len());
        assert!(matrices.fit(POINTS * POINTS, run.len(), products.len()), "{matrices:?} beyond {} values", products.len());
        assert!(bias.is_none_or(|bias| bias.len() == matrices.columns), "a bias for each of {}", matrices.columns);
        isa.0.dispatch(self);
    }
}

impl WithSimd for Output<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { frame, products, matrices, run, bias, pictures } = self;
        let (products, pictures) = (products.as_ptr(), pictures.as_mut_ptr());
        for (at, tile) in run.enumerate() {
            let (rows, columns) = frame.places::<SIDE>(tile);
            let inside = rows.iter().chain(&columns).all(|place| *place != OUTSIDE);
            macro_rules! vector {
                ($inside:tt, $full:tt, $first:expr, $count:expr) => {{
                    let (first, count) = ($first, $count);
                    // SAFETY: `put` has found all matrices within the products, a bias for each column, and all places of
                    // all tiles, `matrices.columns` values of each, within the pictures.
                    unsafe {
                        let bias = match bias {
                            Some(bias) => load::<S, $full>(simd, bias.as_ptr().add(first), count),
                            None => simd.splat_f32s(0.0),
                        };
                        let (products, pictures) = (products.add(at * matrices.stride + first), pictures.add(first));
                        both_sides!(
                            points::output, simd,
                            load 6 [R, C] load::<S, $full>(simd, products.add((R * POINTS + C) * matrices.apart), count),
                            store 0..SIDE, [row, column, value] {
                                if $inside || rows[row] != OUTSIDE && columns[column] != OUTSIDE {
                                    let value = simd.add_f32s(value, bias);
                                    store::<S, $full>(simd, pictures.add(rows[row] + columns[column]), count, value);
                                }
                            }
                        );
                    }
                }};
            }
            if inside {
                vectors!(matrices.columns, S::F32_LANES, vector, true);
            } else {
                vectors!(matrices.columns, S::F32_LANES, vector, false);
            }
        }
    }
}

/// A kernel, \[height, width, values\], at the points: \[36, values\].
pub(super) struct Kernel<'a> {
    pub taps: &'a [f32],
    pub to: &'a mut [f32],
}

impl Kernel<'_> {
    pub fn put(self, isa: Isa) {
        assert_eq!(self.taps.len() * POINTS * POINTS, self.to.len() * 9, "as many values at each place and point");
        isa.0.dispatch(self);
    }
}

impl WithSimd for Kernel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let values = self.taps.len() / 9;
        let (taps, to) = (self.taps.as_ptr(), self.to.as_mut_ptr());
        macro_rules! vector {
            ($full:tt, $first:expr, $count:expr) => {{
                let (first, count) = ($first, $count);
                // SAFETY: there are 9 and 36 times `values`, as `put` has checked, and all of a vector is below `values`.
                unsafe {
                    let (taps, to) = (taps.add(first), to.add(first));
                    both_sides!(
                        points::kernel, simd,
                        load 3 [R, C] load::<S, $full>(simd, taps.add((R * 3 + C) * values), count),
                        store 0..POINTS, [row, column, value] {
                            store::<S, $full>(simd, to.add((row * POINTS + column) * values), count, value);
                        }
                    );
                }
            }};
        }
        vectors!(values, S::F32_LANES, vector);
    }
}

/// The gradient by a kernel from the sums of products, \[36, channels, filters\]: \[channels, height, width, filters\].
pub(super) struct KernelGradient<'a> {
    pub sums: &'a [f32],
    pub filters: usize,
    pub to: &'a mut [f32],
}

impl KernelGradient<'_> {
    pub fn put(self, isa: Isa) {
        assert_eq!(self.to.len() * POINTS * POINTS, self.sums.len() * 9, "as many values at each place and point");
        assert!(self.to.len().is_multiple_of(9 * self.filters), "whole channels of {} filters", self.filters);
        isa.0.dispatch(self);
    }
}

impl WithSimd for KernelGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sums, filters, to } = self;
        let values = to.len() / 9;
        for channel in 0..values / filters {
            let (sums, to) = (sums[channel * filters..].as_ptr(), to[channel * 9 * filters..].as_mut_ptr());
            macro_rules! vector {
                ($full:tt, $first:expr, $count:expr) => {{
                    let (first, count) = ($first, $count);
                    // SAFETY: there are 9 times `filters` for each channel and 36 times `values`, as `put` has checked; all of
                    // a vector is below `filters`.
                    unsafe {
                        let (sums, to) = (sums.add(first), to.add(first));
                        both_sides!(
                            points::kernel_gradient, simd,
                            load 6 [R, C] {
                                let sum = load::<S, $full>(simd, sums.add((R * POINTS + C) * values), count);
                                simd.mul_f32s(sum, simd.splat_f32s(SHARES[R] * SHARES[C]))
                            },
                            store 0..3, [row, column, value] store::<S, $full>(simd, to.add((row * 3 + column) * filters), count, value)
                        );
                    }
                }};
            }
            vectors!(filters, S::F32_LANES, vector);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    const FRAME: Frame = Frame { height: 4, width: 5, depth: 3, top: -1, left: -1, tiles: (1, 2) };
    const MATRICES: Matrices = Matrices { columns: 3, stride: 16, apart: 80 };

    fn refused(work: impl FnOnce()) -> bool {
        catch_unwind(AssertUnwindSafe(work)).is_err()
    }

    #[test]
    fn what_reaches_beyond_is_refused() {
        // Two pictures of two tiles; 36 matrices of four rows.
        let (pictures, values) = (2 * 4 * 5 * 3, 35 * 80 + 3 * 16 + 3);
        for (less, tiles, points, frame, matrices) in [
            ((0, 0), 4, 6, FRAME, MATRICES),
            ((1, 0), 4, 6, FRAME, MATRICES),
            ((0, 1), 4, 6, FRAME, MATRICES),
            ((0, 0), 5, 6, FRAME, MATRICES),
            ((0, 0), 4, 7, FRAME, MATRICES),
            ((0, 0), 4, 6, Frame { depth: 4, ..FRAME }, MATRICES),
            ((0, 0), 4, 6, FRAME, Matrices { columns: 4, ..MATRICES }),
            ((0, 0), 4, 6, FRAME, Matrices { stride: 17, ..MATRICES }),
            ((0, 0), 4, 6, FRAME, Matrices { apart: 81, ..MATRICES }),
        ] {
            let whole = less == (0, 0)
                && tiles == 4
                && points == 6
                && frame.depth == 3
                && matrices.columns + matrices.stride + matrices.apart == 99;
            let (mut pictures, mut values) = (vec![0.0; pictures - less.0], vec![0.0; values - less.1]);
            for take in [input, gradient] {
                let taken = Taken { frame, pictures: &pictures, run: 0..tiles, points: 0..points, matrices, to: &mut values };
                assert_eq!(refused(|| take(Isa::detect(), taken)), !whole);
            }
            let output = Output { frame, products: &values, matrices, run: 0..tiles, bias: None, pictures: &mut pictures };
            assert_eq!(refused(|| output.put(Isa::detect())), !whole && points == 6);
        }
        for (taps, filters) in [(9 * 6, 3), (9 * 6 - 1, 3), (9 * 6, 4)] {
            let (mut taps, mut points) = (vec![0.0; taps], vec![0.0; 36 * 6]);
            assert_eq!(refused(|| Kernel { taps: &taps, to: &mut points }.put(Isa::detect())), taps.len() != 54);
            let gradient = KernelGradient { sums: &points, filters, to: &mut taps };
            assert_eq!(refused(|| gradient.put(Isa::detect())), taps.len() != 54 || filters == 4);
        }
    }
}
