//! Real processes: shell scripts stand where the programs would.

use super::*;
use crate::Exit;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Instant;
use tfcoord_types::id::{Attempt, TaskId};

const LONG: Duration = Duration::from_secs(20);

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
        let (end, ends) = mpsc::channel();
        let local = Local::new(config(dir.path()), Arc::new(move || end.send(()).unwrap_or_default()));
        Self { dir, local, ends }
    }

    fn spec(&self, task: TaskId) -> TaskSpec {
        let job = "test-1".parse().unwrap();
        TaskSpec { launch: Launch { job, task, attempt: Attempt(1) }, cpus: 2, token_file: self.dir.path().join("token") }
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

fn config(dir: &Path) -> Config {
    Config {
        bin_dir: dir.to_owned(),
        state_dir: dir.join("state"),
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
             --dir {dir}/state/jobs/test-1/tasks/{task}/1 {last} --cpus 2"
        )
    };
    assert_eq!(place.printed(&worker, 1)[0], line("run ", "worker-0", &format!("--scratch {dir}/scratch")));
    assert_eq!(place.printed(&server, 1)[0], line("", "ps-1", &format!("--socket-dir {dir}/s")));
    let exit = fs::read_to_string(launch_dir(&place.dir.path().join("state"), &worker).join("exit.json")).unwrap();
    assert_eq!(exit, r#"{"exit":{"code":3}}"#);
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
fn a_dropped_launcher_leaves_nothing() {
    let place = Place::new("echo $$; exec sleep 1000");
    let worker = place.started(TaskId::worker(0)).launch;
    let pid = place.printed(&worker, 1)[0].clone();
    drop(place.local);
    until("its end", || (!lives(&pid)).then_some(()));
}

#[test]
fn what_an_earlier_life_left_is_killed_and_nobody_else() {
    let place = Place::new("echo $$; exec sleep 1000");
    let (old, other) = (place.started(TaskId::worker(0)).launch, place.started(TaskId::worker(1)).launch);
    let (pid, other_pid) = (place.printed(&old, 1)[0].clone(), place.printed(&other, 1)[0].clone());
    let state = place.dir.path().join("state");
    // The second one's record tells of an earlier process with the same id.
    let record = launch_dir(&state, &other).join("process.json");
    let text = fs::read_to_string(&record).unwrap().replace("\"start_ticks\":", "\"start_ticks\":1");
    fs::write(&record, text).unwrap();
    assert_eq!(end_leftovers(&state).unwrap(), [launch_dir(&state, &old)]);
    until("its end", || (!lives(&pid)).then_some(()));
    assert!(lives(&other_pid));
}
