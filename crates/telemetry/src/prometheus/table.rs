//! Every metric there is. `docs/metrics.md` shows the same rows, and a tidy test compares the two with the sources.

use metrics::Unit;

/// The process that records a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `tfcoord-coordinator`.
    Coordinator,
    /// `tfcoord-ps`.
    ParameterServer,
    /// `tfcoord-worker`.
    Worker,
}

/// What a metric's value does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows, from zero at the process's start.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts samples by upper bound, in the metric's unit.
    Histogram {
        /// The upper bounds, ascending.
        buckets: &'static [f64],
    },
}

impl Kind {
    /// Prometheus' word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram { .. } => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name: prefix, what, base unit, `_total` for a counter.
    pub name: &'static str,
    /// What its value does.
    pub kind: Kind,
    /// The unit of its value: seconds, bytes, or a plain count.
    pub unit: Unit,
    /// Names of its labels; the values of each come from a closed set, given in the help.
    pub labels: &'static [&'static str],
    /// Who records it; `None`: every process.
    pub role: Option<Role>,
    /// One sentence, shown by the endpoint.
    pub help: &'static str,
}

/// From half a millisecond to ten seconds: a disk's fsync, fast to ailing.
const FSYNC_S: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// From a tenth of a millisecond to a minute: parts of a training step.
const STEP_S: &[f64] = &[0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0];

const COORDINATOR: Option<Role> = Some(Role::Coordinator);
const SERVER: Option<Role> = Some(Role::ParameterServer);
const WORKER: Option<Role> = Some(Role::Worker);

/// The metrics recorded through the `metrics` macros.
pub const RECORDED_METRICS: &[Metric] = &[
    gauge("tfcoord_jobs", COORDINATOR, &["state"], "Jobs known to the coordinator, by state of their life cycle."),
    histogram(
        "tfcoord_fence_seconds",
        COORDINATOR,
        STEP_S,
        "Time from the verdict on a lost task until all others of its job have applied it, as their reports tell.",
    ),
    histogram(
        "tfcoord_grant_seconds",
        COORDINATOR,
        STEP_S,
        "Time from the grant of what was a lost worker's until its new owner has applied it, as its report tells.",
    ),
    counter("tfcoord_log_entries_total", COORDINATOR, Unit::Count, &[], "Entries appended to the coordinator's log."),
    histogram("tfcoord_log_fsync_seconds", COORDINATOR, FSYNC_S, "Time of one fsync of the coordinator's log."),
    gauge("tfcoord_sessions", COORDINATOR, &[], "Task sessions open at the moment."),
    counter("tfcoord_tasks_lost_total", COORDINATOR, Unit::Count, &[], "Tasks declared lost."),
    counter("tfcoord_checkpoint_bytes_total", SERVER, Unit::Bytes, &[], "Bytes of checkpoints written."),
    histogram("tfcoord_checkpoint_write_seconds", SERVER, STEP_S, "Time from a checkpoint's first chunk until its part was synced."),
    counter("tfcoord_chunk_updates_total", SERVER, Unit::Count, &[], "Chunks moved on by one step of the optimizer."),
    gauge("tfcoord_held_blocks", SERVER, &[], "Blocks of gradient sums held until their step is complete."),
    counter("tfcoord_push_bytes_total", SERVER, Unit::Bytes, &[], "Bytes of gradients received in pushes."),
    counter("tfcoord_pushes_total", SERVER, Unit::Count, &["outcome"], "Pushes answered, by outcome."),
    gauge("tfcoord_step", SERVER, &[], "The step that all chunks of this server have reached."),
    histogram("tfcoord_worker_compute_seconds", WORKER, STEP_S, "Time a step spent in computing gradients."),
    counter(
        "tfcoord_worker_read_bytes_total",
        WORKER,
        Unit::Bytes,
        &["source"],
        "Bytes of data read from HDFS: local where a replica is on the worker's own host, remote where none is, or unknown.",
    ),
    counter("tfcoord_worker_records_total", WORKER, Unit::Count, &[], "Records whose gradients were computed."),
    counter("tfcoord_worker_resends_total", WORKER, Unit::Count, &[], "Pushes sent again because they were not settled."),
    counter("tfcoord_worker_steps_total", WORKER, Unit::Count, &[], "Steps taken part in."),
    histogram("tfcoord_worker_wait_seconds", WORKER, STEP_S, "Time a step spent in waiting for parameters."),
];

/// The metrics read from the operating system at each scrape, under the names Prometheus' own clients use.
pub const PROCESS_METRICS: &[Metric] = &[
    counter("process_cpu_seconds_total", None, Unit::Seconds, &[], "CPU time used by the process, user and system."),
    Metric {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        unit: Unit::Bytes,
        labels: &[],
        role: None,
        help: "Resident memory of the process.",
    },
];

const fn counter(name: &'static str, role: Option<Role>, unit: Unit, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit, labels, role, help }
}

const fn gauge(name: &'static str, role: Option<Role>, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Unit::Count, labels, role, help }
}

const fn histogram(name: &'static str, role: Option<Role>, buckets: &'static [f64], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram { buckets }, unit: Unit::Seconds, labels: &[], role, help }
}

/// Describes every metric to the current recorder, and registers those of `role` that have no label.
pub(super) fn declare(role: Role) {
    for metric in RECORDED_METRICS {
        let Metric { name, unit, help, .. } = *metric;
        let register = metric.role == Some(role) && metric.labels.is_empty();
        match metric.kind {
            Kind::Counter => {
                metrics::describe_counter!(name, unit, help);
                let _at_zero = register.then(|| metrics::counter!(name));
            }
            Kind::Gauge => {
                metrics::describe_gauge!(name, unit, help);
                let _at_zero = register.then(|| metrics::gauge!(name));
            }
            Kind::Histogram { .. } => {
                metrics::describe_histogram!(name, unit, help);
                let _empty = register.then(|| metrics::histogram!(name));
            }
        }
    }
}
