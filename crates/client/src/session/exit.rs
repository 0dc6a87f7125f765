//! The exit codes of a task: for people and logs; a job's end is decided by its data.

use super::Ended;
use tfcoord_types::view::{FENCED_EXIT_CODE, ORPHANED_EXIT_CODE};
use tonic::Code;

/// It did what its last view says.
pub const STOPPED: u8 = 0;
/// It could not go on, and has reported why.
pub const FAULT: u8 = 1;
/// Its place belongs to another incarnation.
pub const FENCED: u8 = byte(FENCED_EXIT_CODE);
/// It was without its coordinator for too long.
pub const ORPHANED: u8 = byte(ORPHANED_EXIT_CODE);

const fn byte(code: i32) -> u8 {
    assert!(0 <= code && code < 256, "exit codes are a byte");
    code.to_le_bytes()[0]
}

impl Ended {
    /// The exit code of a task whose session ended so.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Orphaned { .. } => ORPHANED,
            Self::Refused { code: Code::FailedPrecondition, .. } => FENCED,
            Self::Refused { .. } | Self::Closed => FAULT,
        }
    }
}
