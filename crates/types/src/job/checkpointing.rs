//! `checkpoint`: how often a job's parameters are saved, and where.

use serde::{Deserialize, Serialize};

/// Seconds between checkpoints where the job file does not say.
pub const EVERY_SECONDS: u64 = 60;
/// Checkpoints that are kept where the job file does not say.
pub const KEEP: u32 = 2;

/// How often a job's parameters are saved, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpointing {
    /// A directory; each job gets a folder of its own in it, named by its id. In the job's outputs if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Steps from one to the next, at multiples of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_steps: Option<u64>,
    /// Seconds from one to the next: [`EVERY_SECONDS`] where neither is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_seconds: Option<u64>,
    /// How many are kept, the newest ones; at least 1.
    pub keep: u32,
}

impl Default for Checkpointing {
    fn default() -> Self {
        Self { dir: None, every_steps: None, every_seconds: None, keep: KEEP }
    }
}

/// When checkpoints are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// At multiples of so many steps.
    Steps(u64),
    /// So many milliseconds after the one before.
    Milliseconds(u64),
}

impl Checkpointing {
    /// When checkpoints are due.
    pub fn every(&self) -> Every {
        match self.every_steps {
            Some(steps) => Every::Steps(steps.max(1)),
            None => Every::Milliseconds(self.every_seconds.unwrap_or(EVERY_SECONDS).saturating_mul(1000)),
        }
    }
}
