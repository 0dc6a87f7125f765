//! Keeps a session up: one stream after the other.

use super::Ended;
use super::register::{Client, Reach, is_final};
use std::sync::Arc;
use std::time::Duration;
use tfcoord_proto::v1;
use tfcoord_types::id::{Generation, Incarnation, Revision, Role};
use tfcoord_types::report::{Body, Report, ServerReport, WorkerReport};
use tfcoord_types::timing::Timing;
use tfcoord_types::view::TaskView;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// See [`Pace::gap`].
const REPORT_GAP: Duration = Duration::from_millis(50);

/// The session's other ends, for those who use it.
pub(super) struct Ends {
    pub(super) views: watch::Receiver<Arc<TaskView>>,
    pub(super) reports: watch::Sender<Report>,
    pub(super) closing: watch::Sender<bool>,
}

pub(super) struct Keeper {
    reach: Reach,
    stream: Option<Stream>,
    views: watch::Sender<Arc<TaskView>>,
    reports: watch::Receiver<Report>,
    closing: watch::Receiver<bool>,
    pace: Pace,
}

/// How often reports are sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Changes within this time go out together, unless the job waits for one of them.
    pub(super) gap: Duration,
    /// A report is sent again after this time, changed or not.
    pub(super) every: Duration,
}

/// One open stream.
struct Stream {
    up: mpsc::Sender<v1::Report>,
    down: Streaming<v1::TaskView>,
}

/// Opens the first stream.
pub(super) async fn begin(mut reach: Reach, role: Role, incarnation: Incarnation, lease: Duration) -> Result<(Keeper, Ends), Ended> {
    let body = match role {
        Role::ParameterServer => Body::Server(ServerReport::default()),
        Role::Worker => Body::Worker(WorkerReport::default()),
    };
    let first = Report { incarnation, applied: Revision(0), generation: Generation(0), body, fault: None };
    let (stream, view) = open(&mut reach, Duration::ZERO, &first).await?;
    let (view_sender, views) = watch::channel(Arc::new(view));
    let (reports, report_receiver) = watch::channel(first);
    let (closing, closing_receiver) = watch::channel(false);
    let pace = Pace { gap: REPORT_GAP, every: Timing::heartbeat(lease) };
    let keeper = Keeper { reach, stream: Some(stream), views: view_sender, reports: report_receiver, closing: closing_receiver, pace };
    Ok((keeper, Ends { views, reports, closing }))
}

/// A session is open once its first view is there.
async fn open(reach: &mut Reach, silence: Duration, report: &Report) -> Result<(Stream, TaskView), Ended> {
    let incarnation = report.incarnation;
    let report = v1::Report::from(report.clone());
    let call = |mut client: Client| {
        let (up, reports) = mpsc::channel(1);
        up.try_send(report.clone()).expect("the channel is new");
        async move {
            let mut down = client.session(ReceiverStream::new(reports)).await?.into_inner();
            let view = next(&mut down, incarnation).await?;
            Ok((Stream { up, down }, view))
        }
    };
    reach.repeat(silence, call).await
}

async fn next(down: &mut Streaming<v1::TaskView>, incarnation: Incarnation) -> Result<TaskView, Status> {
    let message = down.message().await?.ok_or_else(|| Status::unavailable("the coordinator ended the session"))?;
    // A malformed view is the coordinator's fault, not a refusal: another connection may fare better.
    let view = TaskView::try_from(message).map_err(|malformed| Status::unavailable(malformed.to_string()))?;
    if view.incarnation != incarnation {
        return Err(Status::unavailable(format!("a view for incarnation {} came to {incarnation}", view.incarnation)));
    }
    Ok(view)
}

