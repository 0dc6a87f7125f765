//! The words that every part of tfcoord shares: ids, lanes and blocks, the training plan, variables and
//! chunks, the job file, and the two messages between the coordinator and a task: [`view::TaskView`] down,
//! [`report::Report`] up.
//!
//! Plain data and pure functions only: no clock, no files, no network, no candle. What only one crate needs
//! lives in that crate.

pub mod checkpoint;
pub mod draw;
pub mod exchange;
pub mod figures;
pub mod holders;
pub mod id;
pub mod job;
pub mod lane;
pub mod layout;
pub mod manifest;
pub mod memory;
pub mod order;
pub mod plan;
pub mod report;
pub mod shard;
pub mod timing;
pub mod variable;
pub mod view;
