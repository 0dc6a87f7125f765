//! The demo job from `tfcoord submit` to its end, from a cold coordinator to the exported model; and the most memory
//! that each process took on the way.

use crate::job::Example;
use crate::series::Series;
use crate::site::{Role, Site};
use anyhow::ensure;
use std::collections::BTreeMap;
use std::time::Duration;

/// Rare, so that looking costs nothing.
const INTERVAL: Duration = Duration::from_millis(200);

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let mut wall = Series::new("submit to the end", "s");
    let mut accuracy = Series::new("test accuracy", "");
    let roles = [(Role::Coordinator, "coordinator"), (Role::Server, "server"), (Role::Worker, "worker")];
    let mut memory = roles.map(|(role, name)| (role, Series::new(format!("{name}, peak memory"), "MB")));
    for _ in 0..rounds {
        let site = Site::new()?;
        let mut submitted = site.submit(&Example::Mlp.job(site.path())?, INTERVAL)?;
        let mut peaks = BTreeMap::new();
        let ended = loop {
            let event = submitted.event()?;
            if event["event"] == "ended" {
                break event;
            }
            note_peaks(&site, &mut peaks);
        };
        let (status, took) = submitted.end()?;
        ensure!(status.success(), "the job did not succeed: {ended}");
        wall.push(took.as_secs_f64());
        let last = ended["job"]["evaluations"].as_array().and_then(|all| all.last()?["accuracy"].as_f64());
        accuracy.push(last.unwrap_or(f64::NAN));
        for (role, series) in &mut memory {
            series.push(peaks.get(role).copied().unwrap_or(f64::NAN));
        }
    }
    let memory = memory.map(|(_, series)| series);
    Ok([wall, accuracy].into_iter().chain(memory).collect())
}

// A process that ends meanwhile is left out.
fn note_peaks(site: &Site, peaks: &mut BTreeMap<Role, f64>) {
    for process in site.processes() {
        if let Ok(mb) = process.peak_memory_mb() {
            let peak = peaks.entry(process.role()).or_insert(mb);
            *peak = peak.max(mb);
        }
    }
}
