//! How an attempt ended, in words for people.

use serde::{Deserialize, Serialize};
use std::fmt;
use tfcoord_types::view::{FENCED_EXIT_CODE, ORPHANED_EXIT_CODE};

/// Log lines that are kept of a lost attempt, and characters of each.
const LOG_LINES_MAX: usize = 20;
const LINE_CHARS_MAX: usize = 400;
/// Characters that are kept of a text from a task or a person.
const TEXT_CHARS_MAX: usize = 4000;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// Why an attempt is held for dead.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cause {
    /// How its process ended, if that was seen.
    pub exit: Option<Exit>,
    /// The most memory that its process had at once, if that was seen.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
    /// What else is known, such as "did not report for 10 s"; may be empty.
    pub message: String,
    /// The last lines of its log, the oldest first.
    pub log: Vec<String>,
}

impl Cause {
    /// A cause without an exit seen and without log lines.
    pub fn because(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// The same in bounded memory: the last lines, and the beginning of long texts.
    pub(crate) fn clipped(mut self) -> Self {
        self.message = clipped(self.message);
        self.log.drain(..self.log.len().saturating_sub(LOG_LINES_MAX));
        self.log.iter_mut().for_each(|line| clip(line, LINE_CHARS_MAX));
        self
    }

    /// The log lines as a text of their own, below a line that names `whose` they are; nothing without any.
    pub(crate) fn log_of(&self, whose: impl fmt::Display) -> String {
        if self.log.is_empty() { String::new() } else { format!("\nlast lines of {whose}:\n  {}", self.log.join("\n  ")) }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Exit::Code(FENCED_EXIT_CODE) => write!(f, "exited with code {FENCED_EXIT_CODE} (it was fenced)"),
            Exit::Code(ORPHANED_EXIT_CODE) => write!(f, "exited with code {ORPHANED_EXIT_CODE} (it lost its coordinator)"),
            Exit::Code(code) => write!(f, "exited with code {code}"),
            Exit::Signal(signal) => match name(signal) {
                Some(name) => write!(f, "was killed by signal {signal} ({name})"),
                None => write!(f, "was killed by signal {signal}"),
            },
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exit = self.exit.map(|exit| match self.peak_memory_bytes {
            Some(bytes) => format!("{exit}, peak memory {}", memory(bytes)),
            None => exit.to_string(),
        });
        match (exit, self.message.as_str()) {
            (Some(exit), "") => f.write_str(&exit),
            (Some(exit), message) => write!(f, "{exit}: {message}"),
            (None, "") => f.write_str("was lost"),
            (None, message) => f.write_str(message),
        }
    }
}

// Those that a process is commonly ended by; their numbers are the same on every Linux that Rust has std for,
// but for SIGBUS on MIPS.
fn name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// In MB, as the job file counts a task's memory.
fn memory(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}

/// `text`, or the beginning of it where it is too long to keep.
pub(crate) fn clipped(mut text: String) -> String {
    clip(&mut text, TEXT_CHARS_MAX);
    text
}

fn clip(text: &mut String, chars: usize) {
    if let Some((at, _)) = text.char_indices().nth(chars) {
        text.truncate(at);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_read_as_ends_of_sentences() {
        let cause = |exit, message: &str| Cause { exit, message: message.into(), ..Cause::default() };
        let check = |exit, message: &str, text| assert_eq!(cause(exit, message).to_string(), text);
        check(Some(Exit::Signal(9)), "", "was killed by signal 9 (SIGKILL)");
        check(Some(Exit::Signal(50)), "", "was killed by signal 50");
        check(Some(Exit::Code(76)), "", "exited with code 76 (it was fenced)");
        check(Some(Exit::Code(1)), "disk full", "exited with code 1: disk full");
        check(None, "did not report for 10 s", "did not report for 10 s");
        let large = |message| Cause { peak_memory_bytes: Some(811 << 20 | 1), ..cause(Some(Exit::Signal(9)), message) };
        assert_eq!(large("").to_string(), "was killed by signal 9 (SIGKILL), peak memory 812 MB");
        assert_eq!(large("why").to_string(), "was killed by signal 9 (SIGKILL), peak memory 812 MB: why");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let cause = Cause {
            message: "é".repeat(10_000),
            log: (0..1000).map(|n| format!("{n} {}", "x".repeat(1000))).collect(),
            ..Cause::default()
        };
        let kept = cause.clipped();
        assert_eq!(kept.message.chars().count(), TEXT_CHARS_MAX + 1);
        assert_eq!(kept.log.len(), LOG_LINES_MAX);
        assert!(kept.log[LOG_LINES_MAX - 1].starts_with("999 ") && kept.log[0].chars().count() == LINE_CHARS_MAX + 1);
    }
}
