//! When a sum is applied, and what to. In `bsp` once every lane of the step is in, in the other modes as it arrives.

pub(crate) mod bsp;
pub(crate) mod local;
pub(crate) mod ssp;
