//! A coordinator from its start to its end.
//!
//! Start: lock, log, listeners, tasks that an earlier life left running, leader, then the ready line. End, on SIGTERM,
//! SIGINT, or idleness of an embedded one: the sockets go first, then the lock. Tasks that run train on, and the next
//! coordinator on the same log adopts them: ending a job is a decision of a person. Where none comes they end
//! themselves. One whose state directory was removed under it ends too, with its tasks, which nobody could find again, and
//! leaves alone what is there in its place: that may be another one's.

use crate::config::{Config, Listen, SUPERVISE, TOKENS};
use crate::errand::Errands;
use crate::leader::{self, Journal, Leader, Parts, Request, SNAPSHOT_EVERY};
use crate::log::{self, FileLog, SEGMENT_BYTES};
use crate::outputs::Outputs;
use crate::prepare::Preparer;
use crate::rpc::incoming::{self, Listener};
use crate::rpc::{self, Services};
use crate::site;
use crate::state_dir::{StateDir, make_token};
use crate::tokens::{Caller, Keeping};
use anyhow::Context;
use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tfcoord_client::Bearer;
use tfcoord_coordinator_core::kept::is_in_use;
use tfcoord_fs::FileLock;
use tfcoord_launch::{Launcher, Local, local};
use tfcoord_telemetry::prometheus;
use tfcoord_types::id::JobId;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Another coordinator that holds the lock must answer, or let go of it, within this time.
const LOCK_WITHIN: Duration = Duration::from_secs(10);
const LOCK_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// Calls under way may end within this time.
const DRAIN: Duration = Duration::from_secs(1);
const MODE_PRIVATE: u32 = 0o600;

/// What became of a start.
pub enum Started {
    /// This one serves; it is run by the future [`Coordinator::run`].
    Ready(Box<Coordinator>),
    /// Another one serves the same state directory, at this endpoint.
    Running(String),
}

/// A coordinator that is ready to serve.
pub struct Coordinator {
    endpoints: Vec<String>,
    sockets: Vec<Socket>,
    listeners: Vec<Listener>,
    metrics: Option<(prometheus::Endpoint, TcpListener)>,
    services: Services,
    leader: Leader,
    linger: Option<Duration>,
    lock: Arc<FileLock>,
}

/// A Unix socket that was made here: the file that it was then.
struct Socket {
    path: PathBuf,
    identity: (u64, u64),
}

impl Socket {
    fn made(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }

    /// Removes it, unless another one has taken its place.
    fn remove(&self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            remove(&self.path);
        }
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => tracing::warn!(%error, path = %path.display(), "cannot remove"),
        Ok(()) | Err(_) => {}
    }
}

