//! What a server asks its shell to do.

use crate::SegmentNorm;
use crate::table::Head;
use bytes::Bytes;
use std::fmt;
use tfcoord_optimizer::Slots;
use tfcoord_types::checkpoint::Checkpoint;
use tfcoord_types::exchange::Answer;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{CheckpointId, Generation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::report::Fault;

/// What a server asks its shell to do. Values are little-endian f32 and shared: cloning them copies nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Answer a push. The push that completes a step gets no answer but [`Effect::Updated`].
    Answer {
        /// The stream that the push came on.
        to: u64,
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
    /// A chunk has a new version: send it to every worker's stream.
    Updated {
        /// The generation.
        generation: Generation,
        /// Which chunk.
        chunk: u32,
        /// The step that these values are for.
        version: u64,
        /// The chunk's values.
        values: Bytes,
    },
    /// Answer a pull.
    Pulled {
        /// The stream that asked.
        to: u64,
        /// The generation.
        generation: Generation,
        /// Which chunk.
        chunk: u32,
        /// The step that these values are for.
        version: u64,
        /// The chunk's values.
        values: Bytes,
    },
    /// Answer a pull: this version is not, or no longer, held here.
    Gone {
        /// The stream that asked.
        to: u64,
        /// The generation asked for.
        generation: Generation,
        /// The chunk asked for.
        chunk: u32,
        /// The version asked for.
        version: u64,
    },
    /// Send squared norms to the first server.
    SendNorms {
        /// The generation.
        generation: Generation,
        /// The step.
        step: u64,
        /// One chunk's segments.
        segments: Vec<SegmentNorm>,
    },
    /// Send a step's scale to another server.
    SendScale {
        /// Its slot.
        to: u32,
        /// The generation.
        generation: Generation,
        /// The step.
        step: u64,
        /// What the gradient is multiplied by.
        scale: f32,
    },
    /// Make a file for a checkpoint's part: these chunks will follow, each once, in any order. Until it is written, or
    /// cannot be, [`Input::CutDone`](crate::Input::CutDone) is owed, unless it is dropped.
    BeginCut {
        /// The checkpoint.
        checkpoint: Checkpoint,
        /// The chunks.
        parts: Vec<Head>,
        /// As many points the curve has at most, where it is among them; a shorter one is filled up.
        points: u64,
    },
    /// Write a chunk of a checkpoint. Holding the values costs a copy once the chunk has advanced: write soon.
    CutChunk {
        /// The checkpoint.
        id: CheckpointId,
        /// Which chunk.
        chunk: u32,
        /// Its values at the checkpoint's step, or, where that is within an epoch outside of `bsp`, as soon as it had so many.
        values: Bytes,
        /// What the optimizer keeps for it.
        slots: Slots,
        /// The curve up to the step, with the chunk that it is summed in.
        curve: Vec<CurvePoint>,
        /// How many steps of each shard of the epoch count for these values, as many as [`Head::shards`] says.
        counted: Vec<u32>,
    },
    /// A checkpoint is not wanted any more: remove its file.
    DropCut {
        /// The checkpoint.
        id: CheckpointId,
    },
    /// Read these chunks of a checkpoint: [`Input::Restored`](crate::Input::Restored) or
    /// [`Input::RestoreFailed`](crate::Input::RestoreFailed) must follow.
    Restore {
        /// The checkpoint.
        checkpoint: Checkpoint,
        /// The chunks.
        parts: Vec<Head>,
    },
    /// Every chunk here holds at least this version: report it.
    Reached {
        /// The version.
        step: u64,
    },
    /// The curve has a new point: report it.
    CurveGrew {
        /// The point.
        point: CurvePoint,
    },
    /// The server has made itself equal to a view: report it.
    Applied {
        /// The view's revision.
        revision: Revision,
    },
    /// There is something new to report of a checkpoint.
    Report,
    /// The server cannot go on: report it.
    Fail {
        /// Why.
        fault: Fault,
    },
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Answer { to, chunk, step, block, answer, .. } => {
                write!(f, "answer stream {to}: step {step} chunk {chunk} lanes {block}: {answer:?}")
            }
            Effect::Updated { chunk, version, .. } => write!(f, "chunk {chunk} updated to version {version}"),
            Effect::Pulled { to, chunk, version, .. } => write!(f, "give stream {to} chunk {chunk} at version {version}"),
            Effect::Gone { to, chunk, version, .. } => write!(f, "tell stream {to} that chunk {chunk} at version {version} is gone"),
            Effect::SendNorms { step, segments, .. } => write!(f, "send {} norms of step {step}", segments.len()),
            Effect::SendScale { to, step, scale, .. } => write!(f, "send ps-{to} scale {scale} of step {step}"),
            Effect::BeginCut { checkpoint, parts, .. } => write!(f, "begin checkpoint {} of {} chunks", checkpoint.id, parts.len()),
            Effect::CutChunk { id, chunk, .. } => write!(f, "write chunk {chunk} of checkpoint {id}"),
            Effect::DropCut { id } => write!(f, "drop checkpoint {id}"),
            Effect::Restore { checkpoint, parts } => write!(f, "restore {} chunks of checkpoint {}", parts.len(), checkpoint.id),
            Effect::Reached { step } => write!(f, "reached step {step}"),
            Effect::CurveGrew { point } => write!(f, "curve grew to step {}", point.step),
            Effect::Applied { revision } => write!(f, "applied revision {revision}"),
            Effect::Report => f.write_str("report"),
            Effect::Fail { fault } => write!(f, "fail: {}", fault.message),
        }
    }
}
