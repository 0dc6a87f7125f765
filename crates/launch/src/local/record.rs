//! What is written down of a process: who it is, while it runs, and how it ended.

use crate::{Error, Exit};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const PROCESS_FILE: &str = "process.json";
const EXIT_FILE: &str = "exit.json";

/// Who a process is: ids are given again, but not at the same tick of the same boot.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    pid: i32,
    /// Field 22 of /proc/PID/stat: clock ticks since boot (proc(5)).
    start_ticks: u64,
    boot_id: String,
}

/// How it ended; absent where nobody saw it.
#[derive(Debug, Serialize, Deserialize)]
struct ExitRecord {
    exit: Option<Exit>,
}

impl Identity {
    fn of(pid: Pid) -> io::Result<Self> {
        let pid = pid.as_raw_nonzero().get();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let start_ticks = start_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        Ok(Self { pid, start_ticks, boot_id })
    }
}

// The second field is the program's name in parentheses and may hold anything, also parentheses.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

pub(super) fn write_process(dir: &Path, pid: Pid) -> io::Result<()> {
    write(dir, PROCESS_FILE, &Identity::of(pid)?)
}

pub(super) fn write_exit(dir: &Path, exit: Exit) {
    if let Err(error) = write(dir, EXIT_FILE, &ExitRecord { exit: Some(exit) }) {
        tracing::warn!(%error, dir = %dir.display(), "cannot record an exit");
    }
}

// Whole or not at all; not synced, since after a power cut no process is left anyway.
fn write(dir: &Path, name: &str, record: &impl Serialize) -> io::Result<()> {
    let temp = dir.join(format!(".{name}.tmp"));
    fs::write(&temp, serde_json::to_vec(record)?)?;
    tfcoord_fault::point!("launch.record.written");
    fs::rename(temp, dir.join(name))
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Kills what an earlier launcher, which was killed itself, left running in `state_dir`, and returns the directories
/// of those launches. To be called before the first launch, by whoever holds the state directory's lock.
///
/// # Errors
/// The directory cannot be listed.
pub fn end_leftovers(state_dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut level = vec![state_dir.join("jobs")];
    // jobs/<job>/tasks/<task>/<attempt>
    for only in [None, Some("tasks"), None, None] {
        let mut below = Vec::new();
        for dir in level {
            match only {
                Some(name) => below.push(dir.join(name)),
                None => below.extend(children(&dir)?),
            }
        }
        level = below;
    }
    let killed = level.into_iter().filter(|dir| !dir.join(EXIT_FILE).exists() && end_leftover(dir));
    Ok(killed.collect())
}

fn children(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("list", dir)(error)),
    };
    entries.map(|entry| entry.map(|e| e.path()).map_err(Error::file("list", dir))).collect()
}

fn end_leftover(dir: &Path) -> bool {
    let Some(recorded) = read::<Identity>(&dir.join(PROCESS_FILE)) else { return false };
    let Some(pid) = Pid::from_raw(recorded.pid) else { return false };
    // Held open, the id cannot be given to another process between the look and the kill.
    let Ok(_held) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    let same = Identity::of(pid).is_ok_and(|now| now == recorded);
    let killed = same && kill_process_group(pid, Signal::KILL).is_ok();
    if killed {
        write_exit(dir, Exit::Signal(Signal::KILL.as_raw()));
    }
    killed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let fields: Vec<String> = (3..30).map(|n| n.to_string()).collect();
        assert_eq!(start_ticks(&format!("1 (a) b) {}", fields.join(" "))), Some(22));
        assert_eq!(start_ticks("1 (a"), None);
    }

    #[test]
    fn a_process_is_itself_and_no_other() {
        let me = Identity::of(rustix::process::getpid()).unwrap();
        assert_eq!(me, Identity::of(rustix::process::getpid()).unwrap());
        assert_ne!(me.start_ticks, Identity::of(Pid::INIT).unwrap().start_ticks);
    }
}
