//! The data plane between workers and parameter servers: one message, one trait, and the transport behind it.
//!
//! * [`message`]: pushes and chunks, built and checked; the payload is shared, never copied on the way.
//! * [`numbers`]: f32 as little-endian bytes.
//! * [`transport`]: what a worker does with a server, whatever carries it.
//! * [`grpc`]: the transport over tonic streams, on Unix sockets and TCP.
//! * [`serve`]: the server's end of it.
//!
//! ```text
//!  worker                                   server
//!    ├── PushPull stream opens ───────────────►│  from here on every updated chunk is sent
//!    ├── RegisterVariables ───────────────────►│  same variables? ── cursors
//!    ├── Pull (all its chunks at a version) ──►│
//!    ├── Push, Push, … (at most a few ahead) ─►│  answers; each chunk as soon as it is updated
//! ```
//!
//! The stream opens before the registration: a chunk that is updated in between is seen on one of the two, never missed.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod grpc;
pub mod message;
pub mod numbers;
pub mod serve;
pub mod transport;

pub use grpc::Grpc;
pub use message::{Chunk, Malformed, Push};
pub use transport::{Connection, Error, Event, Events, Opened, Pushes, Registration, Transport};

/// HTTP/2's window of one stream, in bytes: four of the largest chunks.
pub(crate) const STREAM_WINDOW: u32 = 16 << 20;
/// HTTP/2's window of a connection, in bytes.
pub(crate) const CONNECTION_WINDOW: u32 = 64 << 20;
/// The largest HTTP/2 frame, in bytes.
pub(crate) const FRAME: u32 = tfcoord_types::exchange::FRAME_BYTES;
