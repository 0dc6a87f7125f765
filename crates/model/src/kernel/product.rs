//! Matrix products whose operands lie anywhere: each row of either one begins at a place of its own.
//!
//! A row table makes one kernel serve them all. A convolution's right matrix has a row for each value under its window,
//! and all of them are the same picture, shifted: the table holds the shifts and nothing is gathered. Goto and van de
//! Geijn 2008 is where tiles of registers come from; packing their operands was measured and does not pay at the sizes
//! of layers.
#![allow(unsafe_code)] // tiles read through pointers; `product` checks all bounds before

use super::Isa;
use pulp::{MemMask, Simd, WithSimd};
use std::ops::Range;

/// The steps of k that a panel of the right matrix stays in the cache for.
const K_BLOCK: usize = 512;

/// Where the rows of a matrix begin in its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Table { starts: Vec<usize>, largest: usize },
    Every { stride: usize, count: usize },
}

impl Rows {
    /// Rows that begin at `starts`.
    pub fn new(starts: Vec<usize>) -> Self {
        Self(Kind::Table { largest: starts.iter().copied().max().unwrap_or(0), starts })
    }

    /// `count` rows that begin where `start` says; nothing if the table cannot be held.
    pub fn of(count: usize, start: impl Fn(usize) -> usize) -> Option<Self> {
        let mut starts = Vec::new();
        starts.try_reserve_exact(count).ok()?;
        starts.extend((0..count).map(start));
        Some(Self::new(starts))
    }

    /// `count` rows, each `stride` after the one before.
    pub fn every(stride: usize, count: usize) -> Self {
        Self(Kind::Every { stride, count })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match &self.0 {
            Kind::Table { starts, .. } => starts.len(),
            Kind::Every { count, .. } => *count,
        }
    }

    // The largest start; nothing if it does not fit.
    fn largest(&self) -> Option<usize> {
        match &self.0 {
            Kind::Table { largest, .. } => Some(*largest),
            Kind::Every { stride, count } => stride.checked_mul(count.saturating_sub(1)),
        }
    }

    // The starts of some rows, in `table` if they have to be computed.
    #[inline(always)]
    fn steps<'a>(&'a self, rows: Range<usize>, table: &'a mut [usize; K_BLOCK]) -> &'a [usize] {
        match &self.0 {
            Kind::Table { starts, .. } => &starts[rows],
            Kind::Every { stride, .. } => {
                let table = &mut table[..rows.len()];
                table.iter_mut().zip(rows).for_each(|(start, row)| *start = row * stride);
                table
            }
        }
    }

    #[inline(always)]
    fn start(&self, row: usize) -> usize {
        match &self.0 {
            Kind::Table { starts, .. } => starts[row],
            Kind::Every { stride, .. } => row * stride,
        }
    }
}

/// The left matrix: element (i, k) is `values[start + rows[i] + k * stride]`.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    /// The values.
    pub values: &'a [f32],
    /// Its rows, all or a part of a table.
    pub rows: &'a Rows,
    /// The first row to be used.
    pub first: usize,
    /// How many rows are used.
    pub count: usize,
    /// From one k to the next.
    pub stride: usize,
}

impl<'a> Left<'a> {
    /// All rows, with the elements of a row one behind the other.
    pub fn new(values: &'a [f32], rows: &'a Rows) -> Self {
        Self { values, rows, first: 0, count: rows.count(), stride: 1 }
    }
}

/// The right matrix: element (k, j) is `values[start + rows[k] + j]`, for the first `k` rows of the table.
#[derive(Debug, Clone, Copy)]
pub struct Right<'a> {
    /// The values.
    pub values: &'a [f32],
    /// Its rows.
    pub rows: &'a Rows,
    /// How many rows are used.
    pub k: usize,
    /// What is added to the start of every row.
    pub start: usize,
    /// How many columns there are.
    pub columns: usize,
}

