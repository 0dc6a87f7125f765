//! Which process dies where, and when: several points a job, so that all of them together take a minute.
//!
//! Hits are counted by each process for itself, from its start: of the processes that share a plan, the first that gets so
//! far dies there, and none after it. So deaths of one round come one after the other, wherever the numbers put them.

/// A job, and where it is struck.
pub(super) struct Round {
    pub(super) name: &'static str,
    pub(super) from: From,
    /// Fault points, and the arrival at which the process dies.
    pub(super) plan: &'static [(&'static str, u64)],
}

/// Which processes have the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// All, from the coordinator's first moment on: what happens before the job is admitted counts.
    TheStart,
    /// Those that are started when a coordinator without it was killed in mid-job, and with it worker-1.
    MidJob,
    /// The same, on a log that is about to be continued in a new segment, and grows.
    MidJobWithALongLog,
}

pub(super) const ROUNDS: &[Round] = &[
    // A coordinator that dies before it serves leaves the client without an answer, and it is called again.
    Round {
        name: "beginning",
        from: From::TheStart,
        plan: &[
            ("log.segment.create", 1),
            ("log.segment.created", 1),
            ("leader.office.taken", 1),
            ("leader.commit.begun", 1),
            ("leader.answer.due", 1),
            ("launch.begun", 1),
            ("launch.started", 2),
            ("leader.task.registered", 2),
            ("ps.sockets.bound", 1),
            ("worker.registered", 1),
        ],
    },
    Round {
        name: "restart",
        from: From::MidJob,
        plan: &[
            ("fs.file.create", 1),
            ("fs.file.created", 1),
            ("fs.file.write", 1),
            ("fs.file.sync", 1),
            ("fs.file.synced", 1),
            ("fs.file.rename", 1),
            ("fs.file.renamed", 1),
            ("fs.file.durable", 1),
            ("leader.office.taken", 1),
            ("leader.reconcile.due", 1),
            ("launch.begun", 1),
            ("launch.record.written", 1),
            ("launch.started", 1),
            ("leader.task.registered", 1),
        ],
    },
    Round {
        name: "long-log",
        from: From::MidJobWithALongLog,
        plan: &[
            ("log.segment.create", 1),
            ("log.segment.created", 1),
            ("log.segment.rolled", 1),
            ("log.snapshot.made", 1),
            ("log.snapshot.written", 1),
            ("log.segment.removed", 1),
        ],
    },
    Round {
        name: "append",
        from: From::TheStart,
        plan: &[
            ("log.append.write", 30),
            ("log.append.written", 32),
            ("log.append.sync", 34),
            ("log.append.synced", 36),
            ("leader.commit.begun", 22),
            ("leader.commit.durable", 24),
            ("leader.commit.applied", 26),
        ],
    },
    Round {
        name: "leader",
        from: From::TheStart,
        plan: &[
            ("leader.effects.due", 30),
            ("leader.answer.due", 40),
            ("leader.views.due", 50),
            ("checkpoint.remove.manifest", 2),
            ("checkpoint.remove.parts", 3),
        ],
    },
    Round {
        name: "parts",
        from: From::TheStart,
        plan: &[
            ("checkpoint.part.create", 2),
            ("checkpoint.part.created", 3),
            ("checkpoint.part.write", 4),
            ("checkpoint.part.written", 5),
            ("checkpoint.part.before_sync", 2),
            ("checkpoint.part.sync", 3),
            ("checkpoint.part.synced", 2),
        ],
    },
    Round {
        name: "manifests",
        from: From::TheStart,
        plan: &[
            ("checkpoint.manifest.write", 2),
            ("checkpoint.manifest.written", 2),
            ("checkpoint.manifest.sync", 2),
            ("checkpoint.manifest.synced", 2),
            ("checkpoint.manifest.rename", 2),
            ("checkpoint.manifest.renamed", 2),
            ("checkpoint.manifest.dir_synced", 2),
        ],
    },
    Round {
        name: "server",
        from: From::TheStart,
        plan: &[
            ("ps.registered", 1),
            ("ps.view.applied", 12),
            ("ps.push.received", 1500),
            ("ps.push.taken", 2000),
            ("ps.chunk.updated", 1000),
            ("ps.pull.received", 3),
            ("ps.report.due", 30),
            // A server that comes in the place of another one.
            ("worker.link.open", 3),
        ],
    },
    Round {
        name: "worker",
        from: From::TheStart,
        plan: &[
            ("worker.view.received", 12),
            ("worker.parameters.pulled", 90),
            ("worker.step.begun", 40),
            ("worker.step.computed", 60),
            ("worker.push.due", 1500),
            ("worker.push.sent", 2000),
            ("worker.shard.evaluated", 3),
        ],
    },
    Round {
        name: "export",
        from: From::TheStart,
        plan: &[
            ("fs.directory.synced", 1),
            ("worker.export.written", 1),
            ("fs.directory.renamed", 1),
            ("worker.export.renamed", 1),
            ("worker.export.done", 1),
        ],
    },
];
