//! Speaking to a coordinator: endpoints as text, channels over Unix sockets and TCP, the bearer token, the host's
//! name, waiting times between attempts, and [`session`]: a task's side of `TaskSession`.
//!
//! Nothing here decides what a task does: it keeps the newest view coming and the newest report going.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod auth;
pub mod backoff;
pub mod channel;
pub mod endpoint;
pub mod host;
pub mod session;

pub use auth::Bearer;
pub use backoff::Backoff;
pub use channel::Pulse;
pub use endpoint::Endpoint;
