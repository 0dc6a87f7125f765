//! How soon those who wait for a dead task go on, and how soon the place of a dead worker is filled: from the coordinator's
//! log, and from the replacement's metrics.

use crate::Lab;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime};

/// A task's name and the number of a launch of it.
type Launch = (String, u32);

/// Milliseconds, one of each.
#[derive(Debug, Default)]
pub struct Recovery {
    /// From the verdict on a dead task until all others of the job had applied it, as the coordinator logs it.
    pub fenced_ms: Vec<f64>,
    /// From the grant of what was a dead worker's until the new owner had applied it, as the coordinator logs it.
    pub granted_ms: Vec<f64>,
    /// From the verdict on a dead worker until its replacement was launched.
    pub launched_ms: Vec<f64>,
    /// From that verdict until its replacement had done its first step.
    pub first_step_ms: Vec<f64>,
}

impl Recovery {
    /// Watches the workers of the only job in `lab` while `run` does something.
    pub fn watch<T>(lab: &Lab, run: impl FnOnce() -> T) -> (Self, T) {
        let (going_on, over) = mpsc::channel();
        let (steps, result) = std::thread::scope(|scope| {
            let watching = scope.spawn(|| first_steps(lab, over));
            let result = run();
            drop(going_on);
            (watching.join().expect("nobody panics while watching"), result)
        });
        (Self::of(&log(lab), &steps), result)
    }

    /// What the log tells of the only job in `lab`: nothing of first steps.
    pub fn logged(lab: &Lab) -> Self {
        Self::of(&log(lab), &BTreeMap::new())
    }

    fn of(log: &str, steps: &BTreeMap<Launch, SystemTime>) -> Self {
        let mut recovery = Self::default();
        recovery.fenced_ms.extend(log.lines().filter_map(|line| took_ms(line, " fenced ", " ms after the verdict")));
        recovery.granted_ms.extend(log.lines().filter_map(|line| took_ms(line, " granted ", " ms after the grant")));
        let launched: BTreeMap<Launch, SystemTime> = log.lines().filter_map(|line| said(line, "LaunchTask ")).collect();
        for ((task, attempt), verdict) in log.lines().filter_map(|line| said(line, "DeclareLost ")) {
            let next = (task, attempt + 1);
            let since = |at: &SystemTime| at.duration_since(verdict).ok().map(|time| time.as_secs_f64() * 1e3);
            recovery.launched_ms.extend(launched.get(&next).and_then(since));
            recovery.first_step_ms.extend(steps.get(&next).and_then(since));
        }
        recovery
    }
}

fn log(lab: &Lab) -> String {
    fs::read_to_string(lab.state_dir().join("coordinator.log")).unwrap_or_default()
}

// `… WORD … 12.3 END`
fn took_ms(line: &str, word: &str, end: &str) -> Option<f64> {
    let (before, _) = line.split_once(word)?.1.split_once(end)?;
    before.rsplit(' ').next()?.parse().ok()
}

// `TIME … WORD JOB/worker-1 attempt 2…`
fn said(line: &str, word: &str) -> Option<(Launch, SystemTime)> {
    let (before, rest) = line.split_once(word)?;
    let (task, rest) = rest.split_once(" attempt ")?;
    let task = task.rsplit('/').next().filter(|task| task.starts_with("worker-"))?;
    let attempt = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(((task.to_owned(), attempt), time(before.split(' ').next()?)?))
}

// `2026-11-26T06:26:50.098071Z`; days by Howard Hinnant's days_from_civil.
fn time(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let date: Vec<i64> = date.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let clock: Vec<f64> = clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let ([year, month, day], [hour, minute, second]) = (date[..].try_into().ok()?, clock[..].try_into().ok()?);
    let year: i64 = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds: f64 = hour * 3600.0 + minute * 60.0 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(days * 86_400).ok()?) + Duration::try_from_secs_f64(seconds).ok()?)
}

// When each worker that replaces another has done a step, as its metrics say, looked at every 3 ms.
fn first_steps(lab: &Lab, over: mpsc::Receiver<()>) -> BTreeMap<Launch, SystemTime> {
    let (mut found, mut gone) = (BTreeMap::new(), BTreeSet::new());
    while over.recv_timeout(Duration::from_millis(3)) == Err(RecvTimeoutError::Timeout) {
        for (launch, address) in replacements(lab) {
            if found.contains_key(&launch) || gone.contains(&address) {
                continue;
            }
            match steps(&address) {
                Some(steps) if steps > 0.0 => drop(found.insert(launch, SystemTime::now())),
                Some(_) => {}
                None => drop(gone.insert(address)),
            }
        }
    }
    found
}

fn replacements(lab: &Lab) -> Vec<(Launch, String)> {
    let children = |dir: &std::path::Path| fs::read_dir(dir).into_iter().flatten().filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut found = Vec::new();
    for task in children(&lab.state_dir().join("jobs")).flat_map(|job| children(&job.join("tasks")).collect::<Vec<_>>()) {
        let Some(name) = task.file_name().and_then(|name| name.to_str()).filter(|name| name.starts_with("worker-")) else { continue };
        for attempt in children(&task) {
            let number = attempt.file_name().and_then(|name| name.to_str()?.parse().ok()).filter(|number: &u32| *number > 1);
            let ended = attempt.join("exit.json").exists();
            if let (Some(number), false, Ok(address)) = (number, ended, fs::read_to_string(attempt.join("metrics-address"))) {
                found.push(((name.to_owned(), number), address.trim().to_owned()));
            }
        }
    }
    found
}

fn steps(address: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("tfcoord_worker_steps_total ")?.trim().parse().ok());
    Some(value.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_logs_are_read() {
        let seconds = |text| time(text).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        assert_eq!(seconds("1970-01-01T00:00:00.5Z"), 0.5);
        assert_eq!(seconds("2000-03-01T00:00:01Z"), 951_868_801.0);
        assert_eq!(seconds("2024-02-29T12:00:00Z"), 1_709_208_000.0);
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn a_replacement_is_the_next_launch_of_the_same_worker() {
        let log = "\
2026-11-26T06:00:00.000000Z  INFO turn: effect effect=LaunchTask j-1/worker-1 attempt 1
2026-11-26T06:00:10.000000Z  WARN turn: DeclareLost j-1/worker-1 attempt 1: was killed
2026-11-26T06:00:10.012000Z  INFO turn: fenced j-1/worker-1 attempt 1: all others have applied it 12.5 ms after the verdict
2026-11-26T06:00:10.020000Z  INFO turn: effect effect=LaunchTask j-1/worker-1 attempt 2
2026-11-26T06:00:10.300000Z  INFO turn: granted j-1/worker-1 attempt 2: it has applied it 7.0 ms after the grant
2026-11-26T06:00:20.000000Z  WARN turn: DeclareLost j-1/ps-0 attempt 1: was killed
";
        let steps = [(("worker-1".to_owned(), 2), time("2026-11-26T06:00:11Z").unwrap())].into();
        let Recovery { fenced_ms, granted_ms, launched_ms, first_step_ms } = Recovery::of(log, &steps);
        assert_eq!((fenced_ms, granted_ms), (vec![12.5], vec![7.0]));
        assert!(launched_ms.len() == 1 && (launched_ms[0] - 20.0).abs() < 1e-3, "{launched_ms:?}");
        assert!(first_step_ms.len() == 1 && (first_step_ms[0] - 1000.0).abs() < 1e-3, "{first_step_ms:?}");
    }
}
