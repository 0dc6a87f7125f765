//! `tfcoord-coordinator`: see the library. An embedded one says one line on its standard output, `ready ENDPOINT`,
//! `running ENDPOINT`, `error TEXT`, or `not-now TEXT` for an error that may pass, and closes it; a standing one does the
//! same, for whoever looks. With `supervise` it is no coordinator, but the small process beside a task that outlives one;
//! with `tokens` the one that logs in where files are in HDFS, with `errand` one that does something with them.

use anyhow::Context;
use clap::Parser;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use tfcoord_coordinator::config::{Arguments, Config, Instead};
use tfcoord_coordinator::errand;
use tfcoord_coordinator::serve::{Started, asked_to_end, start};
use tfcoord_coordinator::tokens;
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
            let done = errand::run();
            tfcoord_fs::hdfs::close();
            return done;
        }
        Some(Instead::Tokens { action, dir }) => return tokens::run(*action, dir),
        None => {}
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let passing = passing(&error);
            let remedy = passing.filter(|remedy| !remedy.is_empty()).map(|remedy| format!(": {remedy}")).unwrap_or_default();
            let text = causes::said(error.as_ref()) + &remedy;
            tracing::error!("{text}");
            // Nobody hears it once the line was said.
            say(&format!("{} {}", if passing.is_some() { "not-now" } else { "error" }, text.replace('\n', "; ")));
            ExitCode::FAILURE
        }
    }
}

/// What to do about an error that may not be met again a moment later; nothing where it would be, empty where it says so.
fn passing(error: &anyhow::Error) -> Option<&'static str> {
    let of_system = |kind: ErrorKind| match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some("make room there, or let TFCOORD_STATE_DIR name another directory"),
        ErrorKind::OutOfMemory | ErrorKind::WouldBlock | ErrorKind::Interrupted => Some("see what this machine has no more of"),
        _ => None,
    };
    let io = |cause: &(dyn std::error::Error + 'static)| of_system(cause.downcast_ref::<std::io::Error>()?.kind());
    let locked = matches!(error.downcast_ref(), Some(tfcoord_fs::Error::Locked { .. }));
    if locked { Some("") } else { error.chain().find_map(io) }
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
