//! What goes wrong, and how often: tables, so that a new fault or a new promise is a line.
//! A job survives all of it: whatever fails one breaks a law.

use crate::chance::Chance;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A worker's process is killed.
    KillWorker,
    /// A worker's process is stopped for so long that it may be held for dead, and goes on.
    FreezeWorker,
    /// A worker's process stands still for ever.
    HangWorker,
    /// A server's process is stopped, perhaps for longer than a lease.
    FreezeServer,
    /// The coordinator's process is stopped.
    FreezeCoordinator,
    /// A stream breaks.
    CutStream,
    /// Worker and coordinator do not hear each other, or one does not hear the other.
    PartWorker,
    /// A server and the coordinator.
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

/// A little of everything that processes and networks do.
const WORKERS: Mix = &[
    (KillWorker, 6),
    (KillServer, 2),
    (KillCoordinator, 2),
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
