use super::*;
use std::path::Path;
use std::pin::Pin;
use std::sync::Mutex;
use tfcoord_proto::v1;
use tfcoord_proto::v1::task_session_server::{TaskSession, TaskSessionServer};
use tfcoord_types::figures::Counts;
use tfcoord_types::id::{Generation, Revision};
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::{Body, EvaluatedShard, Fault, FaultKind, ServerReport, WorkerReport};
use tfcoord_types::view::Directive;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

const PATIENCE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_millis(700);

type Views = mpsc::Sender<Result<v1::TaskView, Status>>;

/// What one coordinator has seen; streams come out as they open.
#[derive(Clone)]
struct Coordinator {
    refuse: Arc<Mutex<Vec<Status>>>,
    hellos: mpsc::UnboundedSender<v1::Hello>,
    sessions: mpsc::UnboundedSender<(Views, Streaming<v1::Report>)>,
}

#[tonic::async_trait]
impl TaskSession for Coordinator {
    async fn register(&self, request: Request<v1::Hello>) -> Result<Response<v1::Welcome>, Status> {
        let _ = self.hellos.send(request.into_inner());
        match self.refuse.lock().unwrap().pop() {
            Some(status) => Err(status),
            None => Ok(Response::new(v1::Welcome {
                incarnation: 7,
                job_file: "{}".into(),
                manifest: Bytes::from_static(b"m"),
                lease_ms: u64::try_from(LEASE.as_millis()).unwrap(),
            })),
        }
    }

    type SessionStream = Pin<Box<dyn Stream<Item = Result<v1::TaskView, Status>> + Send>>;

