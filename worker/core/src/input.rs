//! What a worker's driver is told.

use tfcoord_types::exchange::Answer;
use tfcoord_types::id::{Generation, Incarnation};
use tfcoord_types::lane::Block;
use tfcoord_types::view::TaskView;

/// What a driver is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// What the worker should do. Level-triggered: an older one is ignored.
    View(Box<TaskView>),
    /// A stream to a server is open.
    Connected {
        /// The server's slot.
        slot: u32,
        /// The incarnation that answered.
        incarnation: Incarnation,
        /// The generation that it speaks of.
        generation: Generation,
        /// (chunk, next step) of every chunk it holds, taken after the stream was open.
        cursors: Vec<(u32, u64)>,
    },
    /// A stream is gone, or could not be opened.
    Disconnected {
        /// The server's slot.
        slot: u32,
    },
    /// A chunk's values came, sent or pulled. Answered at once by [`Effect::Keep`](crate::Effect::Keep) if they
    /// are wanted.
    Chunk {
        /// Their generation.
        generation: Generation,
        /// Which chunk.
        chunk: u32,
        /// The step that they are for.
        version: u64,
    },
    /// A pulled version is not held by its server any more.
    Gone {
        /// The generation asked for.
        generation: Generation,
        /// The chunk asked for.
        chunk: u32,
        /// The version asked for.
        version: u64,
    },
    /// A server's answer to a push.
    Answer {
        /// The push's generation.
        generation: Generation,
        /// The push's chunk.
        chunk: u32,
        /// The push's step.
        step: u64,
        /// The push's lanes.
        block: Block,
        /// What became of it.
        answer: Answer,
    },
    /// The compute thread has finished a block's sum for one chunk; the shell holds the bytes.
    Computed {
        /// The step.
        step: u64,
        /// The lanes summed.
        block: Block,
        /// The chunk.
        chunk: u32,
    },
    /// The compute thread is done with a step, or has abandoned it.
    StepComputed {
        /// The step.
        step: u64,
    },
    /// A shard is evaluated; the shell holds the counts until they are reported, or not wanted any more.
    Evaluated {
        /// Which evaluation.
        evaluation: u32,
        /// Which shard of it.
        shard: u32,
    },
    /// The export is in its place.
    Exported {
        /// The export's attempt.
        attempt: u64,
    },
    /// The time of [`Effect::RetryAfter`](crate::Effect::RetryAfter) is over.
    Retry,
}
