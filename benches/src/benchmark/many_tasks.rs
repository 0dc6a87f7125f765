//! A coordinator with 10,000 tasks of 100 jobs, each of which reports every 6 s: 100,000 heartbeats a minute.
//!
//! The leader is the real one, with its log on the disk; the tasks are no processes: what they would say is said to the
//! leader at the same rate. Steps go on meanwhile, and a worker a second is lost and replaced, so that entries are logged
//! and views made. What is measured: processor time and memory of this process, which has nothing else to do; how long the
//! slowest report waited for its answer; and how long the slowest replacement took to be decided, synced and applied.

use crate::machine::pause;
use crate::series::Series;
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tfcoord_coordinator::errand::Errands;
use tfcoord_coordinator::leader::{Journal, Leader, Parts, Request, SNAPSHOT_EVERY};
use tfcoord_coordinator::log::{FileLog, SEGMENT_BYTES};
use tfcoord_coordinator::outputs::Outputs;
use tfcoord_coordinator::state_dir::StateDir;
use tfcoord_coordinator::tokens::Keeper;
use tfcoord_coordinator_core::Process;
use tfcoord_launch::{Ended, Error, Exit, Launch, Launcher, Listed, TaskSpec};
use tfcoord_types::figures::{CURVE_LEN, CURVE_VARIABLE};
use tfcoord_types::id::{Attempt, Generation, Incarnation, JobId, Revision, TaskId};
use tfcoord_types::job::{Input, JobFile, parse};
use tfcoord_types::manifest::{Beside, ManifestSummary};
use tfcoord_types::report::{Body, Report, ServerReport, WorkerReport};
use tfcoord_types::variable::{Group, Initializer, Variable};

const JOBS: u32 = 100;
/// Beside one server each.
const WORKERS: u32 = 99;
const TASKS: u32 = JOBS * (WORKERS + 1);
const WINDOW: Duration = Duration::from_secs(30);
const REPORT_EVERY: Duration = Duration::from_secs(6);

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let mut cpu = Series::new(format!("{TASKS} tasks, {} heartbeats a minute: processor", heartbeats_a_minute()), "% of a core");
    let mut memory = Series::new("its memory", "MB");
    let mut slowest = Series::new("the slowest answer to a report", "ms");
    let mut replaced = Series::new("the slowest replacement, from a task's end to the launch of the next", "ms");
    for _ in 0..rounds {
        let mut place = Place::new()?;
        place.start()?;
        let measured = place.measure()?;
        cpu.push(measured.cpu_percent);
        memory.push(resident_mb()?);
        slowest.push(measured.slowest_report_ms);
        replaced.push(measured.slowest_replacement_ms);
    }
    Ok(vec![cpu, memory, slowest, replaced])
}

fn heartbeats_a_minute() -> u64 {
    u64::from(TASKS) * 60 / REPORT_EVERY.as_secs()
}

struct Measured {
    cpu_percent: f64,
    slowest_report_ms: f64,
    slowest_replacement_ms: f64,
}

/// A leader and its tasks.
struct Place {
    leader: Leader,
    launches: Arc<Launches>,
    state: StateDir,
    runtime: tokio::runtime::Runtime,
    jobs: Vec<JobId>,
    // By job, then by task: the present incarnation.
    incarnations: Vec<BTreeMap<TaskId, Incarnation>>,
    _dir: tempfile::TempDir,
}

