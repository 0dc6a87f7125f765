//! `tfcoord validate`.

use super::file;
use crate::args::Validate;
use crate::failure::{Code, Failure};
use crate::say;
use crate::show::counted;

/// Reads and checks a job file.
///
/// # Errors
/// All its problems.
pub fn run(args: &Validate) -> Result<Code, Failure> {
    let file::Checked { job, path, .. } = file::read(&args.file)?;
    let (epochs, workers) = (counted(job.train.epochs, "epoch"), counted(job.worker.count, "worker"));
    let sync = job.train.modes_in_words();
    let sync = if job.train.groups.is_empty() { String::new() } else { format!(", {sync}") };
    say::line(&format!("{path}: fine, {} would train for {epochs} with {workers}{sync}", job.name))?;
    Ok(Code::Success)
}
