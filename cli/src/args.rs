//! The command line.

mod data;
mod doctor;
mod help;

pub use data::{Data, DataLs, DataPut, DataVerb};
pub use doctor::{Calls, Doctor, DoctorHdfs, DoctorVerb};

use crate::chaos::Chaos;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use tfcoord_types::id::{JobId, TaskId};

/// Distributed training with parameter servers: submit one JSON file, get a trained model.
#[derive(Debug, Parser)]
#[command(name = "tfcoord", version, after_help = help::TOP, after_long_help = help::TOP_LONG, disable_help_subcommand = true)]
pub struct Arguments {
    /// Seconds to keep trying when nobody answers [default: 5, while a job is watched and for HDFS 60]
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
    #[command(after_long_help = help::SUBMIT)]
    Submit(Submit),
    /// Show a job: state, progress, tasks, evaluations
    #[command(after_long_help = help::STATUS)]
    Status(Status),
    /// List the jobs that are active
    #[command(after_long_help = help::LIST)]
    List(List),
    /// Print what a job's tasks printed
    #[command(after_long_help = help::LOGS)]
    Logs(Logs),
    /// Cancel a job
    #[command(after_long_help = help::CANCEL)]
    Cancel(Cancel),
    /// Check a job file without submitting it
    #[command(after_long_help = help::VALIDATE)]
    Validate(Validate),
    /// Use a trained model
    #[command(disable_help_flag = true)]
    Predict(Predict),
    /// Put data sets into HDFS, and look what is there
    #[command(after_long_help = help::DATA)]
    Data(Data),
    /// Find what is wrong with this machine's way to something
    #[command(after_long_help = help::DOCTOR)]
    Doctor(Doctor),
    /// Print the version
    #[command(after_long_help = help::VERSION)]
    Version,
}

/// `submit`
#[derive(Debug, Args)]
pub struct Submit {
    /// The job file
    #[arg(value_name = "JOB.json")]
    pub file: PathBuf,
    /// Go on from the newest checkpoint of an earlier job of this name
    #[arg(long)]
    pub resume: bool,
    /// Return once the job is admitted; it goes on by itself
    #[arg(long)]
    pub detach: bool,
    /// Kill and stop its processes while it is watched: kill=ROLE/TIME,stop=ROLE/TIME,seed=N,for=TIME
    #[arg(long, value_name = "PLAN", conflicts_with = "detach")]
    pub chaos: Option<Chaos>,
    /// Leave after so many seconds with exit code 124; the job goes on
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub wait_timeout: Option<Duration>,
    /// Seconds between two progress lines where there is no terminal
    #[arg(long, value_name = "SECONDS", value_parser = interval, default_value = "2")]
    pub interval: Duration,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Stream::Text)]
    pub output: Stream,
}

/// `status`
#[derive(Debug, Args)]
pub struct Status {
    /// The job's id, as `tfcoord list` shows it
    pub job: JobId,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Page::Text)]
    pub output: Page,
}

/// `list`
#[derive(Debug, Args)]
pub struct List {
    /// Jobs that ended too
    #[arg(short, long)]
    pub all: bool,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Page::Text)]
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
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Page::Text)]
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
    /// Passed on to `tfcoord-worker predict`, which has the help too
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// The form of a single answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// For people
    Text,
    /// For programs: one JSON value
    Json,
}

/// The form of an answer that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// For people
    Text,
    /// The job at its end, as one JSON value
    Json,
    /// Each event as it happens, as a line of JSON
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

    // The help of `predict` is that of the worker's program.
    fn verbs() -> Vec<clap::Command> {
        let mut all = Arguments::command();
        all.build();
        all.get_subcommands().filter(|verb| verb.get_name() != "predict").cloned().collect()
    }

    #[test]
    fn the_long_help_of_every_verb_shows_an_example_and_the_short_one_fits_a_screen() {
        for mut verb in verbs() {
            let name = verb.get_name().to_owned();
            let (short, long) = (verb.render_help().to_string(), verb.render_long_help().to_string());
            assert!(long.contains("Examples:") && long.contains(&format!("  tfcoord {name}")), "{long}");
            assert!(!short.contains("Examples:") && short.lines().count() < 24, "{short}");
        }
    }

    #[test]
    fn no_help_says_a_thing_twice() {
        for mut verb in verbs() {
            let help = verb.render_long_help().to_string().to_lowercase();
            for words in ["for people", "json value", "as it happens"] {
                assert!(help.matches(words).count() <= 1, "{words}: {help}");
            }
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
        for line in ["out/model --data a.csv -o json", "--help", "-h", "--data a.csv out/model"] {
            let words: Vec<&str> = line.split(' ').collect();
            match Arguments::parse_from(["tfcoord", "predict"].iter().chain(&words)).verb {
                Verb::Predict(predict) => assert_eq!(predict.arguments, words),
                verb => panic!("{verb:?}"),
            }
        }
    }
}
