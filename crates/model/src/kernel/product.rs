//! Matrix products whose operands lie anywhere: each row, and each step of k, begins at a place of its own.
//!
//! Places are those of a [`Grid`], so one kernel serves dense layers, convolutions and both directions of each: what a
//! filter meets at all places of a picture, or what a place meets under all filters, is a grid in the picture as it lies.
//! Nothing is gathered, padded or scattered. Tiles of registers: Goto and van de Geijn 2008; packing their operands was
//! measured and does not pay at the sizes of layers.
#![allow(unsafe_code)] // tiles read through pointers; `products` checks all bounds before

use super::Isa;
use pulp::{MemMask, Simd, WithSimd};

/// The rows of the highest tile: each needs a register for its place, beside the sums' own.
const ROWS: usize = 8;

/// The steps of k that a panel of the right matrix stays in the cache for.
const K_BLOCK: usize = 512;

/// Places in a slice: up to three nested runs, the last one innermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    first: usize,
    // (how many, how far apart)
    runs: [(usize, usize); 3],
}

impl Grid {
    /// The places `first` + a step of each run.
    pub fn new(first: usize, runs: [(usize, usize); 3]) -> Self {
        Self { first, runs }
    }

    /// `count` places from 0 on, each `stride` after the one before.
    pub fn every(stride: usize, count: usize) -> Self {
        Self::new(0, [(1, 0), (1, 0), (count, stride)])
    }

    /// How many places there are.
    pub fn count(&self) -> usize {
        self.runs.iter().fold(1, |all, (count, _)| all.saturating_mul(*count))
    }

    // The largest place; nothing if it cannot be counted. There is at least one.
    fn largest(&self) -> Option<usize> {
        self.runs.iter().try_fold(self.first, |sum, (count, stride)| sum.checked_add((count - 1).checked_mul(*stride)?))
    }

    /// Some of the places of [`Self::every`].
    pub(crate) fn part(self, from: usize, count: usize) -> Self {
        let [a, b, (_, stride)] = self.runs;
        debug_assert!((a.0, b.0) == (1, 1), "one run of places, not {self:?}");
        Self { first: self.first + from * stride, runs: [a, b, (count, stride)] }
    }

    // `place` and those after it; there is at least one.
    #[inline(always)]
    fn from(self, place: usize) -> Places {
        let [_, (middle, _), (inner, _)] = self.runs;
        Places { grid: self, at: [place / (middle * inner), place / inner % middle, place % inner] }
    }
}

// Place after place, without divisions.
struct Places {
    grid: Grid,
    at: [usize; 3],
}

impl Places {
    #[inline(always)]
    fn next(&mut self) -> usize {
        let [(_, s0), (n1, s1), (n2, s2)] = self.grid.runs;
        let place = self.grid.first + self.at[0] * s0 + self.at[1] * s1 + self.at[2] * s2;
        self.at[2] += 1;
        if self.at[2] == n2 {
            (self.at[2], self.at[1]) = (0, self.at[1] + 1);
            if self.at[1] == n1 {
                (self.at[1], self.at[0]) = (0, self.at[0] + 1);
            }
        }
        place
    }
}

/// The left matrix: element (i, k) is `values[rows[i] + steps[k]]`.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    /// The values.
    pub values: &'a [f32],
    /// Its rows.
    pub rows: Grid,
    /// Its steps of k.
    pub steps: Grid,
}

/// The right matrix: element (k, j) is `values[steps[k] + j]`.
#[derive(Debug, Clone, Copy)]
pub struct Right<'a> {
    /// The values.
    pub values: &'a [f32],
    /// Its steps of k: as many as the left one's.
    pub steps: Grid,
    /// How many columns there are.
    pub columns: usize,
}

/// What a chain begins with.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// 0.
    Zero,
    /// What the output holds.
    Output,
    /// The same for every row: one value a column.
    Row(&'a [f32]),
}

/// The product: element (i, j) is `values[rows[i] + j]`. Rows must not overlap: what is in both is any of them.
#[derive(Debug)]
pub struct Out<'a> {
    /// The values.
    pub values: &'a mut [f32],
    /// Its rows: as many as the left matrix'.
    pub rows: Grid,
}

