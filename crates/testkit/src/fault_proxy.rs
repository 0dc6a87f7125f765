//! A gRPC proxy before a parameter server that disturbs the exchange: it sends pushes twice, sends old ones
//! again, and changes their order; it sends updated chunks and answers twice. What gRPC itself never does to a
//! stream happens all the same when connections break and workers send again: this makes it happen all the time.
//! It can also kill a worker between two chunks of one step.

mod disturb;
mod kill;
mod service;

pub use disturb::{Disturbance, Disturber};
pub use kill::Kill;
pub use service::serve;
