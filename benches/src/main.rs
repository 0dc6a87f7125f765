//! Benchmarks of ourselves: real processes, timed from outside, in rounds, with ratios, bars and the machine's load.
//!
//! Nothing here is a test: a bar that is missed is said, and changes no exit code. `benches/README.md` says what is
//! measured and how.

mod arguments;
mod bare;
mod benchmark;
mod bookkeeping;
mod flame;
mod hdfs;
mod job;
mod machine;
mod report;
mod series;
mod site;
mod training;

use anyhow::Context;
use arguments::{Arguments, Inner};
use clap::Parser;
use report::Report;
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(inner) = arguments.inner {
        let ms = match inner {
            Inner::Bare { kind, model, window_ms } => bare::step_ms(kind, model, window_ms)?,
            Inner::Training { case, threads, window_ms } => training::least_ms(case, threads, Duration::from_millis(window_ms))?,
            Inner::Hdfs { way, root, count } => {
                let [wall_s, cpu_s] = hdfs::spend(way, &root, count)?;
                println!("{wall_s} {cpu_s}");
                return Ok(());
            }
            Inner::FlameGraph { file, model, seconds } => return flame::draw(model, seconds, &file),
        };
        println!("{ms}");
        return Ok(());
    }
    let mut report = Report::begin(arguments.rounds);
    let mut failed = Vec::new();
    for benchmark in arguments.chosen() {
        let busy = machine::busy_cores();
        eprintln!("{benchmark}: {} rounds, {busy:.2} cores in use by others", arguments.rounds);
        match benchmark.run(arguments.rounds) {
            Ok(series) => report.add(benchmark.name(), busy, series),
            Err(error) => {
                eprintln!("{benchmark}: {error:#}");
                failed.push(benchmark.name());
            }
        }
    }
    report.end();
    print!("{report}");
    if let Some(file) = &arguments.json {
        std::fs::write(file, format!("{:#}\n", report.json())).with_context(|| file.display().to_string())?;
    }
    anyhow::ensure!(failed.is_empty(), "could not be measured: {}", failed.join(", "));
    Ok(())
}
