//! A step of one worker beside the same micro-batches in bare loops (see [`crate::bare`]), all with one computing
//! thread, one after the other in each round, so that what else the machine does meets them alike.
//!
//! The worker's step is a real job's: worker, server and coordinator are processes; input, exchange and the server's
//! optimizer are in it. What it takes more than our layers alone is what the exchange adds.

use super::first_step::INTERVAL;
use crate::bare::{Kind, in_a_process};
use crate::job::Example;
use crate::machine::pause;
use crate::series::Series;
use crate::site::{Site, edge};
use std::time::Duration;

/// How long each of them is measured in each round.
const WINDOW: Duration = Duration::from_secs(4);
/// The job's first steps are not measured.
const WARM_UP_STEPS: u64 = 5;
/// Of the bare computing, in percent.
const EXCHANGE_BAR: f64 = 15.0;
/// Worker to candle.
const CANDLE_BAR: f64 = 1.0;

pub fn run(rounds: u32, model: Example) -> anyhow::Result<Vec<Series>> {
    let mut job = Series::new("one worker, its step by the clock", "ms");
    let mut waiting = Series::new("one worker, waiting in its step", "ms");
    let mut native = Series::new("our layers alone", "ms");
    let mut candle = Series::new("candle alone", "ms");
    let mut added = Series::new("exchange adds to our layers alone", "%");
    if model == Example::Cnn {
        added = added.at_most(EXCHANGE_BAR);
    }
    let mut ratio = Series::new("one worker / candle alone", "").at_most(CANDLE_BAR);
    let mut shared = Series::new("two workers, waiting in their step", "%");
    let site = Site::with_metrics()?;
    for _ in 0..rounds {
        let [clock, _, wait] = step_ms(&site, model, 1)?;
        let bare = [in_a_process(Kind::Native, model, WINDOW)?, in_a_process(Kind::Candle, model, WINDOW)?];
        let [pair_clock, _, pair_wait] = step_ms(&site, model, 2)?;
        job.push(clock);
        waiting.push(wait);
        native.push(bare[0]);
        candle.push(bare[1]);
        added.push(100.0 * (clock / bare[0] - 1.0));
        ratio.push(clock / bare[1]);
        shared.push(100.0 * pair_wait / pair_clock);
    }
    Ok(vec![job, waiting, native, candle, added, ratio, shared])
}

// Of the first of so many workers: milliseconds a step by the clock, in computing, in waiting.
fn step_ms(site: &Site, model: Example, workers: u32) -> anyhow::Result<[f64; 3]> {
    let mut submitted = site.submit(&model.endless(site.path(), workers)?, INTERVAL)?;
    submitted.until_step(WARM_UP_STEPS)?;
    let task = site.task_dir(submitted.job(), "worker-0", 1);
    let first = edge(&task)?;
    pause(WINDOW);
    let later = edge(&task)?;
    site.cancel(submitted)?;
    Ok(first.step_ms(&later))
}
