//! From a caller's thread to the threads on which the client works, and back by a deadline.

use super::{Link, tokens};
use crate::storage::{Error, Location, Problem};
use futures_util::FutureExt;
use hdfs_native::Client;
use std::any::Any;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

// A caller waits this much longer than the work may take: the work's own end says more.
const SLACK: Duration = Duration::from_secs(5);
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
// Whoever is in a call of Kerberos' library by then is left alone.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

// One for the process, and for as long as anybody uses it: the client keeps connections in a place that all its instances
// share, and they work with the runtime that opened them only.
static THREADS: OnceLock<io::Result<Threads>> = OnceLock::new();

struct Threads {
    handle: Handle,
    // Until they are ended.
    runtime: Mutex<Option<Runtime>>,
}

fn threads() -> io::Result<Threads> {
    // Kerberos blocks the thread that asks the KDC: others must go on meanwhile.
    let threads = available_parallelism().map_or(2, usize::from).clamp(2, 4);
    let runtime = Builder::new_multi_thread().worker_threads(threads).thread_name("hdfs").enable_all().build()?;
    Ok(Threads { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
}

pub(super) fn runtime() -> Result<&'static Handle, Problem> {
    let failed = |error: &io::Error| Problem::Client { detail: format!("its threads cannot be started: {error}") };
    THREADS.get_or_init(threads).as_ref().map(|threads| &threads.handle).map_err(failed)
}

/// Ends the threads of this process' clients, if there are any: to be called at the end of `main`. Kerberos' library takes
/// its locks away as the process ends, and aborts it where one of them is just then in there.
pub fn close() {
    if let Some(Ok(threads)) = THREADS.get()
        && let Some(runtime) = threads.runtime.lock().unwrap_or_else(PoisonError::into_inner).take()
    {
        runtime.shutdown_timeout(CLOSE_WITHIN);
    }
}

/// Whether a call whose answer was lost may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing, or the second time nothing more.
    Always,
    /// Only where it was surely refused.
    Refused,
}

/// What `work` gives, if it does within `limit`.
pub(super) fn wait<T: Send + 'static>(limit: Duration, work: impl Future<Output = T> + Send + 'static) -> Result<T, Problem> {
    start(work)?.wait(limit)
}

/// Begins `work`.
pub(super) fn start<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<Started<T>, Problem> {
    let (send, done) = sync_channel(1);
    let task = runtime()?.spawn(async move {
        // The client panics on some of what servers and token files may hold.
        let done = AssertUnwindSafe(work).catch_unwind().await;
        // Nobody waits any more: then nobody wants it.
        let _ = send.send(done);
    });
    Ok(Started { done, task })
}

/// Work on the client's threads. Dropped, it is given up.
pub(super) struct Started<T> {
    done: Receiver<Result<T, Box<dyn Any + Send>>>,
    task: JoinHandle<()>,
}

impl<T> Started<T> {
    /// What it gives, if it does within `limit` from now on.
    pub fn wait(self, limit: Duration) -> Result<T, Problem> {
        match self.done.recv_timeout(limit) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(panic)) => Err(Problem::Client { detail: text(&*panic) }),
            Err(RecvTimeoutError::Timeout) => Err(Problem::Deadline { after: limit }),
            Err(RecvTimeoutError::Disconnected) => Err(Problem::Client { detail: "its work was dropped".to_owned() }),
        }
    }
}

impl<T> Drop for Started<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned())
}

