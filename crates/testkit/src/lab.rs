//! A laboratory: a state directory and an output directory of its own, and the real programs.

use crate::deadline::wait_for;
use crate::processes::{Process, with_arguments};
use rustix::process::Signal;
use serde_json::Value;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// Programs, in the order of a job's life.
const PROGRAMS: [&str; 5] = ["tfcoord", "tfcoord-coordinator", "tfcoord-ps", "tfcoord-worker", "tfcoord-fault-proxy"];

/// A coordinator of its own with everything around it; ended and removed when dropped.
pub struct Lab {
    dir: TempDir,
    programs: PathBuf,
    environment: Vec<(String, String)>,
}

impl Lab {
    /// An empty laboratory with the programs that were built with the tests.
    ///
    /// # Panics
    /// If the programs are not there: build the workspace first.
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let programs = programs_dir();
        let bin = dir.path().join("bin");
        std::fs::create_dir_all(&bin).expect("a directory for programs");
        for name in PROGRAMS {
            let program = programs.join(name);
            assert!(program.exists(), "{} is missing: run `cargo build --workspace` first", program.display());
            symlink(&program, bin.join(name)).expect("a link to a program");
        }
        Self { dir, programs, environment: Vec::new() }
    }

    /// Where job files, data and outputs go.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The coordinator's state directory.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// A program as it was built.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Sets a variable for every program that is started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Puts a shell script in the place of a program; `$REAL` in it is the program itself.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn replace_program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.path().join("bin").join(name);
        std::fs::remove_file(&path).expect("the link is there");
        let text = format!("#!/bin/sh\nREAL={}\n{script}\n", self.program(name).display());
        std::fs::write(&path, text).expect("a script can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a script can be made executable");
    }

    /// Writes `name`.json and gives its path.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write_job(&self, job: &Value) -> PathBuf {
        let name = job["name"].as_str().unwrap_or("unnamed");
        let path = self.dir.path().join(format!("{name}.json"));
        std::fs::write(&path, job.to_string()).expect("a job file can be written");
        path
    }

    /// `tfcoord` with these arguments, ready to run.
    pub fn tfcoord(&self, arguments: &[&str]) -> Command {
        let bin = self.dir.path().join("bin");
        let mut command = Command::new(bin.join("tfcoord"));
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("TFCOORD_STATE_DIR", self.state_dir()).env("TFCOORD_BIN_DIR", &bin);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `tfcoord` to its end.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.tfcoord(arguments).output().expect("tfcoord can be started")
    }

    /// Submits a job and waits for its end; gives what `submit` printed.
    ///
    /// # Panics
    /// Unless it succeeds.
    pub fn submit(&self, job: &Value) -> String {
        let path = self.write_job(job);
        let output = self.run(&["submit", path.to_str().expect("a path in UTF-8")]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "submit: {}\n{text}\n{errors}\n{}", output.status, self.logs());
        text
    }

    /// Submits a job in the background.
    ///
    /// # Panics
    /// If `tfcoord` cannot be started.
    pub fn spawn_submit(&self, job: &Value) -> Child {
        let path = self.write_job(job);
        let mut command = self.tfcoord(&["submit", path.to_str().expect("a path in UTF-8")]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tfcoord can be started")
    }

    /// The only folder of outputs of the job with this name.
    ///
    /// # Panics
    /// If there is none or more than one.
    pub fn outputs(&self, name: &str) -> PathBuf {
        let prefix = format!("{name}-");
        let entries = std::fs::read_dir(self.dir.path().join("out")).expect("outputs are there");
        let number = |entry: &PathBuf| {
            let file = entry.file_name().and_then(|f| f.to_str()).unwrap_or_default();
            file.strip_prefix(&prefix).is_some_and(|n| n.parse::<u64>().is_ok())
        };
        let mut found: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(number).collect();
        assert_eq!(found.len(), 1, "outputs of {name}: {found:?}");
        found.remove(0)
    }

    /// What decides whether two runs are the same: the model's tensors and the curve, as bytes.
    ///
    /// # Panics
    /// If they are not there.
    pub fn bits(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        let dir = self.outputs(name);
        let read = |path: &str| std::fs::read(dir.join(path)).unwrap_or_else(|e| panic!("{}/{path}: {e}", dir.display()));
        (read("model/model.safetensors"), read("curve.csv"))
    }

    /// The living processes of a task of this laboratory, such as `worker-0`.
    pub fn task(&self, task: &str) -> Vec<Process> {
        let here = self.dir.path().to_str().unwrap_or_default().to_owned();
        let mut found = with_arguments(&["--task", task]);
        found.retain(|process| process.arguments.iter().any(|a| a.starts_with(&here)));
        found
    }

    /// Waits for a process of `task`.
    ///
    /// # Panics
    /// If there is none within a minute.
    pub fn wait_for_task(&self, task: &str) -> Process {
        wait_for(60, task, || self.task(task).into_iter().next())
    }

    /// Waits until the only job has done its first step.
    ///
    /// # Panics
    /// If it does not within a minute.
    pub fn wait_for_step(&self) {
        wait_for(60, "the job's first step", || {
            let output = self.run(&["list", "-o", "json"]);
            let jobs: Value = serde_json::from_slice(&output.stdout).ok()?;
            jobs["jobs"][0]["progress"]["step"].as_u64().filter(|step| *step > 0)
        });
    }

    /// The coordinator's process, if it lives.
    pub fn coordinator(&self) -> Option<Process> {
        let state = self.state_dir();
        with_arguments(&["--state-dir", state.to_str()?]).into_iter().find(|p| p.program() == "tfcoord-coordinator")
    }

    /// Kills the coordinator, which must live, and waits until it is gone.
    ///
    /// # Panics
    /// If there is none, or it stays.
    pub fn kill_coordinator(&self) {
        let coordinator = wait_for(60, "a coordinator", || self.coordinator());
        coordinator.signal(Signal::KILL);
        wait_for(10, "the coordinator ends", || (self.coordinator() != Some(coordinator.clone())).then_some(()));
    }

    /// The supervisors of the tasks that run, or did a moment ago.
    pub fn supervisors(&self) -> Vec<Process> {
        let state = self.state_dir().display().to_string();
        let mut found = with_arguments(&[]);
        found.retain(|process| process.program() == "tfcoord-supervisor" && process.arguments.iter().any(|a| a.starts_with(&state)));
        found
    }

    /// Submits a job without watching it; gives its id.
    ///
    /// # Panics
    /// If it is not admitted.
    pub fn submit_detached(&self, job: &Value) -> String {
        let path = self.write_job(job);
        let output = self.run(&["submit", path.to_str().expect("a path in UTF-8"), "--detach", "-o", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let reply: Value = serde_json::from_slice(&output.stdout).expect("a job as JSON");
        reply["id"].as_str().expect("a job has an id").to_owned()
    }

    /// The job as `tfcoord status` tells it; that starts a coordinator where there is none.
    ///
    /// # Panics
    /// If there is no such job.
    pub fn status(&self, job: &str) -> Value {
        let output = self.run(&["status", job, "-o", "json"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}\n{}", self.logs()))
    }

    /// All logs, for a failing test's message.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        let mut dirs = vec![self.state_dir()];
        while let Some(dir) = dirs.pop() {
            for path in std::fs::read_dir(dir).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())) {
                let is_log = path.file_name().is_some_and(|n| n == "log" || n == "coordinator.log");
                if path.is_dir() {
                    dirs.push(path);
                } else if is_log {
                    let content = std::fs::read(&path).unwrap_or_default();
                    let tail = &content[content.len().saturating_sub(6000)..];
                    text += &format!("--- {}\n{}\n", path.display(), String::from_utf8_lossy(tail));
                }
            }
        }
        text
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let here = self.dir.path().to_str().unwrap_or_default().to_owned();
        let ours = || {
            let mut all = with_arguments(&[]);
            all.retain(|p| p.program().starts_with("tfcoord") && p.arguments.iter().any(|a| a.starts_with(&here)));
            all
        };
        ours().iter().for_each(|process| process.signal(Signal::KILL));
        if !std::thread::panicking() {
            wait_for(60, "processes of the laboratory end", || ours().is_empty().then_some(()));
        }
    }
}

/// Where cargo puts the programs of the profile that the running test was built with.
///
/// # Panics
/// If the test has no path.
pub fn programs_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let deps = test.parent().expect("a test lies in a directory");
    if deps.ends_with("deps") { deps.parent().expect("deps lies in a directory").to_owned() } else { deps.to_owned() }
}
