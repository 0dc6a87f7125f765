//! The coordinator's shell around its pure core (`tfcoord-coordinator-core`): what touches disks, clocks, sockets and
//! processes.
//!
//! ```text
//!   client ──Coordinator──┐                          ┌──► log/ (fsync) ──► core: apply ──► outcome, effects
//!                        rpc ── requests ──► leader ─┤                                        │
//!   task ───TaskSession───┘  ◄── views, jobs ──┘     └──► launcher ◄── reconciler ◄───────────┘
//! ```
//!
//! The [`leader`] is one thread that owns the state and the log: it takes what arrived, appends it in one batch,
//! applies it, answers, and hands every session its newest view. Nothing else holds state, so there are no locks.
//! [`rpc`] turns calls into requests to it; [`prepare`] looks at a job's data in a child process before its submission
//! is proposed; [`site`] keeps what comes with it where files are in HDFS, [`tokens`] gets and renews its tokens, and child
//! processes reach those files ([`errand`]).
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod clock;
pub mod config;
pub mod errand;
pub mod leader;
pub mod log;
pub mod outputs;
pub mod prepare;
pub mod resume;
pub mod rpc;
pub mod serve;
pub mod site;
pub mod state_dir;
pub mod tokens;
