//! Standard output.

use crate::failure::{Code, Failure};
use serde::Serialize;
use std::io::Write;

/// Writes `text` and a newline.
///
/// # Errors
/// Quietly, when nobody reads any more.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::new(Code::Pipe, ""),
        _ => Failure::new(Code::Engine, format!("cannot write to standard output: {error}")),
    })
}

/// `value` as JSON on one line.
pub fn as_json_line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with text keys")
}

/// Writes `value` as JSON, for people too.
///
/// # Errors
/// As [`line`].
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(&serde_json::to_string_pretty(value).expect("plain data with text keys"))
}
