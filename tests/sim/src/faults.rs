//! What goes wrong, and how often: tables, so that a new fault is a line. Every job survives all of it, with the bits of
//! the quiet run.

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
    /// A server's process is stopped, perhaps beyond its lease.
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
    /// A server's process stands still for ever.
    HangServer,
    /// The coordinator's process is killed.
    KillCoordinator,
    /// All processes are killed.
    KillAll,
    /// Everything stops at once, and what was not synced is lost.
    CutPower,
    /// The coordinator's disk has no room for a while.
    FillDisk,
    /// A sync of the coordinator's disk fails.
    FailSync,
    /// There is no room for checkpoints for a while.
    FillStore,
    /// The next sync of a checkpoint's files fails.
    FailStoreSync,
    /// The next checkpoint that is read cannot be.
    FailStoreRead,
    /// A checkpoint is damaged where it lies.
    SpoilCheckpoint,
    /// The system's clock is set.
    SetClock,
}

use Fault::{
    CutPower, CutStream, FailLaunches, FailStoreRead, FailStoreSync, FailSync, FillDisk, FillStore, FreezeCoordinator, FreezeServer,
    FreezeWorker, HangServer, HangWorker, KillAll, KillCoordinator, KillServer, KillWorker, Late, PartServer, PartTasks, PartWorker,
    Replay, SetClock, SpoilCheckpoint,
};

/// Faults with their weights.
pub type Mix = &'static [(Fault, u64)];

const WORKERS: Mix = &[
    (KillWorker, 6),
    (FreezeWorker, 4),
    (HangWorker, 1),
    (FreezeServer, 1),
    (FreezeCoordinator, 1),
    (CutStream, 12),
    (PartWorker, 4),
    (PartTasks, 4),
    (Replay, 6),
    (Late, 3),
    (FailLaunches, 1),
    (SetClock, 1),
];
const STREAMS: Mix = &[(CutStream, 10), (PartTasks, 4), (Replay, 6), (Late, 3)];
const COORDINATOR: Mix = &[
    (KillCoordinator, 5),
    (FreezeCoordinator, 2),
    (CutPower, 2),
    (FillDisk, 2),
    (FailSync, 3),
    (SetClock, 2),
    (KillWorker, 3),
    (CutStream, 3),
    (PartWorker, 1),
    (FillStore, 1),
];
const SERVERS: Mix = &[
    (KillServer, 4),
    (HangServer, 1),
    (FreezeServer, 2),
    (PartServer, 2),
    (KillWorker, 3),
    (CutStream, 6),
    (Replay, 5),
    (FreezeWorker, 1),
    (FillStore, 1),
    (FailStoreSync, 1),
    (FailStoreRead, 3),
    (SpoilCheckpoint, 3),
];
const ALL: Mix = &[
    (KillWorker, 4),
    (FreezeWorker, 3),
    (HangWorker, 1),
    (FreezeServer, 2),
    (HangServer, 1),
    (FreezeCoordinator, 1),
    (CutStream, 8),
    (PartWorker, 3),
    (PartServer, 2),
    (PartTasks, 3),
    (Replay, 6),
    (Late, 2),
    (FailLaunches, 1),
    (KillServer, 3),
    (KillCoordinator, 3),
    (KillAll, 1),
    (CutPower, 2),
    (FillDisk, 1),
    (FailSync, 1),
    (FillStore, 1),
    (FailStoreSync, 2),
    (FailStoreRead, 2),
    (SpoilCheckpoint, 1),
    (SetClock, 1),
];

/// Which mix how often.
const MIXES: &[(Mix, u64)] = &[(WORKERS, 30), (STREAMS, 8), (COORDINATOR, 17), (SERVERS, 20), (ALL, 25)];

/// The faults of a run.
pub fn mix(chance: &mut Chance) -> Mix {
    chance.weighted(MIXES).expect("there are mixes")
}
