//! What a worker does with a parameter server, whatever carries it.

use crate::message::{Chunk, Malformed, Push};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_types::exchange::Answer;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{Generation, Incarnation, TaskId};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::Layout;
use tfcoord_types::view::ServerAddress;

/// A way to reach servers.
pub trait Transport: Send + Sync + 'static {
    /// A connection to one server.
    type Connection: Connection;

    /// Connects to `server` by the first of its addresses that works from here, `within` this time for each.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    fn connect(&self, server: &ServerAddress, within: Duration) -> impl Future<Output = Result<Self::Connection, Error>> + Send;
}

/// A connection to one server; all calls may go on at once.
pub trait Connection: Send + Sync + 'static {
    /// The stream's way up.
    type Pushes: Pushes;
    /// The stream's way down.
    type Events: Events;

    /// The server's address that it was reached by.
    fn address(&self) -> &str;

    /// Opens the exchange: from here on all answers, and all chunks of the server as they are updated, come as events.
    ///
    /// # Errors
    /// [`Error::NotYet`] while the server does not know of this placement: try again.
    fn open(&self, registration: Registration) -> impl Future<Output = Result<Opened<Self::Pushes, Self::Events>, Error>> + Send;

    /// The chunks `chunks`, as they are at the beginning of step `version`, in this order.
    ///
    /// # Errors
    /// [`Error::Gone`] with the first of them that the server does not hold at this version.
    fn pull(
        &self,
        layout: &Arc<Layout>,
        generation: Generation,
        version: u64,
        chunks: &[u32],
    ) -> impl Future<Output = Result<Vec<Chunk>, Error>> + Send;

    /// The curve from `from_step` on, from the server that holds it; nothing from others.
    ///
    /// # Errors
    /// As [`Error`] says.
    fn curve(&self, generation: Generation, from_step: u64) -> impl Future<Output = Result<Vec<CurvePoint>, Error>> + Send;
}

/// The way up: pushes.
pub trait Pushes: Send + 'static {
    /// Sends a push; waits while a few are on their way that the transport has not taken yet. That it is sent says
    /// nothing: it is settled when the version it made has come back.
    ///
    /// # Errors
    /// [`Error::Ended`] when the stream is over; [`Events::next`] says why.
    fn push(&mut self, push: Push) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The way down: answers and updated chunks, in the server's order.
pub trait Events: Send + 'static {
    /// The next event; `None` when the server has ended the stream.
    ///
    /// # Errors
    /// When the stream is over: connect again, open, and send again what is not settled.
    fn next(&mut self) -> impl Future<Output = Result<Option<Event>, Error>> + Send;
}

/// Who opens an exchange, and what it knows.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The parameters' life.
    pub generation: Generation,
    /// The map from chunks to servers.
    pub placement_epoch: u64,
    /// The worker.
    pub incarnation: Incarnation,
    /// As `tfcoord_proto::variables_digest` has it.
    pub variables_digest: [u8; 32],
    /// The chunks; all messages are checked against it.
    pub layout: Arc<Layout>,
}

/// An open exchange.
#[derive(Debug)]
pub struct Opened<P, E> {
    /// The server.
    pub incarnation: Incarnation,
    /// The version of each of its chunks at some moment after the stream began.
    pub cursors: BTreeMap<u32, u64>,
    /// The way up.
    pub pushes: P,
    /// The way down.
    pub events: E,
}

/// What comes from a server.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What became of a push.
    Answer {
        /// Its generation.
        generation: Generation,
        /// Its chunk.
        chunk: u32,
        /// Its step.
        step: u64,
        /// Its lanes.
        block: Block,
        /// What became of it.
        answer: Answer,
    },
    /// A chunk was updated.
    Chunk(Chunk),
}

/// Why an exchange failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No address works from here.
    #[error("cannot reach {server}: {causes}")]
    Unreachable {
        /// The server.
        server: TaskId,
        /// Each address and why not.
        causes: String,
    },
    /// The server does not know of this generation or placement (yet): try again with the newest view.
    #[error("{server} is not ready: {message}")]
    NotYet {
        /// The server.
        server: TaskId,
        /// Its words.
        message: String,
    },
    /// The server does not hold a chunk at this version: ask for its cursors again.
    #[error("{server} does not hold chunk {chunk} at that version: {message}")]
    Gone {
        /// The server.
        server: TaskId,
        /// The chunk.
        chunk: u32,
        /// Its words.
        message: String,
    },
    /// The call failed. Those that are [`Error::is_final`] would fail again.
    #[error("call to {server} failed: {message} ({code:?})")]
    Failed {
        /// The server.
        server: TaskId,
        /// The gRPC code.
        code: tonic::Code,
        /// Its words.
        message: String,
    },
    /// The server took a call and has not answered it: it is stopped, or the way to it is broken.
    #[error("{server} has not answered {call} for {within_ms} ms")]
    Silent {
        /// The server.
        server: TaskId,
        /// The call.
        call: &'static str,
        /// How long it was waited for, in ms.
        within_ms: u128,
    },
    /// The server sent nonsense, or it was damaged on the way.
    #[error("{server} sent a malformed message: {source}")]
    Malformed {
        /// The server.
        server: TaskId,
        /// What is wrong.
        source: Malformed,
    },
    /// The stream is over.
    #[error("the stream to {server} is over")]
    Ended {
        /// The server.
        server: TaskId,
    },
}

impl Error {
    /// Whether trying again is of no use.
    pub fn is_final(&self) -> bool {
        use tonic::Code::{InvalidArgument, PermissionDenied, Unauthenticated, Unimplemented};
        matches!(self, Self::Failed { code: Unauthenticated | PermissionDenied | InvalidArgument | Unimplemented, .. })
    }
}
