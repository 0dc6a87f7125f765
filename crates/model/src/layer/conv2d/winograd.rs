//! Convolutions of 3 x 3 windows, place by place, with a quarter of the multiplications.
//!
//! Pictures are cut into tiles of 4 x 4 places of the output. What a tile needs of the input, 6 x 6 places, becomes 36 values
//! at [`points`], and so does the kernel; at each point the tiles of a run are the rows of one product of matrices, over the
//! channels, and from a tile's 36 sums its places come back. The gradient by the input is such a convolution too. That by
//! the kernel multiplies the points of the input with those of the gradient, over the tiles, and comes back once.
//!
//! **Bits.** Each value of a transform is made by the same operations whatever lies beside it, and each element of a product
//! is a chain: over channels for a place, over all tiles in their order for a kernel's gradient. So neither runs nor threads
//! change any, nor the records beside one; which convolutions are computed so follows from their shapes alone.

mod points;
mod transform;

use super::span::Window;
use crate::kernel::{Grid, Isa, LINE, Left, Out, Right, Start, products};
use std::ops::Range;
use transform::{Frame, Kernel, KernelGradient, Matrices, Output, SIDE, Taken};

/// Values at the points of one side.
pub(super) const POINTS: usize = points::POINTS;

/// Points of a tile.
const ALL: usize = POINTS * POINTS;

/// Values of a run of tiles at all points, of the input and of the output together: they stay in the second cache. In tests a
/// run is two tiles.
const RUN: usize = if cfg!(test) { 1 } else { 100 << 10 };

/// Channels on either side of a convolution that is computed so, at least: fewer in tests, so that random cases are.
const FEWEST: usize = if cfg!(test) { 1 } else { 8 };

/// Values of such a kernel in a place of its window, at most.
const MOST: usize = 1 << 16;

/// One convolution with windows of 3 x 3, forward or back: places of one kind of picture from those of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direction {
    from: Picture,
    to: Picture,
    // Rows and columns before the first place of `from` that the first window covers.
    before: (usize, usize),
    // Groups, and channels of each, on both sides.
    groups: usize,
    channels: (usize, usize),
}

/// What is computed together.
pub(super) struct Band<'a> {
    /// All of the pictures that it is computed from.
    pub from: &'a [f32],
    /// Its first row of tiles; 0 where it is whole pictures.
    pub first: usize,
    /// What it becomes.
    pub to: &'a mut [f32],
}

// Height, width, values of a place.
#[derive(Debug, Clone, Copy)]
struct Picture {
    height: usize,
    width: usize,
    depth: usize,
}

impl Picture {
    fn values(&self) -> usize {
        self.height * self.width * self.depth
    }

    fn frame(&self, (top, left): (isize, isize), tiles: (usize, usize)) -> Frame {
        Frame { height: self.height, width: self.width, depth: self.depth, top, left, tiles }
    }
}

impl Matrices {
    // For so many rows, the columns padded to lines; one line more, so that matrices do not meet in the cache.
    fn new(rows: usize, columns: usize) -> Self {
        let stride = columns.next_multiple_of(LINE);
        Self { columns, stride, apart: rows * stride + LINE }
    }
}

fn signed(before: usize) -> isize {
    -before.cast_signed()
}

impl Direction {
    /// Forward.
    pub fn forward((rows, columns): (&Window, &Window), channels: (usize, usize), groups: usize) -> Self {
        let picture = |height, width, channels| Picture { height, width, depth: groups * channels };
        Self {
            from: picture(rows.input, columns.input, channels.0),
            to: picture(rows.output, columns.output, channels.1),
            before: (rows.before(), columns.before()),
            groups,
            channels,
        }
    }

    /// Whether it takes less time than the products of the pictures as they lie, there and back: the transforms are little
    /// beside the products where there are channels enough on both sides, tiles hang over the edges only so far, and the
    /// kernel's points fit into a cache.
    pub fn pays(&self) -> bool {
        let area = |(rows, columns): (usize, usize)| rows as f64 * columns as f64;
        let tiled = ALL as f64 * (2.0 * area(self.tiles()) + area(self.back().tiles()));
        let direct = 3.0 * 9.0 * area((self.to.height, self.to.width));
        let (few, many) = (self.channels.0.min(self.channels.1), self.channels.0.saturating_mul(self.channels.1));
        tiled <= 0.75 * direct && few >= FEWEST && (2 * FEWEST * FEWEST..=MOST).contains(&many)
    }

    /// From the gradient by the output to that by the input.
    pub fn back(&self) -> Self {
        let before = (2 - self.before.0, 2 - self.before.1);
        Self { from: self.to, to: self.from, before, groups: self.groups, channels: (self.channels.1, self.channels.0) }
    }

    // Rows and columns of tiles of a picture.
    fn tiles(&self) -> (usize, usize) {
        (self.to.height.div_ceil(SIDE), self.to.width.div_ceil(SIDE))
    }

    // The most tiles of a run.
    fn run(&self) -> usize {
        RUN.div_ceil(ALL * (self.channels.0 + self.channels.1)).max(2)
    }

    // Runs of nearly equal length.
    fn runs(&self, tiles: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let runs = tiles.div_ceil(self.run());
        (0..runs).map(move |run| tiles * run / runs..tiles * (run + 1) / runs)
    }

    /// Values that a thread needs to compute.
    pub fn scratch(&self) -> usize {
        let of = |columns| ALL * Matrices::new(self.run(), columns).apart;
        of(self.channels.0) + of(self.channels.1)
    }

