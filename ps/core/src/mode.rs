//! When a sum is applied. All groups are in `bsp`: once, when every lane of the step is in.

pub(crate) mod bsp;
