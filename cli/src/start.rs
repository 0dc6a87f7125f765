//! Starting the embedded coordinator of a state directory.
//!
//! `tfcoord-coordinator --embedded --state-dir DIR` with nothing on its standard input, its standard error
//! appended to `coordinator.log`. It makes a session of its own, prints one line on its standard output and closes
//! it: `ready ENDPOINT`, or `running ENDPOINT` if another one serves the directory already, or `error TEXT`, or
//! `not-now TEXT` where the next one may fare better.
//! It outlives this client.

use crate::failure::{Code, Failure};
use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// It must have said its line by then; replaying a log takes time.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The longest line that is read.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// A log that is longer is put aside at a start, as `coordinator.log.1`, in place of one from earlier on.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// A program that belongs to tfcoord: in `TFCOORD_BIN_DIR`, else beside this one.
///
/// # Errors
/// When it is not there.
pub fn program(name: &str) -> Result<PathBuf, Failure> {
    let named = std::env::var_os("TFCOORD_BIN_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let beside = || std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let path = named.or_else(beside).unwrap_or_default().join(name);
    if path.is_file() {
        return Ok(path);
    }
    let missing = Failure::new(Code::Engine, format!("{} is not there", path.display()));
    Err(missing.help("the programs of tfcoord belong into one directory; TFCOORD_BIN_DIR names another one"))
}

/// What became of a start.
#[derive(Debug)]
pub enum Started {
    /// A coordinator serves.
    Serves,
    /// It did not start, and the next one may: it was killed, or its disk was full. What to say where that is the end.
    NotNow(Failure),
}

/// Starts the coordinator of `state_dir` and waits until it answers.
///
/// # Errors
/// Why not, where another one would not start either.
pub async fn embedded(state_dir: &Path) -> Result<Started, Failure> {
    let program = program("tfcoord-coordinator")?;
    let log = state_dir.join("coordinator.log");
    let without_log = |what: &str| Failure::new(Code::Engine, format!("the embedded coordinator did not start: {what}"));
    let no_place = |path: &Path, error: std::io::Error| {
        let failure = without_log(&format!("{}: {error}", path.display()));
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Ok(Started::NotNow(failure.help("make room there, or let TFCOORD_STATE_DIR name another directory")))
            }
            _ => Err(failure.help("its state needs a directory that you may write to; TFCOORD_STATE_DIR names another one")),
        }
    };
    if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(state_dir) {
        return no_place(state_dir, error);
    }
    if log.metadata().is_ok_and(|log| log.len() > LOG_BYTES_MAX) {
        // Where it cannot be put aside it goes on growing: no reason not to start.
        let _ = std::fs::rename(&log, state_dir.join("coordinator.log.1"));
    }
    let stderr = match OpenOptions::new().create(true).append(true).mode(0o600).open(&log) {
        Ok(stderr) => stderr,
        Err(error) => return no_place(&log, error),
    };
    let failed = |what: &str| without_log(what).help(format_args!("its log is {}", log.display()));
    let mut child = Command::new(&program)
        .args(["--embedded", "--state-dir"])
        .arg(state_dir)
        // It may outlive the directory that this client stands in.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(|error| failed(&format!("{}: {error}", program.display())))?;
    let stdout = child.stdout.take().expect("it is piped");
    let line = first_line(stdout.into()).await.map_err(|error| failed(&error.to_string()))?;
    match line.split_once(' ') {
        Some(("ready" | "running", _)) => Ok(Started::Serves),
        Some(("error", text)) => Err(failed(text)),
        Some(("not-now", text)) => Ok(Started::NotNow(failed(text))),
        _ if line.is_empty() => Ok(Started::NotNow(failed("it ended without a word, as if it was killed"))),
        _ => Err(failed(&format!("it said {line:?}"))),
    }
}

async fn first_line(stdout: OwnedFd) -> std::io::Result<String> {
    let mut line = String::new();
    let mut stdout = Receiver::from_owned_fd(stdout)?.take(LINE_BYTES_MAX);
    let read = tokio::time::timeout(READY_WITHIN, stdout.read_to_string(&mut line)).await;
    read.map_err(|_| std::io::Error::other(format!("it said nothing for {} s", READY_WITHIN.as_secs())))??;
    Ok(line.trim_end().to_owned())
}
