//! What is done with a job's files in HDFS: by a child process that has the job's rights, never by the coordinator itself.
//!
//! ```text
//!   coordinator ── an errand, JSON, on standard input ──► tfcoord-coordinator errand ── HDFS
//!               ◄────── its answer, JSON, on standard output ──────┘
//! ```
//!
//! A child runs one errand and ends. It takes HDFS' configuration and credentials from its environment and nothing else.
//! Where its coordinator dies it goes on: what it does is for a decision that stands in the log, and the next one says the
//! same again.

mod child;

pub use child::run;

use crate::leader::saver::Leftovers;
use crate::state_dir::StateDir;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tfcoord_checkpoint::Manifest;
use tfcoord_coordinator_core::checkpoint::Resume;
use tfcoord_launch::Hadoop;
use tfcoord_launch::local::passed;
use tfcoord_types::id::JobId;
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::ManifestSummary;

/// The name of the command that runs one.
pub const ERRAND: &str = "errand";

/// What a child is to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    /// Make folders a job's.
    Reserve {
        /// The field of the job file that names it, and the folder.
        folders: Vec<(String, String)>,
        /// What the mark in them says.
        mark: String,
    },
    /// Remove what a job's tasks could not finish, checkpoints that are not wanted any more, and the marks.
    Tidy {
        /// The folders. Those that are another job's are left alone.
        folders: Vec<String>,
        /// What the job's mark says.
        mark: String,
        /// The checkpoints, where they are in HDFS: left alone unless all folders are the job's.
        leftovers: Option<Leftovers>,
    },
    /// Commit a checkpoint.
    Commit {
        /// Where its parts lie.
        dir: String,
        /// Its manifest.
        manifest: Box<Manifest>,
    },
    /// Remove checkpoints that are not wanted any more.
    Sweep(Leftovers),
    /// Find what a job can go on from.
    Find {
        /// Its file.
        file: Box<JobFile>,
        /// What preparation found in its data.
        summary: ManifestSummary,
    },
}

/// What comes of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done,
    Found(Resume),
    /// Not done: place, cause and remedy.
    Failed(String),
}

/// Sends children on errands.
#[derive(Debug, Clone)]
pub struct Errands {
    program: PathBuf,
    state: StateDir,
}

impl Errands {
    /// By this very program, even if another one has taken its place; for jobs whose sites are in `state`.
    pub fn of_this_program(state: &StateDir) -> Self {
        Self { program: "/proc/self/exe".into(), state: state.clone() }
    }

    /// Waits until it is done, with the rights of the job.
    ///
    /// # Errors
    /// Why it is not: place, cause and remedy.
    pub fn run(&self, job: &JobId, errand: &Errand) -> Result<(), String> {
        let hadoop = self.state.hadoop(job).hadoop().map_err(|error| error.to_string())?;
        match self.send(hadoop.as_ref(), errand)? {
            Answer::Failed(problem) => Err(problem),
            Answer::Done | Answer::Found(_) => Ok(()),
        }
    }

    /// Waits for what was found, with the rights of a job that is to be.
    ///
    /// # Errors
    /// Why nothing was: place, cause and remedy.
    pub fn find(&self, hadoop: Option<&Hadoop>, file: JobFile, summary: ManifestSummary) -> Result<Resume, String> {
        match self.send(hadoop, &Errand::Find { file: Box::new(file), summary })? {
            Answer::Found(resume) => Ok(resume),
            Answer::Failed(problem) => Err(problem),
            Answer::Done => Err("it was answered with nothing".to_owned()),
        }
    }

    fn send(&self, hadoop: Option<&Hadoop>, errand: &Errand) -> Result<Answer, String> {
        let broken =
            |error: &dyn std::fmt::Display| format!("the process that reaches HDFS broke: {error}\n  help: see the coordinator's log");
        let mut command = Command::new(&self.program);
        command.arg(ERRAND).env_clear().envs(passed()).stdin(Stdio::piped()).stdout(Stdio::piped());
        hadoop.into_iter().for_each(|hadoop| hadoop.tell(&mut command));
        let mut child = command.spawn().map_err(|error| broken(&error))?;
        let text = serde_json::to_vec(errand).map_err(|error| broken(&error))?;
        // All of it is read before anything is said. What it could not read it says itself.
        let told = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&text));
        let output = child.wait_with_output().map_err(|error| broken(&error))?;
        match serde_json::from_slice(&output.stdout) {
            Ok(answer) => Ok(answer),
            Err(_) => Err(told.map_or_else(|error| broken(&error), |()| broken(&output.status))),
        }
    }
}