/// Makes a call, again and again as far as `repeat` and the limits allow it; `attempt` is told how often it was made before.
pub(super) fn call<T, F, W>(link: &Arc<Link>, operation: &'static str, at: &Location, repeat: Repeat, attempt: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: Fn(Client, u32) -> W + Send + 'static,
    W: Future<Output = Result<T, Problem>> + Send + 'static,
{
    let limits = link.limits;
    let longest = limits.safe_mode.max(limits.broken) + limits.answer + SLACK;
    let work = repeated(Arc::clone(link), operation, at.clone(), repeat, attempt);
    wait(longest, work).map_err(|problem| link.error(operation, at, problem))?
}

/// As [`call`], for whoever is on the client's threads already.
pub(super) async fn repeated<T, F, W>(
    link: Arc<Link>,
    operation: &'static str,
    at: Location,
    repeat: Repeat,
    attempt: F,
) -> Result<T, Error>
where
    F: Fn(Client, u32) -> W,
    W: Future<Output = Result<T, Problem>>,
{
    let mut patience = Patience::new(&link, operation, &at);
    loop {
        tokens::check(link.token_file.as_ref()).map_err(|problem| link.error(operation, &at, problem))?;
        let problem = match answer(link.limits.answer, attempt(link.client.clone(), patience.tried)).await {
            Ok(done) => return Ok(done),
            Err(problem) => problem,
        };
        let refused = matches!(problem, Problem::SafeMode { .. } | Problem::Busy { .. } | Problem::Refused { .. });
        if repeat == Repeat::Refused && !refused {
            return Err(link.error(operation, &at, problem));
        }
        patience.pause(problem).await.map_err(|problem| link.error(operation, &at, problem))?;
    }
}

/// What `work` gives, if it does within `limit` and nothing blocks these threads.
pub(super) async fn answer<T>(limit: Duration, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Problem::Deadline { after: limit }))
}

/// How long it is gone on after failures.
pub(super) struct Patience<'a> {
    link: &'a Link,
    operation: &'static str,
    at: &'a Location,
    began: Instant,
    pub tried: u32,
}

impl<'a> Patience<'a> {
    pub fn new(link: &'a Link, operation: &'static str, at: &'a Location) -> Self {
        Self { link, operation, at, began: Instant::now(), tried: 0 }
    }

    /// Waits a while, if `problem` may go away; else it is what comes back.
    pub async fn pause(&mut self, problem: Problem) -> Result<(), Problem> {
        let limits = self.link.limits;
        let limit = match problem {
            Problem::SafeMode { .. } | Problem::Busy { .. } => limits.safe_mode,
            Problem::Refused { .. } | Problem::Broken { .. } | Problem::Deadline { .. } => limits.broken,
            _ => return Err(problem),
        };
        let pause = pause(self.tried);
        if self.began.elapsed() + pause > limit {
            return Err(problem);
        }
        tracing::warn!(
            operation = self.operation,
            location = %self.at,
            tried = self.tried + 1,
            for_at_most_s = limit.saturating_sub(self.began.elapsed()).as_secs(),
            %problem,
            "HDFS does not do it now: it is tried again"
        );
        tokio::time::sleep(pause).await;
        self.tried += 1;
        Ok(())
    }

    /// Things go on again.
    pub fn progress(&mut self) {
        (self.began, self.tried) = (Instant::now(), 0);
    }
}

/// How long it is waited after so many failures: longer each time.
pub(super) fn pause(failures: u32) -> Duration {
    PAUSE_FIRST.saturating_mul(1 << failures.min(8)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_ends_by_its_deadline_and_what_panics_is_an_error() {
        let after = Duration::from_millis(20);
        assert!(matches!(wait(after, std::future::pending::<()>()), Err(Problem::Deadline { after: passed }) if passed == after));
        let panics = wait(SLACK, async { panic!("malformed {}", 1) });
        assert!(matches!(panics, Err::<(), _>(Problem::Client { detail }) if detail == "malformed 1"));
        assert!(matches!(wait(SLACK, async { 7 }), Ok(7)));
    }

    #[test]
    fn what_blocks_its_thread_ends_by_the_callers_deadline() {
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let blocked = wait(Duration::from_millis(20), async move { hold.recv() });
        assert!(matches!(blocked, Err(Problem::Deadline { .. })));
        drop(release);
    }

    #[test]
    fn pauses_grow_to_their_limit() {
        let pauses: Vec<u64> = [0, 1, 2, 4, 5, 40].map(|failures| pause(failures).as_millis() as u64).into();
        assert_eq!(pauses, [250, 500, 1000, 4000, 5000, 5000]);
    }
}
