//! `TaskSession`: registration, and one long stream of reports up and views down.

use super::Services;
use super::status::{of_gone, of_refusal, parse};
use crate::leader::{Handle, OpenSession, Request as Ask};
use std::sync::Arc;
use std::time::Duration;
use tfcoord_client::Bearer;
use tfcoord_coordinator_core::Process;
use tfcoord_proto::v1;
use tfcoord_proto::v1::task_session_server::TaskSession;
use tfcoord_types::id::{Attempt, Incarnation, JobId, TaskId};
use tfcoord_types::report::Report;
use tfcoord_types::view::TaskView;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming, async_trait};

/// A stream whose first report does not come is no session.
const FIRST_REPORT_WITHIN: Duration = Duration::from_secs(10);
/// Bounds of what a process says of itself.
const NONCE_BYTES_MAX: usize = 64;
const ADDRESSES_MAX: usize = 16;
const TEXT_BYTES_MAX: usize = 256;

#[async_trait]
impl TaskSession for Services {
    async fn register(&self, request: Request<v1::Hello>) -> Result<Response<v1::Welcome>, Status> {
        let (metadata, _, hello) = request.into_parts();
        let (job, task): (JobId, TaskId) = (parse(&hello.job)?, parse(&hello.task)?);
        if !self.join_token(&job)?.matches(&metadata) {
            return Err(unauthenticated());
        }
        let attempt = Attempt(hello.attempt);
        let process = process_of(hello)?;
        let register = |reply| Ask::Register { job, task, attempt, process, reply };
        let registered = self.leader.ask(register).await.map_err(of_gone)?.map_err(|refusal| of_refusal(&refusal))?;
        let manifest = self.state.read_manifest(&registered.manifest_digest).map_err(|error| Status::internal(error.to_string()))?;
        let incarnation = registered.incarnation.0;
        let lease_ms = u64::try_from(registered.lease.as_millis()).unwrap_or(u64::MAX);
        Ok(Response::new(v1::Welcome { incarnation, job_file: registered.job_file, manifest: manifest.into(), lease_ms }))
    }

    type SessionStream = ReceiverStream<Result<v1::TaskView, Status>>;

    async fn session(&self, request: Request<Streaming<v1::Report>>) -> Result<Response<Self::SessionStream>, Status> {
        let (metadata, _, mut reports) = request.into_parts();
        let first = tokio::time::timeout(FIRST_REPORT_WITHIN, reports.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no report came"))??.ok_or_else(|| Status::cancelled("no report came"))?;
        let first = Report::try_from(first)?;
        let incarnation = first.incarnation;
        let whose = self.leader.ask(|reply| Ask::Whose { incarnation, reply }).await.map_err(of_gone)?;
        let Some((job, _)) = whose else {
            // Of those that were retired before this leader took office nothing is known: only that they are.
            let retired = || Status::failed_precondition(format!("incarnation {incarnation} is retired"));
            return Err(if self.is_some_jobs(&metadata) { retired() } else { unauthenticated() });
        };
        if !self.join_token(&job)?.matches(&metadata) {
            return Err(unauthenticated());
        }
        let open = self.leader.ask(|reply| Ask::Open { report: Box::new(first), reply }).await.map_err(of_gone)?;
        let OpenSession { number, views } = open.ok_or_else(|| Status::failed_precondition(format!("job {job} is forgotten")))?;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(show(views, sender));
        tokio::spawn(hear(self.leader.clone(), incarnation, number, reports));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl Services {
    fn join_token(&self, job: &JobId) -> Result<Bearer, Status> {
        // Whoever has no token learns nothing, not even which jobs there are.
        Bearer::from_file(&self.state.job_token(job)).map_err(|_| unauthenticated())
    }

    /// Whether the token is that of a job that is in use, whichever.
    fn is_some_jobs(&self, metadata: &MetadataMap) -> bool {
        self.state.job_tokens().iter().any(|path| Bearer::from_file(path).is_ok_and(|token| token.matches(metadata)))
    }
}

fn unauthenticated() -> Status {
    Status::unauthenticated("wrong or missing token")
}

fn process_of(hello: v1::Hello) -> Result<Process, Status> {
    let fits = |text: &String| text.len() <= TEXT_BYTES_MAX;
    let fine = (1..=NONCE_BYTES_MAX).contains(&hello.nonce.len())
        && hello.addresses.len() <= ADDRESSES_MAX
        && hello.addresses.iter().chain([&hello.host, &hello.kernel_path]).all(fits);
    if !fine {
        return Err(Status::invalid_argument("a Hello has a nonce of 1 to 64 bytes, at most 16 addresses, and texts of at most 256 bytes"));
    }
    let nonce = hello.nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Process { nonce, addresses: hello.addresses, host: hello.host, kernel_path: hello.kernel_path })
}

/// Sends the newest view whenever there is one, until the leader closes the session or nobody listens.
async fn show(mut views: watch::Receiver<Arc<TaskView>>, sender: mpsc::Sender<Result<v1::TaskView, Status>>) {
    loop {
        let view = v1::TaskView::from((**views.borrow_and_update()).clone());
        if sender.send(Ok(view)).await.is_err() {
            return;
        }
        tokio::select! {
            changed = views.changed() => if changed.is_err() { return },
            () = sender.closed() => return,
        }
    }
}

/// Hands reports to the leader, one at a time: a task that sends too many waits.
async fn hear(leader: Handle, incarnation: Incarnation, number: u64, mut reports: Streaming<v1::Report>) {
    loop {
        let report = match reports.message().await {
            Ok(Some(message)) => Report::try_from(message),
            Ok(None) => break,
            Err(status) => {
                tracing::debug!(%incarnation, %status, "a session broke");
                break;
            }
        };
        match report {
            Ok(report) if report.incarnation == incarnation => {
                // A report that is not taken comes again.
                let _ = leader.ask(|reply| Ask::Report { report: Box::new(report), reply }).await;
            }
            Ok(report) => {
                tracing::warn!(%incarnation, claims = %report.incarnation, "a report for another incarnation ends the session");
                break;
            }
            Err(malformed) => {
                tracing::warn!(%incarnation, %malformed, "a malformed report ends the session");
                break;
            }
        }
    }
    // Lost only if the leader is too busy; the next session of the incarnation takes this one's place.
    let _ = leader.tell(Ask::Close { incarnation, number });
}
