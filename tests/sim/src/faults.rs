//! What goes wrong, and how often: tables, so that a new fault or a new promise is a line.
//!
//! [`PROMISES`] says what a job is promised to survive by now. A fault that may happen in a run and that it is not promised
//! to survive may fail a job, with that reason and no other, and the client submits it again; any other failure breaks a
//! law.

use crate::chance::Chance;

/// What a job survives.
#[derive(Debug, Clone, Copy)]
pub struct Promises {
    /// The loss of a parameter server, as a new generation from the newest checkpoint.
    pub server_loss: bool,
    /// A restart of the coordinator, which adopts the tasks that run.
    pub coordinator_loss: bool,
}

/// What is promised today.
pub const PROMISES: Promises = Promises { server_loss: false, coordinator_loss: false };

/// Why a job may fail in a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Excuses {
    server: bool,
    launch: bool,
    coordinator: bool,
}

impl Excuses {
    /// What may happen in a run of this mix, and a job is not promised to survive.
    pub fn of(mix: Mix) -> Self {
        let may = |which: &[Fault]| mix.iter().any(|(fault, _)| which.contains(fault));
        Self {
            server: !PROMISES.server_loss && may(&[KillServer]),
            launch: !PROMISES.server_loss && may(&[FailLaunches]),
            coordinator: !PROMISES.coordinator_loss && may(&[KillCoordinator, CutPower, FillDisk, FailSync]),
        }
    }

    /// Whether a job may have failed for this reason.
    pub fn cover(&self, reason: &str) -> bool {
        let server = reason.contains("a parameter server's death ends the job");
        let launch = server && reason.contains("could not be launched");
        let coordinator = reason.starts_with("the coordinator ended and was restarted");
        (server && self.server) || (launch && self.launch) || (coordinator && self.coordinator)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A worker's process is killed.
    KillWorker,
    /// A worker's process is stopped for so long that it may be held for dead, and goes on.
    FreezeWorker,
    /// A worker's process stands still for ever.
    HangWorker,
    /// A server's process is stopped, for less than a lease.
    FreezeServer,
    /// The coordinator's process is stopped, for less than a lease.
    FreezeCoordinator,
    /// A stream breaks.
    CutStream,
    /// Worker and coordinator do not hear each other, or one does not hear the other.
    PartWorker,
    /// A server and the coordinator, for less than a lease.
    PartServer,
    /// Two tasks.
    PartTasks,
    /// Pushes that were sent long ago come once more.
    Replay,
    /// The network is slow for a while.
    Late,
    /// Launches fail for a while.
    FailLaunches,
    /// A server's process is killed.
    KillServer,
    /// The coordinator's process is killed.
    KillCoordinator,
    /// Everything stops at once, and what was not synced is lost.
    CutPower,
    /// The coordinator's disk has no room for a while.
    FillDisk,
    /// A sync of the coordinator's disk fails.
    FailSync,
    /// The system's clock is set.
    SetClock,
}

use Fault::{
    CutPower, CutStream, FailLaunches, FailSync, FillDisk, FreezeCoordinator, FreezeServer, FreezeWorker, HangWorker, KillCoordinator,
    KillServer, KillWorker, Late, PartServer, PartTasks, PartWorker, Replay, SetClock,
};

/// Faults with their weights.
pub type Mix = &'static [(Fault, u64)];

/// What every job survives today.
const WORKERS: Mix = &[
    (KillWorker, 6),
    (FreezeWorker, 4),
    (HangWorker, 1),
    (FreezeServer, 2),
    (FreezeCoordinator, 1),
    (CutStream, 12),
    (PartWorker, 4),
    (PartServer, 1),
    (PartTasks, 4),
    (Replay, 6),
    (Late, 3),
    (FailLaunches, 1),
    (SetClock, 1),
];
const STREAMS: Mix = &[(CutStream, 10), (PartTasks, 4), (Replay, 6), (Late, 3)];
const COORDINATOR: Mix =
    &[(KillCoordinator, 4), (CutPower, 4), (FillDisk, 2), (FailSync, 3), (SetClock, 2), (KillWorker, 3), (CutStream, 3), (PartWorker, 1)];
const SERVERS: Mix = &[(KillServer, 3), (KillWorker, 3), (CutStream, 6), (Replay, 3), (FreezeWorker, 1)];

/// Which mix how often.
const MIXES: &[(Mix, u64)] = &[(WORKERS, 60), (STREAMS, 10), (COORDINATOR, 22), (SERVERS, 8)];

/// The faults of a run.
pub fn mix(chance: &mut Chance) -> Mix {
    chance.weighted(MIXES).expect("there are mixes")
}
