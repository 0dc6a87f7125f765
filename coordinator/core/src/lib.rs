//! The coordinator's decisions: a pure state machine without clock, network, files or threads.
//!
//! [`Cluster::apply`] takes one entry of the log (its index, the leader's time stamp, a [`Command`]) and returns
//! an [`Applied`]: an [`Outcome`] for whoever proposed it, and [`Effect`]s for the leader. It is synchronous and
//! total: a refusal is an outcome, and no input makes it panic. Two replicas that apply the same entries hold the
//! same bytes ([`snapshot`]).
//!
//! What a task should do is a pure function of the state, [`view::view`], and what the leader should propose upon
//! a task's report is another, [`proposals::proposals`]. Both are level-triggered: nothing is ever told once.
//! An effect is a hint; the guarantee is [`desired::desired`], which a reconciler compares with what runs.
//!
//! ```text
//!   reports ──► proposals ──► log ──► apply ──► state ──► views ──► tasks
//!                                       │          └────► desired ─► reconciler
//!                                       └► outcome, effects
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cause;
pub mod checkpoint;
pub mod cluster;
pub mod command;
pub mod deadline;
pub mod desired;
pub mod effect;
pub mod evaluation;
mod handler;
pub mod invariants;
pub mod job;
pub mod kept;
pub mod lane;
pub mod memory;
pub mod near;
pub mod outcome;
pub mod placement;
pub mod proposals;
pub mod shard;
pub mod snapshot;
pub mod task;
pub mod view;

#[cfg(test)]
mod proposals_test;
#[cfg(test)]
mod test;

pub use cause::{Cause, Exit};
pub use cluster::Cluster;
pub use command::{Command, Process};
pub use effect::Effect;
pub use job::{Job, JobState};
pub use outcome::{Applied, Outcome, Refusal};
pub use task::{Task, TaskState};
