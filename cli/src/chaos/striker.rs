//! Striking: finds the processes of a job on this machine, and sends them signals.

use super::{Chaos, Strike, What, Whom};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeSet;
use std::future::pending;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tfcoord_launch::local::{Running, running};
use tfcoord_types::id::{JobId, Role};
use tokio::time::{Instant, sleep_until};

/// What has happened to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struck {
    /// `worker-1`, `coordinator`
    pub target: String,
    /// Its process id.
    pub pid: i32,
    /// `SIGKILL`, `SIGSTOP` or `SIGCONT`
    pub signal: &'static str,
    /// How long it sleeps, if it was stopped.
    pub sleeps: Option<Duration>,
}

/// Strikes the processes of one job as planned. Those that it has stopped go on when it is dropped.
pub struct Striker {
    state_dir: PathBuf,
    job: JobId,
    sleeps: Duration,
    began: Instant,
    strikes: Box<dyn Iterator<Item = Strike>>,
    next: Option<(Instant, Strike)>,
    asleep: Vec<(Instant, Victim)>,
    killed: BTreeSet<i32>,
}

struct Victim {
    target: String,
    pid: i32,
    process: Process,
}

enum Process {
    Task(Running),
    Coordinator(OwnedFd),
}

impl Striker {
    /// Begins now; `lease` is that of the job.
    pub fn new(chaos: &Chaos, state_dir: &Path, job: JobId, lease: Duration) -> Self {
        let mut striker = Self {
            state_dir: state_dir.to_owned(),
            job,
            sleeps: lease.mul_f64(1.5),
            began: Instant::now(),
            strikes: Box::new(chaos.strikes()),
            next: None,
            asleep: Vec::new(),
            killed: BTreeSet::new(),
        };
        striker.draw();
        striker
    }

    /// Waits for the next strike and what comes of it; for ever once all is over. Nothing is lost when it is given up.
    pub async fn next(&mut self) -> Struck {
        loop {
            let wake = self.asleep.iter().map(|(at, _)| *at).min();
            let strike = self.next.as_ref().map(|(at, _)| *at);
            let Some(due) = wake.into_iter().chain(strike).min() else { return pending().await };
            sleep_until(due).await;
            let happened = if wake == Some(due) { self.wake(due) } else { self.strike() };
            if let Some(struck) = happened {
                return struck;
            }
        }
    }

    fn draw(&mut self) {
        self.next = self.strikes.next().map(|strike| (self.began + strike.at, strike));
    }

    fn wake(&mut self, due: Instant) -> Option<Struck> {
        let place = self.asleep.iter().position(|(at, _)| *at == due)?;
        let (_, victim) = self.asleep.swap_remove(place);
        victim.signal(Signal::CONT).then(|| victim.struck("SIGCONT", None))
    }

    fn strike(&mut self) -> Option<Struck> {
        let (_, strike) = self.next?;
        let mut there = self.victims(strike.whom);
        let count = there.len() as u64;
        let chosen = strike.choice.checked_rem(count).and_then(|place| usize::try_from(place).ok());
        let signal = if strike.what == What::Kill { Signal::KILL } else { Signal::STOP };
        self.draw();
        // Where nobody is there, as between two lives of the only one, the strike misses.
        let victim = chosen.map(|place| there.swap_remove(place)).filter(|victim| victim.signal(signal))?;
        match strike.what {
            What::Kill => {
                self.killed.insert(victim.pid);
                Some(victim.struck("SIGKILL", None))
            }
            What::Stop => {
                let struck = victim.struck("SIGSTOP", Some(self.sleeps));
                self.asleep.push((Instant::now() + self.sleeps, victim));
                Some(struck)
            }
        }
    }

    // Those that are there, by name: none that sleeps, or is about to end.
    fn victims(&self, whom: Whom) -> Vec<Victim> {
        let of_role = |role: Role| match whom {
            Whom::Worker => role == Role::Worker,
            Whom::ParameterServer => role == Role::ParameterServer,
            Whom::Coordinator => false,
            Whom::Any => true,
        };
        let tasks = running(&self.state_dir, &self.job).unwrap_or_default();
        let tasks = tasks.into_iter().filter(|task| of_role(task.launch.task.role));
        let mut there: Vec<Victim> = tasks.map(Victim::task).collect();
        if matches!(whom, Whom::Coordinator | Whom::Any) {
            there.extend(coordinator(&self.state_dir));
        }
        there.retain(|victim| !self.killed.contains(&victim.pid) && self.asleep.iter().all(|(_, asleep)| asleep.pid != victim.pid));
        there
    }
}

impl Drop for Striker {
    fn drop(&mut self) {
        for (_, victim) in self.asleep.drain(..) {
            victim.signal(Signal::CONT);
        }
    }
}

impl Victim {
    fn task(task: Running) -> Self {
        Self { target: task.launch.task.to_string(), pid: task.pid, process: Process::Task(task) }
    }

    fn signal(&self, signal: Signal) -> bool {
        match &self.process {
            Process::Task(task) => task.signal(signal),
            Process::Coordinator(held) => pidfd_send_signal(held, signal).is_ok(),
        }
    }

    fn struck(&self, signal: &'static str, sleeps: Option<Duration>) -> Struck {
        Struck { target: self.target.clone(), pid: self.pid, signal, sleeps }
    }
}

// Who listens at the embedded coordinator's socket; held open while the connection shows that it is there.
fn coordinator(state_dir: &Path) -> Option<Victim> {
    let endpoint = std::fs::read_to_string(state_dir.join("endpoint")).ok()?;
    let socket = UnixStream::connect(endpoint.trim().strip_prefix("unix:")?).ok()?;
    let pid = socket_peercred(&socket).ok()?.pid;
    let held = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    Some(Victim { target: "coordinator".to_owned(), pid: pid.as_raw_nonzero().get(), process: Process::Coordinator(held) })
}
