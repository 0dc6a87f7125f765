//! `local`: workers train rounds alone, and what each has changed is added in part.

use crate::mode::bsp::Update;
use tfcoord_optimizer::Kernel;

/// One of `workers` workers has changed the parameters alone: its share of the mean of all is added. When each of them has
/// given a round, that is the mean of their parameters, if they all began with the same.
pub(crate) fn change(workers: usize, momentum: f64) -> Update {
    Update::Change { kernel: Kernel::outer(1.0 / workers.max(1) as f64, momentum) }
}

/// The weight of an old moving average after so many steps whose mean comes at once.
pub(crate) fn over(momentum: f32, steps: u64) -> f32 {
    momentum.powi(i32::try_from(steps).unwrap_or(i32::MAX))
}