/// `out = start + left right`, each element a chain of fused multiply-adds in the order of k.
///
/// # Panics
/// If the operands do not fit each other, or reach beyond their values.
pub fn product(isa: Isa, left: Left<'_>, right: Right<'_>, out: Out<'_>, start: Start<'_>) {
    products(isa, 1, (left, 0), (right, 0), (out, 0), start);
}

/// `count` products of the same shape: the values of each operand begin so many after those of the product before.
///
/// # Panics
/// As [`product`].
pub fn products(
    isa: Isa,
    count: usize,
    (left, left_apart): (Left<'_>, usize),
    (right, right_apart): (Right<'_>, usize),
    (out, out_apart): (Out<'_>, usize),
    start: Start<'_>,
) {
    let (rows, steps, columns) = (left.rows.count(), left.steps.count(), right.columns);
    assert_eq!(rows, out.rows.count(), "rows of the left matrix and of the output");
    assert_eq!(steps, right.steps.count(), "steps of the left and of the right matrix");
    if count == 0 || rows == 0 || columns == 0 {
        return;
    }
    let within = |places: [Option<usize>; 2], apart: usize, more: usize, len: usize| {
        let last = [places[0], places[1], (count - 1).checked_mul(apart), Some(more)];
        last.into_iter().try_fold(0, |sum: usize, more| sum.checked_add(more?)).is_some_and(|end| end <= len)
    };
    assert!(within([out.rows.largest(), Some(0)], out_apart, columns, out.values.len()), "the output: {:?}, {columns} columns", out.rows);
    if let Start::Row(row) = start {
        assert_eq!(row.len(), columns, "a start for every column");
    }
    if steps == 0 {
        for at in 0..count {
            let mut places = out.rows.from(0);
            for _ in 0..rows {
                let out = &mut out.values[at * out_apart + places.next()..][..columns];
                match start {
                    Start::Zero => out.fill(0.0),
                    Start::Output => {}
                    Start::Row(row) => out.copy_from_slice(row),
                }
            }
        }
        return;
    }
    assert!(
        within([left.rows.largest(), left.steps.largest()], left_apart, 1, left.values.len()),
        "the left matrix: {:?}, {:?}",
        left.rows,
        left.steps
    );
    assert!(
        within([right.steps.largest(), Some(0)], right_apart, columns, right.values.len()),
        "the right matrix: {:?}, {columns} columns",
        right.steps
    );
    isa.0.dispatch(Panels { left, right, out, start, count, apart: (left_apart, right_apart, out_apart) });
}

/// The whole products, panel by panel.
struct Panels<'a> {
    left: Left<'a>,
    right: Right<'a>,
    out: Out<'a>,
    start: Start<'a>,
    count: usize,
    // The values of the left, the right matrix and the output, from one product to the next.
    apart: (usize, usize, usize),
}

impl WithSimd for Panels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { left, right, out, start, count, apart } = self;
        // As many vectors as registers allow beside enough rows to hide the latency of a multiply-add.
        let widest = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        let (rows, all) = (left.rows.count(), left.steps.count());
        let (mut lefts, mut rights) = (left.steps.from(0), right.steps.from(0));
        let mut steps = [(0, 0); K_BLOCK];
        let mut k = 0;
        while k < all {
            let steps = &mut steps[..K_BLOCK.min(all - k)];
            steps.iter_mut().for_each(|step| *step = (lefts.next(), rights.next()));
            let start = if k > 0 { Start::Output } else { start };
            k += steps.len();
            for at in 0..count {
                let (left_values, right, out_values) = (
                    &left.values[at * apart.0..],
                    Right { values: &right.values[at * apart.1..], ..right },
                    &mut out.values[at * apart.2..],
                );
                for from in (0..right.columns).step_by(widest * S::F32_LANES) {
                    let columns = (right.columns - from).min(widest * S::F32_LANES);
                    let panel = Panel {
                        left: left_values.as_ptr(),
                        lefts: left.rows,
                        right: right.values[from..].as_ptr(),
                        steps,
                        out: out_values[from..].as_mut_ptr(),
                        outs: out.rows,
                        rows,
                        start: if let Start::Row(row) = start { Start::Row(&row[from..]) } else { start },
                        columns,
                    };
                    match columns.div_ceil(S::F32_LANES) {
                        1 => panel.all::<S, 1>(simd),
                        2 => panel.all::<S, 2>(simd),
                        3 => panel.all::<S, 3>(simd),
                        _ => panel.all::<S, 4>(simd),
                    }
                }
            }
        }
    }
}

