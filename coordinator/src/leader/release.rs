//! How soon what waits for a lost task goes on. For people and metrics: nothing is decided by it. Volatile.
//!
//! ```text
//!   verdict ─────────────────────► fenced                  granted ────────────────► taken
//!   just before its entry          all who take part in    just before the entry     the new owner has
//!   is appended                    the job have applied    that names a new owner    applied that
//!                                  what follows from it    of what was its           as well
//! ```
//!
//! Who has applied what is known by reports, which come up to 50 ms after it: both times are upper bounds. Between *fenced*
//! and *granted* lies what a replacement takes to start; where somebody else takes over they are one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tfcoord_coordinator_core::{Job, Task};
use tfcoord_types::id::{Attempt, Incarnation, JobId, Revision, TaskId};

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Releases {
    waits: Vec<Wait>,
    vacant: BTreeMap<JobId, Vacant>,
}

#[derive(Debug)]
struct Wait {
    job: JobId,
    what: What,
    // The entry's, or a later one of the same turn.
    revision: Revision,
    since: Instant,
    // Who is yet to apply it.
    waiting: BTreeSet<Incarnation>,
}

/// What waited: for all others to apply a verdict, or for a new owner to apply its grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// On which launch the verdict was.
    Fence(TaskId, Attempt),
    /// Which launch is the new owner.
    Grant(TaskId, Attempt),
}

// What nobody owns since a loss: lanes, or shards.
#[derive(Debug, Default)]
struct Vacant {
    lanes: BTreeSet<u32>,
    shards: BTreeSet<u32>,
}

impl Releases {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waits.is_empty() && self.vacant.is_empty()
    }

    /// A verdict was applied whose entry was proposed at `at`.
    pub(super) fn lost(&mut self, job: &Job, task: TaskId, attempt: Attempt, at: Instant) {
        if job.is_over() {
            return;
        }
        let waiting: BTreeSet<Incarnation> = job.tasks.values().filter_map(Task::registration).map(|present| present.incarnation).collect();
        let wait = Wait { job: job.id.clone(), what: What::Fence(task, attempt), revision: job.revision, since: at, waiting };
        // Without others nobody waits.
        self.waits.extend(Some(wait).filter(|wait| !wait.waiting.is_empty()));
        let vacant = self.vacant.entry(job.id.clone()).or_default();
        vacant.lanes.extend((0..).zip(&job.lanes).filter(|(_, lane)| lane.owner.is_none()).map(|(number, _)| number));
        vacant.shards.extend(job.leases.open.iter().filter(|(_, lease)| lease.owner.is_none()).map(|(shard, _)| *shard));
    }

    /// A job has changed by entries proposed at `at`.
    pub(super) fn changed(&mut self, id: &JobId, job: Option<&Job>, at: Instant) {
        let Some(job) = job.filter(|job| !job.is_over()) else {
            self.waits.retain(|wait| wait.job != *id);
            self.vacant.remove(id);
            return;
        };
        let Some(Vacant { lanes, shards }) = self.vacant.get_mut(id) else { return };
        let mut owners = BTreeSet::new();
        let mut granted = |owner: Option<Incarnation>| owner.map(|owner| owners.insert(owner)).is_some();
        lanes.retain(|lane| job.lanes.get(*lane as usize).is_some_and(|lane| !granted(lane.owner)));
        shards.retain(|shard| job.leases.open.get(shard).is_some_and(|lease| !granted(lease.owner)));
        if lanes.is_empty() && shards.is_empty() {
            self.vacant.remove(id);
        }
        for owner in owners {
            let Some(task) = job.task_of(owner) else { continue };
            let what = What::Grant(task, job.tasks[&task].attempt);
            self.waits.push(Wait { job: id.clone(), what, revision: job.revision, since: at, waiting: [owner].into() });
        }
    }

    /// A task has reported at `now` that it has applied a revision: what does not wait any more, and how long it did.
    pub(super) fn applied(&mut self, job: &Job, incarnation: Incarnation, revision: Revision, now: Instant) -> Vec<(What, Duration)> {
        for wait in self.waits.iter_mut().filter(|wait| wait.job == job.id && wait.revision <= revision) {
            // Nor for whoever was lost meanwhile.
            wait.waiting.retain(|other| *other != incarnation && job.task_of(*other).is_some());
        }
        let over = self.waits.extract_if(.., |wait| wait.waiting.is_empty());
        over.map(|wait| (wait.what, now.saturating_duration_since(wait.since))).collect()
    }
}

