//! `tfcoord-worker`: computes gradients for a job, looks at its data, or uses its model.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arguments;
mod export;
mod figures;
mod input;
mod memory;
mod predict;
mod prepare;
mod run;
mod trainer;

use arguments::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;
use tfcoord_telemetry::causes;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Prepare(arguments) => prepare::prepare(&arguments),
        Command::Predict(arguments) => predict::predict(&arguments).or_else(|error| Ok(predict::failed(&error).into())),
    };
    tfcoord_fs::hdfs::close();
    done.unwrap_or_else(|error| {
        eprintln!("error: {}", causes::said(error.as_ref()));
        ExitCode::FAILURE
    })
}