impl Place {
    fn new() -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("tfcoord-bench-").tempdir()?;
        let state = StateDir::new(dir.path())?;
        let log = FileLog::open(&state.log(), SEGMENT_BYTES)?;
        let (journal, cluster) = Journal::open(&state.log(), Box::new(log), SNAPSHOT_EVERY)?;
        let lock = Arc::new(tfcoord_fs::lock(&state.lock())?);
        let parts = Parts {
            journal,
            cluster,
            outputs: Outputs::new(&state)?,
            errands: Errands::of_this_program(&state),
            state: state.clone(),
            lock,
            keeper: Keeper::nobody(),
            ended_jobs_kept: 10,
        };
        let mut launches = None;
        let launcher = |on_end| {
            let made = Arc::new(Launches { on_end, listed: Mutex::default(), launched: Mutex::default() });
            launches = Some(made.clone());
            Ok::<_, std::io::Error>(made as Arc<dyn Launcher>)
        };
        let (leader, _) = Leader::start(parts, launcher)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let launches = launches.context("a launcher is made")?;
        Ok(Self { leader, launches, state, runtime, jobs: Vec::new(), incarnations: Vec::new(), _dir: dir })
    }

    fn ask<T>(&self, request: impl FnOnce(tokio::sync::oneshot::Sender<T>) -> Request) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(self.leader.handle().ask(request))?)
    }

    // All jobs run.
    fn start(&mut self) -> anyhow::Result<()> {
        for number in 0..JOBS {
            let (request_id, claim) = (format!("request {number}"), self.runtime.block_on(self.state.claim()));
            let mut file = job_file()?;
            file.output.dir = self.state.root().to_string_lossy().into_owned();
            let (file, file_name, manifest) = (Box::new(file), String::new(), summary());
            let submit = |reply| Request::Submit { request_id, file, file_name, manifest, resume: None, claim, submission: None, reply };
            let (job, _) = self.ask(submit)??;
            let mut incarnations = BTreeMap::new();
            for task in std::iter::once(TaskId::server(0)).chain((0..WORKERS).map(TaskId::worker)) {
                incarnations.insert(task, self.register(&job, task, Attempt(1))?);
            }
            let variables = vec![variable("w", 8, Group::Train), variable(CURVE_VARIABLE, CURVE_LEN, Group::Curve)];
            let worker = Body::Worker(WorkerReport { variables, ..WorkerReport::default() });
            self.report(incarnations[&TaskId::worker(0)], worker)?;
            self.jobs.push(job);
            self.incarnations.push(incarnations);
        }
        Ok(())
    }

    fn register(&self, job: &JobId, task: TaskId, attempt: Attempt) -> anyhow::Result<Incarnation> {
        let (nonce, addresses) = (format!("{job}/{task}/{attempt}"), vec!["127.0.0.1:1".to_owned()]);
        let process = Process { nonce, addresses, host: "h".into(), kernel_path: "k".into() };
        let registered = self.ask(|reply| Request::Register { job: job.clone(), task, attempt, process, reply })??;
        Ok(registered.incarnation)
    }

    fn report(&self, incarnation: Incarnation, body: Body) -> anyhow::Result<()> {
        let report = Report { incarnation, applied: Revision(0), generation: Generation(1), body, fault: None };
        self.ask(|reply| Request::Report { report: Box::new(report), reply })
    }

    // Every task reports in turn, at its time; once a second a worker ends and is replaced.
    fn measure(&mut self) -> anyhow::Result<Measured> {
        let (begun, cpu_before) = (Instant::now(), cpu_seconds()?);
        let (mut slowest_report, mut slowest_replacement) = (Duration::ZERO, Duration::ZERO);
        let (mut sent, mut lost) = (0u32, 0u32);
        while begun.elapsed() < WINDOW {
            let due = REPORT_EVERY.mul_f64(f64::from(sent) / f64::from(TASKS));
            pause(due.saturating_sub(begun.elapsed()));
            let (job, index) = (sent % JOBS, sent / JOBS % (WORKERS + 1));
            let (task, body) = match index.checked_sub(1) {
                None => {
                    (TaskId::server(0), Body::Server(ServerReport { reached: Some(u64::from(sent / TASKS)), ..ServerReport::default() }))
                }
                Some(worker) => {
                    (TaskId::worker(worker), Body::Worker(WorkerReport { records: u64::from(sent), ..WorkerReport::default() }))
                }
            };
            let asked = Instant::now();
            self.report(self.incarnations[job as usize][&task], body)?;
            slowest_report = slowest_report.max(asked.elapsed());
            sent += 1;
            if begun.elapsed().as_secs() > u64::from(lost) {
                slowest_replacement = slowest_replacement.max(self.replace(lost % JOBS, TaskId::worker(lost % WORKERS))?);
                lost += 1;
            }
        }
        ensure!(lost > 10 && sent > TASKS, "only {sent} reports and {lost} replacements: the machine is too busy");
        Ok(Measured {
            cpu_percent: 100.0 * (cpu_seconds()? - cpu_before) / begun.elapsed().as_secs_f64(),
            slowest_report_ms: slowest_report.as_secs_f64() * 1e3,
            slowest_replacement_ms: slowest_replacement.as_secs_f64() * 1e3,
        })
    }

    // How long it took until the next attempt of a worker that ended was launched.
    fn replace(&mut self, job: u32, task: TaskId) -> anyhow::Result<Duration> {
        let id = self.jobs[job as usize].clone();
        self.launches.launched.lock().expect("nobody panics").clear();
        let ended = Instant::now();
        self.launches.end(&id, task);
        let next = loop {
            let found = self
                .launches
                .launched
                .lock()
                .expect("nobody panics")
                .iter()
                .find(|launch| launch.job == id && launch.task == task)
                .cloned();
            match found {
                Some(next) => break next,
                None if ended.elapsed() > Duration::from_secs(10) => anyhow::bail!("{id}/{task} is not replaced"),
                None => pause(Duration::from_millis(1)),
            }
        };
        let took = ended.elapsed();
        let incarnation = self.register(&id, task, next.attempt)?;
        self.incarnations[job as usize].insert(task, incarnation);
        Ok(took)
    }
}