/// Starts a coordinator: everything up to the first connection.
///
/// # Errors
/// Place, cause and remedy.
pub async fn start(config: &Config) -> anyhow::Result<Started> {
    let state = StateDir::new(&config.state_dir)?;
    let lock = match lock(&state, config.linger.is_some()).await? {
        Ok(lock) => Arc::new(lock),
        Err(endpoint) => return Ok(Started::Running(endpoint)),
    };
    state.remove_temporaries()?;
    let metrics = metrics(config, &state).await?;
    // Its identity is drawn once its log has begun.
    if state.has_identity() && !FileLog::is_begun(&state.log())? {
        return Err(log::Error::Gone { dir: state.log() }.into());
    }
    let log = FileLog::open(&state.log(), SEGMENT_BYTES)?;
    let (journal, cluster) = Journal::open(&state.log(), Box::new(log), SNAPSHOT_EVERY)?;
    let token_file = config.token_file.clone().unwrap_or_else(|| state.token());
    make_token(&token_file)?;
    let token = Bearer::from_file(&token_file)?;
    let socket_dir = state.socket_dir()?;
    let Bound { endpoints, sockets, listeners } = bind(&config.listen, &socket_dir).await?;
    let first = endpoints.first().context("there is nothing to listen on")?;
    let launch = local::Config {
        bin_dir: config.bin_dir.clone(),
        // The program that runs, even if another one has taken its place.
        supervisor: vec!["/proc/self/exe".into(), SUPERVISE.into()],
        state_dir: state.root().to_owned(),
        lock: state.lock(),
        socket_dir,
        scratch_dir: state.scratch(),
        coordinator: first.clone(),
    };
    let tokens = Caller::new(vec!["/proc/self/exe".into(), TOKENS.into()]);
    let (troubles, mut trouble) = tokio::sync::mpsc::unbounded_channel();
    let tell = Box::new(move |job, text| {
        let _ending = troubles.send(Request::Trouble { job, text });
    });
    let (keeper, keeping) = Keeping::new(&state, tokens.clone(), tell);
    site::settle(&state, &cluster, &keeper);
    let ended_jobs_kept = config.ended_jobs_kept;
    let outputs = Outputs::new(&state)?;
    let errands = Errands::of_this_program(&state);
    let in_use: BTreeSet<JobId> = cluster.jobs().filter(|job| is_in_use(job)).map(|job| job.id.clone()).collect();
    let parts = Parts {
        journal,
        cluster,
        state: state.clone(),
        outputs,
        errands: errands.clone(),
        lock: lock.clone(),
        keeper: keeper.clone(),
        ended_jobs_kept,
    };
    let (leader, launcher) = Leader::start(parts, |on_end| {
        let local = Local::new(launch, on_end);
        local.adopt(|launch| in_use.contains(&launch.job))?;
        Ok::<_, anyhow::Error>(Arc::new(local) as Arc<dyn Launcher>)
    })?;
    tokio::spawn(keeping.run());
    let handle = leader.handle();
    tokio::spawn(async move {
        while let Some(request) = trouble.recv().await {
            // It is said again with the next try.
            let _busy = handle.tell(request);
        }
    });
    tfcoord_fs::write_atomic(&state.endpoint(), format!("{first}\n").as_bytes(), MODE_PRIVATE)?;
    let preparer = Arc::new(Preparer::new(&config.bin_dir, &state));
    let services = Services { leader: leader.handle(), preparer, errands, launcher, state, token, tokens, keeper, ended_jobs_kept };
    let linger = config.linger;
    Ok(Started::Ready(Box::new(Coordinator { endpoints, sockets, listeners, metrics, services, leader, linger, lock })))
}

impl Coordinator {
    /// Where it listens, as text; tasks use the first.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Serves until `stop` is ready, the leader cannot go on, or an embedded one is idle. Tasks go on.
    ///
    /// # Errors
    /// Why the leader could not go on.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { sockets, listeners, metrics, services, leader, linger, lock, .. } = self;
        let (connections, alive) = incoming::accept(listeners);
        let (stopping, stopped) = watch::channel(false);
        let stopped = move || {
            let mut stopped = stopped.clone();
            async move { drop(stopped.wait_for(|stop| *stop).await) }
        };
        if let Some((endpoint, listener)) = metrics {
            tokio::spawn(endpoint.serve(listener, stopped()));
        }
        let (state, launcher) = (services.state.clone(), services.launcher.clone());
        let (handle, active) = (leader.handle(), leader.active());
        let mut leading = tokio::task::spawn_blocking(move || leader.join());
        let serving = tokio::spawn(rpc::serve(services, connections, stopped()));
        let idle = async {
            match linger {
                Some(linger) => idle(alive, active, linger).await,
                None => std::future::pending().await,
            }
        };
        let failed = tokio::select! {
            () = stop => { tracing::info!("asked to end"); None }
            () = idle => { tracing::info!("ending: no job is active, and no client is here"); None }
            led = &mut leading => Some(led),
        };
        // First nobody finds the way any more: who comes now starts another coordinator, which waits for the lock.
        sockets.iter().for_each(Socket::remove);
        if lock.is_in_place() {
            remove(&state.endpoint());
            remove(&state.metrics_address());
        }
        let led = match failed {
            Some(led) => led,
            None => {
                let _asked = tokio::task::spawn_blocking(move || handle.tell_waiting(Request::Stop)).await;
                leading.await
            }
        };
        if let Ok(Err(leader::Error::StateDirGone { .. })) = &led {
            let launcher = launcher.clone();
            let _stopped = tokio::task::spawn_blocking(move || launcher.stop(Duration::ZERO)).await;
        }
        let running = launcher.list().iter().filter(|listed| listed.ended.is_none()).count();
        if running > 0 {
            tracing::warn!(running, "tasks go on: the next coordinator of this state directory adopts them, or they end themselves");
        } else if lock.is_in_place() || !state.root().exists() {
            state.remove_socket_dir();
        }
        stopping.send_replace(true);
        if timeout(DRAIN, serving).await.is_err() {
            tracing::debug!("calls under way were cut off");
        }
        Ok(led.context("the leader panicked")??)
    }
}

