//! All figures, as a table and as JSON.

use crate::machine::{Machine, load};
use crate::series::Series;
use serde_json::{Value, json};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// All figures of one run of this program.
pub struct Report {
    machine: Machine,
    begun: SystemTime,
    rounds: u32,
    load: [f64; 2],
    parts: Vec<Part>,
}

struct Part {
    benchmark: &'static str,
    busy_cores: f64,
    series: Vec<Series>,
}

impl Report {
    /// An empty report of this machine, now.
    pub fn begin(rounds: u32) -> Self {
        Self { machine: Machine::read(), begun: SystemTime::now(), rounds, load: [load(); 2], parts: Vec::new() }
    }

    /// Adds what a benchmark found, and the cores that others used just before.
    pub fn add(&mut self, benchmark: &'static str, busy_cores: f64, series: Vec<Series>) {
        self.parts.push(Part { benchmark, busy_cores, series });
    }

    /// Notes the load at the end.
    pub fn end(&mut self) {
        self.load[1] = load();
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let seconds = self.begun.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let part = |part: &Part| {
            let series: Vec<Value> = part.series.iter().map(Series::json).collect();
            json!({"benchmark": part.benchmark, "busy_cores_before": part.busy_cores, "figures": series})
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"), "begun_at_s": seconds, "rounds": self.rounds, "machine": self.machine.json(),
            "load_before": self.load[0], "load_after": self.load[1], "benchmarks": self.parts.iter().map(part).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, memory_mb } = &self.machine;
        let [before, after] = self.load;
        writeln!(f, "tfcoord {} on {cores} cores of {cpu}, {memory_mb} MB", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "load average {before:.2} before, {after:.2} after; {} rounds; a bar is for the median\n", self.rounds)?;
        let wide = self.parts.iter().flat_map(|p| &p.series).map(|s| s.name().chars().count()).max().unwrap_or(0);
        for Part { benchmark, busy_cores, series } in &self.parts {
            writeln!(f, "{benchmark} ({busy_cores:.2} cores in use by others before)")?;
            for series in series {
                let bar = series
                    .verdict()
                    .map_or_else(String::new, |(bar, holds)| format!("  bar {} {}", number(bar), if holds { "holds" } else { "MISSED" }));
                let figures = format!("minimum {:>8}  median {:>8}", number(series.minimum()), number(series.median()));
                let line = format!("  {:<wide$}  {figures} {:<5}{bar}", series.name(), series.unit());
                writeln!(f, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}

// Three digits, as far as they are behind the point.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        share if share < 1.0 => 3,
        small if small < 10.0 => 2,
        middle if middle < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_bar_is_said() {
        let mut report = Report::begin(2);
        let mut series = Series::new("first step", "s").at_most(1.0);
        series.push(1.5);
        report.add("first-step", 0.25, vec![series]);
        report.end();
        let text = report.to_string();
        assert!(text.contains("first step  minimum     1.50  median     1.50 s      bar 1.00 MISSED\n"), "{text}");
        assert_eq!(report.json()["benchmarks"][0]["figures"][0]["holds"], Value::Bool(false));
    }
}
