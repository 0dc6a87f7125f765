//! `tfcoord`, the client: submits jobs, watches them to their end, shows and cancels them.
//!
//! Without a standing coordinator it starts an embedded one beside itself ([`start`]) and speaks to that; every
//! call survives a broken connection ([`connection`]). What it shows is made by pure functions ([`show`]) from a
//! job as plain data ([`job`]) and from what happened to it ([`event`]).
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod called;
mod chaos;
mod connection;
mod data;
mod doctor;
mod event;
mod failure;
mod files;
mod follow;
mod job;
mod place;
#[cfg(test)]
mod sample;
mod say;
mod show;
mod site;
mod start;
mod verb;

use args::{Arguments, DataVerb, DoctorVerb, Verb};
use clap::Parser;
use connection::Connection;
use failure::{Code, Failure};
use std::process::ExitCode;
use std::time::Duration;

/// How long to look for a coordinator, unless said otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same while a job is watched: a coordinator may be started anew.
const PATIENCE_WATCHING: Duration = Duration::from_secs(60);
/// The same of a file system, which tries dead servers first and may be in safe mode.
const PATIENCE_FILES: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let done = run(Arguments::parse());
    tfcoord_fs::hdfs::close();
    match done {
        Ok(code) => code.into(),
        Err(Failure { code, message }) => {
            if !message.is_empty() {
                eprintln!("error: {message}");
            }
            code.into()
        }
    }
}

fn run(Arguments { verb, patience }: Arguments) -> Result<Code, Failure> {
    let connect = |otherwise| Ok::<_, Failure>(Connection::new(place::Environment::read().place()?, patience.unwrap_or(otherwise)));
    match verb {
        Verb::Submit(submit) => {
            // Before anything is started.
            let file = verb::file::read(&submit.file)?;
            let place = place::Environment::read().place()?;
            wait_for(verb::submit::run(&submit, file, &place, patience, &called::read()))
        }
        Verb::Status(status) => wait_for(verb::status::run(&status, connect(PATIENCE)?)),
        Verb::List(list) => wait_for(verb::list::run(&list, connect(PATIENCE)?)),
        Verb::Logs(logs) => wait_for(verb::logs::run(&logs, connect(if logs.follow { PATIENCE_WATCHING } else { PATIENCE })?)),
        Verb::Cancel(cancel) => wait_for(verb::cancel::run(&cancel, connect(PATIENCE)?)),
        Verb::Validate(validate) => verb::validate::run(&validate),
        Verb::Predict(predict) => verb::predict::run(&predict),
        Verb::Data(data) => match data.verb {
            DataVerb::Put(put) => wait_for(verb::data::put::run(put, patience.unwrap_or(PATIENCE_FILES))),
            DataVerb::Ls(ls) => verb::data::ls::run(&ls, patience.unwrap_or(PATIENCE_FILES)),
        },
        Verb::Doctor(doctor) => match doctor.verb {
            DoctorVerb::Hdfs(hdfs) => verb::doctor::hdfs(&hdfs),
        },
        Verb::Version => verb::version::run(),
    }
}

fn wait_for(verb: impl Future<Output = Result<Code, Failure>>) -> Result<Code, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Code::Engine, format!("cannot wait for anything: {error}")))?;
    let result = runtime.block_on(verb);
    // A name that is still being looked up holds nobody.
    runtime.shutdown_background();
    result
}
