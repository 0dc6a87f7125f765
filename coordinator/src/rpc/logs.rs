//! What tasks printed, task by task; and on, until the job has ended.

use super::coordinator::is_over;
use super::lines::{LINE_BYTES_MAX, Lines};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_launch::{Launch, Launcher};
use tfcoord_proto::v1;
use tfcoord_types::id::{Attempt, JobId, TaskId};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tonic::Status;

/// Read at once. With the line before it, and three bytes for each one that is no text, a message has at most 64 KiB.
const READ_BYTES: usize = 16 << 10;
const _: () = assert!((READ_BYTES + LINE_BYTES_MAX) * 3 <= 64 << 10);
/// Files are looked at again after this time.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After a job's end its tasks may print for so long.
const END_GRACE: Duration = Duration::from_secs(6);

type Sender = mpsc::Sender<Result<v1::LogLines, Status>>;

/// Reads what a job's tasks print.
pub(super) struct Reader {
    pub(super) launcher: Arc<dyn Launcher>,
    pub(super) job: JobId,
    pub(super) only: Option<TaskId>,
}

/// Where reading stands.
#[derive(Default)]
struct Place {
    offset: u64,
    lines: Lines,
}

/// Nobody listens any more.
struct Unheard;

impl Reader {
    /// Sends all there is; with `follow` also what comes, until the job's tasks have ended.
    pub(super) async fn read(self, mut jobs: watch::Receiver<Arc<v1::Job>>, follow: bool, sender: Sender) {
        let mut places: BTreeMap<Launch, Place> = BTreeMap::new();
        let mut over_since = None;
        loop {
            let job = jobs.borrow_and_update().clone();
            if is_over(&job) {
                over_since.get_or_insert_with(Instant::now);
            }
            // The tasks' ends are not watched any more: they are given the time that the leader gives them.
            let last = !follow || over_since.is_some_and(|since| self.all_ended(&job, since));
            for launch in self.launches(&job) {
                let place = places.entry(launch.clone()).or_default();
                if self.read_on(&launch, place, last, &sender).await.is_err() {
                    return;
                }
            }
            if last {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = sender.closed() => return,
            }
        }
    }

    fn all_ended(&self, job: &v1::Job, since: Instant) -> bool {
        let launches = self.launches(job);
        let runs = self.launcher.list().iter().any(|listed| listed.ended.is_none() && launches.contains(&listed.launch));
        !runs || since.elapsed() >= END_GRACE
    }

    fn launches(&self, job: &v1::Job) -> Vec<Launch> {
        let tasks = job.tasks.iter().filter_map(|task| Some((task.task.parse::<TaskId>().ok()?, task.attempt)));
        let tasks = tasks.filter(|(task, _)| self.only.is_none_or(|only| only == *task));
        tasks
            .flat_map(|(task, attempts)| (1..=attempts).map(move |n| Launch { job: self.job.clone(), task, attempt: Attempt(n) }))
            .collect()
    }

    /// Sends what has come since the last look.
    async fn read_on(&self, launch: &Launch, place: &mut Place, last: bool, sender: &Sender) -> Result<(), Unheard> {
        loop {
            let (launcher, wanted, offset) = (self.launcher.clone(), launch.clone(), place.offset);
            let read = tokio::task::spawn_blocking(move || launcher.read_log(&wanted, offset, READ_BYTES)).await;
            let bytes = match read {
                Ok(Ok(bytes)) => bytes,
                Ok(Err(error)) => {
                    let _ = sender.send(Err(Status::internal(error.to_string()))).await;
                    return Err(Unheard);
                }
                Err(_) => return Err(Unheard),
            };
            place.offset += bytes.len() as u64;
            let mut lines = place.lines.push(&bytes);
            if bytes.is_empty() && last {
                lines.extend(place.lines.rest());
            }
            if !lines.is_empty() {
                let message = v1::LogLines { task: launch.task.to_string(), attempt: launch.attempt.0, lines };
                sender.send(Ok(message)).await.map_err(|_| Unheard)?;
            }
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }
}
