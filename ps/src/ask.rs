//! What the holder of the chunks is asked.

use crate::outbox::Outbox;
use std::collections::BTreeMap;
use std::sync::Arc;
use tfcoord_exchange::message::{Chunk, Place, Push};
use tfcoord_proto::v1;
use tfcoord_ps_core::Content;
use tfcoord_types::checkpoint::CutOutcome;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{CheckpointId, Generation};
use tfcoord_types::view::TaskView;
use tokio::sync::oneshot;
use tonic::Status;

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Status>>;

/// What the holder of the chunks is asked.
#[derive(Debug)]
pub enum Ask {
    /// Make the server equal to this view.
    View(Arc<TaskView>),
    /// A worker's stream has begun.
    StreamBegan {
        /// Its number.
        stream: u64,
        /// Its way down.
        outbox: Outbox<v1::PushPullReply>,
    },
    /// A worker's stream is over.
    StreamEnded {
        /// Its number.
        stream: u64,
    },
    /// A push that is sound in itself.
    Push {
        /// Where it came from.
        stream: u64,
        /// The push.
        push: Push,
        /// Where the sender believes its chunk to lie.
        place: Place,
    },
    /// Compare variables, tell cursors.
    Register(v1::RegisterVariablesRequest, Reply<v1::RegisterVariablesReply>),
    /// Send chunks at a version.
    Pull(v1::PullRequest, Outbox<Chunk>),
    /// Tell where the server stands.
    Status(Reply<v1::StatusReply>),
    /// Tell the curve from a step on.
    Curve {
        /// The generation meant.
        generation: Generation,
        /// The first step.
        from_step: u64,
        /// Where to.
        reply: Reply<Vec<CurvePoint>>,
    },
    /// On the first server: norms from another one.
    Norms {
        /// The number of the stream they came on.
        stream: u64,
        /// Its way down.
        outbox: Outbox<v1::NormScale>,
        /// The norms.
        part: v1::NormsPart,
    },
    /// On the first server: a stream of norms is over.
    NormsEnded {
        /// Its number.
        stream: u64,
    },
    /// On the others: the stream to the first server has begun.
    Linked(Outbox<v1::NormsPart>),
    /// On the others: the stream to the first server is over.
    Unlinked,
    /// On the others: a step's scale.
    Scale(v1::NormScale),
    /// A part of a checkpoint lies there, or could not be written.
    CutDone {
        /// The checkpoint.
        id: CheckpointId,
        /// What became of it.
        outcome: CutOutcome,
    },
    /// A checkpoint is read.
    Restored {
        /// Which one.
        id: CheckpointId,
        /// What each chunk holds.
        contents: BTreeMap<u32, Content>,
    },
    /// A checkpoint cannot be read.
    RestoreFailed {
        /// Which one.
        id: CheckpointId,
        /// Place and cause.
        reason: String,
    },
    /// End all streams and stop.
    Stop,
}