/// For people and metrics.
pub(super) fn tell(job: &JobId, what: &What, took: Duration) {
    let ms = took.as_secs_f64() * 1e3;
    match what {
        What::Fence(task, attempt) => {
            metrics::histogram!("tfcoord_fence_seconds").record(took.as_secs_f64());
            tracing::info!("fenced {job}/{task} attempt {attempt}: all others have applied it {ms:.1} ms after the verdict");
        }
        What::Grant(task, attempt) => {
            metrics::histogram!("tfcoord_grant_seconds").record(took.as_secs_f64());
            tracing::info!("granted {job}/{task} attempt {attempt}: it has applied it {ms:.1} ms after the grant");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::fixture::{MACHINE_BYTES, job, process, registered};
    use tfcoord_coordinator_core::{Cause, Cluster, Command, Outcome};
    use tfcoord_types::figures::{CURVE_LEN, CURVE_VARIABLE};
    use tfcoord_types::variable::{Group, Initializer, Variable};

    const PS: TaskId = TaskId::server(0);
    const W0: TaskId = TaskId::worker(0);
    const W1: TaskId = TaskId::worker(1);

    struct Bed {
        cluster: Cluster,
        releases: Releases,
        start: Instant,
    }

    impl Bed {
        // A server and two workers that train.
        fn new() -> Self {
            let mut bed = Self { cluster: registered(), releases: Releases::default(), start: Instant::now() };
            for task in [PS, W1] {
                bed.register(task, 1, 0);
            }
            let variable = |name: &str, len, group| Variable {
                name: name.into(),
                shape: vec![len],
                initializer: Initializer::Zeros,
                group,
                sync: None,
            };
            let variables = vec![variable("dense_0/kernel", 32, Group::Train), variable(CURVE_VARIABLE, CURVE_LEN, Group::Curve)];
            let incarnation = bed.of(W0);
            bed.apply(Command::DeclareVariables { job: job(), incarnation, variables, machine_bytes: Some(MACHINE_BYTES) }, 0);
            assert!(bed.job().lanes.iter().all(|lane| lane.owner.is_some()) && !bed.job().lanes.is_empty());
            bed
        }

        fn job(&self) -> &Job {
            self.cluster.job(&job()).unwrap()
        }

        fn of(&self, task: TaskId) -> Incarnation {
            self.job().registration(task).unwrap().incarnation
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn apply(&mut self, command: Command, ms: u64) {
            let applied = self.cluster.apply(self.cluster.revision().0 + 1, 2000, command);
            assert!(!matches!(applied.outcome, Outcome::Refused(_)), "{}", applied.outcome);
            let at = self.at(ms);
            self.releases.changed(&job(), self.cluster.job(&job()), at);
        }

        fn register(&mut self, task: TaskId, attempt: u32, ms: u64) {
            let process = process(u8::try_from(task.index).unwrap() + 10 * u8::try_from(attempt).unwrap());
            self.apply(Command::RegisterTask { job: job(), task, attempt: Attempt(attempt), process }, ms);
        }

        fn lose(&mut self, task: TaskId, ms: u64) {
            let attempt = self.job().tasks[&task].attempt;
            self.apply(Command::DeclareLost { job: job(), task, attempt, cause: Cause::because("gone"), step: 0 }, ms);
            let at = self.at(ms);
            self.releases.lost(self.cluster.job(&job()).unwrap(), task, attempt, at);
        }

        // It has applied the newest state; what went on then, after how many ms.
        fn reports(&mut self, task: TaskId, ms: u64) -> Vec<(What, u128)> {
            let (incarnation, now) = (self.of(task), self.at(ms));
            let job = self.cluster.job(&job()).unwrap();
            let released = self.releases.applied(job, incarnation, job.revision, now);
            released.into_iter().map(|(what, took)| (what, took.as_millis())).collect()
        }
    }

    #[test]
    fn a_verdict_is_applied_when_all_others_have_and_what_was_granted_when_its_owner_has() {
        let mut bed = Bed::new();
        bed.lose(W0, 100);
        assert_eq!((bed.reports(PS, 110), bed.reports(PS, 120)), (vec![], vec![]));
        assert_eq!(bed.reports(W1, 130), [(What::Fence(W0, Attempt(1)), 30)]);
        let (incarnation, revision) = (bed.of(PS), bed.job().revision);
        bed.apply(Command::ApplyView { job: job(), incarnation, revision }, 140);
        assert_eq!(bed.reports(W1, 150), [], "what was its has no owner yet");
        bed.register(W0, 2, 1000);
        assert_eq!(bed.reports(W1, 1005), []);
        assert_eq!(bed.reports(W0, 1020), [(What::Grant(W0, Attempt(2)), 20)]);
        assert_eq!(bed.reports(W0, 1030), [], "told once");
        assert!(bed.releases.waits.is_empty() && bed.releases.vacant.is_empty());
    }

    #[test]
    fn an_older_state_is_not_enough_and_nobody_waits_for_the_dead() {
        let mut bed = Bed::new();
        bed.lose(W0, 0);
        let (old, now) = (Revision(bed.job().revision.0 - 1), bed.at(5));
        let incarnation = bed.of(PS);
        assert_eq!(bed.releases.applied(bed.cluster.job(&job()).unwrap(), incarnation, old, now), []);
        bed.lose(W1, 10);
        assert_eq!(bed.reports(PS, 40), [(What::Fence(W0, Attempt(1)), 40), (What::Fence(W1, Attempt(1)), 30)]);
        bed.lose(PS, 50);
        assert!(bed.releases.waits.is_empty(), "nobody is left");
        bed.apply(Command::CancelJob { job: job(), reason: String::new() }, 60);
        assert!(bed.releases.vacant.is_empty());
    }
}
