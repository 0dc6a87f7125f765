//! A task's side of `TaskSession`, used by servers and workers alike.
//!
//! ```text
//!  open ──Register──► Welcome ──Session──► first view ──┐
//!                                             ▲         ▼
//!                                   back off  │     in session: newest view down, newest report up
//!                                             │         │ stream broken
//!                                             └─────────┘
//!            no session for the grace time ──► Orphaned        refused for good ──► Refused
//! ```
//!
//! Views and reports are states, not messages: of several only the newest is handed on, and a report is sent again
//! with every heartbeat, a quarter of the job's lease, whether it changed or not. While there is no coordinator the task
//! goes on by its newest view, and attempts to reach it are so close together that one that has come back hears of the task
//! within a lease.

mod exit;
mod keep;
mod register;
#[cfg(test)]
mod tests;

pub use exit::{FAULT, FENCED, ORPHANED, STOPPED};

use crate::auth::Bearer;
use crate::endpoint::Endpoint;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_types::id::{Attempt, Incarnation, JobId, TaskId};
use tfcoord_types::report::Report;
use tfcoord_types::view::TaskView;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What a task says of itself when it registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Its job.
    pub job: JobId,
    /// Which task of the job it is.
    pub task: TaskId,
    /// Which launch of it.
    pub attempt: Attempt,
    /// Where it listens, the fastest first; bound and held. Empty for a worker.
    pub addresses: Vec<String>,
    /// The host that its Unix sockets are good on.
    pub host: String,
    /// The best kernels that this machine can run; empty for a server.
    pub kernel_path: String,
}

/// The coordinator's answer to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The process's fencing token.
    pub incarnation: Incarnation,
    /// The job file as admitted, JSON.
    pub job_file: String,
    /// What preparation found in the data: JSON of [`tfcoord_types::manifest::Manifest`].
    pub manifest: Bytes,
    /// A task that is silent for so long is held for dead.
    pub lease: Duration,
}

/// Why a session is over for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// No session for the grace time: end with [`tfcoord_types::view::ORPHANED_EXIT_CODE`].
    #[error("no session with the coordinator at {endpoint} for {grace_ms} ms, last: {cause}")]
    Orphaned {
        /// The coordinator.
        endpoint: Endpoint,
        /// The grace time, in ms.
        grace_ms: u64,
        /// What the last attempt met.
        cause: String,
    },
    /// The coordinator refused, and would do so again. `FailedPrecondition` of a session that was open: another
    /// incarnation has this task's place.
    #[error("the coordinator at {endpoint} refused this task: {message} ({code:?})")]
    Refused {
        /// The coordinator.
        endpoint: Endpoint,
        /// The gRPC code.
        code: tonic::Code,
        /// Its words.
        message: String,
    },
    /// [`Session::close`] was called, and the coordinator has everything.
    #[error("the session was closed")]
    Closed,
}

/// A session that is kept up in the background; it ends when this is dropped.
#[derive(Debug)]
pub struct Session {
    views: watch::Receiver<Arc<TaskView>>,
    reports: watch::Sender<Report>,
    closing: watch::Sender<bool>,
    ended: watch::Receiver<Option<Ended>>,
    task: AbortHandle,
}

impl Session {
    /// Registers the process and opens its session; returns once the first view is there. Attempts are repeated with
    /// backoff for `grace`; later a session that is lost for as long ends as [`Ended::Orphaned`]. Call it once a process:
    /// every call is a new incarnation.
    ///
    /// # Errors
    /// [`Ended::Orphaned`] or [`Ended::Refused`].
    pub async fn open(endpoint: &Endpoint, token: &Bearer, hello: Hello, grace: Duration) -> Result<(Welcome, Self), Ended> {
        let mut reach = register::Reach::new(endpoint, token, grace);
        let role = hello.task.role;
        let welcome = reach.register(hello).await?;
        let (keeper, session) = keep::begin(reach, role, welcome.incarnation, welcome.lease).await?;
        let (ended_sender, ended) = watch::channel(None);
        let keeping = tokio::spawn(async move {
            let reason = keeper.keep().await;
            ended_sender.send_replace(Some(reason));
        });
        let keep::Ends { views, reports, closing } = session;
        Ok((welcome, Self { views, reports, closing, ended, task: keeping.abort_handle() }))
    }

    /// The newest view, and word when it changes. Revisions never go back.
    pub fn views(&self) -> watch::Receiver<Arc<TaskView>> {
        self.views.clone()
    }

    /// Makes `report` the newest one: sent within 50 ms if it differs from the last.
    pub fn report(&self, report: Report) {
        self.reporter().report(report);
    }

    /// For another part of the process, whatever its thread.
    pub fn reporter(&self) -> Reporter {
        Reporter(self.reports.clone())
    }

    /// Waits until the session is over for good.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        // The keeper was dropped with its runtime: nobody keeps a session any more.
        reason.unwrap_or(Ended::Closed)
    }

    /// Sends the newest report, ends the stream, and waits for the coordinator to have seen it, at most `within`.
    pub async fn close(self, within: Duration) {
        self.closing.send_replace(true);
        if tokio::time::timeout(within, self.ended()).await.is_err() {
            tracing::warn!("the coordinator did not take the last report within {} ms", within.as_millis());
        }
    }
}

/// Takes reports for a session; see [`Session::report`].
#[derive(Debug, Clone)]
pub struct Reporter(watch::Sender<Report>);

impl Reporter {
    /// As [`Session::report`]; after the session's end it goes nowhere.
    pub fn report(&self, report: Report) {
        self.0.send_if_modified(|newest| {
            let changed = *newest != report;
            *newest = report;
            changed
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}
