//! `tfcoord version`.

use crate::failure::{Code, Failure};
use crate::say;

/// Prints the version.
///
/// # Errors
/// When nobody reads it.
pub fn run() -> Result<Code, Failure> {
    say::line(&format!("tfcoord {}", env!("CARGO_PKG_VERSION")))?;
    Ok(Code::Success)
}
