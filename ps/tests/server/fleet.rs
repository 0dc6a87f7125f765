//! Servers as processes, and workers to them.

use crate::coordinator::{self, Stage, TOKEN, incarnation};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tfcoord_client::Bearer;
use tfcoord_exchange::grpc::PATIENCE;
use tfcoord_exchange::transport::{Connection, Events, Pushes, Transport};
use tfcoord_exchange::{Error, Event, Grpc, Opened, Push, Registration, numbers};
use tfcoord_types::figures::CURVE_VARIABLE;
use tfcoord_types::id::{Generation, Incarnation, Revision, TaskId};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::Layout;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::{Body, Report};
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::{Directive, Placement, ServerAddress, TaskView};
use tokio::sync::watch;

pub const WITHIN: Duration = Duration::from_secs(30);
pub const JOB: &str = "demo-1";
pub const HOST: &str = "h";
/// Two lanes of two records each, two steps an epoch.
pub const PLAN: TrainPlan = TrainPlan { records: 8, batch_size: 4, micro_batches: 2, epochs: 10 };
/// The chunk of the curve in the small model.
pub const CURVE: u32 = 2;

/// Servers of one job with their coordinator; all end when this is dropped.
pub struct Fleet {
    pub dir: tempfile::TempDir,
    pub stage: Arc<Stage>,
    pub coordinator: tokio::task::AbortHandle,
    variables: Vec<Variable>,
    chunk_elements: u64,
}

/// A small model: chunks 0 and 1 of one variable, chunk 2 the curve.
pub fn small() -> (Vec<Variable>, u64) {
    (variables(6000), 4096)
}

pub fn variables(elements: u32) -> Vec<Variable> {
    let variable = |name: &str, elements, group| Variable {
        name: name.into(),
        shape: vec![elements],
        initializer: Initializer::Zeros,
        group,
        sync: None,
    };
    vec![variable("w", elements, Group::Train), variable(CURVE_VARIABLE, 3, Group::Curve)]
}

impl Fleet {
    /// A coordinator; its first view says wait. `more` goes into the job file's `train`.
    pub fn new(model: (Vec<Variable>, u64), more: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        std::fs::set_permissions(dir.path().join("token"), PermissionsExt::from_mode(0o600)).unwrap();
        let mut train = json!({"batch_size": 4, "micro_batches": 2, "epochs": 10, "optimizer": {"sgd": {"learning_rate": 1.0}}});
        train.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let job_file = json!({
            "name": "demo",
            "model": {"layers": [{"dense": {"units": 2}}], "loss": "softmax_cross_entropy", "metrics": ["accuracy"]},
            "data": {"format": "idx", "train": {"images": "/d/i", "labels": "/d/l"}},
            "train": train,
            "output": {"dir": dir.path().join("out")},
        });
        let view = TaskView {
            revision: Revision(1),
            incarnation: Incarnation(0),
            directive: Directive::Wait,
            generation: Generation(1),
            plan: PLAN,
            placement: None,
            servers: vec![],
            owners: vec![None, None],
            workers: vec![],
            leases: vec![],
            run_until: 0,
            evaluate: None,
            export: None,
            evaluations: vec![],
            restore: None,
            cut: None,
        };
        let stage = Arc::new(Stage {
            job_file: job_file.to_string(),
            view: watch::Sender::new(view),
            hellos: watch::Sender::default(),
            reports: watch::Sender::default(),
            refuse: Mutex::default(),
            lost: watch::Sender::default(),
        });
        let coordinator = coordinator::serve(stage.clone(), &dir.path().join("c.sock"));
        Self { dir, stage, coordinator, variables: model.0, chunk_elements: model.1 }
    }

