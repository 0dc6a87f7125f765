//! What tests of the leader share: a small job of one server and two workers, and a launcher without processes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tfcoord_coordinator_core::{Cluster, Command, Process};
use tfcoord_launch::{Ended, Error, Exit, Launch, Launcher, Listed, TaskSpec};
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{Attempt, Generation, Incarnation, JobId, Revision, TaskId};
use tfcoord_types::job::{self, Input, JobFile};
use tfcoord_types::manifest::ManifestSummary;
use tfcoord_types::report::{Body, CurveReport, Report, ServerReport};

pub(crate) const JOB_FILE: &str = r#"{
    "name": "fashion",
    "model": {"layers": [{"dense": {"units": 4}}], "loss": "softmax_cross_entropy", "metrics": ["accuracy"]},
    "data": {"format": "csv", "train": {"files": "/data/x.csv"}, "label": "y"},
    "train": {"batch_size": 64, "micro_batches": 4, "epochs": 2, "optimizer": {"sgd": {"learning_rate": 0.1}}},
    "worker": {"count": 2},
    "output": {"dir": "/out"},
    "lease_seconds": 10
}"#;

/// Of the machine that a [`FakeLauncher`] pretends to have.
pub(crate) const MACHINE_BYTES: u64 = 64 << 20;

pub(crate) fn job_file() -> JobFile {
    job::parse("job.json", JOB_FILE).unwrap()
}

pub(crate) fn summary() -> ManifestSummary {
    ManifestSummary {
        digest: "a".repeat(64),
        records_digest: "b".repeat(64),
        train_records: 1000,
        eval_records: 0,
        input: Input::plain(&[8], 4),
        beside: Default::default(),
        holders: None,
    }
}

pub(crate) fn process(nonce: u8) -> Process {
    Process { nonce: nonce.to_string(), addresses: vec!["127.0.0.1:1".into()], host: "h".into(), kernel_path: "k".into() }
}

pub(crate) fn job() -> JobId {
    JobId { name: "fashion".into(), number: 1 }
}

/// The job submitted, and worker-0 registered as incarnation 2.
pub(crate) fn registered() -> Cluster {
    registered_with_lease(2.0)
}

/// The same with a lease, in seconds.
pub(crate) fn registered_with_lease(lease_seconds: f64) -> Cluster {
    let mut cluster = Cluster::new();
    let file = Box::new(JobFile { lease_seconds, ..job_file() });
    let submit = Command::SubmitJob { request_id: "r".into(), file, manifest: summary(), resume: None };
    cluster.apply(1, 1000, submit);
    let register = Command::RegisterTask { job: job(), task: TaskId::worker(0), attempt: Attempt(1), process: process(0) };
    cluster.apply(2, 1001, register);
    cluster
}

/// A server that has reached a step, with a loss of 0.5 and a quarter right.
pub(crate) fn server_report(generation: Generation, step: u64) -> Report {
    let point = CurvePoint { step, loss_sum: 32.0, records: 64.0, correct: 16.0 };
    let curve = (step > 0).then_some(CurveReport { last: point, epoch: point });
    let body = Body::Server(ServerReport { reached: Some(step), curve, ..ServerReport::default() });
    Report { incarnation: Incarnation(9), applied: Revision(0), generation, body, fault: None }
}

/// Launches nothing, and remembers it.
#[derive(Default)]
pub(crate) struct FakeLauncher {
    launches: Mutex<BTreeMap<Launch, Option<Ended>>>,
    on_end: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

impl FakeLauncher {
    pub(crate) fn tell(&self, on_end: Arc<dyn Fn() + Send + Sync>) {
        *self.on_end.lock().unwrap() = Some(on_end);
    }

    pub(crate) fn end(&self, launch: &Launch, exit: Exit) {
        let (peak_memory_bytes, message) = (None, String::new());
        let ended = Ended { exit: Some(exit), peak_memory_bytes, message, log: vec!["last words".into()] };
        self.launches.lock().unwrap().insert(launch.clone(), Some(ended));
        if let Some(on_end) = &*self.on_end.lock().unwrap() {
            on_end();
        }
    }

    pub(crate) fn running(&self) -> Vec<String> {
        self.launches.lock().unwrap().iter().filter(|(_, ended)| ended.is_none()).map(|(launch, _)| launch.to_string()).collect()
    }
}

impl Launcher for FakeLauncher {
    fn launch(&self, spec: &TaskSpec) -> Result<(), Error> {
        self.launches.lock().unwrap().entry(spec.launch.clone()).or_insert(None);
        Ok(())
    }

    fn list(&self) -> Vec<Listed> {
        self.launches.lock().unwrap().iter().map(|(launch, ended)| Listed { launch: launch.clone(), ended: ended.clone() }).collect()
    }

    fn kill(&self, launch: &Launch, _: Duration) {
        self.end(launch, Exit::Signal(9));
    }

    fn forget(&self, launch: &Launch) {
        self.launches.lock().unwrap().remove(launch);
    }

    // Every task has printed its name, and later its end.
    fn read_log(&self, launch: &Launch, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let ended = !self.running().contains(&launch.to_string());
        let text = format!("{launch}\n{}", if ended { "bye" } else { "" });
        let from = usize::try_from(offset).unwrap().min(text.len());
        Ok(text.as_bytes()[from..].iter().copied().take(bytes_max).collect())
    }

    fn memory_bytes(&self) -> Option<u64> {
        Some(MACHINE_BYTES)
    }

    fn stop(&self, _: Duration) {}
}
