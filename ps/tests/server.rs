//! The real process, between a coordinator that the test plays and workers that speak the real protocol.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "server/coordinator.rs"]
mod coordinator;
#[path = "server/ends.rs"]
mod ends;
#[path = "server/exchange.rs"]
mod exchange;
#[path = "server/fleet.rs"]
mod fleet;
#[path = "server/malformed.rs"]
mod malformed;
#[path = "server/norms.rs"]
mod norms;
#[path = "server/outputs.rs"]
mod outputs;
#[path = "server/slow.rs"]
mod slow;
