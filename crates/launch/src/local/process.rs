//! A launch that runs, as the launcher sees it: its supervisor, and the task that it supervises.
//!
//! Whether this launcher started it or took it over, one thread waits for its end without polling: for the supervisor's,
//! since that comes behind the exit record. Of a supervisor that was killed the task is left, and is waited for itself.

use super::record::{self, ExitRecord, Identity};
use super::supervise::Started;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, pidfd_send_signal};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Stack of the small threads that wait: they format a message and write a file.
const STACK_BYTES: usize = 256 << 10;
/// A supervisor has started its task, or has ended, within this time.
const STARTED_WITHIN: Duration = Duration::from_secs(5);
/// The longest line that a supervisor says.
const LINE_BYTES_MAX: u64 = 4 << 10;

/// A launch that runs.
pub(super) struct Process {
    dir: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    supervisor: Option<Identity>,
    task: Option<Identity>,
    asked_to_end: bool,
    /// Nothing of it is left.
    gone: bool,
    /// Its end has been told.
    over: bool,
}

impl Process {
    /// A launch whose files lie in `dir`; it is to be [watched](Self::watch).
    pub(super) fn new(dir: &Path) -> Arc<Self> {
        Arc::new(Self { dir: dir.to_owned(), state: Mutex::default(), changed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding a process")
    }

    /// Starts `command`, a supervisor, and waits for the launch's end on a thread of its own, to tell `then`.
    ///
    /// # Errors
    /// Nothing was started, or nobody could learn of its end: then it was ended.
    pub(super) fn start(self: &Arc<Self>, command: &mut Command, then: impl FnOnce(ExitRecord) + Send + 'static) -> io::Result<()> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        self.state().supervisor = Identity::of(Pid::from_child(&child)).ok();
        let this = self.clone();
        let waited = self.spawn("wait", move || {
            this.hear(&mut child);
            // Its exit code tells nothing that its record does not.
            let _ = child.wait();
            this.state().supervisor = None;
            this.end(then);
        });
        waited.inspect_err(|_| self.kill(Duration::ZERO))
    }

    /// Waits for the end of a launch that an earlier launcher started.
    ///
    /// # Errors
    /// There can be no thread.
    pub(super) fn adopt(self: &Arc<Self>, then: impl FnOnce(ExitRecord) + Send + 'static) -> io::Result<()> {
        let this = self.clone();
        self.spawn("wait", move || this.end(then))
    }

    fn spawn(&self, what: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let name = format!("{what}-{}", self.supervisor().map_or(0, |supervisor| supervisor.pid()));
        thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(work).map(drop)
    }

    // What the supervisor says of itself counts even if the directory is removed.
    fn hear(&self, child: &mut Child) {
        let mut line = String::new();
        let stdout = child.stdout.take().map(|stdout| stdout.take(LINE_BYTES_MAX).read_to_string(&mut line));
        if let (Some(Ok(_)), Ok(Started { supervisor, task })) = (stdout, serde_json::from_str(&line)) {
            tracing::info!(dir = %self.dir.display(), supervisor = supervisor.pid(), pid = task.pid(), "started");
            let mut state = self.state();
            (state.supervisor, state.task) = (Some(supervisor), Some(task));
            drop(state);
            self.changed.notify_all();
        }
    }

    fn end(&self, then: impl FnOnce(ExitRecord)) {
        let record = self.last();
        self.state().gone = true;
        self.changed.notify_all();
        then(record);
        self.state().over = true;
        self.changed.notify_all();
    }

    // Waits for the end of all that there is.
    fn last(&self) -> ExitRecord {
        // That of an earlier launcher, if there was one: the launch's own.
        if let Some(supervisor) = record::read_supervisor(&self.dir).and_then(|supervisor| supervisor.open()) {
            until_ended(&supervisor);
        }
        if let Some(record) = record::read_exit(&self.dir) {
            return record;
        }
        let record = ExitRecord { message: self.unseen().into(), ..ExitRecord::default() };
        if let Err(error) = record::write_exit(&self.dir, &record) {
            tracing::warn!(%error, "cannot record an exit");
        }
        record
    }

    // Nobody saw how it ended, or will end.
    fn unseen(&self) -> &'static str {
        let Some(task) = self.task() else { return "was lost with its supervisor, before that had told of it" };
        if task.is_of_another_boot() {
            return "ended with its machine, which was started again";
        }
        if let Some(held) = task.open() {
            tracing::warn!(pid = task.pid(), dir = %self.dir.display(), "a task has lost its supervisor; nobody will see how it ends");
            until_ended(&held);
            task.kill_rest();
        }
        "ended unseen: its supervisor was killed before it"
    }

    fn supervisor(&self) -> Option<Identity> {
        let known = self.state().supervisor.clone();
        known.or_else(|| record::read_supervisor(&self.dir))
    }

    fn task(&self) -> Option<Identity> {
        let known = self.state().task.clone();
        known.or_else(|| record::read_process(&self.dir))
    }

    fn signal(&self, signal: Signal) {
        match self.task() {
            Some(task) => task.signal_group(signal),
            // Without a task in sight there is at most a supervisor that has not started it.
            None if signal == Signal::KILL => {
                if let Some(supervisor) = self.supervisor().and_then(|supervisor| supervisor.open()) {
                    let _ = pidfd_send_signal(supervisor, signal);
                }
            }
            None => {}
        }
    }

    /// Ends the task's group: politely, and by force after `grace`. Returns at once.
    pub(super) fn kill(self: &Arc<Self>, grace: Duration) {
        let mut state = self.state();
        if state.gone || (std::mem::replace(&mut state.asked_to_end, true) && !grace.is_zero()) {
            return;
        }
        drop(state);
        let this = self.clone();
        let force = move || {
            this.wait_until(STARTED_WITHIN, |this| this.task().is_some());
            if !grace.is_zero() {
                this.signal(Signal::TERM);
                this.wait_until(grace, |_| false);
            }
            if !this.state().gone {
                this.signal(Signal::KILL);
            }
        };
        let at_once = grace.is_zero() && self.task().is_some();
        if at_once || self.spawn("kill", force).is_err() {
            self.signal(Signal::KILL);
        }
    }

    // Waits until it is gone, or `is` so, or the time is over; files are looked at now and then.
    fn wait_until(&self, within: Duration, is: impl Fn(&Self) -> bool) {
        const LOOK_EVERY: Duration = Duration::from_millis(100);
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.state().gone || left.is_zero() || is(self) {
                return;
            }
            let waited = self.changed.wait_timeout_while(self.state(), left.min(LOOK_EVERY), |state| !state.gone);
            drop(waited.expect("nobody panics while holding a process"));
        }
    }

    /// Waits until its end has been told.
    pub(super) fn wait(&self) {
        let over = self.changed.wait_while(self.state(), |state| !state.over);
        drop(over.expect("nobody panics while holding a process"));
    }
}

// A process that is held open is readable once it has ended (pidfd_open(2)).
fn until_ended(process: &OwnedFd) {
    while let Err(rustix::io::Errno::INTR) = poll(&mut [PollFd::new(process, PollFlags::IN)], None) {}
}
