//! Fixtures and property tests.

pub(crate) mod fixture;
mod honest;
mod hostile;
mod random;