/// All rows of at most four vectors of columns, over one block of k.
#[derive(Clone, Copy)]
struct Panel<'a> {
    left: *const f32,
    lefts: Grid,
    right: *const f32,
    // Of the left and the right matrix.
    steps: &'a [(usize, usize)],
    out: *mut f32,
    outs: Grid,
    rows: usize,
    start: Start<'a>,
    columns: usize,
}

impl Panel<'_> {
    #[inline(always)]
    fn all<S: Simd, const N: usize>(self, simd: S) {
        let most = match (N, S::REGISTER_COUNT >= 32) {
            (4, _) | (2, false) => 6,
            _ => ROWS,
        };
        // Tiles of nearly equal height: a low one would wait for its few chains.
        let tiles = self.rows.div_ceil(most);
        let (mut lefts, mut outs, mut from) = (self.lefts.from(0), self.outs.from(0), 0);
        for tile in 0..tiles {
            let to = self.rows * (tile + 1) / tiles;
            let mut rows = [(0, 0); ROWS];
            rows[..to - from].iter_mut().for_each(|row| *row = (lefts.next(), outs.next()));
            match to - from {
                1 => self.tile::<S, 1, N>(simd, &rows),
                2 => self.tile::<S, 2, N>(simd, &rows),
                3 => self.tile::<S, 3, N>(simd, &rows),
                4 => self.tile::<S, 4, N>(simd, &rows),
                5 => self.tile::<S, 5, N>(simd, &rows),
                6 => self.tile::<S, 6, N>(simd, &rows),
                7 => self.tile::<S, 7, N>(simd, &rows),
                _ => self.tile::<S, 8, N>(simd, &rows),
            }
            from = to;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(self, simd: S, rows: &[(usize, usize); ROWS]) {
        // Higher tiles of wide vectors are never asked for: they would not stay in registers.
        if N * M <= 24 {
            simd.vectorize(Tile::<M, N> { panel: self, rows: std::array::from_fn(|i| rows[i]) });
        }
    }
}

/// M rows of N vectors, kept in registers.
struct Tile<'a, const M: usize, const N: usize> {
    panel: Panel<'a>,
    // Places in the left matrix and in the output.
    rows: [(usize, usize); M],
}

impl<const M: usize, const N: usize> WithSimd for Tile<'_, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panel, rows } = self;
        let last = panel.columns - (N - 1) * S::F32_LANES;
        let mask = simd.mask_between_m32s(0, u32::try_from(last).expect("a vector's lanes"));
        // SAFETY: `products` has checked that, of the last product, the largest row and the largest step of the left matrix
        // together, and every column below `columns` after the largest step of the right one and the largest row of the
        // output, lie within their values; so has it of a start for every column; the last vector is masked to these columns.
        // `panel.right` and `panel.out` point to its first column.
        unsafe {
            let out = rows.map(|(_, out)| panel.out.add(out));
            let rows = rows.map(|(left, _)| panel.left.add(left));
            let mut sums = [[simd.splat_f32s(0.0); N]; M];
            match panel.start {
                Start::Zero => {}
                Start::Output => sums.iter_mut().zip(out).for_each(|(sums, out)| *sums = load(simd, out, mask)),
                Start::Row(row) => sums.fill(load(simd, row.as_ptr(), mask)),
            }
            let full = last == S::F32_LANES;
            // Two loops: a mask that is not needed costs a tenth.
            if full {
                chain(simd, &mut sums, &rows, panel, |right| std::array::from_fn(|j| read(right.add(j * S::F32_LANES))));
            } else {
                chain(simd, &mut sums, &rows, panel, |right| load(simd, right, mask));
            }
            for (sums, out) in sums.iter().zip(out) {
                for (j, sum) in sums[..N - 1].iter().enumerate() {
                    out.add(j * S::F32_LANES).cast::<S::f32s>().write_unaligned(*sum);
                }
                simd.mask_store_ptr_f32s(mask, out.add((N - 1) * S::F32_LANES), sums[N - 1]);
            }
        }
    }
}

