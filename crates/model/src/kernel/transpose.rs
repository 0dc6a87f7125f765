//! Rows to columns.
#![allow(unsafe_code)] // shuffles of whole vectors; `transpose` checks all bounds before

use super::Isa;

/// Rows and columns that are turned together.
const SIDE: usize = 8;

/// Writes `rows` x `columns` values of `from`, whose rows are `from_stride` apart, into `to`, whose rows (the columns of
/// `from`) are `to_stride` apart.
///
/// # Panics
/// If they reach beyond either slice.
pub fn transpose(isa: Isa, from: &[f32], (rows, columns): (usize, usize), from_stride: usize, to: &mut [f32], to_stride: usize) {
    if rows == 0 || columns == 0 {
        return;
    }
    let fits = |rows: usize, stride: usize, columns: usize, len: usize| {
        (rows - 1).checked_mul(stride).and_then(|last| last.checked_add(columns)).is_some_and(|end| end <= len)
    };
    assert!(fits(rows, from_stride, columns, from.len()), "{rows} rows of {columns}, {from_stride} apart, in {}", from.len());
    assert!(fits(columns, to_stride, rows, to.len()), "{columns} rows of {rows}, {to_stride} apart, in {}", to.len());
    let whole = |side: usize| side / SIDE * SIDE;
    let (whole_rows, whole_columns) = if has_blocks(isa) { (whole(rows), whole(columns)) } else { (0, 0) };
    for row in (0..whole_rows).step_by(SIDE) {
        for column in (0..whole_columns).step_by(SIDE) {
            let (from, to) = (&from[row * from_stride + column..], &mut to[column * to_stride + row..]);
            block(from, from_stride, to, to_stride);
        }
    }
    for row in 0..rows {
        let first = if row < whole_rows { whole_columns } else { 0 };
        for column in first..columns {
            to[column * to_stride + row] = from[row * from_stride + column];
        }
    }
}

// Whether there is vector code for a block.
fn has_blocks(isa: Isa) -> bool {
    match isa.0 {
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V4(_) | pulp::Arch::V3(_) => true,
        _ => false,
    }
}

// Turns SIDE x SIDE values; the caller has asked `has_blocks` and checked that they lie in the slices.
#[cfg(target_arch = "x86_64")]
fn block(from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
    debug_assert!(from.len() >= (SIDE - 1) * from_stride + SIDE && to.len() >= (SIDE - 1) * to_stride + SIDE);
    // SAFETY: the processor has AVX, and both blocks lie in their slices, as `transpose` has checked.
    unsafe { avx(from.as_ptr(), from_stride, to.as_mut_ptr(), to_stride) }
}

#[cfg(not(target_arch = "x86_64"))]
fn block(_: &[f32], _: usize, _: &mut [f32], _: usize) {
    unreachable!("`has_blocks` says so")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn avx(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };
    // SAFETY: the caller vouches for eight values in each of eight rows on both sides.
    let r: [_; SIDE] = std::array::from_fn(|row| unsafe { _mm256_loadu_ps(from.add(row * from_stride)) });
    // Pairs of rows, then pairs of pairs, then the halves of the vectors.
    let pair = |a: usize| (_mm256_unpacklo_ps(r[a], r[a + 1]), _mm256_unpackhi_ps(r[a], r[a + 1]));
    let ((a, b), (c, d), (e, f), (g, h)) = (pair(0), pair(2), pair(4), pair(6));
    let upper = [
        _mm256_shuffle_ps::<0x44>(a, c),
        _mm256_shuffle_ps::<0xee>(a, c),
        _mm256_shuffle_ps::<0x44>(b, d),
        _mm256_shuffle_ps::<0xee>(b, d),
    ];
    let lower = [
        _mm256_shuffle_ps::<0x44>(e, g),
        _mm256_shuffle_ps::<0xee>(e, g),
        _mm256_shuffle_ps::<0x44>(f, h),
        _mm256_shuffle_ps::<0xee>(f, h),
    ];
    for column in 0..SIDE / 2 {
        let (left, right) = (upper[column], lower[column]);
        // SAFETY: as above.
        unsafe {
            _mm256_storeu_ps(to.add(column * to_stride), _mm256_permute2f128_ps::<0x20>(left, right));
            _mm256_storeu_ps(to.add((column + SIDE / 2) * to_stride), _mm256_permute2f128_ps::<0x31>(left, right));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(1, 1), (3, 5), (8, 8), (16, 2), (17, 9), (40, 33), (64, 24)] {
            let (from_stride, to_stride) = (columns + 2, rows + 3);
            let from: Vec<f32> = (0..rows * from_stride).map(|n| n as f32).collect();
            for isa in Isa::all() {
                let mut to = vec![-1.0; columns * to_stride];
                transpose(isa, &from, (rows, columns), from_stride, &mut to, to_stride);
                for (at, value) in to.iter().enumerate() {
                    let (column, row) = (at / to_stride, at % to_stride);
                    let expected = if row < rows { from[row * from_stride + column] } else { -1.0 };
                    assert_eq!(*value, expected, "{rows} x {columns} with {}", isa.name());
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "rows of 8")]
    fn a_short_output_is_refused() {
        transpose(Isa::detect(), &[0.0; 64], (8, 8), 8, &mut [0.0; 63], 8);
    }

    #[test]
    #[should_panic(expected = "rows of 8")]
    fn a_short_input_is_refused() {
        transpose(Isa::detect(), &[0.0; 63], (8, 8), 8, &mut [0.0; 64], 8);
    }
}
