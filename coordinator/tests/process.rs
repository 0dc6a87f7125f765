//! The real program with real children: shell scripts stand where parameter server and worker would.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tfcoord_client::{Bearer, Endpoint};
use tfcoord_proto::v1;
use tfcoord_proto::v1::coordinator_client::CoordinatorClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

const PATIENCE: Duration = Duration::from_secs(30);
const JOB_FILE: &str = r#"{
    "name": "fashion",
    "model": {"layers": [{"dense": {"units": 4}}], "loss": "softmax_cross_entropy"},
    "data": {"format": "csv", "train": {"files": "/data/x.csv"}, "label": "y"},
    "train": {"batch_size": 64, "micro_batches": 4, "epochs": 2, "optimizer": {"sgd": {"learning_rate": 0.1}}},
    "output": {"dir": "/out"}
}"#;
const PREPARED: &str = r#"{"manifest": {"format": "csv", "train": {"files": [], "first": 0, "records": 1000}, "eval": null, "input": [8],
    "label": {"class": {"names": ["a", "b", "c", "d"]}}, "columns": [], "scale": 1.0},
    "summary": {"digest": "", "train_records": 1000, "eval_records": 0, "input": [8], "classes": 4}}"#;

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// Tasks print their process id and stay.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = prepare ]; then cat > \"$7\" <<'END'\n{PREPARED}\nEND\nexit 0; fi\necho $$; exec sleep 1000\n"
        );
        for name in ["tfcoord-ps", "tfcoord-worker"] {
            let path = dir.path().join(name);
            fs::write(&path, &script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { dir }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    fn start(&self, linger_ms: u64) -> Coordinator {
        self.start_with(&["--embedded", "--state-dir", self.state().to_str().unwrap(), "--linger-ms", &linger_ms.to_string()])
    }

    fn start_with(&self, arguments: &[&str]) -> Coordinator {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tfcoord-coordinator"))
            .args(arguments)
            .env("TFCOORD_BIN_DIR", self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "it closes its standard output behind the line");
        Coordinator { child, line: line.trim_end().to_owned() }
    }

    async fn client(&self) -> CoordinatorClient<InterceptedService<Channel, Bearer>> {
        let endpoint: Endpoint = fs::read_to_string(self.state().join("endpoint")).unwrap().trim().parse().unwrap();
        let token = Bearer::from_file(&self.state().join("token")).unwrap();
        CoordinatorClient::with_interceptor(endpoint.connect(PATIENCE).await.unwrap(), token)
    }

    async fn submit(&self) -> String {
        let job_file = JOB_FILE.replace("/out", self.dir.path().to_str().unwrap());
        let request = v1::SubmitRequest { request_id: "one".into(), job_file, file_name: "job.json".into(), resume: false, site: None };
        self.client().await.submit(request).await.unwrap().into_inner().job
    }

    /// The process ids of the job's three tasks, once the coordinator has recorded them too.
    async fn pids(&self, job: &str) -> Vec<String> {
        let tasks = self.state().join("jobs").join(job).join("tasks");
        let mut pids = Vec::new();
        for task in ["ps-0", "worker-0", "worker-1"] {
            let log = tasks.join(task).join("1/log");
            let printed = || fs::read_to_string(&log).ok().filter(|text| text.ends_with('\n'));
            pids.push(until("a task's process id", printed).await.trim().to_owned());
            let record = tasks.join(task).join("1/process.json");
            until("a task's record", || record.exists().then_some(())).await;
        }
        pids
    }
}

impl Place {
    fn kill(&self, pid: &str) {
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        // One that has ended is as good.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

struct Coordinator {
    child: Child,
    line: String,
}

impl Coordinator {
    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    async fn ended(mut self) -> ExitStatus {
        until("the coordinator's end", || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Place {
    /// Ends what supervisors have started, which outlives coordinators.
    fn drop(&mut self) {
        let logs = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
        let tasks = logs(&self.state().join("jobs")).into_iter().flat_map(|job| logs(&job.join("tasks")));
        for attempt in tasks.flat_map(|task| logs(&task)) {
            let record = fs::read(attempt.join("process.json")).ok();
            let record: Option<serde_json::Value> = record.and_then(|json| serde_json::from_slice(&json).ok());
            if let Some(pid) = record.filter(|_| !attempt.join("exit.json").exists()).and_then(|record| record["pid"].as_i64()) {
                self.kill(&pid.to_string());
            }
        }
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(rustix::process::Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        // Connections that were dropped end meanwhile.
        tokio::time::sleep(Duration::from_millis(5)).await; // waits for: `look`, up to the deadline
    }
}

fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z'))
}

async fn all_end(pids: &[String]) {
    until("the tasks' ends", || pids.iter().all(|pid| !lives(pid)).then_some(())).await;
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn one_at_a_time_and_it_ends_when_idle() {
    let place = Place::new();
    let first = place.start(2000);
    let endpoint = format!("unix:{}/coordinator.sock", place.state().display());
    assert_eq!(first.line, format!("ready {endpoint}"));
    let second = place.start(2000);
    assert_eq!(second.line, format!("running {endpoint}"));
    assert_eq!(second.ended().await.code(), Some(0));
    let mode = |name: &str| fs::metadata(place.state().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("token"), mode("lock")), (0o700, 0o600, 0o600));
    let mut client = place.client().await;
    assert_eq!(client.list(v1::ListRequest { all: true }).await.unwrap().into_inner().jobs, []);
    let kib = resident_kib(first.child.id());
    assert!(kib < 40 << 10, "{kib} KiB resident");
    println!("idle: {kib} KiB resident");
    drop(client);
    assert_eq!(first.ended().await.code(), Some(0));
    assert!(!place.state().join("endpoint").exists() && !place.state().join("coordinator.sock").exists());
}

#[tokio::test]
async fn tasks_outlive_their_coordinator_however_it_ends_and_are_adopted() {
    use rustix::process::Signal;
    let place = Place::new();
    let mut coordinator = place.start(60_000);
    let job = place.submit().await;
    let pids = place.pids(&job).await;
    for signal in [Signal::KILL, Signal::TERM, Signal::KILL] {
        coordinator.signal(signal);
        coordinator.ended().await;
        coordinator = place.start(60_000);
        assert!(coordinator.line.starts_with("ready "), "{}", coordinator.line);
        assert!(pids.iter().all(|pid| lives(pid)));
        let found = place.client().await.get(v1::GetRequest { job: job.clone() }).await.unwrap().into_inner();
        assert_eq!((found.state(), found.tasks.iter().map(|task| task.attempt).max()), (v1::JobState::Admitted, Some(1)));
        assert_eq!(place.submit().await, job, "the request is remembered");
    }
    assert_eq!(place.pids(&job).await, pids, "nothing was launched again");
    let mut client = place.client().await;
    client.cancel(v1::CancelRequest { job: job.clone(), reason: "enough".into() }).await.unwrap();
    all_end(&pids).await;
    let mut states = client.list(v1::ListRequest { all: true }).await.unwrap().into_inner().jobs;
    while !states[0].tasks.iter().all(|task| task.state == "ended") {
        states = client.list(v1::ListRequest { all: true }).await.unwrap().into_inner().jobs;
    }
    assert!(states[0].tasks.iter().all(|task| task.last_exit == "was killed by signal 9 (SIGKILL)"), "{:?}", states[0].tasks);
}

#[tokio::test]
async fn what_ended_while_nobody_was_there_is_lost_with_its_cause_and_replaced() {
    let place = Place::new();
    let first = place.start(60_000);
    let job = place.submit().await;
    let pids = place.pids(&job).await;
    first.signal(rustix::process::Signal::KILL);
    first.ended().await;
    place.kill(&pids[2]);
    let tasks = place.state().join("jobs").join(&job).join("tasks");
    until("its exit record", || tasks.join("worker-1/1/exit.json").exists().then_some(())).await;
    let _second = place.start(60_000);
    let printed = || fs::read_to_string(tasks.join("worker-1/2/log")).ok().filter(|text| text.ends_with('\n'));
    let pid = until("the replacement", printed).await.trim().to_owned();
    let found = place.client().await.get(v1::GetRequest { job }).await.unwrap().into_inner();
    let attempts: Vec<_> = found.tasks.iter().map(|task| (task.task.as_str(), task.attempt, task.restarts)).collect();
    assert_eq!(attempts, [("ps-0", 1, 0), ("worker-0", 1, 0), ("worker-1", 2, 1)]);
    let last_exit = &found.tasks[2].last_exit;
    assert!(last_exit.starts_with("was killed by signal 9 (SIGKILL), peak memory ") && last_exit.ends_with(" MB"), "{last_exit}");
    assert!(lives(&pid) && lives(&pids[0]) && lives(&pids[1]));
}

#[tokio::test]
async fn sockets_among_the_temporary_files_go_with_it() {
    let place = Place::new();
    let state = place.dir.path().join("long".repeat(20));
    let coordinator = place.start_with(&["--embedded", "--state-dir", state.to_str().unwrap(), "--linger-ms", "60000"]);
    let socket = PathBuf::from(coordinator.line.strip_prefix("ready unix:").unwrap());
    let dir = socket.parent().unwrap();
    assert!(socket.exists() && !dir.starts_with(place.dir.path()), "{}", coordinator.line);
    // Of a task that was killed.
    drop(std::os::unix::net::UnixListener::bind(dir.join("1-ps-0-1.sock")).unwrap());
    coordinator.signal(rustix::process::Signal::TERM);
    assert_eq!(coordinator.ended().await.code(), Some(0));
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_cancelled_jobs_tasks_end_and_their_logs_stay() {
    let place = Place::new();
    let _coordinator = place.start(60_000);
    let job = place.submit().await;
    let pids = place.pids(&job).await;
    let mut client = place.client().await;
    client.cancel(v1::CancelRequest { job: job.clone(), reason: "enough".into() }).await.unwrap();
    all_end(&pids).await;
    let mut logs = client.logs(v1::LogsRequest { job, task: "ps-0".into(), follow: true }).await.unwrap().into_inner();
    assert_eq!(logs.message().await.unwrap().unwrap().lines, [pids[0].clone()]);
    assert_eq!(logs.message().await.unwrap(), None);
}

#[tokio::test]
async fn one_whose_state_directory_is_removed_ends_with_its_tasks_and_leaves_the_next_one_alone() {
    let place = Place::new();
    let first = place.start(60_000);
    let job = place.submit().await;
    let pids = place.pids(&job).await;
    fs::remove_dir_all(place.state()).unwrap();
    // The next verb starts another one at once, in the same place.
    let _second = place.start(60_000);
    let list = v1::ListRequest { all: true };
    assert_eq!(place.client().await.list(list).await.unwrap().into_inner().jobs, []);
    assert_eq!(first.ended().await.code(), Some(1));
    all_end(&pids).await;
    assert_eq!(place.client().await.list(list).await.unwrap().into_inner().jobs, [], "its socket and its token are still there");
}

#[tokio::test]
async fn what_a_killed_coordinator_left_is_swept_by_the_next_one() {
    let place = Place::new();
    let first = place.start(60_000);
    let job = place.submit().await;
    let pids = place.pids(&job).await;
    place.client().await.cancel(v1::CancelRequest { job: job.clone(), reason: String::new() }).await.unwrap();
    first.signal(rustix::process::Signal::KILL);
    first.ended().await;
    pids.iter().for_each(|pid| place.kill(pid));
    let state = place.state();
    let left = ["log/.snapshot-1.1-1.tmp", "scratch/unpacked-00", "jobs/gone-9", "77-ps-0-1.sock"].map(|name| state.join(name));
    // Of the job's results, by a worker that was killed while it exported; and what somebody else put beside them.
    let results = place.dir.path().join(&job);
    fs::create_dir_all(results.join(".model-9")).unwrap();
    fs::create_dir_all(place.dir.path().join("fashion-9/.model-9")).unwrap();
    fs::write(results.join("curve.csv"), "1").unwrap();
    fs::write(&left[0], "half").unwrap();
    fs::write(&left[1], "plain").unwrap();
    fs::create_dir_all(left[2].join("tasks")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&left[3]).unwrap());
    let second = place.start(60_000);
    let token = state.join("jobs").join(&job).join("token");
    until("the leftovers' end", || left.iter().chain([&token]).all(|path| !path.exists()).then_some(())).await;
    assert_eq!(place.pids(&job).await, pids, "its logs stay");
    let names = || fs::read_dir(&results).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    until("the half-written model's end", || (names() == ["curve.csv"]).then_some(())).await;
    assert!(place.dir.path().join("fashion-9/.model-9").exists());
    // The same where no job ends by it.
    second.signal(rustix::process::Signal::KILL);
    second.ended().await;
    fs::write(&left[1], "plain").unwrap();
    let _third = place.start(60_000);
    until("the leftover's end", || (!left[1].exists()).then_some(())).await;
}

#[tokio::test]
async fn a_damaged_log_is_named_and_nothing_is_served() {
    let place = Place::new();
    let first = place.start(60_000);
    let job = place.submit().await;
    place.pids(&job).await;
    first.signal(rustix::process::Signal::TERM);
    first.ended().await;
    let segment = fs::read_dir(place.state().join("log")).unwrap().map(|e| e.unwrap().path()).find(|p| is_segment(p)).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[60] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let second = place.start(60_000);
    let expected = format!("error {} is damaged at byte 24", segment.display());
    assert!(second.line.starts_with(&expected), "{}", second.line);
    assert_eq!(second.ended().await.code(), Some(1));
}

#[tokio::test]
async fn a_log_that_is_gone_is_missed_and_one_that_is_torn_goes_on() {
    let place = Place::new();
    let first = place.start(60_000);
    let job = place.submit().await;
    place.pids(&job).await;
    first.signal(rustix::process::Signal::KILL);
    first.ended().await;
    let log = place.state().join("log");
    let segment = fs::read_dir(&log).unwrap().map(|e| e.unwrap().path()).find(|path| is_segment(path)).unwrap();
    let whole = fs::read(&segment).unwrap();
    let expected = format!("error {} has no log, but this state directory had one: ", log.display());
    // Emptied, removed, and the directory with it.
    let damages: [fn(&Path) -> std::io::Result<()>; 3] =
        [|path| fs::write(path, ""), |path| fs::remove_file(path), |path| fs::remove_dir_all(path.parent().unwrap())];
    for damage in damages {
        damage(&segment).unwrap();
        let refused = place.start(60_000);
        assert!(refused.line.starts_with(&expected) && refused.line.contains("begin anew"), "{}", refused.line);
        assert_eq!(refused.ended().await.code(), Some(1));
        fs::write(&segment, &whole).unwrap();
    }
    fs::write(&segment, &whole[..whole.len() - 3]).unwrap();
    let last = place.start(60_000);
    assert!(last.line.starts_with("ready "), "{}", last.line);
    // What was torn off may be the job.
    assert!(place.client().await.list(v1::ListRequest { all: true }).await.is_ok());
}

fn is_segment(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with("segment-")
}

#[tokio::test]
async fn a_standing_one_serves_metrics_and_refuses_open_ports() {
    let place = Place::new();
    let config = place.dir.path().join("c.json");
    let state = place.state();
    let write = |listen: &str| {
        let json = format!(
            r#"{{"state_dir": "{}", "listen": "{listen}", "metrics_listen": "127.0.0.1:0", "bin_dir": "{}"}}"#,
            state.display(),
            place.dir.path().display()
        );
        fs::write(&config, json).unwrap();
    };
    write("0.0.0.0:0");
    let refused = place.start_with(&["--config", config.to_str().unwrap()]);
    assert!(refused.line.starts_with("error ") && refused.line.contains("no TLS yet"), "{}", refused.line);
    let absent = place.start_with(&["--config", "/nowhere/c.json"]);
    let (once, line) = (absent.line.matches("os error 2").count(), &absent.line);
    assert!(once == 1 && line.ends_with("; name a configuration file that this user may read"), "{line}");
    write("127.0.0.1:0");
    let _standing = place.start_with(&["--config", config.to_str().unwrap()]);
    place.submit().await;
    let address = fs::read_to_string(state.join("metrics-address")).unwrap();
    for line in ["tfcoord_jobs{state=\"admitted\"} 1", "tfcoord_log_entries_total 2", "tfcoord_sessions 0", "tfcoord_tasks_lost_total 0"] {
        until(line, || scrape(address.trim()).contains(line).then_some(())).await;
    }
}

fn scrape(address: &str) -> String {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
