//! A coordinator that says what it is told to say.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tfcoord_client::Bearer;
use tfcoord_proto::v1;
use tfcoord_proto::v1::coordinator_server::{Coordinator, CoordinatorServer};
use tokio::net::UnixListener;
use tokio::sync::{oneshot, watch};
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

pub const TOKEN: &str = "00c0ffee";
pub const JOB: &str = "fashion-mnist-7";

/// What it was asked, and what it answers.
pub struct Shared {
    pub submits: Mutex<Vec<v1::SubmitRequest>>,
    pub cancels: Mutex<Vec<v1::CancelRequest>>,
    pub watches: Mutex<Vec<u64>>,
    /// Said to the next submissions instead of a job.
    pub refusals: Mutex<Vec<Status>>,
    pub logs: Mutex<Vec<v1::LogLines>>,
    job: watch::Sender<v1::Job>,
}

impl Shared {
    /// The job as it is from now on; its revision grows.
    pub fn change(&self, change: impl FnOnce(&mut v1::Job)) {
        self.job.send_modify(|job| {
            change(job);
            job.revision += 1;
        });
    }
}

/// A running one. It stops when it is dropped, and every connection breaks.
pub struct Fake {
    pub shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    /// Listens on `socket`.
    pub fn listen(socket: &Path) -> Self {
        let (job, _) = watch::channel(admitted());
        let (submits, cancels, watches, refusals, logs) = Default::default();
        Self::go_on(socket, Arc::new(Shared { submits, cancels, watches, refusals, logs, job }))
    }

    /// Listens on `socket` with what another one knew.
    pub fn go_on(socket: &Path, shared: Arc<Shared>) -> Self {
        let _ = std::fs::remove_file(socket);
        let (stop, stopped) = oneshot::channel();
        let (listening, is_listening) = std::sync::mpsc::channel();
        let (served, path) = (Service(shared.clone()), PathBuf::from(socket));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let incoming = UnixListenerStream::new(UnixListener::bind(path).unwrap());
                listening.send(()).unwrap();
                let service = CoordinatorServer::with_interceptor(served, Bearer::new(TOKEN).unwrap().guard());
                let server = Server::builder().add_service(service).serve_with_incoming(incoming);
                tokio::select! { result = server => result.unwrap(), _ = stopped => {} }
            });
        });
        is_listening.recv().unwrap();
        Self { shared, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().unwrap().join();
    }
}

/// The job as it is first.
pub fn admitted() -> v1::Job {
    let plan = v1::Plan {
        train_records: 8000,
        eval_records: 2000,
        batch_size: 128,
        micro_batches: 4,
        steps_per_epoch: 63,
        epochs: 10,
        workers: 2,
        servers: 1,
        parameters: 0,
        worker_bytes: 21_500_000,
        server_bytes: 12 << 20,
        sync: "bsp".into(),
        locality: None,
    };
    let task = |task: &str| v1::Task { task: task.into(), state: "registered".into(), attempt: 1, ..v1::Task::default() };
    v1::Job {
        id: JOB.into(),
        revision: 1,
        state: v1::JobState::Admitted.into(),
        submitted_at_ms: 1000,
        tasks: vec![task("ps-0"), task("worker-0"), task("worker-1")],
        plan: Some(plan),
        classes: vec!["cat".into(), "dog".into()],
        ..v1::Job::default()
    }
}

/// Running, after so many steps.
pub fn run_to(job: &mut v1::Job, step: u64) {
    job.set_state(v1::JobState::Running);
    let figures = (Some(0.5), Some(0.75), Some(4.0));
    let (loss, accuracy, seconds_left) = figures;
    job.progress = Some(v1::Progress { epoch: 0, step, steps: 630, loss, accuracy, records_per_s: 1000.0, seconds_left, workers_alive: 2 });
}

