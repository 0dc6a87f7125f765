//! Where a worker's time goes: a flame graph of one in the midst of a job, by `perf`.

use crate::job::Example;
use crate::site::{Role, Site};
use anyhow::{Context, ensure};
use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options};
use inferno::flamegraph::{self, TextTruncateDirection};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Samples a second: few enough that copying stacks does not slow the worker down.
const FREQUENCY: &str = "199";
/// Functions that are listed.
const LISTED: usize = 12;
/// Steps after which all memory is there.
const WARM_STEPS: u64 = 20;

/// Watches the only worker of `example` for `seconds` and draws `file`, an SVG; prints the functions that took most.
///
/// # Errors
/// If there is no `perf`, or the job cannot be run.
pub fn draw(example: Example, seconds: u64, file: &Path) -> anyhow::Result<()> {
    let site = Site::new()?;
    let mut submitted = site.submit(&example.endless(site.path(), 1)?, Duration::from_millis(250))?;
    submitted.until_step(WARM_STEPS)?;
    let worker = site.process(Role::Worker)?.pid().to_string();
    let samples = site.path().join("perf.data");
    let record = Command::new("perf")
        .args(["record", "-q", "-F", FREQUENCY, "--call-graph", "dwarf,16384", "-p", &worker, "-o"])
        .arg(&samples)
        .args(["--", "sleep", &seconds.to_string()])
        .status()
        .context("perf: install it (the package linux-perf)")?;
    ensure!(record.success(), "perf record: {record}; see /proc/sys/kernel/perf_event_paranoid");
    let script = Command::new("perf").args(["script", "-i"]).arg(&samples).stderr(Stdio::null()).output().context("perf script")?;
    let mut folded = Vec::new();
    let mut options = Options::default();
    options.include_tid = false;
    Folder::from(options).collapse(&script.stdout[..], &mut folded)?;
    let folded = String::from_utf8(folded)?;
    let mut looks = flamegraph::Options::default();
    looks.title = format!("A worker of the {} job, {seconds} s at {FREQUENCY} Hz", example.name());
    looks.text_truncate_direction = TextTruncateDirection::Right;
    looks.deterministic = true;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut looks, folded.lines(), &mut svg)?;
    std::fs::write(file, svg).with_context(|| file.display().to_string())?;
    println!("{}: a worker of the {} job, {seconds} s", file.display(), example.name());
    for (function, share) in heaviest(&folded) {
        println!("{:5.1} %  {function}", 100.0 * share);
    }
    Ok(())
}

// The functions in which most samples were taken, with their shares.
fn heaviest(folded: &str) -> Vec<(String, f64)> {
    let mut by_function: BTreeMap<&str, u64> = BTreeMap::new();
    for line in folded.lines() {
        let Some((stack, count)) = line.rsplit_once(' ') else { continue };
        let function = stack.rsplit(';').next().unwrap_or(stack);
        *by_function.entry(function).or_default() += count.parse::<u64>().unwrap_or_default();
    }
    let all: u64 = by_function.values().sum();
    let mut functions: Vec<(&str, u64)> = by_function.into_iter().collect();
    functions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    functions.into_iter().take(LISTED).map(|(function, count)| (function.to_owned(), count as f64 / all.max(1) as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::heaviest;

    #[test]
    fn samples_count_where_they_were_taken() {
        let folded = "main;step;product 6\nmain;step 1\nmain;other;product 2\nmain;read 1";
        assert_eq!(heaviest(folded), [("product".to_owned(), 0.8), ("read".to_owned(), 0.1), ("step".to_owned(), 0.1)]);
    }
}
