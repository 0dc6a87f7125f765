//! Who is there: the newest report of each registered task, and when it came. Volatile: a leader that takes office knows
//! who takes part from the log, and gives each one full lease to be heard of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tfcoord_coordinator_core::{Cause, Cluster, Command, Job};
use tfcoord_types::id::{Incarnation, JobId, TaskId};
use tfcoord_types::report::Report;
use tfcoord_types::timing::Timing;

/// How long a turn may wait where nobody takes part.
const IDLE: Duration = Duration::from_secs(5);

/// Who is there.
#[derive(Debug)]
pub struct Presence {
    tasks: BTreeMap<Incarnation, Seen>,
    // A report concerns those of its job alone, among thousands.
    by_job: BTreeMap<JobId, BTreeSet<Incarnation>>,
    turn_at: Instant,
    // Before this, nobody's lease is over.
    look_at: Instant,
    // The shortest one of those who take part.
    lease_min: Option<Duration>,
}

/// What is known of an incarnation.
#[derive(Debug)]
pub struct Seen {
    /// The job that it takes part in.
    pub job: JobId,
    /// As which task.
    pub task: TaskId,
    lease: Duration,
    at: Instant,
    /// Its newest report; `None` before the first one, and once its job is over.
    pub report: Option<Report>,
}

impl Presence {
    /// Of those that take part as the log tells, all heard of just now.
    pub fn new(cluster: &Cluster, now: Instant) -> Self {
        let mut this = Self { tasks: BTreeMap::new(), by_job: BTreeMap::new(), turn_at: now, look_at: now + IDLE, lease_min: None };
        for job in cluster.jobs().filter(|job| !job.is_over()) {
            for (task, registration) in job.tasks.iter().filter_map(|(task, state)| Some((task, state.registration()?))) {
                this.registered(registration.incarnation, job, *task, now);
            }
        }
        this
    }

    /// A new turn begins. If the last one is long ago, the silence was this process's own: leases begin anew.
    pub fn turn(&mut self, now: Instant) {
        let away = now.duration_since(self.turn_at);
        self.turn_at = now;
        if self.lease_min.is_none_or(|lease| away <= Timing::stall(lease)) {
            return;
        }
        for seen in self.tasks.values_mut().filter(|seen| away > Timing::stall(seen.lease)) {
            seen.at = now;
        }
    }

    /// How long a turn may wait at most: so that a lease's end is seen at once, and no turn takes its own rest for a stall.
    pub fn longest_wait(&self, now: Instant) -> Duration {
        let Some(lease) = self.lease_min else { return IDLE };
        self.look_at.saturating_duration_since(now).clamp(Duration::from_millis(1), Timing::stall(lease) / 2)
    }

    /// A process has registered, perhaps once more.
    pub fn registered(&mut self, incarnation: Incarnation, job: &Job, task: TaskId, now: Instant) {
        let lease = job.file.timing().lease;
        let seen = Seen { job: job.id.clone(), task, lease, at: now, report: None };
        self.tasks.entry(incarnation).or_insert(seen).at = now;
        self.by_job.entry(job.id.clone()).or_default().insert(incarnation);
        self.look_at = self.look_at.min(now + lease);
        self.lease_min = Some(self.lease_min.map_or(lease, |min| min.min(lease)));
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

    /// Those of a job, by incarnation.
    pub fn of_job<'a>(&'a self, job: &JobId) -> impl Iterator<Item = &'a Seen> + use<'a> {
        self.by_job.get(job).into_iter().flatten().filter_map(|incarnation| self.tasks.get(incarnation))
    }

    /// Whether a task was heard of within its lease.
    pub fn is_alive(&self, incarnation: Incarnation, now: Instant) -> bool {
        self.of(incarnation).is_some_and(|seen| now <= seen.at + seen.lease)
    }

    /// What to propose of those who take part and have been silent for a lease.
    pub fn silent(&mut self, cluster: &Cluster, now: Instant) -> Vec<Command> {
        if now < self.look_at {
            return Vec::new();
        }
        let takes_part = |incarnation: &Incarnation, seen: &Seen| {
            let task = cluster.job(&seen.job).filter(|job| !job.is_over())?.tasks.get(&seen.task)?;
            task.registration().filter(|r| r.incarnation == *incarnation)?;
            Some(task.attempt)
        };
        let (mut lost, mut next, mut lease_min) = (Vec::new(), now + IDLE, None);
        for (incarnation, seen) in &self.tasks {
            let Some(attempt) = takes_part(incarnation, seen) else { continue };
            lease_min = Some(lease_min.map_or(seen.lease, |min: Duration| min.min(seen.lease)));
            let until = seen.at + seen.lease;
            if until > now {
                next = next.min(until);
                continue;
            }
            let cause = Cause::because(format!("did not report for {} s", seen.lease.as_secs_f64()));
            lost.push(Command::DeclareLost { job: seen.job.clone(), task: seen.task, attempt, cause, step: 0 });
        }
        (self.look_at, self.lease_min) = (next, lease_min);
        lost
    }

