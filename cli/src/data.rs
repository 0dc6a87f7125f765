//! Data sets in files: what is put somewhere ([`source`]), how it gets there as a whole ([`put`]), and what is there ([`listing`]).
//!
//! ```text
//! sources ──▶ .NAME.put-…/   file by file, each read back ──rename──▶ NAME
//! ```
//!
//! The name appears when all of it is there, or never. What a killed process left is known by its name ([`staging`]).

mod archive;
mod error;
pub mod listing;
mod name;
mod owner;
pub mod put;
pub mod source;
mod staging;

pub use archive::Limits;
pub use error::{Error, Unfit};
