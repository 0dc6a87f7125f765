//! `tfcoord-chaos`: jobs under chaos beside the same jobs in peace. Prints figures with their bars, and appends each to
//! a ledger. A missed bar is said and changes no exit code; other bits than the quiet run's do.

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use tfcoord_testkit::chaos::{Figure, Ledger, Recovery, epochs_of, file, lab, steps, watch};

/// Checkpoints from one failure to the next: half the time between two is lost on average where a server dies.
const CHECKPOINTS: f64 = 6.0;

/// Measures what failures cost, with real processes.
#[derive(Debug, Parser)]
#[command(name = "tfcoord-chaos")]
struct Arguments {
    /// Which parts; all if none is named
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Kills of random processes
    #[arg(long, default_value = "100")]
    kills: u32,
    /// Seconds from one of them to the next
    #[arg(long, default_value = "5")]
    every: f64,
    /// Minutes of each run of which the goodput is measured
    #[arg(long, default_value = "10")]
    minutes: f64,
    /// Seconds from one failure to the next in them
    #[arg(long, default_value = "60")]
    failure_every: f64,
    /// What the times and processes are drawn from
    #[arg(long, default_value = "1")]
    seed: u64,
    /// The file that a line for each figure is appended to
    #[arg(long, default_value = "benches/chaos-ledger.jsonl")]
    ledger: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Random processes are killed, and the bits are compared
    Kills,
    /// Workers and coordinators fail: goodput, and how soon a worker is replaced
    Workers,
    /// Parameter servers fail: goodput
    Servers,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let ledger = Ledger::new(arguments.ledger.clone());
    let wanted = |part: Part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    if wanted(Part::Kills) {
        kills(&arguments, &ledger)?;
    }
    if wanted(Part::Workers) || wanted(Part::Servers) {
        goodput(&arguments, &ledger, wanted(Part::Workers), wanted(Part::Servers))?;
    }
    Ok(())
}

fn kills(arguments: &Arguments, ledger: &Ledger) -> anyhow::Result<()> {
    let Arguments { kills, every, seed, .. } = arguments;
    let epochs = epochs_of(f64::from(*kills) * every)?;
    let job = file(epochs, 2);
    let (quiet, struck) = (lab(), lab());
    watch(&quiet, &job, None)?;
    let run = watch(&struck, &job, Some(&format!("kill=any/{every}s,seed={seed}")))?;
    let count = run.kills("").len();
    let took = run.training_s().context("it trained")?;
    ledger.note(&Figure::new("kills of random processes", count as f64, "").at_least(f64::from(*kills) * 0.9))?;
    ledger.note(&Figure::new("seconds from one kill to the next", took / count as f64, "s").at_most(every * 1.1))?;
    let same = quiet.bits("chaos") == struck.bits("chaos");
    ledger.note(&Figure::new("curve and parameters have the quiet run's bits", f64::from(u8::from(same)), "").at_least(1.0))?;
    ensure!(same, "the bits differ");
    Ok(())
}

fn goodput(arguments: &Arguments, ledger: &Ledger, workers: bool, servers: bool) -> anyhow::Result<()> {
    let Arguments { minutes, failure_every, seed, .. } = arguments;
    let epochs = epochs_of(minutes * 60.0)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
    let checkpoint_every_s = (failure_every / CHECKPOINTS).round().max(1.0) as u64;
    let job = file(epochs, checkpoint_every_s);
    let quiet = lab();
    let peace_s = watch(&quiet, &job, None)?.training_s().context("it trained")?;
    ledger.note(&Figure::new("steps a second in peace", steps(epochs) / peace_s, "1/s"))?;
    let same = |struck: &(Vec<u8>, Vec<u8>)| ensure_same(&quiet.bits("chaos"), struck);
    if workers {
        let struck = lab();
        let plan = format!("kill=worker/{0}s,kill=coordinator/{0}s,seed={seed}", failure_every * 2.0);
        let (recovery, run) = Recovery::watch(&struck, || watch(&struck, &job, Some(&plan)));
        let run = run?;
        let took = run.training_s().context("it trained")?;
        ledger.note(&Figure::new("failures of workers and coordinators", run.kills("").len() as f64, ""))?;
        ledger.note(&Figure::new("goodput while workers and coordinators fail", peace_s / took, "share").at_least(0.95))?;
        if let Some(ms) = most(&recovery.fenced_ms) {
            ledger.note(&Figure::new("from the verdict on a worker to its release, at most", ms, "ms").at_most(100.0))?;
        }
        if let Some(ms) = most(&recovery.granted_ms) {
            ledger.note(&Figure::new("from a grant to the new owner's having it, at most", ms, "ms").at_most(100.0))?;
        }
        if let Some(ms) = most(&recovery.launched_ms) {
            ledger.note(&Figure::new("from the verdict to the replacement's launch, at most", ms, "ms"))?;
        }
        if let Some(ms) = most(&recovery.first_step_ms) {
            ledger.note(&Figure::new("from the verdict to the replacement's first step, at most", ms, "ms").at_most(1500.0))?;
        }
        same(&struck.bits("chaos"))?;
    }
    if servers {
        let struck = lab();
        let run = watch(&struck, &job, Some(&format!("kill=ps/{failure_every}s,seed={seed}")))?;
        let took = run.training_s().context("it trained")?;
        let failures = run.kills("").len() as f64;
        ledger.note(&Figure::new("failures of servers", failures, ""))?;
        if let Some(ms) = most(&Recovery::logged(&struck).fenced_ms) {
            ledger.note(&Figure::new("from the verdict on a server to its release, at most", ms, "ms").at_most(100.0))?;
        }
        let recovery_s = run.server_recovery_s().unwrap_or(0.0);
        ledger.note(&Figure::new("from a server's death to the first step beyond the checkpoint", recovery_s, "s"))?;
        let allowed = 1.0 - (checkpoint_every_s as f64 / 2.0 + recovery_s) * failures / took;
        ledger.note(&Figure::new("goodput while servers fail", peace_s / took, "share").at_least(0.95 * allowed))?;
        same(&struck.bits("chaos"))?;
    }
    Ok(())
}

fn most(all: &[f64]) -> Option<f64> {
    all.iter().copied().reduce(f64::max)
}

fn ensure_same(quiet: &(Vec<u8>, Vec<u8>), struck: &(Vec<u8>, Vec<u8>)) -> anyhow::Result<()> {
    ensure!(quiet == struck, "the bits differ");
    Ok(())
}
