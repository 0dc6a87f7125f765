//! Real processes: shell scripts stand where the programs would.

use super::*;
use crate::Exit;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Instant;
use tfcoord_types::id::{Attempt, TaskId};

const LONG: Duration = Duration::from_secs(20);

/// Not a test of its own: as a program with this name and a directory as its arguments, the tests are a supervisor.
#[test]
fn supervisor_of_the_other_tests() {
    let dir = PathBuf::from(std::env::args_os().next_back().unwrap());
    if dir.is_dir() {
        supervise(&dir).unwrap();
    }
}

struct Place {
    dir: tempfile::TempDir,
    local: Local,
    ends: mpsc::Receiver<()>,
}

impl Place {
    // `script` is what both programs do.
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in [WORKER_PROGRAM, PARAMETER_SERVER_PROGRAM] {
            let path = dir.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let (local, ends) = launcher(dir.path());
        Self { dir, local, ends }
    }

    /// The launcher is gone, as if it had been killed; another one has adopted what it left.
    fn next_launcher(&mut self, is_wanted: bool) {
        (self.local, self.ends) = launcher(self.dir.path());
        self.local.adopt(|_| is_wanted).unwrap();
    }

    fn spec(&self, task: TaskId) -> TaskSpec {
        let job = "test-1".parse().unwrap();
        let launch = Launch { job, task, attempt: Attempt(1) };
        TaskSpec { launch, cpus: 2, token_file: self.dir.path().join("token"), orphan_grace: Duration::from_secs(60), hadoop: None }
    }

    fn started(&self, task: TaskId) -> TaskSpec {
        let spec = self.spec(task);
        self.local.launch(&spec).unwrap();
        spec
    }

    fn end(&self, launch: &Launch) -> Ended {
        self.ends.recv_timeout(LONG).unwrap();
        self.local.list().into_iter().find(|l| l.launch == *launch).unwrap().ended.unwrap()
    }

