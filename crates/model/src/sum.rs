//! Sums of slices in f64, over eight partial sums: a fixed order that the compiler can keep in vectors.

const LANES: usize = 8;

/// The sum of `values`.
#[inline(always)]
pub fn sum(values: &[f32]) -> f64 {
    let mut lanes = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += f64::from(*value);
    }
    total(lanes)
}

/// The sum of (value - mean)², the difference taken in f32.
#[inline(always)]
pub fn sum_of_squares(values: &[f32], mean: f32) -> f64 {
    let mut lanes = [0.0; LANES];
    let square = |value: &f32| f64::from(*value - mean) * f64::from(*value - mean);
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += square(value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += square(value);
    }
    total(lanes)
}

/// The sum of products of `a` and `b`, which are of one length.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = left.remainder().iter().zip(right.remainder());
    for (a, b) in left.zip(right) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += f64::from(*a) * f64::from(*b);
        }
    }
    for (lane, (a, b)) in lanes.iter_mut().zip(rest) {
        *lane += f64::from(*a) * f64::from(*b);
    }
    total(lanes)
}

/// Adds `more` to `sums`, element by element.
#[inline(always)]
pub fn add(sums: &mut [f32], more: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(more) {
        *sum += value;
    }
}

#[inline(always)]
fn total([a, b, c, d, e, f, g, h]: [f64; LANES]) -> f64 {
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_counts_once() {
        for len in [0u16, 1, 7, 8, 9, 16, 100] {
            let values: Vec<f32> = (1..=len).map(f32::from).collect();
            let (n, sums) = (f64::from(len), |f: fn(f64) -> f64| (1..=len).map(f64::from).map(f).sum::<f64>());
            assert_eq!(sum(&values), n * (n + 1.0) / 2.0);
            assert_eq!(dot(&values, &values), sums(|v| v * v));
            assert_eq!(sum_of_squares(&values, 3.0), sums(|v| (v - 3.0) * (v - 3.0)));
        }
    }
}