impl Keeper {
    pub(super) async fn keep(mut self) -> Ended {
        loop {
            let stream = match self.stream.take() {
                Some(stream) => stream,
                None => match self.open_again().await {
                    Ok(stream) => stream,
                    Err(ended) => return ended,
                },
            };
            let status = self.follow(stream).await;
            if *self.closing.borrow() {
                return Ended::Closed;
            }
            if is_final(status.code()) {
                return self.reach.refused(&status);
            }
            tracing::warn!("lost the session, connecting again: {}", status.message());
            self.reach.pause().await;
        }
    }

    async fn open_again(&mut self) -> Result<Stream, Ended> {
        let report = self.reports.borrow_and_update().clone();
        let silence = self.reach.silence();
        let (stream, view) = open(&mut self.reach, silence, &report).await?;
        self.show(view);
        tracing::info!("in session again");
        Ok(stream)
    }

    /// Exchanges views and reports until the stream breaks.
    async fn follow(&mut self, stream: Stream) -> Status {
        let Stream { up, mut down } = stream;
        let incarnation = self.reports.borrow().incarnation;
        let (mut reports, mut closing, views, pace) = (self.reports.clone(), self.closing.clone(), self.views.subscribe(), self.pace);
        let sending = async move {
            send(up, &mut reports, &mut closing, &views, pace).await;
            std::future::pending().await
        };
        let receiving = async {
            loop {
                match next(&mut down, incarnation).await {
                    Ok(view) => self.show(view),
                    Err(status) => return status,
                }
            }
        };
        tokio::select! {
            status = receiving => status,
            status = sending => status,
        }
    }

    fn show(&self, view: TaskView) {
        self.views.send_if_modified(|newest| {
            let news = view.revision >= newest.revision && view != **newest;
            if news {
                *newest = Arc::new(view);
            }
            news
        });
    }
}

/// Sends the newest report when it changes and with every heartbeat; returns when closing, the last report sent.
pub(super) async fn send(
    up: mpsc::Sender<v1::Report>,
    reports: &mut watch::Receiver<Report>,
    closing: &mut watch::Receiver<bool>,
    views: &watch::Receiver<Arc<TaskView>>,
    pace: Pace,
) {
    // What the stream was opened with has been sent.
    let mut sent = reports.borrow().clone();
    loop {
        let due = async {
            let gap = tokio::time::sleep(pace.gap);
            tokio::pin!(gap);
            // Changes are looked at one by one until the gap is over.
            loop {
                tokio::select! {
                    () = &mut gap => break,
                    Ok(()) = reports.changed() => if is_awaited(&sent, &reports.borrow_and_update(), &views.borrow()) { return },
                }
            }
            if *reports.borrow() == sent {
                let changed = tokio::time::timeout(pace.every.saturating_sub(pace.gap), reports.changed()).await;
                debug_assert!(!matches!(changed, Ok(Err(_))), "the session outlives its keeper");
            }
        };
        let last = tokio::select! {
            () = due => false,
            _ = closing.wait_for(|closing| *closing) => true,
        };
        sent = reports.borrow_and_update().clone();
        if up.send(sent.clone().into()).await.is_err() || last {
            return;
        }
    }
}

/// Whether the job goes on only once the coordinator knows what has changed since `sent`. Steps in between are figures.
fn is_awaited(sent: &Report, now: &Report, view: &TaskView) -> bool {
    let body = match (&sent.body, &now.body) {
        (Body::Worker(sent), Body::Worker(now)) => {
            (&sent.variables, &sent.evaluated, &sent.exported) != (&now.variables, &now.evaluated, &now.exported)
        }
        (Body::Server(sent), Body::Server(now)) => sent.reached != now.reached && now.reached == Some(view.run_until),
        (Body::Worker(_), Body::Server(_)) | (Body::Server(_), Body::Worker(_)) => true,
    };
    // While a lane has no owner, its grant waits for the servers to have seen that.
    let fences = sent.applied != now.applied && matches!(now.body, Body::Server(_)) && view.owners.contains(&None);
    body || fences || sent.fault != now.fault
}
