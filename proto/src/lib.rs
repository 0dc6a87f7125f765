//! The protocol `tfcoord.v1`: the generated messages and services in [`v1`], and conversions between messages and
//! the types of `tfcoord-types`, one file a message. A message from a stranger is checked on the way in: what is
//! missing or makes no sense is a [`Malformed`], never a default.
#![cfg_attr(test, allow(clippy::unwrap_used))]

/// The generated messages and services.
#[expect(missing_docs, clippy::all, reason = "generated; the documentation is in the .proto files")]
pub mod v1 {
    tonic::include_proto!("tfcoord.v1");
}

mod answer;
mod checkpoint;
mod counts;
mod curve;
mod placement;
mod report;
mod variable;
mod view;

pub use variable::variables_digest;

/// The largest message on the control plane, in bytes.
pub const CONTROL_MESSAGE_BYTES_MAX: usize = 8 << 20;
/// The largest message on the data plane, in bytes: a chunk of 4 MiB and its header.
pub const DATA_MESSAGE_BYTES_MAX: usize = (4 << 20) + (64 << 10);

/// A message that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {field} {problem}")]
pub struct Malformed {
    /// Which field: `TaskView.plan`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl From<Malformed> for tonic::Status {
    fn from(malformed: Malformed) -> Self {
        tonic::Status::invalid_argument(malformed.to_string())
    }
}

/// A field that must be there.
fn needed<T>(value: Option<T>, field: &'static str) -> Result<T, Malformed> {
    value.ok_or(Malformed { field, problem: "is missing" })
}

/// A field that must be sensible.
fn sensible<T>(value: Option<T>, field: &'static str) -> Result<T, Malformed> {
    value.ok_or(Malformed { field, problem: "makes no sense" })
}

#[cfg(test)]
mod tests;
