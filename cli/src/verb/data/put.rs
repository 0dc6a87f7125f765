//! `tfcoord data put`.

use crate::args::{DataPut, Page};
use crate::data::put::{Done, Order, put};
use crate::data::source::{Meter, Source};
use crate::data::{Error, Limits};
use crate::failure::{Code, Failure};
use crate::show::{counted, plain};
use crate::{files, say};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The JSON of `-o json`.
#[derive(Serialize)]
struct Put {
    location: String,
    files: usize,
    directories: usize,
    bytes: u64,
    seconds: f64,
}

/// Puts a data set; Ctrl-C takes back what was written.
///
/// # Errors
/// Nothing was put.
pub async fn run(args: DataPut, patience: Duration) -> Result<Code, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&stop);
    let work = tokio::task::spawn_blocking(move || carry_out(&args, patience, &watched));
    tokio::pin!(work);
    let done = tokio::select! {
        done = &mut work => done,
        signal = tokio::signal::ctrl_c() => {
            // Without a way to hear of it, the work goes on to its end.
            stop.store(signal.is_ok(), Ordering::Relaxed);
            work.await
        }
    };
    done.map_err(|error| Failure::new(Code::Engine, format!("the work broke off: {error}")))?
}

fn carry_out(args: &DataPut, patience: Duration, stop: &AtomicBool) -> Result<Code, Failure> {
    let began = Instant::now();
    let target = files::location(&args.target)?;
    let limits = Limits { bytes_max: args.unpacked_max, ..Limits::default() };
    let sources = args.sources.iter().map(|path| Source::find(path, limits)).collect::<Result<Vec<_>, _>>().map_err(failure)?;
    let system = files::system(&target, patience)?;
    let bar = bar(args.output, sources.iter().map(Source::length).sum());
    let meter = Meter::shown(bar.clone());
    let order = Order { sources: &sources, target: &target, replace: args.replace, stop };
    let tell = |text: String| match &bar {
        Some(bar) => bar.suspend(|| eprintln!("{text}")),
        None => eprintln!("{text}"),
    };
    let done = put(&*system, &order, &meter, &mut |left| {
        for at in &left.settled {
            tell(format!("note: {} was left by a put that was killed: removed, or given its name back", plain(at)));
        }
        for at in &left.doubtful {
            tell(format!("note: {} is of a put on another machine, which may go on: if it does not, remove it", plain(at)));
        }
    });
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let Done { files, directories, bytes } = done.map_err(failure)?;
    let (location, seconds) = (target.to_string(), began.elapsed().as_secs_f64());
    match args.output {
        Page::Json => say::json(&Put { location, files, directories, bytes, seconds })?,
        Page::Text => {
            let (files, bytes) = (counted(files as u64, "file"), counted(bytes, "byte"));
            say::line(&format!("{}: {files}, {bytes}, all read back and compared, in {seconds:.1} s", plain(&location)))?;
        }
    }
    Ok(Code::Success)
}

fn bar(output: Page, bytes: u64) -> Option<ProgressBar> {
    if output != Page::Text || !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("{bar:40.cyan}  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left\n{wide_msg}");
    let style = style.expect("the template is well-formed");
    Some(ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr()).with_style(style))
}

fn failure(error: Error) -> Failure {
    let text = plain(&error.to_string()).into_owned();
    match error {
        Error::Storage(error) => files::failure(&error),
        Error::Source { problem, .. } => Failure::new(Code::File, text).help(problem.remedy()),
        Error::Exists { .. } => Failure::new(Code::File, text).help("choose another name, or put it in the place of that with --replace"),
        Error::Target { remedy, .. } => Failure::new(Code::File, text).help(plain(&remedy)),
        Error::Underway { pid, .. } => Failure::new(Code::File, text).help(format!("wait for that process, or end it: kill {pid}")),
        Error::Altered { .. } => Failure::new(Code::Job, text).help("put it again; if that stays, check memory, network and disks"),
        Error::Interrupted => Failure::new(Code::Interrupted, text),
    }
}
