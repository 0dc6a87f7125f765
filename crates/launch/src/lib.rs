//! Engines start tasks: the trait [`Launcher`], and [`Local`] for tasks as processes on one machine.
//!
//! A launcher knows launches, not jobs: (job, task, attempt) is one [`Launch`], is started at most once, and stays in
//! [`Launcher::list`], running or ended, until it is forgotten. So whoever compares what should run with what does
//! never needs to be told anything: a message that got lost is seen in the next list.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod exit;
mod hadoop;
pub mod local;

pub use error::Error;
pub use exit::{Ended, Exit};
pub use hadoop::Hadoop;
pub use local::Local;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tfcoord_types::id::{Attempt, JobId, TaskId};

/// One launch of a task: starting is idempotent on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Launch {
    /// The task's job.
    pub job: JobId,
    /// The task.
    pub task: TaskId,
    /// Which launch of it.
    pub attempt: Attempt,
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// Which launch this is.
    pub launch: Launch,
    /// Threads that compute: a size, not a reservation; at least 1.
    pub cpus: u32,
    /// The file with the job's join token, readable by its owner only.
    pub token_file: PathBuf,
    /// How long it goes on without a coordinator.
    pub orphan_grace: Duration,
    /// The site that files of its job are on, if some are in HDFS.
    pub hadoop: Option<Hadoop>,
}

/// A launch that was started and not forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which one.
    pub launch: Launch,
    /// How it ended; `None` while it runs.
    pub ended: Option<Ended>,
}

/// Starts tasks, lists them, ends them, and reads what they print.
pub trait Launcher: Send + Sync {
    /// Starts a task's process. A launch that is listed, running or ended, is not started again, nor is one that another
    /// launcher started before in the same place. One whose program does not run is listed as ended.
    ///
    /// # Errors
    /// It could not be started; it may be tried again.
    fn launch(&self, spec: &TaskSpec) -> Result<(), Error>;

    /// Everything that was started and not forgotten.
    fn list(&self) -> Vec<Listed>;

    /// Asks a running launch to end, and ends it by force after `grace` (zero: at once), with all processes it
    /// started. Returns at once; asking again does no harm, nor does a launch that has ended.
    fn kill(&self, launch: &Launch, grace: Duration);

    /// Drops an ended launch from the list.
    fn forget(&self, launch: &Launch);

    /// Reads what a launch printed, also after its end: at most `bytes_max` bytes from `offset`, none where nothing
    /// is there (yet).
    ///
    /// # Errors
    /// What it printed cannot be read.
    fn read_log(&self, launch: &Launch, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error>;

    /// Bytes of memory of the machine that all tasks share; nothing where they do not share one, or it is not known.
    fn memory_bytes(&self) -> Option<u64>;

    /// Ends everything that runs, as [`kill`](Self::kill) does, and waits for it. A launcher that is dropped without it
    /// leaves its tasks running.
    fn stop(&self, grace: Duration);
}

impl fmt::Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} attempt {}", self.job, self.task, self.attempt)
    }
}
