//! The supervisor: a small process beside each task, which outlives the coordinator.
//!
//! ```text
//!   coordinator ── command.json; starts ──► supervisor ── supervisor.json, made once ──► starts ──► task, in a group of
//!                                               │  away from the coordinator's session    │         its own
//!                                               │◄── waits ───────────────────────────────┘
//!                                               └──► the group's rest is killed, the task is reaped, exit.json
//! ```
//!
//! It is needed since only a parent learns how a process ended. Whoever wants the task to end says so to the task's
//! group, not to it: it ends the task itself only where there has been no coordinator for longer than the task's orphan
//! grace, and the task has not ended by that. Killed itself, it leaves the task behind, whose end is seen then, but not its
//! exit code.

use super::record::{self, CommandRecord, ExitRecord, Identity};
use crate::Exit;
use crate::hadoop::TOKENS;
use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, kill_process_group, pidfd_open, setsid, waitid};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A task that ends by itself at the end of its orphan grace has done so within this time.
const END_WITHIN: Duration = Duration::from_secs(3);
/// Looks for a coordinator in an orphan grace.
const LOOKS: u32 = 8;
const LOOK_EVERY_MIN: Duration = Duration::from_millis(10);

/// What it tells the launcher on its standard output, if that still listens: one line, once the task runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) supervisor: Identity,
    pub(super) task: Identity,
}

/// Runs the launch in `dir` to its end, unless it has a supervisor already. For the program that the launcher starts
/// with this directory.
///
/// # Errors
/// The directory cannot be read or written to; then nothing was started, or its end could not be recorded.
pub fn supervise(dir: &Path) -> io::Result<()> {
    // Refused only to who leads a group already.
    let _ = setsid();
    if std::env::var_os(TOKENS).is_some() {
        // The task has secrets in its memory, and inherits that it leaves no core file.
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    }
    let command = record::read_command(dir)?;
    let supervisor = Identity::of(getpid())?;
    if !record::claim(dir, &supervisor)? {
        return Ok(());
    }
    let record = match start(dir, &command) {
        Ok(mut child) => {
            tell(dir, supervisor, Pid::from_child(&child));
            end(&mut child, &command)
        }
        Err(error) => {
            let message = format!("could not be started: {}: {error}", command.program.display());
            ExitRecord { message, ..ExitRecord::default() }
        }
    };
    record::write_exit(dir, &record).map_err(io::Error::other)
}

fn start(dir: &Path, command: &CommandRecord) -> io::Result<Child> {
    let log = || File::options().append(true).create(true).open(dir.join("log"));
    let CommandRecord { program, arguments, .. } = command;
    Command::new(program).args(arguments).process_group(0).stdin(Stdio::null()).stdout(log()?).stderr(log()?).spawn()
}

fn tell(dir: &Path, supervisor: Identity, task: Pid) {
    let Ok(task) = Identity::of(task) else { return };
    if let Err(error) = record::write_process(dir, &task) {
        eprintln!("cannot record the process {}: {error}", task.pid());
    }
    let mut stdout = io::stdout();
    let line = serde_json::to_string(&Started { supervisor, task }).expect("numbers and texts");
    // Nobody listens any more if the coordinator is gone.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null);
    }
}

// Waiting without reaping keeps the id: the group can be killed before anybody else may get it.
fn end(child: &mut Child, command: &CommandRecord) -> ExitRecord {
    let pid = Pid::from_child(child);
    let message = watch_over(pid, command);
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
    if let Ok(task) = Identity::of(pid) {
        task.kill_rest();
    }
    let exit = child.wait().ok().map(Exit::from);
    ExitRecord { exit, peak_memory_bytes: peak_memory_bytes(), message }
}

// Waits for the task's end, or kills its group when it has outlived its orphan grace: the reason.
fn watch_over(task: Pid, command: &CommandRecord) -> String {
    let grace = Duration::from_millis(command.orphan_grace_ms);
    let second = Timespec { tv_sec: 1, tv_nsec: 0 };
    let look_every = Timespec::try_from((grace / LOOKS).max(LOOK_EVERY_MIN)).unwrap_or(second);
    let Ok(held) = pidfd_open(task, PidfdFlags::empty()) else { return String::new() };
    let mut alone_since = None;
    loop {
        match poll(&mut [PollFd::new(&held, PollFlags::IN)], Some(&look_every)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => return String::new(),
        }
        if tfcoord_fs::is_locked(&command.coordinator_lock) {
            alone_since = None;
        } else if alone_since.get_or_insert_with(Instant::now).elapsed() > grace + END_WITHIN {
            let _ = kill_process_group(task, Signal::KILL);
            return format!("no coordinator came back for {} s, and it did not end by itself", grace.as_secs_f64());
        }
    }
}

// Of children that were waited for, which is one: getrusage(2) counts in KiB.
fn peak_memory_bytes() -> Option<u64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    u64::try_from(usage.max_rss()).ok().filter(|kib| *kib > 0)?.checked_mul(1024)
}
