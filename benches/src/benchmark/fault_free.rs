//! What leases, cursors and fences cost where nothing goes wrong: a real job of one worker and one server with leases of
//! 2 s, and the same job with leases so long that no heartbeat is sent, one after the other in each round.
//!
//! Two figures for each model, and an upper bound of what is asked for:
//!
//! * cursors and fences: a step of the cores alone ([`crate::bookkeeping`]), with as many chunks as the job has, in per cent
//!   of the job's step by the clock;
//! * leases: the coordinator's processor time with leases of 2 s, in per cent of the time, as if all of it held up a step.
//!   There are also progress, this benchmark's client and its scrapes in it.
//!
//! Beside it, what the tasks spend as well: the processor time that all three processes take for a step, with short leases
//! against long ones. It is as exact as two runs are alike.

use super::first_step::INTERVAL;
use crate::bookkeeping;
use crate::job::Example;
use crate::machine::pause;
use crate::series::Series;
use crate::site::{Site, edge, metric};
use anyhow::ensure;
use std::time::Duration;

/// How long each job is measured in each round.
const WINDOW: Duration = Duration::from_secs(8);
/// How long the cores alone are.
const CORES_WINDOW: Duration = Duration::from_secs(1);
/// The job's first steps are not measured.
const WARM_UP_STEPS: u64 = 5;
/// Leases of one machine, and the longest that there are.
const SHORT_S: f64 = 2.0;
const LONG_S: f64 = 600.0;
/// Of a step, in percent.
const BAR: f64 = 2.0;

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let mut all = Vec::new();
    for model in [Example::Mlp, Example::Cnn] {
        let name = |text: &str| format!("{}: {text}", model.name());
        let mut step = Series::new(name("a step by the clock"), "ms");
        let mut cores = Series::new(name("cursors and fences in a step: the cores alone"), "ms");
        let mut coordinator = Series::new(name("leases: the coordinator's processor time"), "%");
        let mut sum = Series::new(name("leases, cursors and fences, of a step"), "%").at_most(BAR);
        let mut added = Series::new(name("leases of 2 s add to the processor time of a step"), "%");
        let site = Site::with_metrics()?;
        for _ in 0..rounds {
            let (short, long) = (measure(&site, model, SHORT_S)?, measure(&site, model, LONG_S)?);
            let cores_ms = bookkeeping::step_us(short.chunks, CORES_WINDOW)? / 1e3;
            step.push(short.step_ms);
            cores.push(cores_ms);
            coordinator.push(short.coordinator_percent);
            sum.push(100.0 * cores_ms / short.step_ms + short.coordinator_percent);
            added.push(100.0 * (short.processor_ms / long.processor_ms - 1.0));
        }
        all.extend([step, cores, coordinator, sum, added]);
    }
    Ok(all)
}

struct Measured {
    step_ms: f64,
    // Of all processes, for a step.
    processor_ms: f64,
    // Of the time.
    coordinator_percent: f64,
    chunks: u32,
}

fn measure(site: &Site, model: Example, lease_seconds: f64) -> anyhow::Result<Measured> {
    let mut job = model.endless(site.path(), 1)?;
    job.lease_seconds = lease_seconds;
    let mut submitted = site.submit(&job, INTERVAL)?;
    submitted.until_step(WARM_UP_STEPS)?;
    let tasks = ["worker-0", "ps-0"].map(|task| site.task_dir(submitted.job(), task, 1));
    let places = [&site.state_dir(), &tasks[0], &tasks[1]];
    let spent = || -> anyhow::Result<[f64; 3]> {
        let [coordinator, worker, server] = places.map(|dir| metric(dir, "process_cpu_seconds_total"));
        Ok([coordinator?, worker?, server?])
    };
    let updates = || metric(&tasks[1], "tfcoord_chunk_updates_total");
    let (first, spent_before, updates_before) = (edge(&tasks[0])?, spent()?, updates()?);
    pause(WINDOW);
    let (later, spent_after, updates_after) = (edge(&tasks[0])?, spent()?, updates()?);
    site.cancel(submitted)?;
    let [step_ms, ..] = first.step_ms(&later);
    let (steps, seconds) = (first.steps_until(&later), first.seconds_until(&later));
    let [coordinator, worker, server] = std::array::from_fn(|at| spent_after[at] - spent_before[at]);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few chunks")]
    let chunks = ((updates_after - updates_before) / steps).round() as u32;
    ensure!(chunks > 0, "the server has updated nothing");
    let (processor_ms, coordinator_percent) = (1e3 * (coordinator + worker + server) / steps, 100.0 * coordinator / seconds);
    Ok(Measured { step_ms, processor_ms, coordinator_percent, chunks })
}
