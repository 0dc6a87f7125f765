//! What processes say to each other: as the messages of `tfcoord.v1`, without their encoding.

use bytes::Bytes;
use std::fmt;
use tfcoord_coordinator_core::{JobState, Process};
use tfcoord_ps_core as ps;
use tfcoord_types::exchange::Answer;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{Attempt, Generation, Incarnation, JobId, TaskId};
use tfcoord_types::job::JobFile;
use tfcoord_types::lane::Block;
use tfcoord_types::report::Report;
use tfcoord_types::view::TaskView;

/// A message.
#[derive(Debug, Clone)]
pub enum Message {
    /// Client to coordinator.
    Submit {
        request_id: String,
        file: Box<JobFile>,
        /// Whether it goes on from what an earlier job has left, if that has left anything.
        resume: bool,
    },
    /// Its answer: the job, or why not.
    Submitted(Result<JobId, String>),
    /// Client to coordinator.
    Cancel(JobId),
    /// Client to coordinator: so many workers.
    ScaleJob(JobId, u32),
    /// Client to coordinator.
    Get(JobId),
    /// The answer to these: state and reason, if there is such a job.
    JobIs(Option<(JobState, String)>),

    /// Task to coordinator.
    Hello {
        job: JobId,
        task: TaskId,
        attempt: Attempt,
        process: Process,
    },
    /// Its answer.
    Welcome {
        incarnation: Incarnation,
        file: Box<JobFile>,
    },
    /// Its answer, or a session's: for good.
    Refused(String),
    /// Begins a session, and goes on in it.
    Report(Box<Report>),
    /// Down a session.
    View(Box<TaskView>),

    /// Worker to server: begins an exchange.
    Exchange {
        generation: Generation,
    },
    /// Its answer.
    Exchanging {
        incarnation: Incarnation,
        generation: Generation,
        cursors: Vec<(u32, u64)>,
    },
    Push(Box<ps::Push>),
    Answer {
        generation: Generation,
        chunk: u32,
        step: u64,
        block: Block,
        answer: Answer,
    },
    Chunk {
        generation: Generation,
        chunk: u32,
        version: u64,
        values: Bytes,
    },
    Pull {
        generation: Generation,
        chunks: Vec<u32>,
        version: u64,
    },
    Gone {
        generation: Generation,
        chunk: u32,
        version: u64,
    },
    /// Asks for the whole curve.
    Curve {
        generation: Generation,
    },
    CurveIs(Result<Vec<CurvePoint>, String>),

    /// Another server to the first one: begins a link.
    Link {
        slot: u32,
    },
    Norms {
        slot: u32,
        generation: Generation,
        step: u64,
        segments: Vec<ps::SegmentNorm>,
    },
    Scale {
        generation: Generation,
        step: u64,
        scale: f32,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit { request_id, .. } => write!(f, "submit {request_id}"),
            Self::Submitted(Ok(job)) => write!(f, "submitted {job}"),
            Self::Submitted(Err(why)) => write!(f, "not submitted: {why}"),
            Self::Cancel(job) => write!(f, "cancel {job}"),
            Self::ScaleJob(job, workers) => write!(f, "scale {job} to {workers} workers"),
            Self::Get(job) => write!(f, "get {job}"),
            Self::JobIs(Some((state, _))) => write!(f, "the job is {state}"),
            Self::JobIs(None) => f.write_str("no such job"),
            Self::Hello { job, task, attempt, .. } => write!(f, "hello from {job}/{task} attempt {attempt}"),
            Self::Welcome { incarnation, .. } => write!(f, "welcome incarnation {incarnation}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Report(report) => {
                let Report { incarnation, applied, generation, body, fault } = &**report;
                write!(f, "report of incarnation {incarnation}: revision {applied} generation {generation} ")?;
                match body {
                    tfcoord_types::report::Body::Worker(w) => {
                        write!(f, "step {} evaluated {} exported {}", w.step, w.evaluated.len(), w.exported.is_some())?;
                    }
                    tfcoord_types::report::Body::Server(s) => write!(f, "reached {:?}", s.reached)?,
                }
                fault.iter().try_for_each(|fault| write!(f, " fault: {}", fault.message))
            }
            Self::View(view) => {
                let owner = |owner: &Option<Incarnation>| owner.map_or_else(|| "-".into(), |owner| owner.to_string());
                let owners: Vec<String> = view.owners.iter().map(owner).collect();
                let TaskView { revision, incarnation, directive, run_until, .. } = &**view;
                write!(f, "view {revision} for {incarnation}: {directive:?} until {run_until} owners {}", owners.join(" "))
            }
            Self::Exchange { generation } => write!(f, "exchange of generation {generation}"),
            Self::Exchanging { incarnation, cursors, .. } => write!(f, "exchange with incarnation {incarnation}: cursors {cursors:?}"),
            Self::Push(push) => {
                let ps::Push { incarnation, step, chunk, block, .. } = &**push;
                write!(f, "push of {incarnation}: step {step} chunk {chunk} lanes {block}")
            }
            Self::Answer { chunk, step, block, answer, .. } => write!(f, "answer to step {step} chunk {chunk} lanes {block}: {answer:?}"),
            Self::Chunk { chunk, version, .. } => write!(f, "chunk {chunk} version {version}"),
            Self::Pull { chunks, version, .. } => write!(f, "pull {chunks:?} version {version}"),
            Self::Gone { chunk, version, .. } => write!(f, "chunk {chunk} version {version} is gone"),
            Self::Curve { .. } => f.write_str("curve?"),
            Self::CurveIs(curve) => write!(f, "curve: {:?}", curve.as_ref().map(Vec::len)),
            Self::Link { slot } => write!(f, "link from ps-{slot}"),
            Self::Norms { slot, step, .. } => write!(f, "norms of ps-{slot} step {step}"),
            Self::Scale { step, scale, .. } => write!(f, "scale {scale} of step {step}"),
        }
    }
}
