//! Who is there: the newest report of each registered task, and when it came. Volatile; a new leader holds nobody for
//! dead before one full lease has passed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tfcoord_coordinator_core::{Cause, Cluster, Command, Job};
use tfcoord_types::id::{Incarnation, JobId, TaskId};
use tfcoord_types::report::Report;

/// A turn that comes later than this after the one before says that this process did not run itself.
const STALL: Duration = Duration::from_secs(2);

/// Who is there.
#[derive(Debug)]
pub struct Presence {
    lease: Duration,
    tasks: BTreeMap<Incarnation, Seen>,
    turn_at: Instant,
}

/// What is known of an incarnation.
#[derive(Debug)]
pub struct Seen {
    /// The job that it takes part in.
    pub job: JobId,
    /// As which task.
    pub task: TaskId,
    at: Instant,
    /// Its newest report; `None` before the first one, and once its job is over.
    pub report: Option<Report>,
}

impl Presence {
    /// Nobody is there yet. Who is silent for `lease` is held for dead.
    pub fn new(lease: Duration, now: Instant) -> Self {
        Self { lease, tasks: BTreeMap::new(), turn_at: now }
    }

    /// A new turn begins. If the last one is long ago, the silence was this process's own: everybody gets a new lease.
    pub fn turn(&mut self, now: Instant) {
        if now.duration_since(self.turn_at) > STALL.max(self.longest_wait()) {
            self.tasks.values_mut().for_each(|seen| seen.at = now);
        }
        self.turn_at = now;
    }

    /// How long a turn may wait at most, so that silence is seen in time.
    pub fn longest_wait(&self) -> Duration {
        if self.tasks.is_empty() { Duration::from_secs(5) } else { Duration::from_secs(1) }
    }

    /// A process has registered, perhaps once more.
    pub fn registered(&mut self, incarnation: Incarnation, job: JobId, task: TaskId, now: Instant) {
        self.tasks.entry(incarnation).or_insert(Seen { job, task, at: now, report: None }).at = now;
    }

    /// A report came; whether its incarnation is known.
    pub fn reported(&mut self, report: Report, now: Instant) -> bool {
        let Some(seen) = self.tasks.get_mut(&report.incarnation) else { return false };
        seen.at = now;
        seen.report = Some(report);
        true
    }

    /// What is known of an incarnation.
    pub fn of(&self, incarnation: Incarnation) -> Option<&Seen> {
        self.tasks.get(&incarnation)
    }

    /// Those of a job.
    pub fn of_job<'a>(&'a self, job: &'a JobId) -> impl Iterator<Item = &'a Seen> {
        self.tasks.values().filter(move |seen| seen.job == *job)
    }

    /// Whether a task was heard of within a lease.
    pub fn is_alive(&self, incarnation: Incarnation, now: Instant) -> bool {
        self.of(incarnation).is_some_and(|seen| now.duration_since(seen.at) <= self.lease)
    }

    /// What to propose of those who take part and have been silent for a lease.
    pub fn silent(&self, cluster: &Cluster, now: Instant) -> Vec<Command> {
        let late = self.tasks.iter().filter(|(_, seen)| now.duration_since(seen.at) > self.lease);
        let lost = late.filter_map(|(incarnation, Seen { job, task, .. })| {
            let state = cluster.job(job).filter(|job| !job.is_over())?.tasks.get(task)?;
            state.registration().filter(|r| r.incarnation == *incarnation)?;
            let cause = Cause::because(format!("did not report for {} s", self.lease.as_secs()));
            Some(Command::DeclareLost { job: job.clone(), task: *task, attempt: state.attempt, cause, step: 0 })
        });
        lost.collect()
    }

    /// Forgets reports of jobs that are over, and incarnations of those that are forgotten.
    pub fn prune(&mut self, cluster: &Cluster) {
        self.tasks.retain(|_, seen| cluster.job(&seen.job).is_some());
        let over = |seen: &&mut Seen| cluster.job(&seen.job).is_none_or(Job::is_over);
        self.tasks.values_mut().filter(over).for_each(|seen| seen.report = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::fixture::{job, registered};

    const LEASE: Duration = Duration::from_secs(10);

    #[test]
    fn silence_is_seen_after_a_lease_but_not_ones_own() {
        let cluster = registered();
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut presence = Presence::new(LEASE, start);
        presence.registered(Incarnation(2), job(), TaskId::worker(0), start);
        // Turns come in time.
        (1..=10).for_each(|s| presence.turn(at(s)));
        assert_eq!(presence.silent(&cluster, at(10)), []);
        presence.turn(at(11));
        let [Command::DeclareLost { task, cause, .. }] = &presence.silent(&cluster, at(11))[..] else { panic!() };
        assert_eq!((*task, cause.message.as_str()), (TaskId::worker(0), "did not report for 10 s"));
        // This process stood still for a minute: it knows nothing of the others.
        presence.turn(at(71));
        assert_eq!(presence.silent(&cluster, at(80)), []);
        assert!(presence.is_alive(Incarnation(2), at(80)) && !presence.is_alive(Incarnation(2), at(82)));
    }
}