/// What a chain begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// 0.
    Zero,
    /// What the output holds.
    Output,
}

/// The product: element (i, j) is `values[i * stride + j]`.
#[derive(Debug)]
pub struct Out<'a> {
    /// The values.
    pub values: &'a mut [f32],
    /// From one row to the next.
    pub stride: usize,
}

/// `out = start + left right`, each element a chain of fused multiply-adds in the order of k.
///
/// # Panics
/// If an operand or the output reaches beyond its values.
pub fn product(isa: Isa, left: Left<'_>, right: Right<'_>, out: Out<'_>, start: Start) {
    let Left { rows, first, count, .. } = left;
    if count == 0 || right.columns == 0 {
        return;
    }
    let reach = |parts: [Option<usize>; 3]| parts.iter().try_fold(0usize, |sum, part| sum.checked_add((*part)?));
    assert!(out.stride >= right.columns, "rows of {} columns, {} apart", right.columns, out.stride);
    let end = (count - 1).checked_mul(out.stride).and_then(|last| last.checked_add(right.columns));
    assert!(end.is_some_and(|end| end <= out.values.len()), "a product of {count} x {}", right.columns);
    assert!(first.checked_add(count).is_some_and(|end| end <= rows.count()), "rows {first} and {count} more of {}", rows.count());
    assert!(right.k <= right.rows.count(), "{} steps of k, but only {} rows", right.k, right.rows.count());
    if right.k == 0 {
        if start == Start::Zero {
            out.values.chunks_mut(out.stride).take(count).for_each(|row| row[..right.columns].fill(0.0));
        }
        return;
    }
    let end = reach([rows.largest(), (right.k - 1).checked_mul(left.stride), Some(1)]);
    assert!(end.is_some_and(|end| end <= left.values.len()), "the left matrix");
    let end = reach([right.rows.largest(), Some(right.start), Some(right.columns)]);
    assert!(end.is_some_and(|end| end <= right.values.len()), "the right matrix");
    isa.0.dispatch(Panels { left, right, out, start });
}

/// The whole product, panel by panel.
struct Panels<'a> {
    left: Left<'a>,
    right: Right<'a>,
    out: Out<'a>,
    start: Start,
}

impl WithSimd for Panels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { left, right, out, start } = self;
        // As many vectors as registers allow beside enough rows to hide the latency of a multiply-add.
        let widest = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        let mut table = [0; K_BLOCK];
        let mut k = 0;
        while k < right.k {
            let end = right.k.min(k + K_BLOCK);
            let steps = right.rows.steps(k..end, &mut table);
            let start = if k > 0 { Start::Output } else { start };
            for from in (0..right.columns).step_by(widest * S::F32_LANES) {
                let columns = (right.columns - from).min(widest * S::F32_LANES);
                let panel = Panel {
                    left: left.values[k * left.stride..].as_ptr(),
                    rows: left.rows,
                    first: left.first,
                    count: left.count,
                    stride: left.stride,
                    right: right.values[right.start + from..].as_ptr(),
                    steps,
                    out: out.values[from..].as_mut_ptr(),
                    out_stride: out.stride,
                    start,
                    columns,
                };
                match columns.div_ceil(S::F32_LANES) {
                    1 => panel.all::<S, 1>(simd),
                    2 => panel.all::<S, 2>(simd),
                    3 => panel.all::<S, 3>(simd),
                    _ => panel.all::<S, 4>(simd),
                }
            }
            k = end;
        }
    }
}

/// All rows of at most four vectors of columns, over one block of k.
#[derive(Clone, Copy)]
struct Panel<'a> {
    left: *const f32,
    rows: &'a Rows,
    first: usize,
    count: usize,
    stride: usize,
    right: *const f32,
    steps: &'a [usize],
    out: *mut f32,
    out_stride: usize,
    start: Start,
    columns: usize,
}