    /// Values of the kernel at the points.
    pub fn kernel_len(&self) -> usize {
        self.groups * ALL * self.channels.0 * self.channels.1
    }

    /// Group after group, \[3, 3, channels of `from`, channels of `to`\] at the points.
    pub fn kernel(&self, isa: Isa, taps: &[f32], to: &mut [f32]) {
        let one = self.channels.0 * self.channels.1;
        for (taps, to) in taps.chunks_exact(9 * one).zip(to.chunks_exact_mut(ALL * one)) {
            Kernel { taps, to }.put(isa);
        }
    }

    /// How many pictures, and how many of their rows of tiles, are computed together, so that there is work for all threads.
    pub fn together(&self, pictures: usize, threads: usize) -> (usize, usize) {
        let (rows, columns) = self.tiles();
        if pictures.is_multiple_of(threads) || pictures > 8 * threads {
            ((self.run() / (rows * columns)).min(pictures / threads).max(1), rows)
        } else {
            (1, rows.div_ceil(2 * threads))
        }
    }

    /// Values of so many rows of tiles.
    pub fn band(&self, (pictures, rows): (usize, usize)) -> usize {
        pictures * (rows * SIDE).min(self.to.height) * self.to.width * self.to.depth
    }

    /// The places of whole pictures, or of a band of one, from the kernel's points.
    pub fn compute(&self, isa: Isa, kernel: &[f32], bias: Option<&[f32]>, band: Band<'_>, scratch: &mut [f32]) {
        let ((channels, filters), Band { from, first, to }) = (self.channels, band);
        let pictures = from.len() / self.from.values();
        let height = to.len() / (pictures * self.to.width * self.to.depth);
        let tiles = (height.div_ceil(SIDE), self.tiles().1);
        let input = self.from.frame((signed(self.before.0) + (first * SIDE).cast_signed(), signed(self.before.1)), tiles);
        let output = Picture { height, ..self.to }.frame((0, 0), tiles);
        for (group, kernel) in kernel.chunks_exact(ALL * channels * filters).enumerate() {
            let bias = bias.map(|bias| &bias[group * filters..][..filters]);
            for run in self.runs(pictures * tiles.0 * tiles.1) {
                let (ins, outs) = (Matrices::new(run.len(), channels), Matrices::new(run.len(), filters));
                let (taken, sums) = scratch.split_at_mut(ALL * ins.apart);
                let pictures = &from[group * channels..];
                transform::input(isa, Taken { frame: input, pictures, run: run.clone(), points: 0..POINTS, matrices: ins, to: taken });
                let left = Left { values: taken, rows: Grid::every(ins.stride, run.len()), steps: Grid::every(1, channels) };
                let right = Right { values: kernel, steps: Grid::every(filters, channels), columns: filters };
                let out = Out { values: &mut *sums, rows: Grid::every(outs.stride, run.len()) };
                products(isa, ALL, (left, ins.apart), (right, channels * filters), (out, outs.apart), Start::Zero);
                let pictures = &mut to[group * filters..];
                Output { frame: output, products: sums, matrices: outs, run, bias, pictures }.put(isa);
            }
        }
    }

    /// How many rows of points each part of the kernel's gradient has.
    pub fn points(&self, threads: usize) -> usize {
        POINTS.div_ceil(threads)
    }

    /// Sums of a part of the kernel's gradient, from those points on: those of all pictures, in their order. `each` is called
    /// with every picture before its first run.
    pub fn kernel_gradient(
        &self,
        isa: Isa,
        (input, gradient): (&[f32], &[f32]),
        (group, points): (usize, Range<usize>),
        sums: &mut [f32],
        scratch: &mut [f32],
        mut each: impl FnMut(usize),
    ) {
        let ((channels, filters), tiles) = (self.channels, self.tiles());
        let of_picture = tiles.0 * tiles.1;
        let frames = (self.from.frame((signed(self.before.0), signed(self.before.1)), tiles), self.to.frame((0, 0), tiles));
        let (input, gradient) = (&input[group * channels..], &gradient[group * filters..]);
        let pictures = (input.len() + group * channels) / self.from.values();
        for run in self.runs(pictures * of_picture) {
            (run.start.div_ceil(of_picture)..run.end.div_ceil(of_picture)).for_each(&mut each);
            let count = run.len();
            let (ins, outs) = (Matrices::new(count, channels), Matrices::new(count, filters));
            let (taken, gradients) = scratch.split_at_mut(ALL * ins.apart);
            let start = if run.start == 0 { Start::Zero } else { Start::Output };
            transform::input(
                isa,
                Taken { frame: frames.0, pictures: input, run: run.clone(), points: points.clone(), matrices: ins, to: taken },
            );
            transform::gradient(
                isa,
                Taken { frame: frames.1, pictures: gradient, run, points: points.clone(), matrices: outs, to: gradients },
            );
            let left = Left { values: taken, rows: Grid::every(1, channels), steps: Grid::every(ins.stride, count) };
            let right = Right { values: gradients, steps: Grid::every(outs.stride, count), columns: filters };
            let out = Out { values: &mut *sums, rows: Grid::every(filters, channels) };
            products(isa, points.len() * POINTS, (left, ins.apart), (right, outs.apart), (out, channels * filters), start);
        }
    }

    /// From a group's sums at all points to its \[channels, 3, 3, filters\].
    pub fn finish(&self, isa: Isa, sums: &[f32], to: &mut [f32]) {
        KernelGradient { sums, filters: self.channels.1, to }.put(isa);
    }
}
