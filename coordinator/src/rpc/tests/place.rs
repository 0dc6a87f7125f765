//! A leader with a launcher that launches nothing, served on a Unix socket; and clients of it.

use crate::leader::fixture::{FakeLauncher, JOB_FILE, server_report};
use crate::leader::{Journal, Leader, Parts};
use crate::log::{FileLog, SEGMENT_BYTES};
use crate::outputs::Outputs;
use crate::prepare::Preparer;
use crate::rpc::incoming::{Listener, accept};
use crate::rpc::{Services, serve};
use crate::state_dir::{StateDir, make_token};
use crate::tokens::{Caller, Keeper};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_client::session::{Ended, Hello, Session};
use tfcoord_client::{Bearer, Endpoint};
use tfcoord_launch::{Exit, Launch, Launcher};
use tfcoord_proto::v1;
use tfcoord_proto::v1::coordinator_client::CoordinatorClient;
use tfcoord_proto::v1::task_session_client::TaskSessionClient;
use tfcoord_types::id::{Attempt, Incarnation, JobId, TaskId};
use tfcoord_types::job::{Format, Input};
use tfcoord_types::manifest::{DataSet, Label, Manifest, ManifestSummary};
use tfcoord_types::report::{Body, Exported, Fault, Report, WorkerReport};
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::{Directive, TaskView};
use tonic::Status;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

pub(super) const PATIENCE: Duration = Duration::from_secs(20);

type Client = CoordinatorClient<InterceptedService<Channel, Bearer>>;

pub(super) struct Place {
    lease_seconds: f64,
    _dir: tempfile::TempDir,
    endpoint: Endpoint,
    state: StateDir,
    pub(super) launcher: Arc<FakeLauncher>,
    pub(super) client: Client,
}

pub(super) fn variables() -> Vec<Variable> {
    let variable = |name: &str, shape, group| Variable { name: name.into(), shape, initializer: Initializer::Zeros, group, sync: None };
    vec![variable("dense_0/kernel", vec![8, 4], Group::Train), variable("curve", vec![3], Group::Curve)]
}

pub(super) fn exported(dir: &str) -> Exported {
    Exported { dir: format!("{dir}/model"), files: vec![("model.json".into(), 3, "ab".into())] }
}

impl Place {
    /// A coordinator whose jobs have this lease, if they are [submitted](Self::submit).
    pub(super) async fn new(lease: Duration) -> Self {
        let lease_seconds = lease.as_secs_f64();
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(&dir.path().join("state")).unwrap();
        let log = FileLog::open(&state.log(), SEGMENT_BYTES).unwrap();
        let (journal, cluster) = Journal::open(&state.log(), Box::new(log), 10).unwrap();
        let launcher = Arc::new(FakeLauncher::default());
        let lock = Arc::new(tfcoord_fs::lock(&state.lock()).unwrap());
        let outputs = Outputs::new(&state).unwrap();
        let parts = Parts {
            journal,
            cluster,
            state: state.clone(),
            outputs,
            errands: crate::errand::Errands::of_this_program(&state),
            lock,
            keeper: Keeper::nobody(),
            ended_jobs_kept: 1,
        };
        let fake = launcher.clone();
        let leader = Leader::start(parts, move |on_end| {
            fake.tell(on_end);
            Ok::<_, std::io::Error>(fake as Arc<dyn Launcher>)
        });
        make_token(&state.token()).unwrap();
        let token = Bearer::from_file(&state.token()).unwrap();
        let services = Services {
            leader: leader.unwrap().0.handle(),
            preparer: Arc::new(Preparer::new(dir.path(), &state)),
            errands: crate::errand::Errands::of_this_program(&state),
            launcher: launcher.clone(),
            state: state.clone(),
            token: token.clone(),
            tokens: Caller::new(vec!["/bin/false".into()]),
            keeper: Keeper::nobody(),
            ended_jobs_kept: 1,
        };
        let socket = dir.path().join("c.sock");
        let endpoint: Endpoint = format!("unix:{}", socket.display()).parse().unwrap();
        let (connections, _) = accept(vec![Listener::Unix(tokio::net::UnixListener::bind(&socket).unwrap())]);
        tokio::spawn(serve(services, connections, std::future::pending()));
        let channel = endpoint.connect(PATIENCE).await.unwrap();
        let place =
            Self { lease_seconds, endpoint, state, launcher, client: CoordinatorClient::with_interceptor(channel, token), _dir: dir };
        place.prepare_succeeds();
        place
    }

    fn prepare_succeeds(&self) {
        let set = DataSet { files: vec![], first: 0, records: 1000 };
        let manifest = Manifest {
            format: Format::Csv,
            train: set,
            eval: None,
            input: vec![8],
            label: Label::Class { names: ["a", "b", "c", "d"].map(String::from).into() },
            columns: vec![],
            scale: 1.0,
            label_column: None,
            missing: vec![],
        };
        let summary = ManifestSummary {
            digest: String::new(),
            records_digest: String::new(),
            train_records: 1000,
            eval_records: 0,
            input: Input::plain(&[8], 4),
            beside: Default::default(),
            holders: None,
        };
        let output = serde_json::json!({"manifest": manifest, "summary": summary});
        self.program(&format!("cat > \"$7\" <<'END'\n{output}\nEND"));
    }

    pub(super) fn prepare_fails(&self, text: &str) {
        self.program(&format!("cat >&2 <<'END'\n{text}\nEND\nexit 2"));
    }

