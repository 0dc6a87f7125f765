//! A job followed through the events of `tfcoord submit -o jsonl`.

use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A job that was submitted; this client ends with it, the job goes on.
pub struct Submitted {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
    begun: Instant,
    job: String,
}

impl Submitted {
    /// Starts the client and waits until the job is admitted.
    pub(super) fn start(mut command: Command) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().context("tfcoord submit")?;
        let stdout = child.stdout.take().context("its standard output is a pipe")?;
        let mut submitted = Self { child, events: BufReader::new(stdout).lines(), begun, job: String::new() };
        let event = submitted.event()?;
        submitted.job = event["job"].as_str().with_context(|| format!("no job is named in {event}"))?.to_owned();
        Ok(submitted)
    }

    /// The job's id.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The next event, as soon as it is there.
    ///
    /// # Errors
    /// If there are no more.
    pub fn event(&mut self) -> anyhow::Result<Value> {
        let Some(line) = self.events.next() else {
            bail!("`tfcoord submit` ended: {}", self.child.wait()?);
        };
        let line = line?;
        serde_json::from_str(&line).with_context(|| format!("`tfcoord submit` printed {line}"))
    }

    /// Waits until so many steps are done; the time from the client's start.
    ///
    /// # Errors
    /// If the job ends before.
    pub fn until_step(&mut self, step: u64) -> anyhow::Result<Duration> {
        loop {
            let event = self.event()?;
            if event["progress"]["step"].as_u64().is_some_and(|done| done >= step) {
                return Ok(self.begun.elapsed());
            }
        }
    }

    /// Waits until the client has ended; the time from its start.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn end(&mut self) -> anyhow::Result<(ExitStatus, Duration)> {
        let status = self.child.wait()?;
        Ok((status, self.begun.elapsed()))
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        let _ended_is_fine = self.child.kill();
        let _nobody_else_waits = self.child.wait();
    }
}
