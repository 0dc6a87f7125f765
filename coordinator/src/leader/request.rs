//! What may be asked of the leader.

use crate::site::Submission;
use crate::state_dir::Claim;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_coordinator_core::checkpoint::Resume;
use tfcoord_coordinator_core::{Process, Refusal};
use tfcoord_proto::v1;
use tfcoord_types::id::{Attempt, CheckpointId, Incarnation, JobId, Revision, TaskId};
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::ManifestSummary;
use tfcoord_types::report::Report;
use tfcoord_types::view::TaskView;
use tokio::sync::{oneshot, watch};

/// Where an answer goes; nobody may be there any more.
pub type Reply<T> = oneshot::Sender<T>;

/// An open session, for those who serve it.
#[derive(Debug)]
pub struct OpenSession {
    /// Which of the incarnation's sessions it is.
    pub number: u64,
    /// Its newest view; the sender is dropped when another session takes its place.
    pub views: watch::Receiver<Arc<TaskView>>,
}

/// What a registration is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The fencing token.
    pub incarnation: Incarnation,
    /// The job file as admitted, JSON.
    pub job_file: String,
    /// The name of the manifest.
    pub manifest_digest: String,
    /// The job's lease.
    pub lease: Duration,
}

/// What may be asked of the leader.
#[derive(Debug)]
pub enum Request {
    /// The job that was submitted with this id, if it was.
    Find {
        /// The client's id of the submission.
        request_id: String,
        /// The job and its revision.
        reply: Reply<Option<(JobId, Revision)>>,
    },
    /// The newest job of a file's name that saves where the file does and is not over.
    Going {
        /// The file.
        file: Box<JobFile>,
        /// The job and its revision, and whether it is of the same file.
        reply: Reply<Option<(JobId, Revision, bool)>>,
    },
    /// Admit a job.
    Submit {
        /// The client's id of the submission.
        request_id: String,
        /// With absolute paths.
        file: Box<JobFile>,
        /// Where the file came from.
        file_name: String,
        /// Of its data; kept already.
        manifest: ManifestSummary,
        /// What it goes on from.
        resume: Option<Resume>,
        /// Keeps what was found of the data until the job is known.
        claim: Claim,
        /// The site that it brings, if some of its files are in HDFS.
        submission: Option<Box<Submission>>,
        /// The job and its revision.
        reply: Reply<Result<(JobId, Revision), Refusal>>,
    },
    /// Cancel a job; one that is over stays as it is.
    Cancel {
        /// Which one.
        job: JobId,
        /// Why.
        reason: String,
        /// The job afterwards.
        reply: Reply<Result<v1::Job, Refusal>>,
    },
    /// Give a job another number of workers.
    Scale {
        /// The job.
        job: JobId,
        /// How many.
        workers: u32,
        /// The job afterwards.
        reply: Reply<Result<v1::Job, Refusal>>,
    },
    /// A job as it is now.
    Get {
        /// Which one.
        job: JobId,
        /// It, if there is one.
        reply: Reply<Option<v1::Job>>,
    },
    /// All jobs, without their files.
    List {
        /// Those that are over too.
        all: bool,
        /// In the order of their submission.
        reply: Reply<Vec<v1::Job>>,
    },
    /// A job as it is now, and whenever it changes.
    Watch {
        /// Which one.
        job: JobId,
        /// It, if there is one; the sender is dropped once the job is over.
        reply: Reply<Option<watch::Receiver<Arc<v1::Job>>>>,
    },
    /// A process takes part.
    Register {
        /// Its job.
        job: JobId,
        /// Its task.
        task: TaskId,
        /// The launch it comes from.
        attempt: Attempt,
        /// What it says of itself.
        process: Process,
        /// Its fencing token.
        reply: Reply<Result<Registered, Refusal>>,
    },
    /// Whose incarnation this is, also a retired one's.
    Whose {
        /// The incarnation.
        incarnation: Incarnation,
        /// The task it was given to.
        reply: Reply<Option<(JobId, TaskId)>>,
    },
    /// A session begins with its first report, and takes the place of an earlier one.
    Open {
        /// The first report.
        report: Box<Report>,
        /// The session; nothing for an incarnation that is not known.
        reply: Reply<Option<OpenSession>>,
    },
    /// A report of a session.
    Report {
        /// The task's state.
        report: Box<Report>,
        /// Once it was looked at.
        reply: Reply<()>,
    },
    /// A session is over.
    Close {
        /// Whose.
        incarnation: Incarnation,
        /// Which of its sessions.
        number: u64,
    },
    /// A checkpoint's manifest lies there, or could not be written.
    Saved {
        /// The job.
        job: JobId,
        /// Which checkpoint.
        id: CheckpointId,
        /// Why not, if so.
        result: Result<(), String>,
    },
    /// A job's folders in HDFS are there, or cannot be.
    Reserved {
        /// The job.
        job: JobId,
        /// Why not, if so.
        result: Result<(), String>,
    },
    /// The folders in HDFS of a job that is over were tidied, as far as that was possible.
    Tidied {
        /// The job.
        job: JobId,
    },
    /// What is wrong with a job's access to HDFS; nothing if the text is empty.
    Trouble {
        /// The job.
        job: JobId,
        /// Place, cause and remedy.
        text: String,
    },
    /// A task has ended: look at the launcher's list.
    TasksChanged,
    /// End; the tasks go on.
    Stop,
}