    /// Starts server `slot`.
    pub fn server(&self, slot: u32, environment: &[(&str, &str)]) -> Process {
        let task_dir = self.dir.path().join(format!("ps-{slot}"));
        std::fs::create_dir_all(&task_dir).unwrap();
        let log = std::fs::File::create(task_dir.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tfcoord-ps"));
        command.arg("--coordinator").arg(format!("unix:{}", self.dir.path().join("c.sock").display()));
        command.args(["--job", JOB, "--task", &format!("ps-{slot}"), "--attempt", "1", "--cpus", "1", "--orphan-grace-ms", "500"]);
        command.arg("--token-file").arg(self.dir.path().join("token")).arg("--dir").arg(&task_dir);
        command.arg("--socket-dir").arg(self.dir.path());
        command.env_clear().env("TFCOORD_HOST", HOST).envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Process { child, log: task_dir.join("log") }
    }

    /// Waits for `count` servers, and shows a view in which workers 21 and 22 own a lane each.
    pub async fn run(&self, count: u32) {
        let mut hellos = self.stage.hellos.subscribe();
        let servers = {
            let there = hellos.wait_for(|hellos| hellos.len() == count as usize);
            let hellos = tokio::time::timeout(WITHIN, there).await.unwrap().unwrap();
            let address = |slot| {
                let hello = &hellos[&incarnation(slot)];
                let task = TaskId::server(slot);
                ServerAddress {
                    task,
                    incarnation: Incarnation(incarnation(slot)),
                    addresses: hello.addresses.clone(),
                    host: hello.host.clone(),
                }
            };
            (0..count).map(address).collect()
        };
        let chunks = u32::try_from(self.layout().chunks.len()).unwrap();
        let (variables, chunk_elements) = (self.variables.clone(), self.chunk_elements);
        let placement = Placement { epoch: 1, variables, chunk_elements, servers: (0..chunks).map(|chunk| chunk % count).collect() };
        self.show(|view| {
            view.directive = Directive::Run;
            view.placement = Some(placement);
            view.servers = servers;
            view.workers = vec![Incarnation(21), Incarnation(22)];
            view.owners = view.workers.iter().copied().map(Some).collect();
            view.run_until = PLAN.steps();
        });
        for slot in 0..count {
            let revision = self.stage.view.borrow().revision;
            self.reported(slot, |report| report.applied == revision).await;
        }
    }

    /// Shows the next revision.
    pub fn show(&self, change: impl FnOnce(&mut TaskView)) {
        self.stage.view.send_modify(|view| {
            change(view);
            view.revision.0 += 1;
        });
    }

    /// Waits for a report of server `slot`.
    pub async fn reported(&self, slot: u32, wanted: impl Fn(&Report) -> bool) -> Report {
        let mut reports = self.stage.reports.subscribe();
        let there = reports.wait_for(|reports| reports.get(&incarnation(slot)).is_some_and(&wanted));
        let reports = tokio::time::timeout(WITHIN, there).await;
        reports.expect("the report comes in time").unwrap()[&incarnation(slot)].clone()
    }

    pub async fn reached(&self, slot: u32, step: u64) {
        self.reported(slot, |report| matches!(&report.body, Body::Server(server) if server.reached == Some(step))).await;
    }

    pub fn layout(&self) -> Arc<Layout> {
        Arc::new(Layout::new(&self.variables, self.chunk_elements).unwrap())
    }

    pub fn registration(&self, worker: u64) -> Registration {
        Registration {
            generation: Generation(1),
            placement_epoch: 1,
            incarnation: Incarnation(worker),
            variables_digest: tfcoord_proto::variables_digest(&self.variables),
            layout: self.layout(),
        }
    }

    pub fn address(&self, slot: u32) -> ServerAddress {
        let hello = self.stage.hellos.borrow()[&incarnation(slot)].clone();
        let (task, incarnation) = (TaskId::server(slot), Incarnation(incarnation(slot)));
        ServerAddress { task, incarnation, addresses: hello.addresses, host: hello.host }
    }

    /// Worker 21 or 22, on a server; from another host it takes TCP.
    pub async fn worker(&self, slot: u32, worker: u64, host: &str) -> Worker {
        let connection = grpc(host).connect(&self.address(slot), WITHIN).await.unwrap();
        let opened = connection.open(self.registration(worker)).await.unwrap();
        Worker { incarnation: Incarnation(worker), layout: self.layout(), connection, opened }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.coordinator.abort();
    }
}

pub fn grpc(host: &str) -> Grpc<Bearer> {
    Grpc { token: Bearer::new(TOKEN).unwrap(), job: JOB.into(), host: host.into(), patience: PATIENCE }
}

type GrpcConnection = <Grpc<Bearer> as Transport>::Connection;
type GrpcOpened = Opened<<GrpcConnection as Connection>::Pushes, <GrpcConnection as Connection>::Events>;

/// A worker with one lane: 21 has lane 0, 22 has lane 1.
pub struct Worker {
    pub incarnation: Incarnation,
    pub layout: Arc<Layout>,
    pub connection: GrpcConnection,
    pub opened: GrpcOpened,
}

impl Worker {
    /// A push of its lane, all numbers `value`.
    pub fn sum(&self, step: u64, chunk: u32, value: f32) -> Push {
        let elements = usize::try_from(self.layout.chunks[chunk as usize].len).unwrap();
        Push {
            generation: Generation(1),
            placement_epoch: 1,
            worker: 0,
            incarnation: self.incarnation,
            view_revision: Revision(2),
            step,
            block: Block::lane(u32::try_from(self.incarnation.0 - 21).unwrap()),
            records: 2,
            chunk,
            payload: numbers::to_bytes(&vec![value; elements]),
        }
    }

    pub async fn push(&mut self, step: u64, chunk: u32, value: f32) {
        let push = self.sum(step, chunk, value);
        self.opened.pushes.push(push).await.unwrap();
    }

    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        tokio::time::timeout(WITHIN, self.opened.events.next()).await.expect("an event comes in time")
    }

    /// The next event in a few words: `held 0 of step 1`, `chunk 0 version 2 is -1.5`.
    pub async fn said(&mut self) -> String {
        match self.next().await.unwrap().expect("the stream goes on") {
            Event::Answer { chunk, step, answer, .. } => format!("{answer:?} {chunk} of step {step}"),
            Event::Chunk(chunk) => {
                let values = numbers::to_vec(&chunk.payload);
                let all = values.iter().all(|value| *value == values[0]);
                assert!(all, "a chunk has one value here");
                format!("chunk {} version {} is {}", chunk.chunk, chunk.version, values[0])
            }
        }
    }
}

/// A process that ends with the test.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub async fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + WITHIN;
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return ExitStatus::code(&status);
            }
            assert!(Instant::now() < deadline, "the process ends in time; its log:\n{}", self.log());
            ticks.tick().await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// Files below `dir`.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).map_or(vec![], |entries| entries.map(|entry| entry.unwrap().path()).collect())
}
