//! Rows of several values a unit, a line of units at a time: copies in arrays become vectors where slices that might
//! overlap do not.

use crate::kernel::LINE;

/// Values of as many units as fit a line.
pub(super) type Lanes = [f32; LINE];

/// The values from place `at` on; 0 beyond the end.
#[inline(always)]
pub(super) fn read(values: &[f32], at: usize) -> Lanes {
    match values[at..].first_chunk() {
        Some(lanes) => *lanes,
        None => {
            let mut lanes = [0.0; LINE];
            lanes[..values.len() - at].copy_from_slice(&values[at..]);
            lanes
        }
    }
}

/// Writes the values from place `at` on; none beyond the end.
#[inline(always)]
pub(super) fn write(values: &mut [f32], at: usize, lanes: &Lanes) {
    match values[at..].first_chunk_mut() {
        Some(values) => *values = *lanes,
        None => {
            let len = values.len() - at;
            values[at..].copy_from_slice(&lanes[..len]);
        }
    }
}
