//! `tfcoord-ps`: a parameter server of one job.
//!
//! ```text
//!  workers ══ push-pull ══► service ── Ask ──► holder (one thread: the core, all chunks) ──► outboxes ══► workers
//!  first server ◄═ norms ═► link ─────────────►│     │
//!  coordinator ◄═ session ═► run ── views ────►│     └──► newest report ══► coordinator; TensorBoard
//! ```
//!
//! Sockets are bound before the server registers. It ends with 0 when its view says stop, 76 when it is fenced,
//! 77 when it lost its session for too long, 1 on a fault, 101 on a panic.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arguments;
mod ask;
mod board;
mod checkpoint;
mod holder;
mod link;
mod outbox;
mod run;
mod service;
mod sockets;

use clap::Parser;
use std::process::ExitCode;
use tfcoord_telemetry::causes;
use tfcoord_telemetry::logs::{self, Format, Identity};

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    let job = arguments.job.to_string();
    let task = format!("{job}/{}", arguments.task);
    if let Err(error) = logs::init(Format::Text, &Identity::Task { job, task, attempt: arguments.attempt.into() }) {
        eprintln!("tfcoord-ps: {error}");
        return ExitCode::FAILURE;
    }
    let done = runtime(arguments.io_threads()).map_err(anyhow::Error::from).and_then(|runtime| {
        let code = runtime.block_on(run::run(arguments));
        // A connection that does not end is no reason to stay.
        runtime.shutdown_background();
        code
    });
    tfcoord_fs::hdfs::close();
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tracing::error!("{}", causes::said(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build()
}
