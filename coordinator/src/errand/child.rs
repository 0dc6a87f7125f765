//! The child's side.

use super::{Answer, Errand};
use crate::leader::saver::Leftovers;
use crate::{outputs, resume};
use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;
use tfcoord_checkpoint::{Directory, commit, sweep};
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::Location;

/// Longer than all tries of any call together.
const LIFE_MAX: Duration = Duration::from_secs(30 * 60);

/// Runs the errand on standard input, and says its answer.
pub fn run() -> ExitCode {
    let mut text = Vec::new();
    let errand = std::io::stdin().read_to_end(&mut text).map_err(|error| error.to_string());
    let errand = errand.and_then(|_| serde_json::from_slice(&text).map_err(|error| error.to_string()));
    let (send, receive) = mpsc::sync_channel(1);
    let work = move || {
        let answer = errand.and_then(carry_out).unwrap_or_else(Answer::Failed);
        // Nobody waits any more: then it took too long.
        let _ = send.send(answer);
    };
    let started = std::thread::Builder::new().name("errand".into()).spawn(work);
    let answer = match started {
        Err(error) => Answer::Failed(format!("no thread: {error}")),
        Ok(_) => receive.recv_timeout(LIFE_MAX).unwrap_or_else(|error| {
            Answer::Failed(match error {
                mpsc::RecvTimeoutError::Timeout => format!("HDFS did not do it within {} s: see that it is well", LIFE_MAX.as_secs()),
                mpsc::RecvTimeoutError::Disconnected => "the process that reaches HDFS panicked: see the coordinator's log".to_owned(),
            })
        }),
    };
    let said = serde_json::to_vec(&answer).map_err(std::io::Error::from).and_then(|answer| std::io::stdout().write_all(&answer));
    if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn carry_out(errand: Errand) -> Result<Answer, String> {
    let systems = FileSystems::of_environment();
    match errand {
        Errand::Reserve { folders, mark } => {
            for (field, dir) in &folders {
                let reserved = reach(&systems, dir).and_then(|(system, at)| outputs::remote::reserve(&*system, &at, &mark));
                reserved.map_err(|error| format!("{field}: {error}"))?;
            }
        }
        Errand::Tidy { folders, mark, leftovers } => tidy(&systems, &folders, &mark, leftovers)?,
        Errand::Commit { dir, manifest } => {
            Directory::open(&systems, &dir).and_then(|dir| commit(&dir, &manifest)).map_err(|error| error.of_writing().to_string())?;
        }
        Errand::Sweep(leftovers) => swept(&systems, &leftovers)?,
        Errand::Find { file, summary } => {
            return resume::find(&systems, &file, &summary).map(Answer::Found).map_err(|error| error.to_string());
        }
    }
    Ok(Answer::Done)
}

fn tidy(systems: &FileSystems, folders: &[String], mark: &str, leftovers: Option<Leftovers>) -> Result<(), String> {
    let reached = folders.iter().map(|dir| reach(systems, dir)).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let mut ours = Vec::new();
    for (system, at) in &reached {
        if outputs::remote::owns(&**system, at, mark).map_err(|error| error.to_string())? {
            ours.push((system, at));
        }
    }
    // Where a folder was another job's, so are the checkpoints that may lie there.
    if let Some(leftovers) = leftovers.filter(|_| ours.len() == reached.len()) {
        swept(systems, &leftovers)?;
    }
    ours.into_iter().try_for_each(|(system, at)| outputs::remote::tidy(&**system, at).map_err(|error| error.to_string()))
}

fn swept(systems: &FileSystems, Leftovers { dir, keep, in_use }: &Leftovers) -> Result<(), String> {
    let swept = Directory::open(systems, dir).and_then(|dir| sweep(&dir, *keep, in_use));
    swept.map(drop).map_err(|error| error.to_string())
}

type System = std::sync::Arc<dyn tfcoord_fs::storage::FileSystem>;

fn reach(systems: &FileSystems, dir: &str) -> Result<(System, Location), outputs::remote::Error> {
    let at = Location::parse(dir, None)?;
    Ok((systems.get(&at)?, at))
}
