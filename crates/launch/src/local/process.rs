//! A child process in a group of its own.

use super::record;
use crate::Exit;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// Stack of the small threads that wait: they format a message and write a file.
const STACK_BYTES: usize = 256 << 10;

/// A child process in a group of its own.
pub(super) struct Process {
    pid: Pid,
    dir: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Taken when it is reaped: from then on its id may be somebody else's.
    child: Option<Child>,
    asked_to_end: bool,
    /// Its end has been recorded and told.
    over: bool,
}

impl Process {
    /// Starts `command`, and records in `dir` who it is.
    pub(super) fn start(command: &mut Command, dir: &Path) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let pid = Pid::from_child(&child);
        if let Err(error) = record::write_process(dir, pid) {
            // Only whoever comes after a coordinator that was killed misses it.
            tracing::warn!(%error, dir = %dir.display(), "cannot record a process");
        }
        let state = Mutex::new(State { child: Some(child), ..State::default() });
        Ok(Self { pid, dir: dir.to_owned(), state, changed: Condvar::new() })
    }

    pub(super) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding a process")
    }

    /// Waits for the end on a thread of its own, and tells `then`. Where there can be no such thread, nobody would
    /// ever learn of the end: the process is killed and reaped here.
    pub(super) fn on_end(self: &Arc<Self>, then: impl FnOnce(Exit) + Send + 'static) -> io::Result<()> {
        let this = self.clone();
        let wait = move || {
            let exit = this.reap();
            record::write_exit(&this.dir, exit);
            then(exit);
            this.state().over = true;
            this.changed.notify_all();
        };
        let started = thread::Builder::new().name(format!("wait-{}", self.id())).stack_size(STACK_BYTES).spawn(wait);
        started.map(drop).inspect_err(|_| {
            self.kill(Duration::ZERO);
            self.reap();
        })
    }

    // Waiting without reaping keeps the id: the group can be killed before anybody else may get it.
    fn reap(&self) -> Exit {
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
        let mut state = self.state();
        self.signal(Signal::KILL);
        let status = state.child.take().map(|mut child| child.wait());
        match status {
            Some(Ok(status)) => status.into(),
            // Somebody else has reaped it, which nothing here does.
            Some(Err(_)) | None => Exit::Signal(Signal::KILL.as_raw()),
        }
    }

    // To be called with the state held and the child in it.
    fn signal(&self, signal: Signal) {
        // A group whose members are all gone is what is wanted.
        let _ = kill_process_group(self.pid, signal);
    }

    /// Ends the group: politely, and by force after `grace`.
    pub(super) fn kill(self: &Arc<Self>, grace: Duration) {
        let mut state = self.state();
        if state.child.is_none() {
            return;
        }
        if grace.is_zero() {
            self.signal(Signal::KILL);
        } else if !std::mem::replace(&mut state.asked_to_end, true) {
            self.signal(Signal::TERM);
            let this = self.clone();
            let force = move || {
                let lives = |state: &mut State| state.child.is_some();
                let waited = this.changed.wait_timeout_while(this.state(), grace, lives);
                let (state, _) = waited.expect("nobody panics while holding a process");
                if state.child.is_some() {
                    this.signal(Signal::KILL);
                }
            };
            let started = thread::Builder::new().name(format!("kill-{}", self.id())).stack_size(STACK_BYTES).spawn(force);
            if started.is_err() {
                self.signal(Signal::KILL);
            }
        }
    }

    /// Waits until its end has been recorded and told.
    pub(super) fn wait(&self) {
        let over = self.changed.wait_while(self.state(), |state| !state.over);
        drop(over.expect("nobody panics while holding a process"));
    }
}
