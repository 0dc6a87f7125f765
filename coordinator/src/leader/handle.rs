//! The way to ask the leader, from any thread.

use super::request::{Reply, Request};
use std::sync::mpsc::{SyncSender, TrySendError};
use tokio::sync::oneshot;

/// The way to ask the leader.
#[derive(Debug, Clone)]
pub struct Handle(SyncSender<Request>);

/// No answer will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// Too many requests wait.
    #[error("the coordinator is busy: try again")]
    Busy,
    /// The leader has ended.
    #[error("the coordinator is ending")]
    Ended,
}

impl Handle {
    pub(super) fn new(sender: SyncSender<Request>) -> Self {
        Self(sender)
    }

    /// Asks and waits for the answer, which comes when whatever it depends on is durable.
    ///
    /// # Errors
    /// No answer will come; the request may have been carried out all the same.
    pub async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.tell(request(reply))?;
        answer.await.map_err(|_| Gone::Ended)
    }

    /// Hands a request over without waiting.
    ///
    /// # Errors
    /// It was not taken.
    pub fn tell(&self, request: Request) -> Result<(), Gone> {
        self.0.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => Gone::Busy,
            TrySendError::Disconnected(_) => Gone::Ended,
        })
    }

    /// Hands a request over, waiting for room if need be. Not for asynchronous code.
    ///
    /// # Errors
    /// The leader has ended.
    pub fn tell_waiting(&self, request: Request) -> Result<(), Gone> {
        self.0.send(request).map_err(|_| Gone::Ended)
    }

    /// A hint; one that is lost is made up for by the next look.
    pub(super) fn tasks_changed(&self) {
        let _ = self.tell(Request::TasksChanged);
    }
}
