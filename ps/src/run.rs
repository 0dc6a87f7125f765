//! From the sockets to the exit code.

use crate::arguments::Arguments;
use crate::ask::Ask;
use crate::board::{Board, Place};
use crate::checkpoint::Checkpoints;
use crate::holder::{ASKS, Holder};
use crate::link::Link;
use crate::service::Service;
use crate::sockets::{self, Sockets};
use anyhow::{Context, Result};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tfcoord_client::Bearer;
use tfcoord_client::session::{Ended, FAULT, FENCED, Hello, STOPPED, Session, Welcome};
use tfcoord_exchange::grpc::PATIENCE;
use tfcoord_exchange::{Grpc, serve};
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::Location;
use tfcoord_ps_core::{Config, Server};
use tfcoord_telemetry::prometheus::{self, Role};
use tfcoord_types::id::Attempt;
use tfcoord_types::job::{self, JobFile};
use tfcoord_types::view::Directive;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// How long streams and the last report may take at the end.
const END_WITHIN: Duration = Duration::from_secs(1);
/// How long the last events may take that go to HDFS: less than the coordinator waits before it kills.
const END_REMOTE_WITHIN: Duration = Duration::from_secs(4);
const PANIC: u8 = 101;
const TERMINATED: u8 = 128 + 15;

/// Runs the server to its end.
///
/// # Errors
/// What keeps it from starting.
pub async fn run(arguments: Arguments) -> Result<u8> {
    let token = Bearer::from_file(&arguments.token_file)?;
    let Sockets { listeners, advertised, file: _socket } = sockets::bind(&arguments).await?;
    if let Some(listen) = arguments.metrics_listen {
        prometheus::listen(listen, Role::ParameterServer, &arguments.dir).await?;
    }
    tfcoord_fault::point!("ps.sockets.bound");
    tracing::info!("listening on {}", advertised.join(" "));
    let hello = Hello {
        job: arguments.job.clone(),
        task: arguments.task,
        attempt: Attempt(arguments.attempt),
        addresses: advertised,
        host: arguments.host(),
        kernel_path: String::new(),
    };
    let grace = Duration::from_millis(arguments.orphan_grace_ms);
    let (welcome, session) = match Session::open(&arguments.coordinator, &token, hello, grace).await {
        Ok(opened) => opened,
        Err(ended) => return Ok(exit_code(&ended)),
    };
    tracing::info!("registered as incarnation {}", welcome.incarnation);
    tfcoord_fault::point!("ps.registered");
    let job = job::parse("the admitted job file", &welcome.job_file)?;
    let part = Part::start(&arguments, token, &welcome, &session, &job)?;
    let code = part.take_part(&session, listeners).await?;
    session.close(END_WITHIN).await;
    Ok(code)
}

/// The parts that are told to end together.
struct Part {
    token: Bearer,
    job: String,
    asks: mpsc::Sender<Ask>,
    /// Something comes when the server has reported a fault.
    failed: mpsc::Receiver<()>,
    /// Closed when the holder's thread has ended, whatever the reason.
    ended: mpsc::Receiver<()>,
    holding: thread::JoinHandle<()>,
    /// How long the holder may take to end.
    end_within: Duration,
}

impl Part {
    fn start(arguments: &Arguments, token: Bearer, welcome: &Welcome, session: &Session, job: &JobFile) -> Result<Self> {
        let (asks, receiver) = mpsc::channel(ASKS);
        let (slot, name) = (arguments.task.index, arguments.job.to_string());
        let server = Server::new(Config { slot, train: job.train.clone() });
        let systems = FileSystems::of_environment();
        let events = Location::parse(&job.output.dir, None).context("output.dir")?.join(&name).join("tensorboard");
        let end_within = if matches!(events, Location::Local(_)) { END_WITHIN } else { END_REMOTE_WITHIN };
        let place = Place { systems: systems.clone(), at: events, scratch: arguments.dir.join("tensorboard") };
        let board = Board::new(place, format!(".{}", arguments.task), job);
        let (fail, failed) = mpsc::channel(1);
        let checkpoints = Checkpoints::new(slot, welcome.incarnation, systems, arguments.dir.clone(), asks.downgrade());
        let holder = Holder::new(slot, server, welcome.incarnation, session.reporter(), board, checkpoints, fail);
        let (end, ended) = mpsc::channel::<()>(1);
        let hold = move || {
            // Dropped in any case, also by a panic.
            let _end = end;
            holder.run(receiver);
        };
        let holding = thread::Builder::new().name("holder".into()).spawn(hold).expect("a thread can be started");
        if slot > 0 && job.train.clip_norm.is_some() {
            let grpc = Grpc { token: token.clone(), job: name.clone(), host: arguments.host(), patience: PATIENCE };
            tokio::spawn(Link { grpc, slot, views: session.views(), asks: asks.clone() }.keep());
        }
        Ok(Self { token, job: name, asks, failed, ended, holding, end_within })
    }

    /// Follows the views until one of them, or a fault, ends it; the exit code.
    async fn take_part(mut self, session: &Session, listeners: Vec<serve::Listener>) -> Result<u8> {
        let (stop, stopped) = oneshot::channel::<()>();
        let service = Arc::new(Service::new(self.job.clone(), self.asks.clone()));
        let stopped = async {
            let _ = stopped.await;
        };
        let mut serving = tokio::spawn(serve::serve(listeners, service, self.token.guard(), stopped));
        let mut terminated = signal(SignalKind::terminate()).context("cannot listen for signals")?;
        let mut views = session.views();
        let code = loop {
            let view = views.borrow_and_update().clone();
            if view.directive == Directive::Fenced {
                tracing::error!("this incarnation is retired");
                break FENCED;
            }
            // The last view too: it may be the one with the last evaluation.
            tokio::select! {
                _ = self.ended.recv() => break PANIC,
                sent = self.asks.send(Ask::View(view.clone())) => if sent.is_err() { break PANIC },
            }
            if let Directive::Stop { reason } = &view.directive {
                tracing::info!("told to stop: {reason}");
                break STOPPED;
            }
            tokio::select! {
                _ = self.ended.recv() => break PANIC,
                ended = session.ended() => break exit_code(&ended),
                Ok(()) = views.changed() => {}
                Some(()) = self.failed.recv() => break FAULT,
                _ = terminated.recv() => break TERMINATED,
                served = &mut serving => {
                    served.context("the service broke")?.context("the service broke")?;
                    break FAULT;
                }
            }
        };
        // The holder ends its streams, then the calls end, then the connections.
        let _ = tokio::time::timeout(END_WITHIN, self.asks.send(Ask::Stop)).await;
        let _ = stop.send(());
        let _ = tokio::time::timeout(END_WITHIN, &mut serving).await;
        serving.abort();
        drop(self.asks);
        // A disk that hangs may keep the event file's thread; the process ends all the same.
        let held = tokio::time::timeout(self.end_within, tokio::task::spawn_blocking(|| self.holding.join())).await;
        Ok(if matches!(held, Ok(Ok(Err(_)))) { PANIC } else { code })
    }
}

fn exit_code(ended: &Ended) -> u8 {
    tracing::error!("{ended}");
    ended.exit_code()
}
