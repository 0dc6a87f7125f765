//! What checkpoints cost: the same job of 256 MB of parameters with Adam, one worker and one server, with a checkpoint
//! every 30 s and with none, one after the other in each round.
//!
//! Every step is timed: the worker's count of them is looked at every other millisecond. The distribution of both is
//! shown, since a mean hides what a checkpoint does to the few steps that it meets.

use super::first_step::INTERVAL;
use crate::job::Example;
use crate::series::Series;
use crate::site::{Site, step_times_ms};
use std::time::Duration;
use tfcoord_types::job::{Checkpointing, JobFile};

/// How long steps are timed: two checkpoints.
const WINDOW: Duration = Duration::from_secs(60);
/// Seconds from one checkpoint to the next, and where there should be none.
const EVERY_S: u64 = 30;
const NEVER_S: u64 = 1 << 30;
/// The job's first steps are not measured.
const WARM_UP_STEPS: u64 = 3;
/// Of the run time, in percent.
const OVERHEAD_BAR: f64 = 3.5;
/// The 99th percentile may grow by so much, or by this share of it if that is more.
const TAIL_BAR_MS: f64 = 20.0;
const TAIL_BAR_SHARE: f64 = 0.05;

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let names = ["minimum", "median", "99th percentile", "maximum", "mean"];
    let mut quiet = names.map(|name| Series::new(format!("a step without checkpoints, {name}"), "ms"));
    let mut saving = names.map(|name| Series::new(format!("a step, a checkpoint every {EVERY_S} s, {name}"), "ms"));
    let mut overhead = Series::new("checkpoints add to the run time", "%").at_most(OVERHEAD_BAR);
    let site = Site::with_metrics()?;
    let (mut added, mut bar) = (Vec::new(), f64::INFINITY);
    for _ in 0..rounds {
        let without = distribution(steps(&site, NEVER_S)?);
        let with = distribution(steps(&site, EVERY_S)?);
        quiet.iter_mut().zip(without).for_each(|(series, value)| series.push(value));
        saving.iter_mut().zip(with).for_each(|(series, value)| series.push(value));
        overhead.push(100.0 * (with[4] / without[4] - 1.0));
        added.push(with[2] - without[2]);
        bar = bar.min(TAIL_BAR_MS.max(TAIL_BAR_SHARE * without[2]));
    }
    let mut tail = Series::new("checkpoints add to the 99th percentile", "ms").at_most(bar);
    added.into_iter().for_each(|added| tail.push(added));
    Ok(quiet.into_iter().chain(saving).chain([overhead, tail]).collect())
}

fn steps(site: &Site, every_seconds: u64) -> anyhow::Result<Vec<f64>> {
    let mut submitted = site.submit(&job(site, every_seconds)?, INTERVAL)?;
    submitted.until_step(WARM_UP_STEPS)?;
    let times = step_times_ms(&site.task_dir(submitted.job(), "worker-0", 1), WINDOW)?;
    site.cancel(submitted)?;
    Ok(times)
}

// 784 x 8,000 + 8,000 x 7,200 weights and a few more: 64 million numbers.
fn job(site: &Site, every_seconds: u64) -> anyhow::Result<JobFile> {
    let mut job = Example::Mlp.endless(site.path(), 1)?;
    let layers = r#"[{"flatten": {}}, {"dense": {"units": 8000, "activation": "relu"}}, {"dense": {"units": 7200, "activation": "relu"}}, {"dense": {"units": 10}}]"#;
    job.model.layers = serde_json::from_str(layers)?;
    (job.train.batch_size, job.train.micro_batches) = (8, Some(1));
    (job.worker.mem, job.parameter_server.mem) = (8192, 8192);
    job.checkpoint = Some(Checkpointing { every_seconds: Some(every_seconds), ..Checkpointing::default() });
    Ok(job)
}

// Minimum, median, 99th percentile, maximum, mean.
fn distribution(mut times: Vec<f64>) -> [f64; 5] {
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or(f64::NAN);
    #[expect(clippy::cast_precision_loss, reason = "a count of steps")]
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    [at(0), at(50), at(99), at(100), mean]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_of_all_steps() {
        let times = (1..=200).rev().map(f64::from).collect();
        assert_eq!(distribution(times), [1.0, 101.0, 199.0, 200.0, 100.5]);
        assert!(distribution(Vec::new())[0].is_nan());
    }
}
