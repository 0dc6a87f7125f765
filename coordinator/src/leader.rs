//! The leader: one thread that owns the state and the log.
//!
//! A turn: take what arrived; append the commands that follow from it in one batch and sync them; apply them; see what
//! follows from that in turn; then answer, and hand out what changed. Nothing is answered before it is durable.
//! Reports never enter the log: the newest of each task is kept here ([`presence`]), and the core's `proposals` says
//! what of it must become a command. What runs is compared with what should ([`reconcile`]) whenever a decision touches
//! tasks, when one has ended, and every 5 s; and when nothing is left of a job that ended, so are files ([`Wanted`](crate::state_dir::Wanted)).

mod error;
mod handle;
mod job_message;
mod journal;
mod outlets;
pub mod presence;
pub mod progress;
pub mod reconcile;
mod release;
mod request;
mod results;
pub mod saver;
mod turn;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use error::Error;
use handle::LastWords;
pub use handle::{Gone, Handle};
pub use journal::{Denied, Journal, SNAPSHOT_EVERY};
pub use request::{OpenSession, Request};

use crate::clock::Clock;
use crate::errand::Errands;
use crate::outputs::Outputs;
use crate::state_dir::StateDir;
use crate::tokens::Keeper;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use tfcoord_coordinator_core::{Cluster, Command};
use tfcoord_fs::FileLock;
use tfcoord_launch::Launcher;
use tokio::sync::watch;

/// Requests that wait before more are refused.
const REQUESTS_MAX: usize = 1024;
/// Requests that are taken in one turn.
const BATCH_MAX: usize = 256;

/// What the leader works with.
pub struct Parts {
    /// The log, opened.
    pub journal: Journal,
    /// The state that it leads to.
    pub cluster: Cluster,
    /// Where job files and tokens lie.
    pub state: StateDir,
    /// Where results go.
    pub outputs: Outputs,
    /// What reaches files in HDFS.
    pub errands: Errands,
    /// The state directory's lock: once its file is gone, so is the directory.
    pub lock: Arc<FileLock>,
    /// Keeps the tokens of jobs on HDFS.
    pub keeper: Keeper,
    /// Of how many jobs that ended the files are kept.
    pub ended_jobs_kept: usize,
}

/// A leader that runs.
pub struct Leader {
    handle: Handle,
    active: watch::Receiver<usize>,
    thread: JoinHandle<Result<(), Error>>,
}

impl Leader {
    /// Takes office: starts the leader's thread. `launcher` makes the launcher, which is given a function to call
    /// whenever a task has ended, and which is given back too.
    ///
    /// # Errors
    /// There is no launcher, or the thread cannot be started.
    pub fn start<E: From<std::io::Error>>(
        parts: Parts,
        launcher: impl FnOnce(Arc<dyn Fn() + Send + Sync>) -> Result<Arc<dyn Launcher>, E>,
    ) -> Result<(Self, Arc<dyn Launcher>), E> {
        let (sender, requests) = sync_channel(REQUESTS_MAX);
        let last_words = LastWords::default();
        let handle = Handle::new(sender, last_words.clone());
        let (active_sender, active) = watch::channel(0);
        let nudge = handle.clone();
        let launcher = launcher(Arc::new(move || nudge.tasks_changed()))?;
        let clock = Clock::new(parts.cluster.now_ms());
        let office = turn::Office::new(parts, clock, launcher.clone(), active_sender, handle.clone(), last_words);
        let thread = thread::Builder::new().name("leader".into()).spawn(move || lead(office, &requests))?;
        Ok((Self { handle, active, thread }, launcher))
    }

    /// The way to ask it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// How many jobs are not over, and tasks that still run.
    pub fn active(&self) -> watch::Receiver<usize> {
        self.active.clone()
    }

    /// Waits until the thread has ended: after [`Request::Stop`], or since it could not go on.
    ///
    /// # Errors
    /// Why it could not go on.
    ///
    /// # Panics
    /// If the thread did.
    pub fn join(self) -> Result<(), Error> {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn lead(mut office: turn::Office, requests: &Receiver<Request>) -> Result<(), Error> {
    office.propose(Command::TakeOffice { adopts: true });
    office.settle()?;
    tfcoord_fault::point!("leader.office.taken");
    loop {
        let mut next = match requests.recv_timeout(office.wait()) {
            Ok(request) => Some(request),
            Err(RecvTimeoutError::Timeout) => None,
            // Every handle is gone; nobody can ask for an end any more.
            Err(RecvTimeoutError::Disconnected) => break,
        };
        office.begin()?;
        let mut taken = 0;
        while let Some(request) = next {
            if matches!(request, Request::Stop) {
                // What came before it is settled.
                return office.settle();
            }
            office.take(request);
            taken += 1;
            next = if taken < BATCH_MAX { requests.try_recv().ok() } else { None };
        }
        office.settle()?;
    }
    Ok(())
}
