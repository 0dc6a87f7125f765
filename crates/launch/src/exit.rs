//! How a process ended.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// What is known of a launch that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How; `None` where nobody saw it.
    pub exit: Option<Exit>,
    /// The most memory that its process had at once, if that was seen.
    pub peak_memory_bytes: Option<u64>,
    /// What else is known, such as why nobody saw it; may be empty.
    pub message: String,
    /// The last lines that it printed, the oldest first; long ones are cut.
    pub log: Vec<String>,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        // A status without a code is one of a signal: stops are not waited for.
        status.code().map_or_else(|| Exit::Signal(status.signal().unwrap_or_default()), Exit::Code)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}
