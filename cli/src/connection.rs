//! Calls that survive a broken connection.
//!
//! Every call to the coordinator may be repeated: reading changes nothing, a cancelled job stays cancelled, and a
//! submission carries its request id. So what got lost is said again, until it was answered or patience is over.
//! An embedded coordinator that is not there is started; one that was started and does not answer either, after a while
//! again, and one that could not be started for what may pass, such as a full disk, until patience is over. Jobs outlive it:
//! it goes on from its log.

use crate::failure::{Failure, is_lost};
use crate::place::{Client, Place};
use crate::start::{self, Started};
use std::time::{Duration, Instant};
use tfcoord_client::{Backoff, Pulse};
use tonic::{Response, Status};

/// The wait before the second attempt, and the longest one.
const WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// One that was started may take so long until it is started again.
const START_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A connection to the coordinator that is made when it is needed.
pub struct Connection {
    place: Place,
    patience: Duration,
    client: Option<Client>,
    trouble: Option<Trouble>,
    had_answers: bool,
    restarted: bool,
}

// Since the last answer.
struct Trouble {
    since: Instant,
    silent: bool,
    backoff: Backoff,
    started: Option<Instant>,
}

impl Connection {
    /// A connection to `place`; an attempt that fails is repeated for as long as `patience`.
    pub fn new(place: Place, patience: Duration) -> Self {
        Self { place, patience, client: None, trouble: None, had_answers: false, restarted: false }
    }

    /// A connected client.
    ///
    /// # Errors
    /// When patience is over, or it makes no sense to go on.
    pub async fn client(&mut self) -> Result<Client, Failure> {
        loop {
            if let Some(client) = &self.client {
                return Ok(client.clone());
            }
            match self.place.connect(self.patience).await {
                Ok(client) => self.client = Some(client),
                Err(Ok(why)) => self.nobody(&why).await?,
                Err(Err(failure)) => return Err(failure),
            }
        }
    }

    /// Asks until there is an answer.
    ///
    /// # Errors
    /// The coordinator's refusal, or that it does not answer.
    pub async fn call<T>(&mut self, ask: impl AsyncFn(&mut Client) -> Result<Response<T>, Status>) -> Result<T, Failure> {
        loop {
            let mut client = self.client().await?;
            match ask(&mut client).await {
                Ok(response) => {
                    self.answered();
                    return Ok(response.into_inner());
                }
                Err(status) => self.again(status).await?,
            }
        }
    }

    /// There was an answer: patience is new.
    pub fn answered(&mut self) {
        self.trouble = None;
        self.had_answers = true;
    }

    /// Whether a coordinator that was there has been lost and started again since the last time this was asked.
    pub fn was_restarted(&mut self) -> bool {
        std::mem::take(&mut self.restarted)
    }

    /// Waits, if the call that ended so may be repeated.
    ///
    /// # Errors
    /// If it may not.
    pub async fn again(&mut self, status: Status) -> Result<(), Failure> {
        if !is_lost(&status) {
            return Err(status.into());
        }
        self.client = None;
        // It can be connected to, and is lost again: it does not answer, and did not for a while before that was seen.
        let unsaid = std::error::Error::source(&status).is_some();
        let silent = self.trouble.as_mut().filter(|_| unsaid).map(|trouble| trouble.silence(Pulse::of(self.patience).silence()));
        let why = silent.map_or(status.message(), |()| "it takes connections and says nothing, as if it was stopped or too busy");
        self.pause(self.place.unreachable(why)).await
    }

    async fn nobody(&mut self, why: &str) -> Result<(), Failure> {
        let trouble = self.trouble.get_or_insert_with(Trouble::begin);
        match &self.place {
            Place::Embedded { state_dir } if trouble.started.is_none_or(|at| at.elapsed() > START_AGAIN_AFTER) => {
                trouble.started = Some(Instant::now());
                match start::embedded(state_dir).await? {
                    Started::Serves => self.restarted = self.had_answers,
                    Started::NotNow(failure) => {
                        trouble.started = None;
                        return self.pause(failure).await;
                    }
                }
                Ok(())
            }
            _ => self.pause(self.place.unreachable(why)).await,
        }
    }

    // Until the next attempt, or, where there is none any more, `last`.
    async fn pause(&mut self, last: Failure) -> Result<(), Failure> {
        let trouble = self.trouble.get_or_insert_with(Trouble::begin);
        let wait = trouble.backoff.next_wait();
        if trouble.since.elapsed() + wait > self.patience {
            return Err(last);
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

impl Trouble {
    // For so long there was no answer when that was seen first.
    fn silence(&mut self, silence: Duration) {
        if !std::mem::replace(&mut self.silent, true) {
            self.since = self.since.checked_sub(silence).unwrap_or(self.since);
        }
    }

    fn begin() -> Self {
        Self { since: Instant::now(), silent: false, backoff: Backoff::new(WAIT.0, WAIT.1, u64::from(std::process::id())), started: None }
    }
}