    // Renamed into its place: a script that is being written cannot be run.
    fn program(&self, script: &str) {
        let path = self._dir.path().join("tfcoord-worker");
        let temp = path.with_extension("new");
        std::fs::write(&temp, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&temp, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(temp, path).unwrap();
    }

    pub(super) async fn submit(&mut self, request_id: &str) -> Result<JobId, Status> {
        let lease = format!("\"lease_seconds\": {}", self.lease_seconds);
        let job_file = JOB_FILE.replace("/out", self.outputs().to_str().unwrap()).replace("\"lease_seconds\": 10", &lease);
        self.submit_file(request_id, &job_file).await
    }

    /// The output directory of jobs.
    pub(super) fn outputs(&self) -> &Path {
        self._dir.path()
    }

    pub(super) async fn submit_file(&mut self, request_id: &str, job_file: &str) -> Result<JobId, Status> {
        let (request_id, job_file) = (request_id.to_owned(), job_file.to_owned());
        let request = v1::SubmitRequest { request_id, job_file, file_name: "/srv/ann/job.json".into(), resume: false, site: None };
        Ok(self.client.submit(request).await?.into_inner().job.parse().unwrap())
    }

    /// Waits until the job is as `is` says.
    pub(super) async fn until(&mut self, job: &JobId, is: impl Fn(&v1::Job) -> bool) -> v1::Job {
        let mut last = None;
        let looked = tokio::time::timeout(PATIENCE, async {
            loop {
                let job = self.client.get(v1::GetRequest { job: job.to_string() }).await.unwrap().into_inner();
                if is(&job) {
                    return job;
                }
                last = Some(job);
                tokio::time::sleep(Duration::from_millis(5)).await; // waits for: `is`, up to the timeout
            }
        });
        looked.await.unwrap_or_else(|_| panic!("waited in vain: {last:?}"))
    }

    /// Waits until the state directory is as `is` says.
    pub(super) async fn until_is(&self, what: &str, is: impl Fn(&StateDir) -> bool) {
        let looked = tokio::time::timeout(PATIENCE, async {
            while !is(&self.state) {
                tokio::time::sleep(Duration::from_millis(5)).await; // waits for: `is`, up to the timeout
            }
        });
        looked.await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
    }

    pub(super) fn end(&self, job: &JobId, task: TaskId, attempt: u32, exit: Exit) {
        self.launcher.end(&Launch { job: job.clone(), task, attempt: Attempt(attempt) }, exit);
    }

    /// The token is made with the first launch.
    pub(super) async fn join_token(&self, job: &JobId) -> String {
        let made = async {
            loop {
                match std::fs::read_to_string(self.state.job_token(job)) {
                    Ok(token) => return token,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, made).await.unwrap()
    }

    pub(super) async fn stranger(&self, token: &str) -> Client {
        let channel = self.endpoint.connect(PATIENCE).await.unwrap();
        let token = if token.is_empty() { "0" } else { token };
        CoordinatorClient::with_interceptor(channel, Bearer::new(token).unwrap())
    }

    pub(super) async fn open(&self, job: &JobId, task: TaskId, attempt: u32) -> Result<Task, Ended> {
        self.open_with(job, task, attempt, &self.join_token(job).await).await
    }

    pub(super) async fn open_with(&self, job: &JobId, task: TaskId, attempt: u32, token: &str) -> Result<Task, Ended> {
        let hello = Hello {
            job: job.clone(),
            task,
            attempt: Attempt(attempt),
            addresses: vec!["127.0.0.1:1".into()],
            host: "h".into(),
            kernel_path: "k".into(),
        };
        let (welcome, session) = Session::open(&self.endpoint, &Bearer::new(token).unwrap(), hello, PATIENCE).await?;
        let manifest: Manifest = serde_json::from_slice(&welcome.manifest).unwrap();
        assert_eq!(manifest.train.records, 1000);
        Ok(Task { incarnation: welcome.incarnation, session })
    }

    pub(super) async fn task(&self, job: &JobId, task: TaskId, attempt: u32) -> Task {
        self.open(job, task, attempt).await.unwrap()
    }

    /// The first view of a stream that begins with this report.
    pub(super) async fn session(&self, job: &JobId, report: Report) -> Result<TaskView, Status> {
        let channel = self.endpoint.connect(PATIENCE).await.unwrap();
        let mut client = TaskSessionClient::with_interceptor(channel, Bearer::new(&self.join_token(job).await).unwrap());
        let mut views = client.session(tokio_stream::iter([v1::Report::from(report)])).await?.into_inner();
        let view = tokio::time::timeout(PATIENCE, views.message()).await.unwrap()?;
        Ok(view.unwrap().try_into().unwrap())
    }
}

/// A task that the test plays.
#[derive(Debug)]
pub(super) struct Task {
    incarnation: Incarnation,
    session: Session,
}

impl Task {
    pub(super) fn view(&self) -> TaskView {
        (**self.session.views().borrow()).clone()
    }

    pub(super) fn directive(&self) -> Directive {
        self.view().directive
    }

    pub(super) async fn until(&self, is: impl Fn(&TaskView) -> bool) -> TaskView {
        let mut views = self.session.views();
        let seen = tokio::time::timeout(PATIENCE, views.wait_for(|view| is(view))).await;
        (**seen.unwrap_or_else(|_| panic!("waited in vain: {:?}", self.view())).unwrap()).clone()
    }

    pub(super) fn report_now(&self) -> Report {
        let view = self.view();
        let body = Body::Worker(WorkerReport::default());
        Report { incarnation: self.incarnation, applied: view.revision, generation: view.generation, body, fault: None }
    }

    pub(super) fn report(&self, body: Body) {
        self.session.report(Report { body, ..self.report_now() });
    }

    pub(super) fn reach(&self, step: u64) {
        self.report(server_report(self.view().generation, step).body);
    }

    pub(super) fn fault(&self, fault: Fault) {
        self.session.report(Report { fault: Some(fault), ..self.report_now() });
    }
}
