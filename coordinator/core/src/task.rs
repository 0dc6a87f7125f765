//! A task's life.
//!
//! ```text
//!              LaunchTask                RegisterTask
//!   submitted ───────────► launched ─────────────────► registered
//!                           ▲    │ lost, not registered     │ lost
//!                 Tick, or  │    ▼ in time                  │
//!                 at once   └─ waiting ◄────────────────────┘
//!
//!   job over:  launched, registered ──► stopping ──CollectTask──► ended
//!              waiting ─────────────────────────────────────────► ended
//!   scaled down, once a worker holds nothing: as when the job is over
//!   scaled up:                          stopping, ended ─────────► launched
//! ```
//!
//! A loss makes a new attempt, with the next number. Only a registered task has an incarnation that may speak.

use crate::cause::{Cause, Exit};
use crate::command::Process;
use serde::{Deserialize, Serialize};
use tfcoord_types::id::{Attempt, Incarnation, Revision};

/// So often a worker is launched again at once without any progress of its job; from then on after [`BACKOFF_MS`].
pub const RESTARTS_AT_ONCE: u32 = 3;
/// How long a worker that was lost often is not launched again.
pub const BACKOFF_MS: u64 = 1_000;

/// How far a job is, as far as its log tells: larger whenever it has got further. In the order of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Advance {
    /// Steps that all servers have done.
    pub step: u64,
    /// Evaluations that are complete.
    pub evaluations: u32,
    /// Shards that are complete of the evaluation under way.
    pub shards: u32,
}

/// A task of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The newest launch.
    pub attempt: Attempt,
    /// Where it is in its life.
    pub state: TaskState,
    /// How often it was replaced.
    pub restarts: u32,
    /// How often without any progress of the job in between: the last ones of `restarts`.
    #[serde(default)]
    pub restarts_in_vain: u32,
    /// Where the job was at its last loss.
    #[serde(default)]
    pub lost_at: Advance,
    /// How the attempt before the newest ended, or the newest one if the job is over.
    pub lost: Option<Cause>,
    /// Which attempt that was.
    #[serde(default)]
    pub lost_attempt: Option<Attempt>,
    /// Why its lanes went to others, if it was a straggler; until the job is scaled or it is replaced.
    #[serde(default)]
    pub relieved: Option<String>,
    /// How the newest attempt was collected, once the job is over or has no more of it.
    pub exit: Option<Exit>,
}

/// Where a task is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Lost often: the next attempt is launched later.
    Waiting {
        /// In log time.
        until_ms: u64,
    },
    /// A process was started, or will be.
    Launched {
        /// It must register before, in log time.
        until_ms: u64,
    },
    /// A process takes part.
    Registered(Registration),
    /// The job is over, or has no more of it: the process should end.
    Stopping {
        /// The process's, if it had registered.
        incarnation: Option<Incarnation>,
    },
    /// The job is over, or has no more of it: nothing is left of it.
    Ended {
        /// The last process's, if it had registered.
        incarnation: Option<Incarnation>,
    },
}

/// A process that takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The fencing token: the log index of its registration.
    pub incarnation: Incarnation,
    /// What it said of itself.
    pub process: Process,
    /// The newest revision that it is known to have applied (servers; known only as far as a grant needed it).
    pub applied: Revision,
    /// Steps that all of its chunks are known to have (servers; known only as far as a phase needed it).
    pub reached: u64,
}

impl Task {
    pub(crate) fn new(now_ms: u64, start_timeout: u64) -> Self {
        Self {
            attempt: Attempt(1),
            state: TaskState::launched(now_ms, start_timeout),
            restarts: 0,
            restarts_in_vain: 0,
            lost_at: Advance::default(),
            lost: None,
            lost_attempt: None,
            relieved: None,
            exit: None,
        }
    }

    /// The process that takes part, if one does.
    pub fn registration(&self) -> Option<&Registration> {
        match &self.state {
            TaskState::Registered(registration) => Some(registration),
            _ => None,
        }
    }

    pub(crate) fn registration_mut(&mut self) -> Option<&mut Registration> {
        match &mut self.state {
            TaskState::Registered(registration) => Some(registration),
            _ => None,
        }
    }

    /// The newest attempt's incarnation, if it has registered; also after the job's end.
    pub fn incarnation(&self) -> Option<Incarnation> {
        match &self.state {
            TaskState::Registered(registration) => Some(registration.incarnation),
            TaskState::Stopping { incarnation } | TaskState::Ended { incarnation } => *incarnation,
            TaskState::Waiting { .. } | TaskState::Launched { .. } => None,
        }
    }

    /// Whether its process should end, or has ended, without another in its place.
    pub fn is_dismissed(&self) -> bool {
        matches!(self.state, TaskState::Stopping { .. } | TaskState::Ended { .. })
    }

    /// Whether a process of the newest attempt should run, for a job that is not over.
    pub fn is_out(&self) -> bool {
        matches!(self.state, TaskState::Launched { .. } | TaskState::Registered(_))
    }
}

impl TaskState {
    pub(crate) fn launched(now_ms: u64, start_timeout: u64) -> Self {
        TaskState::Launched { until_ms: now_ms.saturating_add(start_timeout.saturating_mul(1000)) }
    }
}
