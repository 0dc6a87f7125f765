//! A coordinator that says what the test wants it to.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tfcoord_client::Bearer;
use tfcoord_proto::v1;
use tfcoord_proto::v1::task_session_server::{TaskSession, TaskSessionServer};
use tfcoord_types::id::Incarnation;
use tfcoord_types::report::Report;
use tfcoord_types::view::TaskView;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

pub const TOKEN: &str = "abcd";

/// What goes to all tasks and what came from them, by incarnation.
pub struct Stage {
    pub job_file: String,
    pub view: watch::Sender<TaskView>,
    pub hellos: watch::Sender<BTreeMap<u64, v1::Hello>>,
    pub reports: watch::Sender<BTreeMap<u64, Report>>,
    pub refuse: Mutex<Option<Status>>,
    /// True breaks every session.
    pub lost: watch::Sender<bool>,
}

#[derive(Clone)]
struct Session(Arc<Stage>);

/// Serves until the handle is aborted.
pub fn serve(stage: Arc<Stage>, socket: &Path) -> tokio::task::AbortHandle {
    let incoming = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
    let service = TaskSessionServer::with_interceptor(Session(stage), Bearer::new(TOKEN).unwrap().guard());
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming)).abort_handle()
}

/// ps-0 is incarnation 10, ps-1 is 11.
pub fn incarnation(slot: u32) -> u64 {
    10 + u64::from(slot)
}

#[tonic::async_trait]
impl TaskSession for Session {
    async fn register(&self, request: Request<v1::Hello>) -> Result<Response<v1::Welcome>, Status> {
        if let Some(status) = self.0.refuse.lock().unwrap().clone() {
            return Err(status);
        }
        let hello = request.into_inner();
        let incarnation = incarnation(hello.task.strip_prefix("ps-").unwrap().parse().unwrap());
        self.0.hellos.send_modify(|hellos| drop(hellos.insert(incarnation, hello)));
        let (job_file, manifest) = (self.0.job_file.clone(), Vec::new().into());
        Ok(Response::new(v1::Welcome { incarnation, job_file, manifest, lease_ms: 2000 }))
    }

    type SessionStream = Pin<Box<dyn Stream<Item = Result<v1::TaskView, Status>> + Send>>;

    async fn session(&self, request: Request<Streaming<v1::Report>>) -> Result<Response<Self::SessionStream>, Status> {
        let mut reports = request.into_inner();
        let first = reports.message().await?.unwrap();
        let incarnation = Incarnation(first.incarnation);
        let stage = self.0.clone();
        let (ended, end) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok(Some(report)) = reports.message().await {
                let report = Report::try_from(report).unwrap();
                stage.reports.send_modify(|reports| drop(reports.insert(report.incarnation.0, report)));
            }
            ended.send_replace(true);
        });
        // A task that ends its stream has said everything.
        let views = WatchStream::new(self.0.view.subscribe()).map(move |view| Some(TaskView { incarnation, ..view }));
        let ends = WatchStream::from_changes(end).map(|_| None);
        let lost = WatchStream::from_changes(self.0.lost.subscribe()).map(|_| None);
        let views = views.merge(ends).merge(lost).take_while(Option::is_some).map(|view| Ok(view.unwrap().into()));
        Ok(Response::new(Box::pin(views)))
    }
}
