//! Looking at a job's data before it is submitted: a child process lists, counts and checks them.
//!
//! The child, `tfcoord-worker prepare`, has a group of its own and ends with its call: when it takes too long, or when
//! the client that waits for it goes away.

use crate::state_dir::{self, StateDir};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tfcoord_launch::Hadoop;
use tfcoord_launch::local::{WORKER_PROGRAM, child};
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::{Manifest, ManifestSummary};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// Counting records of large text files takes this long at most.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Jobs whose data are looked at at the same time.
const AT_ONCE: usize = 2;
/// What is read of the child's complaints, in bytes.
const STDERR_BYTES_MAX: u64 = 64 << 10;
/// The longest manifest: it is sent to tasks in one message.
const OUT_BYTES_MAX: u64 = 4 << 20;
/// The exit code for problems that the person who submits can solve.
const USER_ERROR: i32 = 2;
/// The exit code for problems of this host, such as a full disk.
const HOST_ERROR: i32 = 5;

/// Prepares jobs.
#[derive(Debug)]
pub struct Preparer {
    bin_dir: PathBuf,
    state: StateDir,
    slots: Semaphore,
    timeout: Duration,
}

/// Data that cannot be trained on, or that could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is wrong with the data: the text names file, place and remedy.
    #[error("{0}")]
    Data(String),
    /// Something is wrong with this host, such as a full disk: the text names place and remedy.
    #[error("{0}")]
    Host(String),
    /// It took too long.
    #[error("looking at the data took more than {} s: use fewer or smaller files", .0.as_secs())]
    TooLong(Duration),
    /// The manifest is too long to be sent.
    #[error("what is known of the data is longer than {OUT_BYTES_MAX} bytes: use fewer files, or categories with fewer values")]
    TooLarge,
    /// The child did not do what it should.
    #[error("{WORKER_PROGRAM} prepare failed: {0}")]
    Internal(String),
    /// The program is missing.
    #[error(transparent)]
    Launch(#[from] tfcoord_launch::Error),
    /// The manifest could not be kept.
    #[error(transparent)]
    State(#[from] state_dir::Error),
}

#[derive(Deserialize)]
struct Output {
    manifest: Manifest,
    summary: ManifestSummary,
    // Why it is not known who holds the data.
    #[serde(default)]
    unheld: Option<String>,
}

impl Preparer {
    /// Prepares with the programs in `bin_dir`, and keeps manifests in `state`.
    pub fn new(bin_dir: &Path, state: &StateDir) -> Self {
        Self { bin_dir: bin_dir.to_owned(), state: state.clone(), slots: Semaphore::new(AT_ONCE), timeout: TIMEOUT }
    }

    /// Looks at the job's data, on the site `hadoop` where some are in HDFS; the manifest is kept, durably, when this returns.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn prepare(&self, file: &JobFile, hadoop: Option<&Hadoop>) -> Result<ManifestSummary, Error> {
        let _slot = self.slots.acquire().await.expect("nobody closes it");
        let internal = |what: &str, error: &dyn std::fmt::Display| Error::Internal(format!("{what}: {error}"));
        let dir = tempfile::Builder::new().prefix("prepare-").tempdir_in(self.state.scratch());
        let dir = dir.map_err(|e| unkept("cannot make a directory for it", &e))?;
        let (job, out) = (dir.path().join("job.json"), dir.path().join("out.json"));
        let json = serde_json::to_vec(file).expect("a job file is plain data");
        std::fs::write(&job, json).map_err(|e| unkept("cannot write its job file", &e))?;
        let mut command = child(&self.bin_dir, WORKER_PROGRAM)?;
        hadoop.iter().for_each(|hadoop| hadoop.tell(&mut command));
        command.arg("prepare").arg("--job-file").arg(&job).arg("--scratch").arg(self.state.scratch()).arg("--out").arg(&out);
        run(command.into(), self.timeout).await?;
        let length = std::fs::metadata(&out).map_err(|e| internal("it left no result", &e))?.len();
        if length > OUT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let json = std::fs::read(&out).map_err(|e| internal("its result cannot be read", &e))?;
        let Output { manifest, summary, unheld } = serde_json::from_slice(&json).map_err(|e| internal("its result makes no sense", &e))?;
        if let Some(problem) = unheld {
            tracing::warn!(job = file.name, problem, "no worker is preferred for data: which hosts hold them is not known");
        }
        let digest = self.state.keep_manifest(&manifest)?;
        Ok(ManifestSummary { digest, ..summary })
    }
}

// What this process could not write for the child.
fn unkept(what: &str, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Host(format!(
            "{what}: {error}\n  help: free space on the disk of the state directory, or use another one: TFCOORD_STATE_DIR"
        )),
        _ => Error::Internal(format!("{what}: {error}")),
    }
}

async fn run(mut command: Command, timeout: Duration) -> Result<(), Error> {
    command.stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|e| Error::Internal(format!("it cannot be started: {e}")))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let mut complaints = Vec::new();
    let stderr = child.stderr.take();
    let ended = async {
        if let Some(mut stderr) = stderr {
            let mut first = (&mut stderr).take(STDERR_BYTES_MAX);
            first.read_to_end(&mut complaints).await?;
            // What is too much is read all the same, so that the child does not wait.
            tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
        }
        child.wait().await
    };
    let status = tokio::time::timeout(timeout, ended).await.map_err(|_| Error::TooLong(timeout))?;
    group.gone();
    let status = status.map_err(|e| Error::Internal(e.to_string()))?;
    let text = String::from_utf8_lossy(&complaints).trim().to_owned();
    match status.code() {
        Some(0) => Ok(()),
        Some(USER_ERROR) => Err(Error::Data(text)),
        Some(HOST_ERROR) => Err(Error::Host(text)),
        _ => Err(Error::Internal(format!("{status}: {text}"))),
    }
}

/// Kills the process group when the call that waits for it is given up.
struct Group(Option<Pid>);

impl Group {
    /// It has ended by itself, and its id may be somebody else's.
    fn gone(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The runtime reaps it.
        let _ = self.0.map(|pid| kill_process_group(pid, Signal::KILL));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn what_the_child_says_decides() {
        let long = Duration::from_secs(20);
        let says = async |script: &str| run(shell(script), long).await.map_err(|e| e.to_string());
        assert_eq!(says("exit 0").await, Ok(()));
        assert_eq!(says("echo 'a.csv:3: no number' >&2; exit 2").await, Err("a.csv:3: no number".into()));
        assert!(matches!(run(shell("echo 'disk full' >&2; exit 5"), long).await, Err(Error::Host(text)) if text == "disk full"));
        let error = says("echo oops >&2; exit 101").await.unwrap_err();
        assert!(error.contains("prepare failed") && error.contains("oops"), "{error}");
        let flood = says("head -c 1000000 /dev/zero >&2; exit 2").await.unwrap_err();
        assert_eq!(flood.len() as u64, STDERR_BYTES_MAX);
    }

    #[test]
    fn a_full_disk_has_a_remedy() {
        let error = unkept("cannot write its job file", &ErrorKind::StorageFull.into());
        assert!(matches!(&error, Error::Host(text) if text.contains("\n  help: free space")), "{error}");
    }

    #[tokio::test]
    async fn it_is_killed_when_it_takes_too_long() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("echo $$ > {}; exec sleep 1000", file.display());
        let error = run(shell(&script), Duration::from_millis(500)).await.unwrap_err();
        assert!(matches!(error, Error::TooLong(_)), "{error}");
        let pid = std::fs::read_to_string(file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let dead = async {
            while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z")) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), dead).await.unwrap();
    }
}
