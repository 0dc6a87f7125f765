//! `Coordinator`: what people and scripts ask.

use super::status::{of_gone, of_prepare, of_refusal, of_site, of_tokens, parse};
use super::{Services, logs};
use crate::errand::Errands;
use crate::leader::{Gone, Request as Ask};
use crate::resume;
use crate::site::Submission;
use crate::tokens::Action;
use std::sync::Arc;
use tfcoord_coordinator_core::Refusal;
use tfcoord_coordinator_core::checkpoint::Resume;
use tfcoord_fs::FileSystems;
use tfcoord_launch::Hadoop;
use tfcoord_proto::v1;
use tfcoord_proto::v1::coordinator_server::Coordinator;
use tfcoord_types::id::{JobId, Revision, TaskId};
use tfcoord_types::job::{self, JobFile, is_remote};
use tfcoord_types::manifest::ManifestSummary;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

/// The longest job file and the longest name of one, in bytes.
const JOB_FILE_BYTES_MAX: usize = 1 << 20;
const FILE_NAME_BYTES_MAX: usize = 4096;
const REQUEST_ID_BYTES_MAX: usize = 128;
const REASON_BYTES_MAX: usize = 4096;

#[async_trait]
impl Coordinator for Services {
    async fn submit(&self, request: Request<v1::SubmitRequest>) -> Result<Response<v1::SubmitReply>, Status> {
        let v1::SubmitRequest { request_id, job_file, file_name, resume, site } = request.into_inner();
        bounded("request_id", &request_id, REQUEST_ID_BYTES_MAX)?;
        bounded("job_file", &job_file, JOB_FILE_BYTES_MAX)?;
        bounded("file_name", &file_name, FILE_NAME_BYTES_MAX)?;
        if request_id.is_empty() {
            return Err(of_refusal(&Refusal::RequestId { bytes: 0 }));
        }
        let known = self.leader.ask(|reply| Ask::Find { request_id: request_id.clone(), reply }).await.map_err(of_gone)?;
        if let Some((job, revision)) = known {
            return Ok(reply(&job, revision));
        }
        let file = job_file_of(&file_name, &job_file)?;
        if resume && let Some((job, revision)) = self.going(&file).await? {
            return Ok(reply(&job, revision));
        }
        // What is found stays until the job that needs it is known.
        let claim = self.state.claim().await;
        let submission = self.keep(&request_id, &file, site).await?;
        if let Some(submission) = &submission {
            self.authorize(submission, &file).await?;
        }
        let hadoop = submission.as_ref().map(Submission::hadoop).transpose().map_err(|error| of_site(&error))?.flatten();
        let manifest = self.preparer.prepare(&file, hadoop.as_ref()).await.map_err(|error| of_prepare(&error))?;
        let resume = if resume { Some(resumed(&self.errands, hadoop, &file, &manifest).await?) } else { None };
        let submit = |reply| Ask::Submit {
            request_id,
            file: Box::new(file),
            file_name,
            manifest,
            resume,
            claim,
            submission: submission.map(Box::new),
            reply,
        };
        let (job, revision) = self.leader.ask(submit).await.map_err(of_gone)?.map_err(|refusal| of_refusal(&refusal))?;
        Ok(reply(&job, revision))
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::Job>, Status> {
        self.job(parse(&request.get_ref().job)?).await.map(Response::new)
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListReply>, Status> {
        let all = request.get_ref().all;
        let jobs = self.leader.ask(|reply| Ask::List { all, reply }).await.map_err(of_gone)?;
        Ok(Response::new(v1::ListReply { jobs }))
    }

    type WatchStream = ReceiverStream<Result<v1::Job, Status>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let v1::WatchRequest { job, after_revision } = request.into_inner();
        let jobs = self.watching(parse(&job)?).await?;
        let (sender, receiver) = mpsc::channel(1);
        let leader = self.leader.clone();
        tokio::spawn(show(jobs, after_revision, sender, move || leader.end()));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn cancel(&self, request: Request<v1::CancelRequest>) -> Result<Response<v1::Job>, Status> {
        let v1::CancelRequest { job, reason } = request.into_inner();
        bounded("reason", &reason, REASON_BYTES_MAX)?;
        let job: JobId = parse(&job)?;
        let cancelled = self.leader.ask(|reply| Ask::Cancel { job, reason, reply }).await.map_err(of_gone)?;
        cancelled.map(Response::new).map_err(|refusal| of_refusal(&refusal))
    }

    async fn scale(&self, request: Request<v1::ScaleRequest>) -> Result<Response<v1::Job>, Status> {
        let v1::ScaleRequest { job, workers } = request.into_inner();
        let job: JobId = parse(&job)?;
        let scaled = self.leader.ask(|reply| Ask::Scale { job, workers, reply }).await.map_err(of_gone)?;
        scaled.map(Response::new).map_err(|refusal| of_refusal(&refusal))
    }

    type LogsStream = ReceiverStream<Result<v1::LogLines, Status>>;

    async fn logs(&self, request: Request<v1::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let v1::LogsRequest { job, task, follow } = request.into_inner();
        let job: JobId = parse(&job)?;
        let task: Option<TaskId> = if task.is_empty() { None } else { Some(parse(&task)?) };
        let jobs = self.watching(job.clone()).await?;
        if let Some(task) = task.filter(|task| !jobs.borrow().tasks.iter().any(|t| t.task == task.to_string())) {
            return Err(of_refusal(&Refusal::UnknownTask { job, task }));
        }
        if is_over(&jobs.borrow()) && !self.state.has_job(&job) {
            let kept = self.ended_jobs_kept;
            let removed =
                format!("there are no logs of {job} any more: those of the {kept} jobs that ended last are kept (ended_jobs_kept)");
            return Err(Status::failed_precondition(removed));
        }
        let (sender, receiver) = mpsc::channel(1);
        let reader = logs::Reader { launcher: self.launcher.clone(), job, only: task };
        tokio::spawn(reader.read(jobs, follow, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl Services {
    // On a thread of its own: who wrote the site decides how long it takes to read it.
    async fn keep(&self, request_id: &str, file: &JobFile, site: Option<v1::Site>) -> Result<Option<Submission>, Status> {
        let (state, keeper, request_id, file) = (self.state.clone(), self.keeper.clone(), request_id.to_owned(), file.clone());
        let kept = tokio::task::spawn_blocking(move || Submission::keep(&state, &keeper, &request_id, &file, site)).await;
        let kept = kept.map_err(|error| Status::internal(format!("reading the site's configuration broke: {error}")))?;
        kept.map_err(|error| of_site(&error))
    }

    // Gets a job the tokens that its processes need, before the first of them looks at its data.
    async fn authorize(&self, submission: &Submission, file: &JobFile) -> Result<(), Status> {
        let needs = submission.hadoop().map_err(|error| of_site(&error))?.is_some_and(|hadoop| hadoop.tokens.is_some());
        if needs {
            let dates = self.tokens.step(Action::Issue, submission.dir()).await.map_err(|failure| of_tokens(&failure))?;
            let what = if dates.is_given { "taken from the submitter's file" } else { "issued" };
            dates.tokens.iter().for_each(|token| tracing::info!(job = file.name, "HDFS token {what}: {token}"));
        }
        Ok(())
    }

    // The job that would be gone on from, where nothing has ended it: a coordinator that starts takes up what it finds in its log.
    async fn going(&self, file: &JobFile) -> Result<Option<(JobId, Revision)>, Status> {
        let found = self.leader.ask(|reply| Ask::Going { file: Box::new(file.clone()), reply }).await.map_err(of_gone)?;
        match found {
            Some((job, _, false)) => Err(Status::invalid_argument(format!(
                "--resume: {job} is not over: it goes on by itself, as it was submitted\n  help: watch it, or cancel it first to go on from its checkpoints with another job file"
            ))),
            found => Ok(found.map(|(job, revision, _)| (job, revision))),
        }
    }

    async fn job(&self, job: JobId) -> Result<v1::Job, Status> {
        let found = self.leader.ask(|reply| Ask::Get { job: job.clone(), reply }).await.map_err(of_gone)?;
        found.ok_or_else(|| of_refusal(&Refusal::UnknownJob { job }))
    }

    async fn watching(&self, job: JobId) -> Result<watch::Receiver<Arc<v1::Job>>, Status> {
        let found = self.leader.ask(|reply| Ask::Watch { job: job.clone(), reply }).await.map_err(of_gone)?;
        found.ok_or_else(|| of_refusal(&Refusal::UnknownJob { job }))
    }
}

async fn resumed(errands: &Errands, hadoop: Option<Hadoop>, file: &JobFile, manifest: &ManifestSummary) -> Result<Resume, Status> {
    let (errands, file, manifest) = (errands.clone(), file.clone(), manifest.clone());
    let find = move || {
        if resume::root(&file).0.to_str().is_some_and(is_remote) {
            return errands.find(hadoop.as_ref(), file, manifest);
        }
        resume::find(&FileSystems::of_environment(), &file, &manifest).map_err(|error| error.to_string())
    };
    let found = tokio::task::spawn_blocking(find).await;
    let found = found.map_err(|error| Status::internal(format!("looking for checkpoints broke: {error}")))?;
    found.map_err(Status::invalid_argument)
}

fn reply(job: &JobId, revision: Revision) -> Response<v1::SubmitReply> {
    Response::new(v1::SubmitReply { job: job.to_string(), revision: revision.0 })
}

fn bounded(field: &str, text: &str, bytes_max: usize) -> Result<(), Status> {
    let fits = text.len() <= bytes_max;
    fits.then_some(()).ok_or_else(|| {
        Status::invalid_argument(format!("{field} has {} bytes, and at most {bytes_max} are taken: make it shorter", text.len()))
    })
}

fn job_file_of(file_name: &str, text: &str) -> Result<JobFile, Status> {
    let name = if file_name.is_empty() { "job file" } else { file_name };
    let file = job::parse(name, text).map_err(|problems| Status::invalid_argument(problems.to_string()))?;
    let mut resolved = file.clone();
    resolved.resolve("");
    if resolved != file {
        return Err(Status::invalid_argument(format!(
            "{name}: a path is relative: the coordinator cannot know to what; make paths absolute"
        )));
    }
    Ok(file)
}

/// Sends a job's states until the last one. States that nobody takes in time are left out.
async fn show(
    mut jobs: watch::Receiver<Arc<v1::Job>>,
    after_revision: u64,
    sender: mpsc::Sender<Result<v1::Job, Status>>,
    end: impl Fn() -> Gone,
) {
    let mut job = jobs.borrow_and_update().clone();
    // Of a revision that the client has seen, only what is not in the log may be news: progress.
    let mut news = job.revision > after_revision;
    loop {
        let over = is_over(&job);
        let unheard = (news || over) && sender.send(Ok((*job).clone())).await.is_err();
        if unheard || over {
            return;
        }
        tokio::select! {
            changed = jobs.changed() => if changed.is_err() {
                let _ = sender.send(Err(of_gone(end()))).await;
                return;
            },
            () = sender.closed() => return,
        }
        job = jobs.borrow_and_update().clone();
        news = job.revision >= after_revision;
    }
}

pub(super) fn is_over(job: &v1::Job) -> bool {
    matches!(job.state(), v1::JobState::Succeeded | v1::JobState::Failed | v1::JobState::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(revision: u64, state: v1::JobState, step: u64) -> Arc<v1::Job> {
        let progress = Some(v1::Progress { step, ..v1::Progress::default() });
        Arc::new(v1::Job { revision, state: state.into(), progress, ..v1::Job::default() })
    }

    #[tokio::test]
    async fn only_news_is_shown_and_the_end_always() {
        let (states, jobs) = watch::channel(job(5, v1::JobState::Running, 1));
        let (sender, mut shown) = mpsc::channel(1);
        tokio::spawn(show(jobs, 5, sender, || Gone::Ended));
        tokio::task::yield_now().await;
        assert!(shown.try_recv().is_err(), "revision 5 was seen");
        states.send_replace(job(5, v1::JobState::Running, 2));
        let next = shown.recv().await.unwrap().unwrap();
        assert_eq!((next.revision, next.progress.unwrap().step), (5, 2), "its progress was not");
        states.send_replace(job(7, v1::JobState::Failed, 2));
        drop(states);
        assert_eq!(shown.recv().await.unwrap().unwrap().revision, 7);
        assert!(shown.recv().await.is_none());

        let (_states, jobs) = watch::channel(job(7, v1::JobState::Failed, 2));
        let (sender, mut shown) = mpsc::channel(1);
        show(jobs, 7, sender, || Gone::Ended).await;
        assert_eq!(shown.recv().await.unwrap().unwrap().revision, 7);
    }

    #[test]
    fn relative_paths_are_refused() {
        let text = serde_json::to_string(&crate::leader::fixture::job_file()).unwrap();
        assert!(job_file_of("j", &text).is_ok());
        let error = job_file_of("j", &text.replace("/data/x.csv", "x.csv")).unwrap_err();
        assert!(error.code() == tonic::Code::InvalidArgument && error.message().contains("relative"), "{error}");
    }
}
