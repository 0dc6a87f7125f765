//! A job's steps without anything around them: one thread, all records in memory, no processes, no exchange.
//!
//! Two ways to compute the same micro-batches: [`Kind::Native`], with our layers, gradient sums as a worker makes them
//! and no update; and [`Kind::Candle`], the loop that one would write with candle alone: a tape over the whole model,
//! gradients added over the micro-batches, Adam on candle's tensors. Each runs in a process of its own with one thread,
//! which candle takes from its environment.

mod adam;
mod batches;
mod candle;
mod native;

use crate::job::Example;
use anyhow::{Context, ensure};
use clap::ValueEnum;
use std::process::Command;
use std::time::{Duration, Instant};

/// Steps that are not timed: memory is touched, caches fill.
const WARM_UP_STEPS: usize = 3;

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Our layers.
    Native,
    /// Candle's operations and its automatic differentiation.
    Candle,
}

/// A step of `model` in milliseconds, measured over `window` in a process of its own with one thread.
///
/// # Errors
/// If that process fails.
pub fn in_a_process(kind: Kind, model: Example, window: Duration) -> anyhow::Result<f64> {
    let kind = kind.to_possible_value().context("every kind has a name")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", kind.get_name(), model.name(), &window.as_millis().to_string()]);
    command.env("RAYON_NUM_THREADS", "1").env("CANDLE_NUM_THREADS", "1");
    let output = command.output()?;
    ensure!(output.status.success(), "bare loop: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("the bare loop printed {text}"))
}

/// A step of `model` in milliseconds, measured over `window_ms` in this process.
///
/// # Errors
/// If the data cannot be read or the model not computed.
pub fn step_ms(kind: Kind, model: Example, window_ms: u64) -> anyhow::Result<f64> {
    let dir = tempfile::tempdir()?;
    let job = model.endless(dir.path(), 1)?;
    let data = batches::read(&job, dir.path())?;
    let window = Duration::from_millis(window_ms);
    match kind {
        Kind::Native => {
            let mut bare = native::Loop::new(&job, data)?;
            time(window, |step| bare.step(step))
        }
        Kind::Candle => {
            let mut bare = candle::Loop::new(&job, data)?;
            time(window, |step| bare.step(step))
        }
    }
}

fn time(window: Duration, mut step: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    (0..WARM_UP_STEPS).try_for_each(&mut step)?;
    let (begun, mut steps) = (Instant::now(), 0u32);
    while begun.elapsed() < window || steps == 0 {
        step(WARM_UP_STEPS + steps as usize)?;
        steps += 1;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3 / f64::from(steps))
}