    /// Forgets reports of jobs that are over, and incarnations of those that are forgotten.
    pub fn prune(&mut self, cluster: &Cluster) {
        let Self { tasks, by_job, .. } = self;
        by_job.retain(|id, incarnations| {
            let job = cluster.job(id);
            for incarnation in incarnations.iter().filter(|_| job.is_none_or(Job::is_over)) {
                match tasks.get_mut(incarnation) {
                    Some(seen) if job.is_some() => seen.report = None,
                    _ => drop(tasks.remove(incarnation)),
                }
            }
            job.is_some()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::fixture::{job, registered_with_lease};

    const W0: Incarnation = Incarnation(2);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    // Turns as often as presence asks for them, with nothing to do: when somebody is held for dead.
    fn lost_after(presence: &mut Presence, cluster: &Cluster, from: Instant) -> (Duration, String) {
        let mut now = from;
        while now < from + ms(60_000) {
            now += presence.longest_wait(now);
            presence.turn(now);
            if let [Command::DeclareLost { task, cause, .. }] = &presence.silent(cluster, now)[..] {
                assert_eq!(*task, TaskId::worker(0));
                return (now - from, cause.message.clone());
            }
        }
        panic!("nobody is held for dead");
    }

    #[test]
    fn silence_is_seen_at_the_leases_end() {
        for (lease, said) in [(0.5, "0.5 s"), (2.0, "2 s"), (10.0, "10 s")] {
            let (cluster, start) = (registered_with_lease(lease), Instant::now());
            let mut presence = Presence::new(&Cluster::new(), start);
            // Registered while the leader rested.
            presence.registered(W0, cluster.job(&job()).unwrap(), TaskId::worker(0), start + ms(40));
            let (after, message) = lost_after(&mut presence, &cluster, start);
            let late = after.saturating_sub(Duration::from_secs_f64(lease) + ms(40));
            assert!(after >= Duration::from_secs_f64(lease) + ms(40) && late < ms(100), "{lease}: {after:?}");
            assert_eq!(message, format!("did not report for {said}"));
        }
    }

    #[test]
    fn a_report_renews_the_lease() {
        let (cluster, start) = (registered_with_lease(2.0), Instant::now());
        let mut presence = Presence::new(&cluster, start);
        let mut report = crate::leader::fixture::server_report(tfcoord_types::id::Generation(1), 1);
        report.incarnation = W0;
        for quarter in 1..=40 {
            let now = start + ms(quarter * 500);
            presence.turn(now);
            assert!(presence.reported(report.clone(), now));
            assert_eq!(presence.silent(&cluster, now), []);
        }
        assert_eq!(lost_after(&mut presence, &cluster, start + ms(20_000)).0, ms(2000));
    }

    #[test]
    fn a_leader_that_takes_office_gives_everybody_a_full_lease() {
        let (cluster, start) = (registered_with_lease(10.0), Instant::now());
        let mut presence = Presence::new(&cluster, start);
        assert!(presence.of(W0).is_some() && presence.is_alive(W0, start + ms(9_999)));
        assert_eq!(lost_after(&mut presence, &cluster, start).0, ms(10_000));
    }

    #[test]
    fn those_of_a_job_are_found_until_it_is_forgotten() {
        let (mut cluster, start) = (registered_with_lease(2.0), Instant::now());
        let mut presence = Presence::new(&cluster, start);
        let other = Job { id: JobId { name: "other".into(), number: 9 }, ..cluster.job(&job()).unwrap().clone() };
        presence.registered(Incarnation(7), &other, TaskId::worker(3), start);
        let mut report = crate::leader::fixture::server_report(tfcoord_types::id::Generation(1), 1);
        report.incarnation = W0;
        presence.reported(report, start);
        let of = |presence: &Presence, job: &JobId| presence.of_job(job).map(|seen| (seen.task, seen.report.is_some())).collect::<Vec<_>>();
        let mine = |told| vec![(TaskId::worker(0), told)];
        assert_eq!((of(&presence, &job()), of(&presence, &other.id)), (mine(true), vec![(TaskId::worker(3), false)]));
        // The other job is in no state: forgotten.
        presence.prune(&cluster);
        assert_eq!((of(&presence, &job()), of(&presence, &other.id)), (mine(true), vec![]));
        assert!(presence.of(W0).is_some() && presence.of(Incarnation(7)).is_none());
        cluster.apply(100, 2000, Command::CancelJob { job: job(), reason: String::new() });
        presence.prune(&cluster);
        assert_eq!(of(&presence, &job()), mine(false), "of a job that is over nothing more is wanted");
        assert!(presence.of(W0).is_some(), "but it is known whose it is");
    }

    #[test]
    fn ones_own_standstill_is_nobodys_silence() {
        let (cluster, start) = (registered_with_lease(2.0), Instant::now());
        let mut presence = Presence::new(&cluster, start);
        let resumed = start + ms(60_000);
        presence.turn(resumed);
        assert_eq!(presence.silent(&cluster, resumed), []);
        assert_eq!(lost_after(&mut presence, &cluster, resumed).0, ms(2000));
    }
}
