//! What a worker says of its own steps: its Prometheus endpoint, read between two steps.

use crate::machine::pause;
use anyhow::{Context, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A worker takes a step within this time, or something is wrong.
const STEP_WITHIN: Duration = Duration::from_secs(20);

/// The moment at which a worker had just taken a step.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    at: Instant,
    figures: Figures,
}

/// Sums since the worker's start.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figures {
    steps: f64,
    compute_s: f64,
    wait_s: f64,
}

impl Edge {
    /// Of the steps from this moment to a later one: milliseconds a step by the clock, in computing, in waiting.
    pub fn step_ms(&self, later: &Edge) -> [f64; 3] {
        let steps = later.figures.steps - self.figures.steps;
        let [computing, waiting] = [later.figures.compute_s - self.figures.compute_s, later.figures.wait_s - self.figures.wait_s];
        [(later.at - self.at).as_secs_f64(), computing, waiting].map(|seconds| 1e3 * seconds / steps)
    }

    /// Steps from this moment to a later one.
    pub fn steps_until(&self, later: &Edge) -> f64 {
        later.figures.steps - self.figures.steps
    }

    /// Seconds from this moment to a later one.
    pub fn seconds_until(&self, later: &Edge) -> f64 {
        (later.at - self.at).as_secs_f64()
    }
}

/// Waits until the worker whose attempt lies in `task_dir` has taken one more step.
///
/// # Errors
/// If it does not, or its endpoint does not answer.
pub fn edge(task_dir: &Path) -> anyhow::Result<Edge> {
    let address = address(task_dir)?;
    let (before, deadline) = (figures(address.trim())?, Instant::now() + STEP_WITHIN);
    while Instant::now() < deadline {
        let (at, figures) = (Instant::now(), figures(address.trim())?);
        if figures.steps > before.steps {
            return Ok(Edge { at, figures });
        }
        pause(Duration::from_millis(1));
    }
    bail!("no step within {} s", STEP_WITHIN.as_secs())
}

/// How long each step of the worker whose attempt lies in `task_dir` takes, in milliseconds, for so long: its count of
/// steps is looked at every other millisecond; where it has grown by several, each took its share.
///
/// # Errors
/// If its endpoint does not answer.
pub fn step_times_ms(task_dir: &Path, window: Duration) -> anyhow::Result<Vec<f64>> {
    let first = edge(task_dir)?;
    let address = address(task_dir)?;
    let (mut times, mut last) = (Vec::new(), first);
    while last.at - first.at < window {
        pause(Duration::from_millis(2));
        let (at, figures) = (Instant::now(), figures(address.trim())?);
        let steps = figures.steps - last.figures.steps;
        if steps > 0.0 {
            let each = 1e3 * (at - last.at).as_secs_f64() / steps;
            times.extend((0..steps as u64).map(|_| each));
            last = Edge { at, figures };
        }
    }
    Ok(times)
}

/// A metric without labels of the process whose directory this is.
///
/// # Errors
/// If its endpoint does not answer, or shows none of that name.
pub fn metric(dir: &Path, name: &str) -> anyhow::Result<f64> {
    let address = address(dir)?;
    value(&scrape(address.trim())?, name).with_context(|| format!("{address} shows no {name}"))
}

fn address(dir: &Path) -> anyhow::Result<String> {
    let file = dir.join("metrics-address");
    std::fs::read_to_string(&file).with_context(|| file.display().to_string())
}

fn scrape(address: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn figures(address: &str) -> anyhow::Result<Figures> {
    let text = scrape(address)?;
    let value = |name| value(&text, name).with_context(|| format!("{address} shows no {name}"));
    Ok(Figures {
        steps: value("tfcoord_worker_steps_total")?,
        compute_s: value("tfcoord_worker_compute_seconds_sum")?,
        wait_s: value("tfcoord_worker_wait_seconds_sum")?,
    })
}

// The value of a metric without labels.
fn value(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_by_their_whole_name() {
        let text = "# TYPE a counter\na_total 1\na_total_b 2\r\na 3.5\n";
        assert_eq!([value(text, "a"), value(text, "a_total_b"), value(text, "a_to")], [Some(3.5), Some(2.0), None]);
    }

    #[test]
    fn a_step_is_the_mean_between_two_edges() {
        let at = Instant::now();
        let first = Edge { at, figures: Figures { steps: 10.0, compute_s: 1.0, wait_s: 0.5 } };
        let later = Edge { at: at + Duration::from_secs(2), figures: Figures { steps: 14.0, compute_s: 2.6, wait_s: 0.7 } };
        let [clock, computing, waiting] = first.step_ms(&later);
        assert!((clock - 500.0).abs() < 1e-9 && (computing - 400.0).abs() < 1e-9 && (waiting - 50.0).abs() < 1e-9);
    }
}
