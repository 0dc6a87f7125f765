//! Benchmarks of ourselves: real processes, timed from outside, in rounds, with ratios, bars and the machine's load.
//!
//! Nothing here is a test: a bar that is missed is said, and changes no exit code. `benches/README.md` says what is
//! measured and how.

mod arguments;
mod bare;
mod benchmark;
mod job;
mod machine;
mod report;
mod series;
mod site;

use anyhow::Context;
use arguments::{Arguments, Inner};
use clap::Parser;
use report::Report;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(Inner::Bare { kind, model, window_ms }) = arguments.inner {
        println!("{}", bare::step_ms(kind, model, window_ms)?);
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
