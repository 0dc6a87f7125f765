//! `tfcoord-coordinator`: see the library. An embedded one says one line on its standard output, `ready ENDPOINT`,
//! `running ENDPOINT` or `error TEXT`, and closes it; a standing one does the same, for whoever
//! looks. With `supervise` it is no coordinator, but the small process beside a task that outlives one; with `errand`, one that
//! does something with a job's files in HDFS.

use anyhow::Context;
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;
use tfcoord_coordinator::config::{Arguments, Config, Instead};
use tfcoord_coordinator::errand;
use tfcoord_coordinator::serve::{Started, asked_to_end, start};
use tfcoord_launch::local::supervise;
use tfcoord_telemetry::causes;
use tfcoord_telemetry::logs::{self, Format, Identity};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match &arguments.instead {
        Some(Instead::Supervise { dir }) => {
            return match supervise(dir) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    // Its standard error is the task's log.
                    eprintln!("cannot supervise {}: {error}", dir.display());
                    ExitCode::FAILURE
                }
            };
        }
        Some(Instead::Errand) => {
            // Its standard error is the coordinator's log; without one it says less.
            let _ = logs::init(Format::Text, &Identity::Coordinator);
            return errand::run();
        }
        None => {}
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = causes::said(error.as_ref());
            tracing::error!("{error}");
            // Nobody hears it once the line was said.
            say(&format!("error {}", error.replace('\n', "; ")));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    logs::init(Format::Text, &Identity::Coordinator)?;
    if arguments.embedded {
        // Away from the terminal that its client was started in; refused only to who leads a group already.
        let _ = rustix::process::setsid();
    }
    let config = Config::new(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let stop = asked_to_end()?;
        match start(&config).await? {
            Started::Running(endpoint) => say(&format!("running {endpoint}")),
            Started::Ready(coordinator) => {
                say(&format!("ready {}", coordinator.endpoints().first().context("it listens nowhere")?));
                coordinator.run(stop).await?;
            }
        }
        Ok(())
    });
    // A connection that does not end is no reason to stay.
    runtime.shutdown_background();
    result
}

/// Says the line and closes standard output, so that nobody waits for more.
fn say(line: &str) {
    let mut stdout = std::io::stdout();
    let said = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    if let Err(error) = said {
        tracing::debug!(%error, "nobody listens on standard output");
    }
    // In its place, so that no file opened later is written to by a stray print.
    if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}
