//! What can happen at a point.

use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// What can happen at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// The process ends as by `kill -9`.
    Kill,
    /// The process stops until it gets SIGCONT.
    Stop,
    /// The thread waits.
    Delay(Duration),
    /// The operation fails.
    Fail(Errno),
}

impl Action {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "kill" => Self::Kill,
            "stop" => Self::Stop,
            "eio" => Self::Fail(Errno::IO),
            "enospc" => Self::Fail(Errno::NOSPC),
            _ => Self::Delay(duration(text.strip_prefix("delay:")?)?),
        })
    }

    pub(crate) fn carry_out(&self) -> io::Result<()> {
        match self {
            Self::Kill => signal(Signal::KILL),
            Self::Stop => signal(Signal::STOP),
            Self::Delay(time) => wait(*time),
            Self::Fail(errno) => return Err((*errno).into()),
        }
        Ok(())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("SIGKILL"),
            Self::Stop => f.write_str("SIGSTOP"),
            Self::Delay(time) => write!(f, "waits {time:?}"),
            Self::Fail(errno) => errno.fmt(f),
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(ms) => ms.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

fn signal(signal: Signal) {
    kill_process(getpid(), signal).expect("a process may send signals to itself");
}

#[expect(clippy::disallowed_methods, reason = "a process that is slow at this point is what was asked for")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// A line on standard error, where the log goes too. Whether somebody reads it does not matter.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