/// Evaluated once more.
pub fn evaluate(job: &mut v1::Job) {
    let epoch = u32::try_from(job.evaluations.len()).unwrap() + 1;
    let confusion = vec![900, 100, 158, 842];
    let (loss, accuracy) = (0.36, Some(0.871));
    job.evaluations.push(v1::Evaluation { epoch, step: 63, records: 2000, loss, accuracy, auc: None, confusion, correct: 1742 });
}

/// Succeeded.
pub fn succeed(job: &mut v1::Job) {
    job.set_state(v1::JobState::Succeeded);
    job.ended_at_ms = 13_000;
    let (model_dir, tensorboard_dir) = (format!("/out/{JOB}/model"), format!("/out/{JOB}/tensorboard"));
    job.outputs = Some(v1::Outputs { model_dir, tensorboard_dir, files: vec![] });
}

/// Ended without success.
pub fn end(job: &mut v1::Job, state: v1::JobState, reason: &str) {
    job.set_state(state);
    (job.reason, job.ended_at_ms) = (reason.into(), 13_000);
}

struct Service(Arc<Shared>);

impl Service {
    fn known(&self, job: &str) -> Result<v1::Job, Status> {
        if job == JOB { Ok(self.0.job.borrow().clone()) } else { Err(Status::not_found(format!("there is no job {job}"))) }
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Coordinator for Service {
    type WatchStream = Answers<v1::Job>;
    type LogsStream = Answers<v1::LogLines>;

    async fn submit(&self, request: Request<v1::SubmitRequest>) -> Result<Response<v1::SubmitReply>, Status> {
        self.0.submits.lock().unwrap().push(request.into_inner());
        match self.0.refusals.lock().unwrap().pop() {
            Some(status) => Err(status),
            None => Ok(Response::new(v1::SubmitReply { job: JOB.into(), revision: 1 })),
        }
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::Job>, Status> {
        self.known(&request.into_inner().job).map(Response::new)
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListReply>, Status> {
        let job = self.known(JOB)?;
        let jobs = if request.into_inner().all || job.ended_at_ms == 0 { vec![job] } else { vec![] };
        Ok(Response::new(v1::ListReply { jobs }))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let v1::WatchRequest { job, after_revision } = request.into_inner();
        self.known(&job)?;
        self.0.watches.lock().unwrap().push(after_revision);
        let newer = WatchStream::new(self.0.job.subscribe()).filter(move |job| job.revision > after_revision);
        Ok(Response::new(Box::pin(newer.map(Ok))))
    }

    async fn cancel(&self, request: Request<v1::CancelRequest>) -> Result<Response<v1::Job>, Status> {
        let request = request.into_inner();
        if self.known(&request.job)?.ended_at_ms == 0 {
            self.0.change(|job| end(job, v1::JobState::Cancelled, &request.reason));
        }
        self.0.cancels.lock().unwrap().push(request);
        self.known(JOB).map(Response::new)
    }

    async fn scale(&self, request: Request<v1::ScaleRequest>) -> Result<Response<v1::Job>, Status> {
        let v1::ScaleRequest { job, workers } = request.into_inner();
        self.known(&job)?;
        self.0.change(|job| job.plan.get_or_insert_default().workers = workers);
        self.known(JOB).map(Response::new)
    }

    async fn logs(&self, request: Request<v1::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let v1::LogsRequest { job, task, follow } = request.into_inner();
        self.known(&job)?;
        let mut lines = self.0.logs.lock().unwrap().clone();
        lines.retain(|lines| task.is_empty() || task == lines.task);
        let now = tokio_stream::iter(lines).map(Ok);
        if !follow {
            return Ok(Response::new(Box::pin(now)));
        }
        // As long as the job goes on, nothing more is printed.
        let ended = WatchStream::new(self.0.job.subscribe()).take_while(|job| job.ended_at_ms == 0);
        let nothing = ended.map(|_| Ok(v1::LogLines::default()));
        Ok(Response::new(Box::pin(now.chain(nothing))))
    }
}
