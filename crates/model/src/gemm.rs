//! Matrix products: the one door to the `gemm` crate.
//!
//! **Bits.** The crate's kernels add the products of one output element in the order of k, within blocks of k
//! whose length it chooses from the caches it finds, but never below 512. Here k is cut into blocks of at most
//! [`K_BLOCK`] before it is called, so the order follows from the shape alone: not from the caches, and not
//! from the number of threads, which only share output tiles. Which kernel is taken (tiles, dot products,
//! matrix times vector, FMA or not) follows from the shape and the processor's features.
#![allow(unsafe_code)] // the `gemm` crate takes pointers; all bounds are checked in `multiply` before

use crate::threads::Threads;
use gemm::Parallelism;

/// The longest run of k that the `gemm` crate never cuts, whatever caches it finds.
pub const K_BLOCK: usize = 512;

/// Multiply-adds below which a product stays on the calling thread: waking others costs more.
const SMALL: usize = 48 * 48 * 256;

/// A matrix on a slice.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `values`, row by row.
    ///
    /// # Panics
    /// If there are not `rows` x `columns` values.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(rows.checked_mul(columns), Some(values.len()), "a matrix of {rows} x {columns}");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same values with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self { values: self.values, rows: self.columns, columns: self.rows, row_stride: self.column_stride, column_stride: self.row_stride }
    }
}

/// `out = left right`, or `out += left right` with `add`; `out` row by row.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply(threads: &Threads, left: Matrix<'_>, right: Matrix<'_>, out: &mut [f32], add: bool) {
    let (m, n, k) = (left.rows, right.columns, left.columns);
    assert_eq!(k, right.rows, "columns of the left matrix and rows of the right one");
    assert_eq!(m.checked_mul(n), Some(out.len()), "a product of {m} x {n}");
    if k == 0 || out.is_empty() {
        if !add {
            out.fill(0.0);
        }
        return;
    }
    let work = m.saturating_mul(n).saturating_mul(k);
    if threads.count() == 1 || work <= SMALL {
        blocks(Parallelism::None, left, right, out, add);
    } else {
        threads.run(|| blocks(Parallelism::Rayon(threads.count()), left, right, out, add));
    }
}

fn blocks(parallelism: Parallelism, left: Matrix<'_>, right: Matrix<'_>, out: &mut [f32], add: bool) {
    let k = left.columns;
    let len = k.div_ceil(k.div_ceil(K_BLOCK));
    for from in (0..k).step_by(len) {
        block(parallelism, left, right, out, from..k.min(from + len), add || from > 0);
    }
}

