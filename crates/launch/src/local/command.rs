//! The command lines of tasks, and what of the environment they see.

use super::Config;
use super::record::CommandRecord;
use crate::{Error, TaskSpec};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tfcoord_types::id::Role;

/// The parameter server's program.
pub const PARAMETER_SERVER_PROGRAM: &str = "tfcoord-ps";
/// The worker's program.
pub const WORKER_PROGRAM: &str = "tfcoord-worker";
/// What supervisors are called in a list of processes.
const SUPERVISOR_NAME: &str = "tfcoord-supervisor";

/// Variables that tasks need: where programs and libraries lie, how to speak to people, where to put temporary files.
const PASSED: [&str; 10] =
    ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE"];
/// Settings of tfcoord are passed too, but for those of the coordinator and of its clients.
const PREFIX: &str = "TFCOORD_";
/// Where a process serves its metrics.
const METRICS: &str = "TFCOORD_METRICS_LISTEN";
const KEPT: [&str; 3] = ["TFCOORD_TOKEN_FILE", "TFCOORD_COORDINATOR", "TFCOORD_STATE_DIR"];

fn program(bin_dir: &Path, name: &str) -> Result<PathBuf, Error> {
    let path = bin_dir.join(name);
    if path.is_file() { Ok(path) } else { Err(Error::NoProgram { path }) }
}

/// Whether a variable of the coordinator's environment is given to its children.
pub(super) fn passes(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    PASSED.contains(&name) || (name.starts_with(PREFIX) && !KEPT.contains(&name))
}

/// A command that runs the program `name` with nothing on its standard input, and of the environment only what
/// children may see: no secrets.
///
/// # Errors
/// [`Error::NoProgram`] if it is not there.
pub fn child(bin_dir: &Path, name: &str) -> Result<Command, Error> {
    let mut command = Command::new(program(bin_dir, name)?);
    command.stdin(Stdio::null()).env_clear().envs(passed());
    Ok(command)
}

/// The command that supervises the launch in `dir`. It does not show the task's arguments, which tell a task from it.
pub(super) fn supervisor(config: &Config, dir: &Path) -> Command {
    let (program, arguments) = config.supervisor.split_first().expect("a supervisor has a program");
    let mut command = Command::new(program);
    command.arg0(SUPERVISOR_NAME).args(arguments).arg(dir).env_clear().envs(passed());
    command
}

/// What to run for a task.
///
/// # Errors
/// [`Error::NoProgram`] if its program is not there.
pub(super) fn task(config: &Config, spec: &TaskSpec, dir: &Path) -> Result<CommandRecord, Error> {
    let launch = &spec.launch;
    let (name, place, path) = match launch.task.role {
        Role::ParameterServer => (PARAMETER_SERVER_PROGRAM, "--socket-dir", &config.socket_dir),
        Role::Worker => (WORKER_PROGRAM, "--scratch", &config.scratch_dir),
    };
    let program = program(&config.bin_dir, name)?;
    let mut arguments: Vec<OsString> = Vec::new();
    if launch.task.role == Role::Worker {
        arguments.push("run".into());
    }
    let texts = [
        ("--coordinator", config.coordinator.clone()),
        ("--job", launch.job.to_string()),
        ("--task", launch.task.to_string()),
        ("--attempt", launch.attempt.to_string()),
    ];
    let paths: [(&str, &Path); 3] = [("--token-file", &spec.token_file), ("--dir", dir), (place, path)];
    let numbers = [("--cpus", spec.cpus.max(1).to_string()), ("--orphan-grace-ms", spec.orphan_grace.as_millis().to_string())];
    arguments.extend(texts.into_iter().flat_map(|(name, text)| [name.into(), text.into()]));
    arguments.extend(paths.into_iter().flat_map(|(name, path)| [name.into(), path.as_os_str().to_owned()]));
    arguments.extend(numbers.into_iter().flat_map(|(name, text)| [name.into(), text.into()]));
    let orphan_grace_ms = u64::try_from(spec.orphan_grace.as_millis()).unwrap_or(u64::MAX);
    Ok(CommandRecord { program, arguments, coordinator_lock: config.lock.clone(), orphan_grace_ms })
}

// One address serves one process: tasks take any port of the same host, and write it to `metrics-address`.
fn any_port(address: &OsStr) -> OsString {
    let text = address.to_str().and_then(|text| text.rsplit_once(':'));
    text.map_or_else(|| address.to_owned(), |(host, _)| format!("{host}:0").into())
}

/// What of this process's environment its children may see: no secrets.
pub fn passed() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| passes(name)).map(|(name, value)| {
        let value = if name == METRICS { any_port(&value) } else { value };
        (name, value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_serve_metrics_on_ports_of_their_own() {
        assert_eq!(any_port(OsStr::new("127.0.0.1:9100")), "127.0.0.1:0");
        assert_eq!(any_port(OsStr::new("[::1]:9100")), "[::1]:0");
    }

    #[test]
    fn secrets_are_not_passed() {
        for (name, passed) in [("PATH", true), ("TFCOORD_HOST", true), ("TFCOORD_TOKEN_FILE", false), ("AWS_SECRET_ACCESS_KEY", false)] {
            assert_eq!(passes(OsStr::new(name)), passed, "{name}");
        }
    }
}
