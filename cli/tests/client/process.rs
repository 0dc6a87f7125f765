//! The client as a process.

use super::fake::{Fake, TOKEN};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory with everything that one test needs.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        write_secret(&home.path("token"), TOKEN);
        std::fs::create_dir(home.path("bin")).unwrap();
        std::fs::write(home.path("job.json"), JOB_FILE).unwrap();
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("s")
    }

    pub fn fake(&self) -> Fake {
        Fake::listen(&self.socket())
    }

    /// A program of tfcoord that is a shell script.
    pub fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// The client, with an embedded coordinator.
    pub fn embedded(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tfcoord"));
        command.args(args).current_dir(self.dir.path()).env_clear();
        // Found by its bare name, which is what it then calls itself.
        let own = PathBuf::from(env!("CARGO_BIN_EXE_tfcoord"));
        let others = std::env::var_os("PATH").unwrap_or_default();
        let dirs = own.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&others));
        command.env("PATH", std::env::join_paths(dirs).unwrap()).env("TERM", "xterm");
        command.env("TFCOORD_STATE_DIR", self.path("state")).env("TFCOORD_BIN_DIR", self.path("bin"));
        command
    }

    /// The client, with the fake as a standing coordinator.
    pub fn standing(&self, args: &[&str]) -> Command {
        let mut command = self.embedded(args);
        command.env("TFCOORD_COORDINATOR", format!("unix:{}", self.socket().display())).env("TFCOORD_TOKEN_FILE", self.path("token"));
        command
    }
}

pub const JOB_FILE: &str = r#"{
  "name": "fashion-mnist",
  "model": {"layers": [{"dense": {"units": 1}}], "loss": "mse"},
  "data": {"format": "csv", "train": {"files": "a.csv"}, "label": "y"},
  "train": {"batch_size": 128, "epochs": 10, "optimizer": {"sgd": {"learning_rate": 0.1}}},
  "output": {"dir": "out"}
}"#;

pub fn write_secret(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

/// A text that grows while somebody waits for what it will say.
#[derive(Clone, Default)]
pub struct Text(Arc<(Mutex<String>, Condvar)>);

impl Text {
    pub fn collect(&self, mut from: impl Read + Send + 'static) {
        let text = self.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                text.0.0.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
                text.0.1.notify_all();
            }
            drop(text);
        });
    }

    pub fn now(&self) -> String {
        self.0.0.lock().unwrap().clone()
    }

    /// Waits until it has said `what`.
    pub fn wait_for(&self, what: &str) {
        let text = self.0.0.lock().unwrap();
        let (text, result) = self.0.1.wait_timeout_while(text, PATIENCE, |text| !text.contains(what)).unwrap();
        assert!(!result.timed_out(), "waited for {what:?} in {:?}", *text);
    }
}

/// A client that runs.
pub struct Running {
    pub out: Text,
    pub err: Text,
    child: Option<Child>,
    pid: rustix::process::Pid,
}

/// How a client ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut running = Self::of(child);
        let child = running.child.as_mut().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        running.out.collect(out);
        running.err.collect(err);
        running
    }

    pub fn of(child: Child) -> Self {
        let pid = rustix::process::Pid::from_child(&child);
        Self { out: Text::default(), err: Text::default(), child: Some(child), pid }
    }

    pub fn interrupt(&self) {
        rustix::process::kill_process(self.pid, rustix::process::Signal::INT).unwrap();
    }

    /// Waits for its end; what it wrote is complete then.
    pub fn end(self) -> Ended {
        self.end_within(PATIENCE)
    }

    /// The same, for no longer than this.
    pub fn end_within(mut self, within: Duration) -> Ended {
        let mut child = self.child.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait()));
        let Ok(status) = receiver.recv_timeout(within) else {
            let _ = rustix::process::kill_process(self.pid, rustix::process::Signal::KILL);
            panic!("it does not end; it said {:?} and {:?}", self.out.now(), self.err.now());
        };
        let complete = |text: &Text| {
            let until = Instant::now() + PATIENCE;
            // The collecting thread holds the other copy until the end of the stream.
            while Arc::strong_count(&text.0) > 1 && Instant::now() < until {
                std::thread::yield_now();
            }
            text.now()
        };
        Ended { code: code(status.unwrap()), out: complete(&self.out), err: complete(&self.err) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

pub fn run(command: Command) -> Ended {
    Running::start(command).end()
}
