//! `tfcoord validate`.

use super::file;
use crate::args::Validate;
use crate::failure::{Code, Failure};
use crate::say;

/// Reads and checks a job file.
///
/// # Errors
/// All its problems.
pub fn run(args: &Validate) -> Result<Code, Failure> {
    let file::Checked { job, path } = file::read(&args.file)?;
    say::line(&format!("{path}: fine, {} would train for {} epochs with {} workers", job.name, job.train.epochs, job.worker.count))?;
    Ok(Code::Success)
}