fn block(parallelism: Parallelism, left: Matrix<'_>, right: Matrix<'_>, out: &mut [f32], k: std::ops::Range<usize>, add: bool) {
    let (m, n) = (left.rows, right.columns);
    let left_from = &left.values[k.start * left.column_stride..];
    let right_from = &right.values[k.start * right.row_stride..];
    // SAFETY: a `Matrix` holds exactly rows x columns values and its strides are those of the whole, in one
    // order or the other; `k` lies within both matrices, so every element (row, k.start + i) of the left one
    // and (k.start + i, column) of the right one that the call reads lies in its slice. `out` holds exactly
    // m x n values, is borrowed mutably, and so overlaps neither. Strides are at most a slice's length and
    // fit isize.
    unsafe {
        gemm::gemm(
            m,
            n,
            k.len(),
            out.as_mut_ptr(),
            1,
            n.cast_signed(),
            add,
            left_from.as_ptr(),
            left.column_stride.cast_signed(),
            left.row_stride.cast_signed(),
            right_from.as_ptr(),
            right.column_stride.cast_signed(),
            right.row_stride.cast_signed(),
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfcoord_types::draw::Stream;

    fn draw(len: usize, key: u64) -> Vec<f32> {
        let mut stream = Stream::new("gemm test", &[key]);
        (0..len).map(|_| stream.unit() - 0.5).collect()
    }

    // Each of the four ways to lay the operands.
    fn product(threads: &Threads, (m, n, k): (usize, usize, usize), way: usize, add: bool) -> Vec<f32> {
        let (a, b) = (draw(m * k, 1), draw(k * n, 2));
        let left = if way & 1 == 0 { Matrix::new(&a, m, k) } else { Matrix::new(&a, k, m).transposed() };
        let right = if way & 2 == 0 { Matrix::new(&b, k, n) } else { Matrix::new(&b, n, k).transposed() };
        let mut out = draw(m * n, 3);
        multiply(threads, left, right, &mut out, add);
        out
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|v| v.to_bits()).collect()
    }

    const SHAPES: [(usize, usize, usize); 22] = [
        (32, 256, 784),
        (784, 256, 32),
        (32, 784, 256),
        (32, 10, 128),
        (128, 10, 32),
        (64, 576, 288),
        (64, 288, 576),
        (288, 576, 64),
        (32, 676, 9),
        (32, 9, 676),
        (16, 128, 9216),
        (9216, 128, 16),
        (1, 1000, 700),
        (1000, 1, 700),
        (700, 700, 1),
        (700, 700, 2),
        (3, 5, 5000),
        (16, 16, 3000),
        (65, 63, 1025),
        (7, 600, 513),
        (600, 7, 512),
        (200, 300, 1500),
    ];

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let pools: Vec<Threads> = (2..=4).map(|count| Threads::new(count).unwrap()).collect();
        for shape in SHAPES {
            for way in 0..4 {
                for add in [false, true] {
                    let one = bits(&product(&crate::threads::ONE, shape, way, add));
                    for pool in &pools {
                        assert!(bits(&product(pool, shape, way, add)) == one, "{shape:?}, way {way}, {} threads", pool.count());
                    }
                }
            }
        }
    }

    // What the module says about the order of additions, so that no cache size can matter: outside the kernels
    // for vectors and dot products each element is a chain of fused multiply-adds over each block of k.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn an_element_is_a_chain_over_each_block() {
        if !std::arch::is_x86_feature_detected!("fma") {
            return;
        }
        for (m, n, k) in [(32, 64, 784), (64, 288, 576), (40, 40, 1100), (300, 80, 512), (16, 128, 2304)] {
            let (a, b) = (draw(m * k, 1), draw(k * n, 2));
            let len = k.div_ceil(k.div_ceil(K_BLOCK));
            let mut expected = vec![0.0f32; m * n];
            for (at, sum) in expected.iter_mut().enumerate() {
                let (row, column) = (at / n, at % n);
                for from in (0..k).step_by(len) {
                    let term = |chain: f32, i: usize| a[row * k + i].mul_add(b[i * n + column], chain);
                    *sum += (from..k.min(from + len)).fold(0.0, term);
                }
            }
            assert!(bits(&product(&crate::threads::ONE, (m, n, k), 0, false)) == bits(&expected), "{m} x {n} x {k}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_product_is_the_sum_of_products(m in 1usize..40, n in 1usize..40, k in 0usize..1200, way in 0usize..4, add: bool) {
            let (a, b) = (draw(m * k, 1), draw(k * n, 2));
            let out = product(&crate::threads::ONE, (m, n, k), way, add);
            let before = draw(m * n, 3);
            for (at, value) in out.iter().enumerate() {
                let (row, column) = (at / n, at % n);
                let left = |i: usize| f64::from(if way & 1 == 0 { a[row * k + i] } else { a[i * m + row] });
                let right = |i: usize| f64::from(if way & 2 == 0 { b[i * n + column] } else { b[column * k + i] });
                let sum: f64 = (0..k).map(|i| left(i) * right(i)).sum::<f64>() + if add { f64::from(before[at]) } else { 0.0 };
                prop_assert!((f64::from(*value) - sum).abs() < 2e-4, "{} instead of {}", value, sum);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a product of 2 x 2")]
    fn a_short_output_is_refused() {
        let values = [1.0; 4];
        multiply(&crate::threads::ONE, Matrix::new(&values, 2, 2), Matrix::new(&values, 2, 2), &mut [0.0; 3], false);
    }

    #[test]
    #[should_panic(expected = "a matrix of 3 x 2")]
    fn a_short_matrix_is_refused() {
        Matrix::new(&[1.0; 4], 3, 2);
    }
}
