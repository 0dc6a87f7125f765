//! `tfcoord data`.

pub mod ls;
pub mod put;