impl Panel<'_> {
    #[inline(always)]
    fn all<S: Simd, const N: usize>(self, simd: S) {
        let most = match (N, S::REGISTER_COUNT >= 32) {
            (1, _) | (2, true) => 12,
            (3, true) => 8,
            _ => 6,
        };
        // Tiles of nearly equal height: a low one would wait for its few chains.
        let tiles = self.count.div_ceil(most);
        let mut from = 0;
        for tile in 0..tiles {
            let to = self.count * (tile + 1) / tiles;
            match to - from {
                1 => self.tile::<S, 1, N>(simd, from),
                2 => self.tile::<S, 2, N>(simd, from),
                3 => self.tile::<S, 3, N>(simd, from),
                4 => self.tile::<S, 4, N>(simd, from),
                5 => self.tile::<S, 5, N>(simd, from),
                6 => self.tile::<S, 6, N>(simd, from),
                7 => self.tile::<S, 7, N>(simd, from),
                8 => self.tile::<S, 8, N>(simd, from),
                9 => self.tile::<S, 9, N>(simd, from),
                10 => self.tile::<S, 10, N>(simd, from),
                11 => self.tile::<S, 11, N>(simd, from),
                _ => self.tile::<S, 12, N>(simd, from),
            }
            from = to;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(self, simd: S, from: usize) {
        let tiles = N * M <= 24 || S::IS_SCALAR;
        if tiles {
            simd.vectorize(Tile::<M, N> { panel: self, from });
        }
    }
}

/// M rows of N vectors, kept in registers.
struct Tile<'a, const M: usize, const N: usize> {
    panel: Panel<'a>,
    from: usize,
}

