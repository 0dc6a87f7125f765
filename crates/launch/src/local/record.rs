//! What is written down of a launch, in its directory.
//!
//! | file | who writes it | what it says |
//! |---|---|---|
//! | `command.json` | the launcher, before it starts a supervisor | what to run |
//! | `supervisor.json` | the supervisor, before it starts the task; made once, never replaced | who the launch's one supervisor is |
//! | `process.json` | the supervisor, when the task runs | who the task is |
//! | `exit.json` | the supervisor, when the task has ended; durable | how |
//!
//! Each appears whole or not at all.

use crate::{Error, Exit, Launch};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tfcoord_types::id::Attempt;

const COMMAND_FILE: &str = "command.json";
const SUPERVISOR_FILE: &str = "supervisor.json";
const PROCESS_FILE: &str = "process.json";
const EXIT_FILE: &str = "exit.json";
const MODE_PRIVATE: u32 = 0o600;

/// Who a process is: ids are given again, but not at the same tick of the same boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pid: i32,
    /// Field 22 of /proc/PID/stat: clock ticks since boot (proc(5)).
    start_ticks: u64,
    boot_id: String,
}

/// What to run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CommandRecord {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// Held by a coordinator as long as there is one.
    pub(super) coordinator_lock: PathBuf,
    pub(super) orphan_grace_ms: u64,
}

/// How a task ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ExitRecord {
    /// Absent where nobody saw it.
    pub(super) exit: Option<Exit>,
    /// The most memory that its process, or one that it waited for, had at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) peak_memory_bytes: Option<u64>,
    /// What else is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
}

