//! What a server is told.

use crate::table::Content;
use bytes::Bytes;
use std::collections::BTreeMap;
use tfcoord_types::checkpoint::CutOutcome;
use tfcoord_types::id::{CheckpointId, Generation, Incarnation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::view::TaskView;

/// What a server is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// What it should do. Level-triggered: the same one again changes nothing, an older one is ignored.
    View(Box<TaskView>),
    /// A block's gradient sum for one chunk; its checksum held.
    Push(Push),
    /// Somebody wants a chunk as it is at the beginning of a step.
    Pull {
        /// The stream to answer on.
        from: u64,
        /// The generation meant.
        generation: Generation,
        /// Which chunk.
        chunk: u32,
        /// The version: the step that it is for.
        step: u64,
    },
    /// To the first server: squared norms of segments of the mean gradient, from another one.
    Norms {
        /// The sender's slot.
        from: u32,
        /// The generation meant.
        generation: Generation,
        /// The step.
        step: u64,
        /// Segments; the same one again changes nothing.
        segments: Vec<SegmentNorm>,
    },
    /// From the first server: what a step's gradient is multiplied by.
    Scale {
        /// The generation meant.
        generation: Generation,
        /// The step.
        step: u64,
        /// From above 0 to 1.
        scale: f32,
    },
    /// The file of a checkpoint's part lies there, or could not be written.
    CutDone {
        /// The checkpoint.
        id: CheckpointId,
        /// What became of it.
        outcome: CutOutcome,
    },
    /// The chunks of a checkpoint that the generation begins from, all of those that were asked for.
    Restored {
        /// The checkpoint.
        id: CheckpointId,
        /// What each chunk holds.
        contents: BTreeMap<u32, Content>,
    },
    /// They could not be read.
    RestoreFailed {
        /// The checkpoint.
        id: CheckpointId,
        /// Place and cause.
        reason: String,
    },
    /// The stream to the first server was opened (again): norms may have been lost, they are sent once more.
    Linked,
}

/// A block's gradient sum for one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// The stream to answer on.
    pub from: u64,
    /// Who sends it.
    pub incarnation: Incarnation,
    /// The sender's view.
    pub view_revision: Revision,
    /// The generation it was computed in.
    pub generation: Generation,
    /// The step it is for.
    pub step: u64,
    /// The chunk it is for.
    pub chunk: u32,
    /// The lanes that it is the sum of.
    pub block: Block,
    /// Records of these lanes at this step, as the plan has them.
    pub records: u32,
    /// Little-endian f32, one for each element of the chunk.
    pub payload: Bytes,
}

/// The squared norm of [`tfcoord_types::layout::SEGMENT`] elements of a step's mean gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SegmentNorm {
    /// The slab.
    pub slab: u32,
    /// The segment's place in the slab.
    pub segment: u64,
    /// Sum of the elements' squares.
    pub squared: f64,
}