impl<const M: usize, const N: usize> WithSimd for Tile<'_, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panel, from } = self;
        let last = panel.columns - (N - 1) * S::F32_LANES;
        let mask = simd.mask_between_m32s(0, u32::try_from(last).expect("a vector's lanes"));
        // SAFETY: `product` has checked that rows[i] + k * stride of every row and step lies within the left matrix,
        // steps[k] + column within the right one and i * out_stride + column within the output, for every column below
        // `columns`; the last vector is masked to these. `panel` points to the first step and column of its block.
        unsafe {
            let rows: [*const f32; M] = std::array::from_fn(|i| panel.left.add(panel.rows.start(panel.first + from + i)));
            let out: [*mut f32; M] = std::array::from_fn(|i| panel.out.add((from + i) * panel.out_stride));
            let mut sums = [[simd.splat_f32s(0.0); N]; M];
            if panel.start == Start::Output {
                for (sums, out) in sums.iter_mut().zip(out) {
                    *sums = load(simd, out, mask);
                }
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
    let mut at = 0;
    for step in panel.steps {
        // SAFETY: as in `Tile::with_simd`, which calls this.
        let (right, left) = unsafe { (load(panel.right.add(*step)), std::array::from_fn::<f32, M, _>(|i| *rows[i].add(at))) };
        for (sums, left) in sums.iter_mut().zip(left) {
            let left = simd.splat_f32s(left);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_f32s(left, right, *sum);
            }
        }
        at += panel.stride;
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

    // An element is one chain, on every processor, whatever the tiles and blocks around it.
    fn check((m, n, k): (usize, usize, usize), (stride, start): (usize, Start), shifted: bool) {
        let row_len = (k.max(1) - 1) * stride + 1;
        let left_rows = Rows::new((0..m).map(|i| if i % 3 == 1 { i / 2 } else { i } * row_len).collect());
        let right_rows = match shifted {
            true => Rows::new((0..k).map(|k| k % 7 + 3 * (k / 7)).collect()),
            false => Rows::every(n + 1, k),
        };
        let (a, b) = (draw(m * row_len, 1), draw(k * (n + 1) + 8, 2));
        let out_stride = n + 2;
        let before = draw(m * out_stride, 3);
        let mut expected = before.clone();
        for (i, row) in expected.chunks_mut(out_stride).enumerate() {
            for (j, value) in row[..n].iter_mut().enumerate() {
                let first = if start == Start::Zero { 0.0 } else { *value };
                let term = |sum: f32, k: usize| a[left_rows.start(i) + k * stride].mul_add(b[4 + right_rows.start(k) + j], sum);
                *value = (0..k).fold(first, term);
            }
        }
        for isa in Isa::all() {
            let mut out = before.clone();
            let left = Left { stride, ..Left::new(&a, &left_rows) };
            let right = Right { values: &b, rows: &right_rows, k, start: 4, columns: n };
            product(isa, left, right, Out { values: &mut out, stride: out_stride }, start);
            assert!(bits(&out) == bits(&expected), "{m} x {n} x {k} with {}", isa.name());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn an_element_is_a_chain(m in 1usize..30, n in 1usize..150, k in 0usize..40, stride in 1usize..4, zero: bool, shifted: bool) {
            check((m, n, k), (stride, if zero { Start::Zero } else { Start::Output }), shifted);
        }
    }

    #[test]
    fn a_long_chain_passes_through_its_blocks() {
        for k in [K_BLOCK - 1, K_BLOCK, K_BLOCK + 1, 3 * K_BLOCK + 7] {
            check((13, 70, k), (1, Start::Zero), false);
        }
    }

    #[test]
    fn a_part_of_the_rows_gives_the_same() {
        let (a, b) = (draw(20 * 9, 1), draw(9 * 33, 2));
        let (left_rows, right_rows) = (Rows::every(9, 20), Rows::every(33, 9));
        let right = Right { values: &b, rows: &right_rows, k: 9, start: 0, columns: 33 };
        let mut whole = vec![0.0; 20 * 33];
        product(Isa::detect(), Left::new(&a, &left_rows), right, Out { values: &mut whole, stride: 33 }, Start::Zero);
        for (first, count) in [(0, 1), (3, 7), (19, 1)] {
            let mut part = vec![0.0; count * 33];
            let left = Left { first, count, ..Left::new(&a, &left_rows) };
            product(Isa::detect(), left, right, Out { values: &mut part, stride: 33 }, Start::Zero);
            assert_eq!(part, whole[first * 33..][..count * 33]);
        }
    }

    fn refused(change: impl Fn(&mut Left<'_>, &mut Right<'_>, &mut usize)) -> bool {
        let (a, b, mut c) = ([1.0; 6], [1.0; 6], [0.0; 4]);
        let (left_rows, right_rows) = (Rows::every(3, 2), Rows::every(2, 3));
        let mut left = Left::new(&a, &left_rows);
        let mut right = Right { values: &b, rows: &right_rows, k: 3, start: 0, columns: 2 };
        let mut stride = 2;
        change(&mut left, &mut right, &mut stride);
        let run = std::panic::AssertUnwindSafe(|| {
            product(Isa::detect(), left, right, Out { values: &mut c, stride }, Start::Zero);
        });
        std::panic::catch_unwind(run).is_err()
    }

    #[test]
    fn what_reaches_beyond_is_refused() {
        assert!(!refused(|_, _, _| {}));
        assert!(refused(|left, _, _| left.values = &left.values[..5]));
        assert!(refused(|left, _, _| left.stride = 2));
        assert!(refused(|left, _, _| left.stride = usize::MAX));
        assert!(refused(|left, _, _| left.first = 1));
        assert!(refused(|_, right, _| right.values = &right.values[..5]));
        assert!(refused(|_, right, _| right.start = 1));
        assert!(refused(|_, right, _| right.start = usize::MAX));
        assert!(refused(|_, right, _| right.k = 4));
        assert!(refused(|_, right, stride| (right.columns, *stride) = (3, 3)));
        assert!(refused(|_, _, stride| *stride = 1));
        assert!(refused(|_, _, stride| *stride = 3));
    }
}
