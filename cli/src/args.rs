//! The command line.

mod help;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use tfcoord_types::id::{JobId, TaskId};

/// Distributed training with parameter servers: submit one JSON file, get a trained model.
#[derive(Debug, Parser)]
#[command(name = "tfcoord", version, after_help = help::TOP, after_long_help = help::TOP_LONG, disable_help_subcommand = true)]
pub struct Arguments {
    /// Seconds to keep trying when no coordinator answers [default: 5, while a job is watched 60]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    pub patience: Option<Duration>,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Submit a job and watch it to its end
    #[command(after_help = help::SUBMIT)]
    Submit(Submit),
    /// Show a job: state, progress, tasks, evaluations
    #[command(after_help = help::STATUS)]
    Status(Status),
    /// List the jobs that are active
    #[command(after_help = help::LIST)]
    List(List),
    /// Print what a job's tasks printed
    #[command(after_help = help::LOGS)]
    Logs(Logs),
    /// Cancel a job
    #[command(after_help = help::CANCEL)]
    Cancel(Cancel),
    /// Check a job file without submitting it
    #[command(after_help = help::VALIDATE)]
    Validate(Validate),
    /// Use a trained model
    #[command(after_help = help::PREDICT)]
    Predict(Predict),
    /// Print the version
    #[command(after_help = help::VERSION)]
    Version,
}

/// `submit`
#[derive(Debug, Args)]
pub struct Submit {
    /// The job file
    #[arg(value_name = "JOB.json")]
    pub file: PathBuf,
    /// Return once the job is admitted; it goes on by itself
    #[arg(long)]
    pub detach: bool,
    /// Leave after so many seconds with exit code 124; the job goes on
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub wait_timeout: Option<Duration>,
    /// Seconds between two progress lines where there is no terminal
    #[arg(long, value_name = "SECONDS", value_parser = interval, default_value = "2")]
    pub interval: Duration,
    /// text for people, json for the job at its end, jsonl for each event as it happens
    #[arg(short, long, value_enum, default_value_t = Stream::Text)]
    pub output: Stream,
}

/// `status`
#[derive(Debug, Args)]
pub struct Status {
    /// The job's id, as `tfcoord list` shows it
    pub job: JobId,
    /// text for people, json for programs
    #[arg(short, long, value_enum, default_value_t = Page::Text)]
    pub output: Page,
}

/// `list`
#[derive(Debug, Args)]
pub struct List {
    /// Jobs that ended too
    #[arg(short, long)]
    pub all: bool,
    /// text for people, json for programs
    #[arg(short, long, value_enum, default_value_t = Page::Text)]
    pub output: Page,
}

/// `logs`
#[derive(Debug, Args)]
pub struct Logs {
    /// The job's id, as `tfcoord list` shows it
    pub job: JobId,
    /// Of this task only: worker-0, ps-0
    #[arg(short, long)]
    pub task: Option<TaskId>,
    /// Go on until the job has ended
    #[arg(short, long)]
    pub follow: bool,
}

/// `cancel`
#[derive(Debug, Args)]
pub struct Cancel {
    /// The job's id, as `tfcoord list` shows it
    pub job: JobId,
    /// Why; kept with the job
    #[arg(short, long, default_value = "cancelled by `tfcoord cancel`")]
    pub reason: String,
    /// text for people, json for programs
    #[arg(short, long, value_enum, default_value_t = Page::Text)]
    pub output: Page,
}

/// `validate`
#[derive(Debug, Args)]
pub struct Validate {
    /// The job file
    #[arg(value_name = "JOB.json")]
    pub file: PathBuf,
}

/// `predict`
#[derive(Debug, Args)]
pub struct Predict {
    /// MODEL_DIR --data FILE…: passed on to `tfcoord-worker predict`
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub arguments: Vec<OsString>,
}

/// The form of a single answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// For people.
    Text,
    /// One JSON value.
    Json,
}

/// The form of an answer that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// For people.
    Text,
    /// One JSON value, at the end.
    Json,
    /// One JSON value a line, as it happens.
    Jsonl,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds, such as 30 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

// A timer takes no interval of 0.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = seconds(text)?;
    if interval < Duration::from_millis(10) { Err("expected at least 0.01 s".into()) } else { Ok(interval) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example() {
        for verb in Arguments::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("tfcoord {}", verb.get_name())), "{}", verb.get_name());
        }
    }

    #[test]
    fn times_are_checked() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "-1", "x", "inf", "nan"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert!(interval("0").is_err());
    }

    #[test]
    fn predict_passes_everything_on() {
        let arguments = Arguments::parse_from(["tfcoord", "predict", "out/model", "--data", "a.csv", "-o", "json"]);
        match arguments.verb {
            Verb::Predict(predict) => assert_eq!(predict.arguments, ["out/model", "--data", "a.csv", "-o", "json"]),
            verb => panic!("{verb:?}"),
        }
    }
}
