//! The way to ask the leader, from any thread.

use super::request::{Reply, Request};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, OnceLock};
use tokio::sync::oneshot;

/// The way to ask the leader.
#[derive(Debug, Clone)]
pub struct Handle {
    requests: SyncSender<Request>,
    last_words: LastWords,
}

/// Why the leader could not go on, once it cannot; said before anybody learns that it has ended.
pub(super) type LastWords = Arc<OnceLock<String>>;

/// No answer will come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// Too many requests wait.
    #[error("the coordinator is busy: try again")]
    Busy,
    /// The leader has ended.
    #[error("the coordinator is ending")]
    Ended,
    /// The leader could not go on, and the coordinator ends with it.
    #[error("{0}")]
    Failed(String),
}

impl Handle {
    pub(super) fn new(requests: SyncSender<Request>, last_words: LastWords) -> Self {
        Self { requests, last_words }
    }

    /// Why a leader that has ended has.
    pub fn end(&self) -> Gone {
        self.last_words.get().map_or(Gone::Ended, |words| Gone::Failed(words.clone()))
    }

    /// Asks and waits for the answer, which comes when whatever it depends on is durable.
    ///
    /// # Errors
    /// No answer will come; the request may have been carried out all the same.
    pub async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.tell(request(reply))?;
        answer.await.map_err(|_| self.end())
    }

    /// Hands a request over without waiting.
    ///
    /// # Errors
    /// It was not taken.
    pub fn tell(&self, request: Request) -> Result<(), Gone> {
        self.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => Gone::Busy,
            TrySendError::Disconnected(_) => self.end(),
        })
    }

    /// Hands a request over, waiting for room if need be. Not for asynchronous code.
    ///
    /// # Errors
    /// The leader has ended.
    pub fn tell_waiting(&self, request: Request) -> Result<(), Gone> {
        self.requests.send(request).map_err(|_| self.end())
    }

    /// A hint; one that is lost is made up for by the next look.
    pub(super) fn tasks_changed(&self) {
        let _ = self.tell(Request::TasksChanged);
    }
}