#[inline(always)]
unsafe fn chain<S: Simd, const M: usize, const N: usize>(
    simd: S,
    sums: &mut [[S::f32s; N]; M],
    rows: &[*const f32; M],
    panel: Panel<'_>,
    load: impl Fn(*const f32) -> [S::f32s; N],
) {
    for (left, right) in panel.steps {
        // SAFETY: as in `Tile::with_simd`, which calls this.
        let (right, left) = unsafe { (load(panel.right.add(*right)), rows.map(|row| *row.add(*left))) };
        for (sums, left) in sums.iter_mut().zip(left) {
            let left = simd.splat_f32s(left);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_f32s(left, right, *sum);
            }
        }
    }
}

#[inline(always)]
unsafe fn read<V: Copy>(from: *const f32) -> V {
    // SAFETY: the caller vouches for a whole vector of plain numbers.
    unsafe { from.cast::<V>().read_unaligned() }
}

// N vectors, the last one masked.
#[inline(always)]
unsafe fn load<S: Simd, const N: usize>(simd: S, from: *const f32, mask: MemMask<S::m32s>) -> [S::f32s; N] {
    std::array::from_fn(|j| {
        // SAFETY: the caller vouches for N - 1 whole vectors and the masked part of one more.
        unsafe {
            let from = from.add(j * S::F32_LANES);
            if j + 1 == N { simd.mask_load_ptr_f32s(mask, from) } else { read(from) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfcoord_types::draw::Stream;

    fn draw(len: usize, key: u64) -> Vec<f32> {
        let mut stream = Stream::new("product test", &[key]);
        (0..len).map(|_| stream.unit() - 0.5).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|v| v.to_bits()).collect()
    }

    fn places(grid: Grid) -> Vec<usize> {
        if grid.count() == 0 {
            return Vec::new();
        }
        let mut places = grid.from(0);
        (0..grid.count()).map(|_| places.next()).collect()
    }

    // An element is one chain, on every processor, whatever the tiles and blocks around it.
    fn check(rows: Grid, steps: Grid, rights: Grid, columns: usize, start: Start<'_>) {
        let (lefts, outs) = (places(rows), Grid::new(2, [(1, 0), (1, 0), (rows.count(), columns + 2)]));
        let (steps_at, rights_at) = (places(steps), places(rights));
        let a = draw(lefts.iter().max().unwrap() + steps_at.iter().max().unwrap_or(&0) + 1, 1);
        let b = draw(rights_at.iter().max().unwrap_or(&0) + columns, 2);
        let before = draw(4 + rows.count() * (columns + 2), 3);
        let mut expected = before.clone();
        for (left, out) in lefts.iter().zip(places(outs)) {
            for (j, value) in expected[out..out + columns].iter_mut().enumerate() {
                let first = match start {
                    Start::Zero => 0.0,
                    Start::Output => *value,
                    Start::Row(row) => row[j],
                };
                let term = |sum: f32, (step, right): (&usize, &usize)| a[left + step].mul_add(b[right + j], sum);
                *value = steps_at.iter().zip(&rights_at).fold(first, term);
            }
        }
        for isa in Isa::all() {
            let mut out = before.clone();
            let (left, right) = (Left { values: &a, rows, steps }, Right { values: &b, steps: rights, columns });
            product(isa, left, right, Out { values: &mut out, rows: outs }, start);
            assert!(bits(&out) == bits(&expected), "{rows:?} x {columns} x {steps:?} with {}", isa.name());
        }
    }

    fn grid(most: usize) -> impl Strategy<Value = Grid> {
        let run = move || (1..=most, 0usize..9);
        (0usize..5, run(), run(), run()).prop_map(|(first, a, b, c)| Grid::new(first, [a, b, c]))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn an_element_is_a_chain(rows in grid(4), steps in grid(3), strides in (0usize..9, 0usize..9, 0usize..9),
            columns in 1usize..150, start in 0usize..3) {
            let [(a, _), (b, _), (c, _)] = steps.runs;
            let rights = Grid::new(1, [(a, strides.0), (b, strides.1), (c, strides.2)]);
            let row = draw(columns, 4);
            check(rows, steps, rights, columns, [Start::Zero, Start::Output, Start::Row(&row)][start]);
        }
    }

    #[test]
    fn several_products_are_those_of_each() {
        let (rows, steps, columns, count) = (7, K_BLOCK + 3, 37, 3);
        let (a, b) = (draw(count * 4000, 1), draw(count * 20_000, 2));
        for start in [Start::Zero, Start::Output, Start::Row(&b[..columns])] {
            let mut each = draw(count * 400, 3);
            let mut together = each.clone();
            let left = |at: usize| Left { values: &a[at * 4000..], rows: Grid::every(steps, rows), steps: Grid::every(1, steps) };
            let right = |at: usize| Right { values: &b[at * 20_000..], steps: Grid::every(columns, steps), columns };
            for (at, values) in each.chunks_mut(400).enumerate() {
                product(Isa::detect(), left(at), right(at), Out { values, rows: Grid::every(columns, rows) }, start);
            }
            let out = Out { values: &mut together, rows: Grid::every(columns, rows) };
            products(Isa::detect(), count, (left(0), 4000), (right(0), 20_000), (out, 400), start);
            assert!(bits(&each) == bits(&together));
        }
        // One more, or farther apart than there are values.
        for (count, apart) in [(4, 400), (3, 471)] {
            let (left, right) = (
                Left { values: &a, rows: Grid::every(1, 7), steps: Grid::every(1, 5) },
                Right { values: &b, steps: Grid::every(1, 5), columns },
            );
            let mut values = vec![0.0; 1200];
            let out = Out { values: &mut values, rows: Grid::every(columns, 7) };
            let run = std::panic::AssertUnwindSafe(|| products(Isa::detect(), count, (left, 0), (right, 0), (out, apart), Start::Zero));
            assert!(std::panic::catch_unwind(run).is_err());
        }
    }

    #[test]
    fn a_long_chain_passes_through_its_blocks() {
        for k in [0, K_BLOCK - 1, K_BLOCK, K_BLOCK + 1, 3 * K_BLOCK + 7] {
            check(Grid::every(3, 13), Grid::every(2, k), Grid::every(1, k), 70, Start::Zero);
        }
    }

    type Change = fn(&mut Left<'_>, &mut Right<'_>, &mut Grid);

    fn refused(change: Change) -> bool {
        let (a, b, mut c) = ([1.0; 6], [1.0; 6], [0.0; 4]);
        let mut left = Left { values: &a, rows: Grid::every(3, 2), steps: Grid::every(1, 3) };
        let mut right = Right { values: &b, steps: Grid::every(2, 3), columns: 2 };
        let mut rows = Grid::every(2, 2);
        change(&mut left, &mut right, &mut rows);
        let run = std::panic::AssertUnwindSafe(|| product(Isa::detect(), left, right, Out { values: &mut c, rows }, Start::Zero));
        std::panic::catch_unwind(run).is_err()
    }

    #[test]
    fn what_reaches_beyond_is_refused() {
        assert!(!refused(|_, _, _| {}));
        let changes: [Change; 12] = [
            |left, _, _| left.values = &left.values[..5],
            |left, _, _| left.rows.first = 1,
            |left, _, _| left.steps.runs[2].1 = 2,
            |left, _, _| left.steps.runs[2].1 = usize::MAX,
            |left, _, _| left.rows = Grid::every(1, 3),
            |left, _, _| left.steps = Grid::every(1, 2),
            |_, right, _| right.values = &right.values[..5],
            |_, right, _| right.steps.first = usize::MAX,
            |_, right, _| right.columns = 3,
            |_, _, out| out.first = 1,
            |_, _, out| out.runs[2].1 = 3,
            |_, _, out| *out = Grid::every(1, 1),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            assert!(refused(change), "change {at}");
        }
    }
}