/// Waits until there has been no active job and no connection for `linger`.
async fn idle(mut alive: watch::Receiver<usize>, mut active: watch::Receiver<usize>, linger: Duration) {
    loop {
        let quiet = *alive.borrow_and_update() == 0 && *active.borrow_and_update() == 0;
        let over = async { if quiet { sleep(linger).await } else { std::future::pending().await } };
        // Senders that are gone do not change any more; then the coordinator ends for another reason.
        tokio::select! {
            () = over => return,
            Ok(()) = alive.changed() => {}
            Ok(()) = active.changed() => {}
            else => std::future::pending().await,
        }
    }
}

/// Takes the lock, or finds the coordinator that holds it. One that is about to start or to end is waited for.
async fn lock(state: &StateDir, embedded: bool) -> anyhow::Result<Result<FileLock, String>> {
    let deadline = Instant::now() + LOCK_WITHIN;
    loop {
        let locked = match tfcoord_fs::lock(&state.lock()) {
            Ok(lock) => return Ok(Ok(lock)),
            Err(error @ tfcoord_fs::Error::Locked { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        let endpoint = fs::read_to_string(state.endpoint()).unwrap_or_default();
        let endpoint = endpoint.trim();
        if embedded && answers(endpoint).await {
            return Ok(Err(endpoint.to_owned()));
        }
        if Instant::now() >= deadline {
            return Err(locked.into());
        }
        sleep(LOCK_AGAIN_AFTER).await;
    }
}

async fn answers(endpoint: &str) -> bool {
    match endpoint.strip_prefix("unix:") {
        Some(path) => UnixStream::connect(path).await.is_ok(),
        None => !endpoint.is_empty() && tokio::net::TcpStream::connect(endpoint).await.is_ok(),
    }
}

struct Bound {
    endpoints: Vec<String>,
    sockets: Vec<Socket>,
    listeners: Vec<Listener>,
}

async fn bind(listen: &[Listen], socket_dir: &Path) -> anyhow::Result<Bound> {
    let mut bound = Bound { endpoints: Vec::new(), sockets: Vec::new(), listeners: Vec::new() };
    for listen in listen {
        let (endpoint, listener) = match listen {
            Listen::Default => bind_unix(&socket_dir.join("coordinator.sock"), &mut bound.sockets).await?,
            Listen::Unix(path) => bind_unix(path, &mut bound.sockets).await?,
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
                (listener.local_addr()?.to_string(), Listener::Tcp(listener))
            }
        };
        tracing::info!(endpoint, "listening");
        bound.endpoints.push(endpoint);
        bound.listeners.push(listener);
    }
    Ok(bound)
}

async fn bind_unix(path: &Path, sockets: &mut Vec<Socket>) -> anyhow::Result<(String, Listener)> {
    let endpoint = format!("unix:{}", path.display());
    // One whose state directory was removed is about to end.
    let deadline = Instant::now() + LOCK_WITHIN;
    while answers(&endpoint).await {
        if Instant::now() >= deadline {
            anyhow::bail!("cannot listen on {endpoint}: another process does; end it, or choose another path");
        }
        sleep(LOCK_AGAIN_AFTER).await;
    }
    // Of a coordinator that was killed.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {endpoint}"))?;
    sockets.push(Socket::made(path).with_context(|| format!("cannot look at {endpoint}"))?);
    Ok((endpoint, Listener::Unix(listener)))
}

async fn metrics(config: &Config, state: &StateDir) -> anyhow::Result<Option<(prometheus::Endpoint, TcpListener)>> {
    let Some(address) = config.metrics_listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot serve metrics on {address}"))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "serving metrics");
    tfcoord_fs::write_atomic(&state.metrics_address(), format!("{address}\n").as_bytes(), MODE_PRIVATE)?;
    Ok(Some((prometheus::install(prometheus::Role::Coordinator)?, listener)))
}

/// Ready once the process is asked to end: SIGTERM or SIGINT.
///
/// # Errors
/// The signals cannot be waited for.
pub fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