    async fn session(&self, request: Request<Streaming<v1::Report>>) -> Result<Response<Self::SessionStream>, Status> {
        let (views, receiver) = mpsc::channel(8);
        let _ = self.sessions.send((views, request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

struct Fixture {
    dir: tempfile::TempDir,
    coordinator: Coordinator,
    hellos: mpsc::UnboundedReceiver<v1::Hello>,
    sessions: mpsc::UnboundedReceiver<(Views, Streaming<v1::Report>)>,
}

impl Fixture {
    fn new() -> Self {
        let (hello_sender, hellos) = mpsc::unbounded_channel();
        let (session_sender, sessions) = mpsc::unbounded_channel();
        let coordinator = Coordinator { refuse: Arc::default(), hellos: hello_sender, sessions: session_sender };
        Self { dir: tempfile::tempdir().unwrap(), coordinator, hellos, sessions }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.dir.path().join("c.sock")
    }

    fn serve(&self) -> AbortHandle {
        serve(&self.socket(), self.coordinator.clone())
    }

    fn open(&self, grace: Duration) -> tokio::task::JoinHandle<Result<(Welcome, Session), Ended>> {
        let endpoint: Endpoint = format!("unix:{}", self.socket().display()).parse().unwrap();
        let hello = Hello {
            job: "demo-1".parse().unwrap(),
            task: TaskId::server(0),
            attempt: Attempt(1),
            addresses: vec!["127.0.0.1:1".into()],
            host: "h".into(),
            kernel_path: String::new(),
        };
        tokio::spawn(async move { Session::open(&endpoint, &Bearer::new("abcd").unwrap(), hello, grace).await })
    }

    async fn session(&mut self) -> (Views, Streaming<v1::Report>) {
        tokio::time::timeout(PATIENCE, self.sessions.recv()).await.unwrap().unwrap()
    }
}

fn serve(socket: &Path, coordinator: Coordinator) -> AbortHandle {
    let _ = std::fs::remove_file(socket);
    let incoming = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
    let guard = Bearer::new("abcd").unwrap().guard();
    let service = TaskSessionServer::with_interceptor(coordinator, guard);
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming)).abort_handle()
}

fn view(revision: u64) -> v1::TaskView {
    TaskView {
        revision: Revision(revision),
        incarnation: Incarnation(7),
        directive: Directive::Wait,
        generation: Generation(1),
        plan: TrainPlan { records: 8, batch_size: 2, micro_batches: 1, epochs: 1 },
        placement: None,
        servers: vec![],
        owners: vec![None],
        workers: vec![],
        leases: vec![],
        run_until: 0,
        evaluate: None,
        export: None,
        evaluations: vec![],
        restore: None,
        cut: None,
    }
    .into()
}

fn report(applied: u64) -> Report {
    let body = Body::Server(ServerReport::default());
    Report { incarnation: Incarnation(7), applied: Revision(applied), generation: Generation(1), body, fault: None }
}

#[tokio::test]
async fn registers_until_there_is_a_coordinator_and_tells_the_newest() {
    let mut fixture = Fixture::new();
    let opening = fixture.open(PATIENCE);
    fixture.coordinator.refuse.lock().unwrap().push(Status::unavailable("not yet"));
    fixture.serve();
    let (views, mut reports) = fixture.session().await;
    let first = reports.next().await.unwrap().unwrap();
    assert_eq!((first.incarnation, first.applied_revision), (7, 0));
    views.send(Ok(view(3))).await.unwrap();
    let (welcome, session) = opening.await.unwrap().unwrap();
    assert_eq!((welcome.incarnation, &welcome.manifest[..]), (Incarnation(7), &b"m"[..]));

    let nonces = [fixture.hellos.recv().await.unwrap().nonce, fixture.hellos.recv().await.unwrap().nonce];
    assert_eq!(nonces[0], nonces[1], "one process, one nonce");
    assert_eq!(nonces[0].len(), 16);

    let mut newest = session.views();
    views.send(Ok(view(2))).await.unwrap();
    views.send(Ok(view(5))).await.unwrap();
    newest.changed().await.unwrap();
    assert_eq!(newest.borrow_and_update().revision, Revision(5), "an older view changes nothing");

    for applied in 1..=5 {
        session.report(report(applied));
    }
    let next = reports.next().await.unwrap().unwrap();
    assert_eq!(next.applied_revision, 5, "only the newest goes out");
    assert_eq!(reports.next().await.unwrap().unwrap().applied_revision, 5, "and is said again");
}

#[tokio::test]
async fn what_the_job_waits_for_does_not_wait_for_the_gap() {
    let server = |step: u64| Report { body: Body::Server(ServerReport { reached: Some(step), ..ServerReport::default() }), ..report(3) };
    let worker = |step: u64, evaluated: &[u32]| {
        let shard = |shard: &u32| EvaluatedShard { evaluation: 1, shard: *shard, counts: Counts::default() };
        let body = WorkerReport { step, evaluated: evaluated.iter().map(shard).collect(), ..WorkerReport::default() };
        Report { body: Body::Worker(body), ..report(3) }
    };
    let fault = Some(Fault { kind: FaultKind::Task, message: "broken".into() });
    for (first, figure, awaited) in [
        (server(7), server(8), server(9)),
        (worker(7, &[]), worker(8, &[]), worker(8, &[2])),
        (worker(7, &[2]), worker(8, &[2]), worker(8, &[2, 3])),
        (server(7), server(8), Report { fault, ..server(8) }),
        // Nobody owns the view's lane.
        (server(7), server(8), Report { applied: Revision(4), ..server(8) }),
    ] {
        let newest = TaskView { run_until: 9, ..TaskView::try_from(view(3)).unwrap() };
        let (views, (reporter, mut reports)) = (watch::channel(Arc::new(newest)).1, watch::channel(first));
        let (_closing, mut closing) = watch::channel(false);
        let (up, mut sent) = mpsc::channel(1);
        // The gap is never over: a figure alone goes nowhere.
        let never = keep::Pace { gap: Duration::MAX, every: Duration::MAX };
        let sending = async move { keep::send(up, &mut reports, &mut closing, &views, never).await };
        let sending = tokio::spawn(sending);
        reporter.send_replace(figure);
        tokio::task::yield_now().await;
        assert!(sent.try_recv().is_err());
        reporter.send_replace(awaited.clone());
        let sent = tokio::time::timeout(PATIENCE, sent.recv()).await.unwrap().unwrap();
        assert_eq!(Report::try_from(sent).unwrap(), awaited);
        sending.abort();
    }
}

#[tokio::test]
async fn a_broken_stream_is_opened_again() {
    let mut fixture = Fixture::new();
    let server = fixture.serve();
    let opening = fixture.open(PATIENCE);
    let (views, reports) = fixture.session().await;
    views.send(Ok(view(3))).await.unwrap();
    let (_, session) = opening.await.unwrap().unwrap();
    session.report(report(3));
    server.abort();
    drop((views, reports));
    fixture.serve();
    let (views, mut reports) = fixture.session().await;
    assert_eq!(reports.next().await.unwrap().unwrap().applied_revision, 3, "the first report is the newest");
    let mut newest = session.views();
    views.send(Ok(view(9))).await.unwrap();
    newest.wait_for(|view| view.revision == Revision(9)).await.unwrap();
    assert!(fixture.hellos.recv().await.is_some());
    assert!(fixture.hellos.try_recv().is_err(), "registered once");
}

#[tokio::test]
async fn without_a_session_for_the_grace_time_it_is_orphaned() {
    let mut fixture = Fixture::new();
    let server = fixture.serve();
    let opening = fixture.open(Duration::from_millis(300));
    let (views, reports) = fixture.session().await;
    views.send(Ok(view(3))).await.unwrap();
    let (_, session) = opening.await.unwrap().unwrap();
    server.abort();
    drop((views, reports));
    let ended = tokio::time::timeout(PATIENCE, session.ended()).await.unwrap();
    assert!(matches!(ended, Ended::Orphaned { grace_ms: 300, .. }), "{ended}");
}

#[tokio::test]
async fn one_that_does_not_answer_was_lost_before_that_was_seen() {
    let fixture = Fixture::new();
    // As of a coordinator that is stopped: it can be connected to, and nothing comes back.
    let _silent = std::os::unix::net::UnixListener::bind(fixture.socket()).unwrap();
    let endpoint: Endpoint = format!("unix:{}", fixture.socket().display()).parse().unwrap();
    let mut reach = register::Reach::new(&endpoint, &Bearer::new("abcd").unwrap(), PATIENCE);
    let begun = std::time::Instant::now();
    let call = async |mut client: register::Client| Ok(client.register(v1::Hello::default()).await?.into_inner());
    let ended = reach.repeat(PATIENCE - Duration::from_secs(2), call).await.unwrap_err();
    assert!(matches!(ended, Ended::Orphaned { .. }), "{ended}");
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn one_that_stops_is_missed_from_its_last_word_on() {
    const GRACE: Duration = Duration::from_secs(4);
    let mut fixture = Fixture::new();
    let (socket, coordinator) = (fixture.socket(), fixture.coordinator.clone());
    let ((stop, stopped), (end, ended)) = (tokio::sync::oneshot::channel::<()>(), std::sync::mpsc::channel::<()>());
    let serving = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            serve(&socket, coordinator);
            let _ = stopped.await;
            // Its only thread stands still, and its connections are open.
            let _ = ended.recv();
        });
    });
    let opening = fixture.open(GRACE);
    let (views, _reports) = fixture.session().await;
    views.send(Ok(view(3))).await.unwrap();
    let (_, session) = opening.await.unwrap().unwrap();
    stop.send(()).unwrap();
    // That it is silent is seen after a half, which counts.
    let ended = tokio::time::timeout(GRACE + GRACE * 3 / 8, session.ended()).await.unwrap();
    assert!(matches!(ended, Ended::Orphaned { .. }), "{ended}");
    drop(end);
    serving.join().unwrap();
}