/// Tasks without processes.
struct Launches {
    on_end: Arc<dyn Fn() + Send + Sync>,
    listed: Mutex<BTreeMap<Launch, Option<Ended>>>,
    // Since it was cleared.
    launched: Mutex<Vec<Launch>>,
}

impl Launches {
    fn end(&self, job: &JobId, task: TaskId) {
        let ended = Ended { exit: Some(Exit::Signal(9)), message: String::new(), log: Vec::new(), peak_memory_bytes: None };
        let mut listed = self.listed.lock().expect("nobody panics");
        let present = listed.iter_mut().rev().find(|(launch, _)| launch.job == *job && launch.task == task);
        present.into_iter().for_each(|(_, slot)| *slot = Some(ended.clone()));
        drop(listed);
        (self.on_end)();
    }
}

impl Launcher for Launches {
    fn launch(&self, spec: &TaskSpec) -> Result<(), Error> {
        self.listed.lock().expect("nobody panics").entry(spec.launch.clone()).or_default();
        self.launched.lock().expect("nobody panics").push(spec.launch.clone());
        Ok(())
    }

    fn list(&self) -> Vec<Listed> {
        let listed = self.listed.lock().expect("nobody panics");
        listed.iter().map(|(launch, ended)| Listed { launch: launch.clone(), ended: ended.clone() }).collect()
    }

    fn kill(&self, _: &Launch, _: Duration) {}

    fn forget(&self, launch: &Launch) {
        self.listed.lock().expect("nobody panics").remove(launch);
    }

    fn read_log(&self, _: &Launch, _: u64, _: usize) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }

    fn memory_bytes(&self) -> Option<u64> {
        None
    }

    fn stop(&self, _: Duration) {}
}

fn job_file() -> anyhow::Result<JobFile> {
    let text = format!(
        r#"{{"name": "many", "model": {{"layers": [{{"dense": {{"units": 4}}}}], "loss": "softmax_cross_entropy"}},
            "data": {{"format": "csv", "train": {{"files": "/x.csv"}}, "label": "y"}},
            "train": {{"batch_size": 128, "micro_batches": 128, "epochs": 1000, "optimizer": {{"sgd": {{"learning_rate": 0.1}}}}}},
            "worker": {{"count": {WORKERS}}}, "output": {{"dir": "/out"}}, "lease_seconds": 60, "start_timeout": 600}}"#
    );
    Ok(parse("many.json", &text)?)
}

fn summary() -> ManifestSummary {
    let (digest, input) = ("a".repeat(64), Input::plain(&[8], 4));
    ManifestSummary {
        digest,
        records_digest: String::new(),
        train_records: 1_000_000,
        eval_records: 0,
        input,
        beside: Beside::default(),
        holders: None,
    }
}

fn variable(name: &str, len: u32, group: Group) -> Variable {
    Variable { name: name.into(), shape: vec![len], initializer: Initializer::Zeros, group, sync: None }
}

fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("a name in /proc/self/stat")?.1.split_whitespace().collect();
    // utime and stime: fields 14 and 15, of which two stand before the name's end.
    let ticks: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    #[expect(clippy::cast_precision_loss, reason = "100 on every Linux")]
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Ok(ticks / per_second)
}

fn resident_mb() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS in /proc/self/status")?;
    let kb: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kb / 1024.0)
}