impl Identity {
    pub(super) fn of(pid: Pid) -> io::Result<Self> {
        let pid = pid.as_raw_nonzero().get();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let start_ticks = start_ticks(&stat).ok_or(ErrorKind::InvalidData)?;
        Ok(Self { pid, start_ticks, boot_id: boot_id()? })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether it ran before the machine was started.
    pub(super) fn is_of_another_boot(&self) -> bool {
        boot_id().is_ok_and(|now| now != self.boot_id)
    }

    /// The process, held open: readable once it has ended. Nothing if it is gone; one that has ended and was not waited
    /// for is still there.
    pub(super) fn open(&self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(self.pid)?;
        let held = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // Looked at behind the opening: if it is the one now, it is the one that is held.
        Identity::of(pid).is_ok_and(|now| now == *self).then_some(held)
    }

    /// Sends a signal to the group that it leads, if it is there. Between the look and the signal its id could only be
    /// given again if all others had been given in between.
    pub(super) fn signal_group(&self, signal: Signal) {
        if let (Some(_held), Some(pid)) = (self.open(), Pid::from_raw(self.pid)) {
            // A group whose members are all gone is what is wanted.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Kills what is left of the group that it led, right after its end was seen.
    pub(super) fn kill_rest(&self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

// The second field is the program's name in parentheses and may hold anything, also parentheses.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

pub(super) fn write_command(dir: &Path, command: &CommandRecord) -> io::Result<()> {
    replace(dir, COMMAND_FILE, command)
}

pub(super) fn read_command(dir: &Path) -> io::Result<CommandRecord> {
    Ok(serde_json::from_slice(&fs::read(dir.join(COMMAND_FILE))?)?)
}

/// Makes a process the launch's supervisor, unless there was one before: then nothing, and `false`.
pub(super) fn claim(dir: &Path, supervisor: &Identity) -> io::Result<bool> {
    let temp = dir.join(format!(".{SUPERVISOR_FILE}.{}.tmp", supervisor.pid));
    fs::write(&temp, serde_json::to_vec(supervisor)?)?;
    // Unlike a rename, a link fails where the name is taken.
    let linked = fs::hard_link(&temp, dir.join(SUPERVISOR_FILE));
    fs::remove_file(temp)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn read_supervisor(dir: &Path) -> Option<Identity> {
    read(&dir.join(SUPERVISOR_FILE))
}

pub(super) fn write_process(dir: &Path, process: &Identity) -> io::Result<()> {
    replace(dir, PROCESS_FILE, process)
}

pub(super) fn read_process(dir: &Path) -> Option<Identity> {
    read(&dir.join(PROCESS_FILE))
}

/// Durable: what has ended is not looked for again after a power cut.
pub(super) fn write_exit(dir: &Path, exit: &ExitRecord) -> Result<(), tfcoord_fs::Error> {
    let json = serde_json::to_vec(exit).expect("numbers and a text");
    tfcoord_fs::write_atomic(&dir.join(EXIT_FILE), &json, MODE_PRIVATE)
}

pub(super) fn read_exit(dir: &Path) -> Option<ExitRecord> {
    read(&dir.join(EXIT_FILE))
}

/// Whether something was started there.
pub(super) fn was_started(dir: &Path) -> bool {
    [SUPERVISOR_FILE, PROCESS_FILE, EXIT_FILE].iter().any(|name| dir.join(name).exists())
}

// Not synced: after a power cut no process is left that it could tell of.
fn replace(dir: &Path, name: &str, record: &impl Serialize) -> io::Result<()> {
    let temp = dir.join(format!(".{name}.tmp"));
    fs::write(&temp, serde_json::to_vec(record)?)?;
    tfcoord_fault::point!("launch.record.written");
    fs::rename(temp, dir.join(name))
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// All launches that have a directory in `state_dir`.
///
/// # Errors
/// A directory cannot be listed.
pub(super) fn launches(state_dir: &Path) -> Result<Vec<(Launch, PathBuf)>, Error> {
    let mut found = Vec::new();
    for (job, dir) in children(&state_dir.join("jobs"))? {
        let Ok(job) = job.parse() else { continue };
        for (task, dir) in children(&dir.join("tasks"))? {
            let Ok(task) = task.parse() else { continue };
            for (attempt, dir) in children(&dir)? {
                let Ok(attempt) = attempt.parse().map(Attempt) else { continue };
                found.push((Launch { job: Clone::clone(&job), task, attempt }, dir));
            }
        }
    }
    Ok(found)
}

fn children(dir: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("list", dir)(error)),
    };
    let child = |entry: fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry.path());
    entries.map(|entry| entry.map(child).map_err(Error::file("list", dir))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpid;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let fields: Vec<String> = (3..30).map(|n| n.to_string()).collect();
        assert_eq!(start_ticks(&format!("1 (a) b) {}", fields.join(" "))), Some(22));
        assert_eq!(start_ticks("1 (a"), None);
    }

    #[test]
    fn a_process_is_itself_and_no_other() {
        let me = Identity::of(getpid()).unwrap();
        assert!(me.open().is_some() && !me.is_of_another_boot());
        let earlier = Identity { start_ticks: me.start_ticks - 1, ..me.clone() };
        let other_boot = Identity { boot_id: "another".into(), ..me.clone() };
        assert!(earlier.open().is_none() && other_boot.open().is_none() && other_boot.is_of_another_boot());
        assert_ne!(me.start_ticks, Identity::of(Pid::INIT).unwrap().start_ticks);
    }

    #[test]
    fn a_launch_has_one_supervisor() {
        let dir = tempfile::tempdir().unwrap();
        let me = Identity::of(getpid()).unwrap();
        let other = Identity::of(Pid::INIT).unwrap();
        assert!(!was_started(dir.path()));
        assert!(claim(dir.path(), &me).unwrap() && was_started(dir.path()));
        assert!(!claim(dir.path(), &other).unwrap() && !claim(dir.path(), &me).unwrap());
        assert_eq!(read_supervisor(dir.path()), Some(me));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn records_of_earlier_versions_are_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(EXIT_FILE), r#"{"exit":{"code":3}}"#).unwrap();
        assert_eq!(read_exit(dir.path()), Some(ExitRecord { exit: Some(Exit::Code(3)), ..ExitRecord::default() }));
    }
}