    fn printed(&self, launch: &Launch, lines: usize) -> Vec<String> {
        until("lines", || {
            let text = String::from_utf8(self.local.read_log(launch, 0, 1 << 20).unwrap()).unwrap();
            (text.lines().count() >= lines).then(|| text.lines().map(str::to_owned).collect())
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.local.stop(Duration::ZERO);
    }
}

fn launcher(dir: &Path) -> (Local, mpsc::Receiver<()>) {
    let (end, ends) = mpsc::channel();
    (Local::new(config(dir), Arc::new(move || end.send(()).unwrap_or_default())), ends)
}

fn config(dir: &Path) -> Config {
    let tests = std::env::current_exe().unwrap();
    let arguments = ["--exact", "--nocapture", "local::tests::supervisor_of_the_other_tests"];
    Config {
        bin_dir: dir.to_owned(),
        supervisor: [tests].into_iter().chain(arguments.map(PathBuf::from)).collect(),
        state_dir: dir.join("state"),
        lock: dir.join("lock"),
        socket_dir: dir.join("s"),
        scratch_dir: dir.join("scratch"),
        coordinator: "unix:/c.sock".into(),
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z'))
}

#[test]
fn a_task_gets_its_command_line_and_leaves_log_and_exit_record() {
    let place = Place::new("echo \"$@\"; echo bad >&2; exit 3");
    let worker = place.started(TaskId::worker(0)).launch;
    assert_eq!(place.end(&worker).exit, Some(Exit::Code(3)));
    let server = place.started(TaskId::server(1)).launch;
    assert_eq!(place.end(&server).log.last().unwrap(), "bad");
    let dir = place.dir.path().display().to_string();
    let line = |run: &str, task: &str, last: &str| {
        format!(
            "{run}--coordinator unix:/c.sock --job test-1 --task {task} --attempt 1 --token-file {dir}/token \
             --dir {dir}/state/jobs/test-1/tasks/{task}/1 {last} --cpus 2 --orphan-grace-ms 60000"
        )
    };
    assert_eq!(place.printed(&worker, 1)[0], line("run ", "worker-0", &format!("--scratch {dir}/scratch")));
    assert_eq!(place.printed(&server, 1)[0], line("", "ps-1", &format!("--socket-dir {dir}/s")));
    let exit = fs::read_to_string(launch_dir(&place.dir.path().join("state"), &worker).join("exit.json")).unwrap();
    let exit: serde_json::Value = serde_json::from_str(&exit).unwrap();
    assert_eq!(exit["exit"], serde_json::json!({"code": 3}));
    assert!(exit["peak_memory_bytes"].as_u64().unwrap() > 100 << 10, "{exit}");
}

#[test]
fn what_runs_is_found_by_its_records_and_gets_signals() {
    let place = Place::new("exec sleep 1000");
    let state = place.dir.path().join("state");
    let running = |job: &str| running(&state, &job.parse().unwrap()).unwrap();
    assert!(running("test-1").is_empty());
    let (server, worker) = (place.started(TaskId::server(0)).launch, place.started(TaskId::worker(0)).launch);
    let found = until("both", || Some(running("test-1")).filter(|found| found.len() == 2));
    assert_eq!([&found[0].launch, &found[1].launch], [&server, &worker]);
    assert!(running("test-2").is_empty());
    assert!(found[1].signal(Signal::KILL));
    assert_eq!(place.end(&worker).exit, Some(Exit::Signal(9)));
    assert!(!found[1].signal(Signal::KILL), "it is gone");
    assert_eq!(running("test-1").len(), 1);
}

#[test]
fn a_launch_is_started_once_even_after_its_end() {
    let place = Place::new("echo once");
    let spec = place.started(TaskId::worker(0));
    place.end(&spec.launch);
    place.local.launch(&spec).unwrap();
    assert_eq!(place.printed(&spec.launch, 1), ["once"]);
    assert!(place.local.list()[0].ended.is_some());
    place.local.forget(&spec.launch);
    assert!(place.local.list().is_empty());
}

#[test]
fn what_a_task_started_ends_with_it() {
    let place = Place::new("sleep 1000 & echo $!; exit 0");
    let worker = place.started(TaskId::worker(0)).launch;
    assert_eq!(place.end(&worker).exit, Some(Exit::Code(0)));
    let pid = place.printed(&worker, 1)[0].clone();
    until("the grandchild's end", || (!lives(&pid)).then_some(()));
}

#[test]
fn who_does_not_end_politely_is_killed() {
    let place = Place::new("trap 'echo no' TERM; echo ready; while :; do sleep 0.05; done");
    let stubborn = place.started(TaskId::worker(0)).launch;
    place.printed(&stubborn, 1);
    place.local.kill(&stubborn, Duration::from_millis(300));
    place.local.kill(&stubborn, Duration::from_millis(300));
    assert_eq!(place.end(&stubborn).exit, Some(Exit::Signal(9)));
    // The shell may say more about the `sleep` that did end.
    until("its refusal", || place.printed(&stubborn, 2).contains(&"no".to_owned()).then_some(()));
}

#[test]
fn who_ends_politely_is_not_killed_and_stop_waits() {
    let place = Place::new("trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    let polite = place.started(TaskId::worker(0)).launch;
    place.printed(&polite, 1);
    place.local.stop(LONG);
    assert_eq!(place.local.list()[0].ended.as_ref().unwrap().exit, Some(Exit::Code(0)));
}

#[test]
fn a_missing_program_is_named() {
    let place = Place::new("");
    fs::remove_file(place.dir.path().join(PARAMETER_SERVER_PROGRAM)).unwrap();
    let error = place.local.launch(&place.spec(TaskId::server(0))).unwrap_err().to_string();
    assert!(error.contains("/tfcoord-ps: build or install it there"), "{error}");
}

#[test]
fn a_program_that_cannot_be_started_is_an_end_with_its_reason() {
    let place = Place::new("");
    fs::set_permissions(place.dir.path().join(WORKER_PROGRAM), fs::Permissions::from_mode(0o644)).unwrap();
    let worker = place.started(TaskId::worker(0)).launch;
    let Ended { exit, message, .. } = place.end(&worker);
    assert!(exit.is_none() && message.starts_with("could not be started: ") && message.contains("denied"), "{message}");
}

const STAYS: &str = "echo $$; exec sleep 1000";

impl Place {
    fn pid(&self, launch: &Launch) -> String {
        self.printed(launch, 1)[0].clone()
    }

    fn record(&self, launch: &Launch, name: &str) -> serde_json::Value {
        let path = launch_dir(&self.dir.path().join("state"), launch).join(name);
        serde_json::from_slice(&until(name, || fs::read(&path).ok())).unwrap()
    }

    fn kill_supervisor(&self, launch: &Launch) {
        let pid = self.record(launch, "supervisor.json")["pid"].as_i64().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}

fn kill(pid: &str) {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_task_outlives_its_launcher_and_the_next_one_adopts_it() {
    let mut place = Place::new(STAYS);
    let spec = place.started(TaskId::worker(0));
    let pid = place.pid(&spec.launch);
    place.record(&spec.launch, "process.json");
    place.next_launcher(true);
    assert!(lives(&pid));
    assert_eq!(place.local.list(), [Listed { launch: spec.launch.clone(), ended: None }]);
    place.local.launch(&spec).unwrap();
    kill(&pid);
    let ended = place.end(&spec.launch);
    assert_eq!((ended.exit, ended.log), (Some(Exit::Signal(9)), vec![pid]), "started once");
    assert!(ended.peak_memory_bytes.is_some());
}

#[test]
fn an_adopted_task_is_killed_with_its_group() {
    let mut place = Place::new("sleep 1000 & echo $!; echo $$; wait");
    let worker = place.started(TaskId::worker(0)).launch;
    let pids = place.printed(&worker, 2);
    place.next_launcher(true);
    place.local.kill(&worker, Duration::ZERO);
    assert_eq!(place.end(&worker).exit, Some(Exit::Signal(9)));
    until("all ends", || pids.iter().all(|pid| !lives(pid)).then_some(()));
}

#[test]
fn who_outlives_its_orphan_grace_is_killed_by_its_supervisor() {
    let place = Place::new("trap '' TERM; sleep 1000 & echo $!; while :; do sleep 0.05; done");
    let lock = tfcoord_fs::lock(&place.dir.path().join("lock")).unwrap();
    let spec = TaskSpec { orphan_grace: Duration::from_millis(200), ..place.spec(TaskId::worker(0)) };
    place.local.launch(&spec).unwrap();
    let pid = place.pid(&spec.launch);
    assert!(place.ends.recv_timeout(Duration::from_millis(600)).is_err(), "there is a coordinator");
    drop(lock);
    let ended = place.end(&spec.launch);
    assert_eq!(ended.exit, Some(Exit::Signal(9)));
    assert_eq!(ended.message, "no coordinator came back for 0.2 s, and it did not end by itself");
    until("the group's end", || (!lives(&pid)).then_some(()));
}

#[test]
fn an_end_that_nobody_saw_is_found() {
    let mut place = Place::new("echo bye; exit 3");
    let worker = place.started(TaskId::worker(0)).launch;
    place.record(&worker, "exit.json");
    place.next_launcher(true);
    let listed = place.local.list();
    let ended = listed[0].ended.as_ref().unwrap();
    assert_eq!((ended.exit, &ended.log[..]), (Some(Exit::Code(3)), &["bye".to_owned()][..]));
    place.next_launcher(false);
    assert_eq!(place.local.list(), [], "nor does it come again where nobody wants to know");
}

#[test]
fn a_task_that_loses_its_supervisor_goes_on_and_its_end_is_seen() {
    for adopted in [false, true] {
        let mut place = Place::new(STAYS);
        let worker = place.started(TaskId::worker(0)).launch;
        let pid = place.pid(&worker);
        place.record(&worker, "process.json");
        place.kill_supervisor(&worker);
        if adopted {
            place.next_launcher(true);
        }
        assert!(place.ends.recv_timeout(Duration::from_millis(100)).is_err() && lives(&pid), "it goes on");
        assert!(place.local.list()[0].ended.is_none());
        place.local.kill(&worker, Duration::ZERO);
        let ended = place.end(&worker);
        assert_eq!((ended.exit, ended.message.as_str()), (None, "ended unseen: its supervisor was killed before it"));
        assert!(!lives(&pid));
    }
}

#[test]
fn launchers_that_both_launch_start_it_once() {
    let place = Place::new(STAYS);
    let spec = place.spec(TaskId::worker(0));
    // None has seen the other's, as if one was killed before its supervisor had come to its first instruction.
    let others: Vec<_> = (0..4).map(|_| launcher(place.dir.path())).collect();
    others.iter().map(|(local, _)| local).chain([&place.local]).for_each(|local| local.launch(&spec).unwrap());
    let pid = place.pid(&spec.launch);
    kill(&pid);
    for ends in others.iter().map(|(_, ends)| ends).chain([&place.ends]) {
        ends.recv_timeout(LONG).unwrap();
    }
    for local in others.iter().map(|(local, _)| local).chain([&place.local]) {
        assert_eq!(local.list()[0].ended.as_ref().unwrap().exit, Some(Exit::Signal(9)));
    }
    assert_eq!(place.printed(&spec.launch, 1), [pid], "one has printed");
}

#[test]
fn another_process_of_the_same_id_is_left_alone() {
    let mut place = Place::new(STAYS);
    let worker = place.started(TaskId::worker(0)).launch;
    let pid = place.pid(&worker);
    place.record(&worker, "process.json");
    // The records tell of earlier processes with these ids.
    let dir = launch_dir(&place.dir.path().join("state"), &worker);
    for name in ["supervisor.json", "process.json"] {
        let text = fs::read_to_string(dir.join(name)).unwrap().replace("\"start_ticks\":", "\"start_ticks\":1");
        fs::write(dir.join(name), text).unwrap();
    }
    place.next_launcher(true);
    assert!(place.end(&worker).exit.is_none());
    place.local.kill(&worker, Duration::ZERO);
    assert!(lives(&pid));
    kill(&pid);
}