#[tokio::test]
async fn a_coordinator_that_never_shows_a_view_is_no_session() {
    let fixture = Fixture::new();
    fixture.serve();
    let ended = tokio::time::timeout(PATIENCE, fixture.open(Duration::from_millis(300))).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(ended, Ended::Orphaned { .. }), "{ended}");
}

#[tokio::test]
async fn refusals_are_final() {
    let mut fixture = Fixture::new();
    fixture.serve();
    fixture.coordinator.refuse.lock().unwrap().push(Status::failed_precondition("attempt 1 is over"));
    let ended = fixture.open(PATIENCE).await.unwrap().unwrap_err();
    assert!(matches!(&ended, Ended::Refused { code: tonic::Code::FailedPrecondition, message, .. } if message == "attempt 1 is over"));

    let opening = fixture.open(PATIENCE);
    let (views, _reports) = fixture.session().await;
    views.send(Ok(view(3))).await.unwrap();
    let (_, session) = opening.await.unwrap().unwrap();
    views.send(Err(Status::failed_precondition("retired"))).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, session.ended()).await.unwrap();
    assert!(matches!(ended, Ended::Refused { code: tonic::Code::FailedPrecondition, .. }));
}

#[tokio::test]
async fn closing_sends_the_last_report_first() {
    let mut fixture = Fixture::new();
    fixture.serve();
    let opening = fixture.open(PATIENCE);
    let (views, mut reports) = fixture.session().await;
    views.send(Ok(view(3))).await.unwrap();
    let (_, session) = opening.await.unwrap().unwrap();
    let fault = Some(Fault { kind: FaultKind::NotFinite, message: "step 3".into() });
    session.report(Report { fault, ..report(3) });
    let closing = tokio::spawn(session.close(PATIENCE));
    let mut last = None;
    while let Some(Ok(report)) = reports.next().await {
        last = Some(report);
    }
    assert_eq!(last.unwrap().fault.unwrap().message, "step 3");
    drop(views);
    tokio::time::timeout(PATIENCE / 2, closing).await.unwrap().unwrap();
}
