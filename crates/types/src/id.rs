//! Ids. Every number grows for ever and is never given twice.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// One launch of a task, from 1.
    Attempt(u32)
}
number! {
    /// Given at registration, grows for ever within the cluster: the fencing token. The same process nonce
    /// keeps the same incarnation.
    Incarnation(u64)
}
number! {
    /// One life of a job's parameters, from 1; grows when they go back to a checkpoint.
    Generation(u64)
}
number! {
    /// A point in the coordinator's history: the log index of the last entry applied.
    Revision(u64)
}

/// What a task is in its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Owns a part of the job's parameters.
    ParameterServer,
    /// Computes gradients.
    Worker,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::ParameterServer => "ps",
            Role::Worker => "worker",
        })
    }
}

/// A task of a job: `worker-0`, `ps-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// What the task is.
    pub role: Role,
    /// Its place among the tasks of its role, from 0.
    pub index: u32,
}

impl TaskId {
    /// The worker with this index.
    pub const fn worker(index: u32) -> Self {
        Self { role: Role::Worker, index }
    }

    /// The parameter server with this index.
    pub const fn server(index: u32) -> Self {
        Self { role: Role::ParameterServer, index }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.role, self.index)
    }
}

/// A text that is no id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}: {expected}")]
pub struct ParseError {
    /// The text given.
    pub text: String,
    /// The kind of id that was asked for.
    pub kind: &'static str,
    /// What would have been one.
    pub expected: &'static str,
}

impl FromStr for TaskId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError { text: text.to_owned(), kind: "task", expected: "worker-N or ps-N" };
        let (role, index) = text.rsplit_once('-').ok_or_else(wrong)?;
        let role = match role {
            "worker" => Role::Worker,
            "ps" => Role::ParameterServer,
            _ => return Err(wrong()),
        };
        Ok(Self { role, index: decimal(index).ok_or_else(wrong)? })
    }
}

impl Serialize for TaskId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A job: its name from the job file and the number of its submission, `fashion-mnist-7`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobId {
    /// The name from the job file, a DNS label.
    pub name: String,
    /// The log index of its submission.
    pub number: u64,
}

// By number: the order of submission.
impl Ord for JobId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.number, &self.name).cmp(&(other.number, &other.name))
    }
}

impl PartialOrd for JobId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.number)
    }
}

impl FromStr for JobId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError { text: text.to_owned(), kind: "job", expected: "NAME-NUMBER, as `tfcoord list` shows it" };
        let (name, number) = text.rsplit_once('-').ok_or_else(wrong)?;
        let number = decimal(number).ok_or_else(wrong)?;
        is_dns_label(name).then(|| Self { name: name.to_owned(), number }).ok_or_else(wrong)
    }
}

impl Serialize for JobId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A checkpoint of a job: `1-500-73`. Ordered as training went: of two, the greater one holds more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointId {
    /// The life of the parameters that it was cut from.
    pub generation: Generation,
    /// The step that it was cut before: as many have been trained; outside of `bsp` within an epoch as many, or a few more, of
    /// each chunk's own.
    pub step: u64,
    /// The revision of the log entry that decided the cut: no other attempt of the job has it.
    pub attempt: u64,
}

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.generation, self.step, self.attempt)
    }
}

impl FromStr for CheckpointId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError { text: text.to_owned(), kind: "checkpoint", expected: "GENERATION-STEP-ATTEMPT" };
        let numbers: Option<Vec<u64>> = text.splitn(4, '-').map(decimal).collect();
        match numbers.as_deref() {
            Some(&[generation, step, attempt]) => Ok(Self { generation: Generation(generation), step, attempt }),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for CheckpointId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CheckpointId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether `name` may name a job: 1 to 63 of `a-z 0-9 -`, beginning with a letter, not ending with `-`.
/// Paths are built from such names only.
pub fn is_dns_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

// One text an id: no sign, no leading zero.
fn decimal<N: FromStr + ToString>(text: &str) -> Option<N> {
    text.parse().ok().filter(|n: &N| n.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        for task in [TaskId::worker(0), TaskId::server(12)] {
            assert_eq!(task.to_string().parse(), Ok(task));
        }
        let job = JobId { name: "fashion-mnist".into(), number: 7 };
        assert_eq!(job.to_string(), "fashion-mnist-7");
        assert_eq!("fashion-mnist-7".parse(), Ok(job));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["worker", "worker-", "worker-01", "worker-+1", "chief-0", "../worker-0"] {
            assert!(text.parse::<TaskId>().is_err(), "{text}");
        }
        for text in ["a", "-1", "A-1", "a/b-1", "..-1", "a--01"] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
    }

    #[test]
    fn checkpoints_are_texts_ordered_by_what_they_hold() {
        let id = |generation, step, attempt| CheckpointId { generation: Generation(generation), step, attempt };
        assert_eq!(id(1, 500, 73).to_string(), "1-500-73");
        assert_eq!("1-500-73".parse(), Ok(id(1, 500, 73)));
        assert_eq!(serde_json::to_string(&id(1, 500, 73)).unwrap(), "\"1-500-73\"");
        assert_eq!(serde_json::from_str::<CheckpointId>("\"1-500-73\"").unwrap(), id(1, 500, 73));
        assert!(id(1, 500, 73) < id(1, 500, 80) && id(1, 900, 80) < id(1, 1000, 74) && id(1, 1000, 74) < id(2, 1, 90));
        for text in ["", "1-500", "1-500-73-1", "1-0500-73", "1--73", "-1-500-73", "+1-500-73", "1-500-73 ", "../1-2-3"] {
            assert!(text.parse::<CheckpointId>().is_err(), "{text}");
        }
    }

    #[test]
    fn jobs_are_ordered_by_submission() {
        let job = |name: &str, number| JobId { name: name.into(), number };
        assert!(job("b", 2) < job("a", 10));
    }
}
