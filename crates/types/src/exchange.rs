//! What a parameter server answers to a push. The data plane itself is `crates/exchange`.

use crate::id::Revision;

/// The largest HTTP/2 frame of the data plane, in bytes.
pub const FRAME_BYTES: u32 = 256 << 10;

/// The version that a pull names which wants whatever is newest: no chunk ever has it.
pub const NEWEST: u64 = u64::MAX;

/// What became of a push. When every lane of the step is in, the updated chunk itself is the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Taken, or already held: it counts once the other lanes are in.
    Held,
    /// Behind the cursor: its step is done, it was counted before.
    Duplicate,
    /// Outside of `bsp`: it counts, now or from before.
    Counted {
        /// The step of its shard that counts next for its chunk: the end of the shard if none does.
        next: u64,
    },
    /// The sender owns not all of the block's lanes, or the parameters have gone back: drop it and wait for a newer view.
    NotOwner,
    /// The server's view is older than the sender's: send it again.
    NotYet {
        /// The server's view.
        revision: Revision,
    },
    /// The sender's incarnation is retired: it must end.
    Fenced,
    /// Beyond the cursor, or beyond what may be computed: not taken.
    Ahead,
    /// It can never count: the sender's fault.
    Refused {
        /// What is wrong.
        reason: String,
    },
}
