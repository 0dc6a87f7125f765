//! Hadoop as a client sees it without a JVM: delegation tokens and the files that carry them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod identifier;
mod secret;
pub mod token;
pub mod token_file;
mod writable;

pub use identifier::Identifier;
pub use secret::Secret;
pub use token::Token;
pub use token_file::TokenFile;
