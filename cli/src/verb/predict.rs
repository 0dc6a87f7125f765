//! `tfcoord predict`: models run in the worker's program, so that this one stays small.

use crate::args::Predict;
use crate::failure::{Code, Failure};
use crate::start::program;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Becomes `tfcoord-worker predict`, under this program's name, which its help shows: its exit code is passed on by being
/// this process's.
///
/// # Errors
/// When the program is not there or cannot be run.
pub fn run(args: &Predict) -> Result<Code, Failure> {
    let program = program("tfcoord-worker")?;
    let error = Command::new(&program).arg0("tfcoord").arg("predict").args(&args.arguments).exec();
    Err(Failure::new(Code::Engine, format!("cannot run {}: {error}", program.display())))
}
