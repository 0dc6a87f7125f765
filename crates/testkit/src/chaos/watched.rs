//! A job watched through the events of `tfcoord submit -o jsonl`, each with the time at which it came.

use crate::Lab;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

/// What happened to a job, and when.
pub struct Run {
    events: Vec<(SystemTime, Value)>,
}

/// Submits `job` and watches it to its end, struck as `chaos` says.
///
/// # Errors
/// It does not succeed.
pub fn watch(lab: &Lab, job: &Value, chaos: Option<&str>) -> anyhow::Result<Run> {
    let path = lab.write_job(job);
    let mut command = lab.tfcoord(&["submit", path.to_str().context("a path in UTF-8")?, "-o", "jsonl", "--interval", "0.05"]);
    command.args(chaos.map(|plan| ["--chaos", plan]).into_iter().flatten());
    let mut child = command.stdout(Stdio::piped()).spawn().context("tfcoord")?;
    let stdout = child.stdout.take().context("it is piped")?;
    let mut events = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        events.push((SystemTime::now(), serde_json::from_str(&line).with_context(|| line.clone())?));
    }
    let status = child.wait()?;
    ensure!(status.success(), "tfcoord submit: {status}\n{}", lab.logs());
    Ok(Run { events })
}

impl Run {
    /// From its first step's begin to its last one's end, in seconds.
    pub fn training_s(&self) -> Option<f64> {
        let state = |name: &str| self.events.iter().find(|(_, event)| event["event"] == "state" && event["state"] == name);
        let (begin, end) = (state("running")?.0, state("finalizing")?.0);
        end.duration_since(begin).ok().map(|time| time.as_secs_f64())
    }

    /// Times at which a process whose name begins so was killed.
    pub fn kills(&self, target: &str) -> Vec<SystemTime> {
        let killed = |event: &Value| {
            let named = event["target"].as_str().is_some_and(|name| name.starts_with(target));
            event["event"] == "chaos" && event["signal"] == "SIGKILL" && named
        };
        self.events.iter().filter(|(_, event)| killed(event)).map(|(at, _)| *at).collect()
    }

    /// From each death of a server until a step beyond the checkpoint was done again; the mean in seconds. To 50 ms, the
    /// time between two lines of progress.
    pub fn server_recovery_s(&self) -> Option<f64> {
        let mut taken = Vec::new();
        for died in self.kills("ps-") {
            let after = || self.events.iter().filter(move |(at, _)| *at >= died);
            let Some((back_at, back)) = after().find(|(_, event)| event["event"] == "went_back") else { continue };
            let from = back["step"].as_u64().unwrap_or(0);
            let further = |event: &Value| event["progress"]["step"].as_u64().is_some_and(|step| step > from);
            let done = after().find(|(at, event)| at > back_at && further(event));
            taken.extend(done.and_then(|(at, _)| at.duration_since(died).ok()).as_ref().map(Duration::as_secs_f64));
        }
        let count = taken.len();
        (count > 0).then(|| taken.iter().sum::<f64>() / count as f64)
    }
}
