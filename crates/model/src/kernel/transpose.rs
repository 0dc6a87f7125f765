//! Rows to columns.

/// Rows that are written together: a line of the cache.
const RUN: usize = 16;

/// Writes `rows` x `columns` values of `from`, whose rows are `from_stride` apart, into `to`, whose rows (the columns of
/// `from`) are `to_stride` apart.
///
/// # Panics
/// If they reach beyond either slice.
pub fn transpose(from: &[f32], (rows, columns): (usize, usize), from_stride: usize, to: &mut [f32], to_stride: usize) {
    for first in (0..rows).step_by(RUN) {
        let run = RUN.min(rows - first);
        for column in 0..columns {
            let line = &mut to[column * to_stride + first..][..run];
            for (row, value) in line.iter_mut().enumerate() {
                *value = from[(first + row) * from_stride + column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::transpose;

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(1, 1), (3, 5), (16, 2), (17, 9), (40, 33)] {
            let (from_stride, to_stride) = (columns + 2, rows + 3);
            let from: Vec<f32> = (0..rows * from_stride).map(|n| n as f32).collect();
            let mut to = vec![-1.0; columns * to_stride];
            transpose(&from, (rows, columns), from_stride, &mut to, to_stride);
            for (at, value) in to.iter().enumerate() {
                let (column, row) = (at / to_stride, at % to_stride);
                let expected = if row < rows { from[row * from_stride + column] } else { -1.0 };
                assert_eq!(*value, expected);
            }
        }
    }
}
