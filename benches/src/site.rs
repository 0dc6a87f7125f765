//! A place of its own for a benchmark: state, outputs, the real programs; everything ends with it.

mod metrics;
mod processes;
mod submitted;

pub use metrics::{edge, metric, step_times_ms};
pub use processes::{Process, Role};
pub use submitted::Submitted;

use crate::machine::pause;
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tfcoord_types::job::JobFile;

/// How long processes may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A coordinator's state directory in a temporary folder, and the programs.
pub struct Site {
    dir: TempDir,
    programs: PathBuf,
    serves_metrics: bool,
}

impl Site {
    /// An empty site; no process runs yet.
    ///
    /// # Errors
    /// If the programs are missing.
    pub fn new() -> anyhow::Result<Self> {
        let named = std::env::var_os("TFCOORD_BIN_DIR").map(PathBuf::from);
        let own = std::env::current_exe()?;
        let programs = named.or_else(|| own.parent().map(Path::to_owned)).unwrap_or_default();
        for name in ["tfcoord", "tfcoord-coordinator", "tfcoord-ps", "tfcoord-worker"] {
            ensure!(
                programs.join(name).is_file(),
                "{} is missing: run `make bench`, or name the folder in TFCOORD_BIN_DIR",
                programs.join(name).display()
            );
        }
        let dir = tempfile::Builder::new().prefix("tfcoord-bench-").tempdir()?;
        Ok(Self { dir, programs, serves_metrics: false })
    }

    /// As [`Self::new`], with a metrics endpoint in every process.
    ///
    /// # Errors
    /// If the programs are missing.
    pub fn with_metrics() -> anyhow::Result<Self> {
        let mut site = Self::new()?;
        site.serves_metrics = true;
        Ok(site)
    }

    /// Where job files and outputs go.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The folder of a task's attempt.
    pub fn task_dir(&self, job: &str, task: &str, attempt: u32) -> PathBuf {
        self.state_dir().join("jobs").join(job).join("tasks").join(task).join(attempt.to_string())
    }

    /// The coordinator's folder.
    pub fn state_dir(&self) -> PathBuf {
        self.path().join("state")
    }

    /// `tfcoord` with these arguments.
    pub fn tfcoord(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("tfcoord"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null()).stdout(Stdio::null());
        for name in ["TFCOORD_COORDINATOR", "TFCOORD_TOKEN_FILE", "TFCOORD_METRICS_LISTEN"] {
            command.env_remove(name);
        }
        if self.serves_metrics {
            command.env("TFCOORD_METRICS_LISTEN", "127.0.0.1:0");
        }
        command.env("TFCOORD_STATE_DIR", self.state_dir()).env("TFCOORD_BIN_DIR", &self.programs);
        command
    }

    /// Runs `tfcoord` to its end; how long that took.
    ///
    /// # Errors
    /// If it fails.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let status = self.tfcoord(arguments).status().context("tfcoord")?;
        let took = begun.elapsed();
        ensure!(status.success(), "tfcoord {}: {status}", arguments.join(" "));
        Ok(took)
    }

    /// Submits `job` and follows it.
    ///
    /// # Errors
    /// If the file cannot be written or `tfcoord` not started.
    pub fn submit(&self, job: &JobFile, interval: Duration) -> anyhow::Result<Submitted> {
        let file = self.path().join("job.json");
        std::fs::write(&file, serde_json::to_vec(job)?).with_context(|| file.display().to_string())?;
        let (file, interval) = (file.to_str().context("a path in UTF-8")?, interval.as_secs_f64().to_string());
        let arguments = ["submit", file, "-o", "jsonl", "--interval", &interval, "--wait-timeout", "600"];
        Submitted::start(self.tfcoord(&arguments))
    }

    /// Cancels a job and waits until its tasks are gone.
    ///
    /// # Errors
    /// If the job or its tasks do not end.
    pub fn cancel(&self, submitted: Submitted) -> anyhow::Result<()> {
        let job = submitted.job().to_owned();
        // Or it would tell of the end as of a failure.
        drop(submitted);
        self.run(&["cancel", &job])?;
        let deadline = Instant::now() + END_WITHIN;
        while self.processes().iter().any(|process| process.role() != Role::Coordinator) {
            if Instant::now() > deadline {
                bail!("tasks of a cancelled job live on after {} s", END_WITHIN.as_secs());
            }
            pause(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The living processes of this site.
    pub fn processes(&self) -> Vec<Process> {
        processes::within(self.path())
    }

    /// The only process of a role.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn process(&self, role: Role) -> anyhow::Result<Process> {
        let mut found = self.processes();
        found.retain(|process| process.role() == role);
        ensure!(found.len() == 1, "{} processes are a {role:?}, not 1", found.len());
        Ok(found.remove(0))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let deadline = Instant::now() + END_WITHIN;
        // The coordinator may start a task while the others are ended: until nothing is left.
        loop {
            let left = self.processes();
            if left.is_empty() || Instant::now() > deadline {
                return;
            }
            left.iter().for_each(Process::kill);
            pause(Duration::from_millis(5));
        }
    }
}
