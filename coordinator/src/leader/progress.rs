//! How far jobs are: figures from reports, for people. Volatile: a leader that takes office knows nothing of a job that runs
//! until all of its servers have reported.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use tfcoord_coordinator_core::job::Job;
use tfcoord_proto::v1;
use tfcoord_types::id::{Generation, Incarnation, TaskId};
use tfcoord_types::job::Loss;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::{Body, CurveReport, Late, Report};

/// Speed is that of the last seconds.
const WINDOW: Duration = Duration::from_secs(10);
/// Samples closer together than this say nothing more.
const SAMPLE_GAP: Duration = Duration::from_millis(200);

/// How far a job's servers may be, and how fast.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// No chunk of any server is beyond it.
    pub reached: u64,
    /// Steps a second.
    pub steps_per_s: f64,
}

/// How far a job is.
#[derive(Debug, Default)]
pub struct Progress {
    generation: Generation,
    // Of this generation: that it has begun, or what its servers have said.
    known: bool,
    step: u64,
    // No server's chunk is beyond it, as far as reports tell.
    furthest: u64,
    curve: Option<CurveReport>,
    // By worker.
    late: BTreeMap<Incarnation, Late>,
    // (when, records trained by then), ascending.
    samples: VecDeque<(Instant, u64)>,
}

impl Progress {
    /// Takes what the job's reports say now; whether anything has changed.
    pub fn update<'a>(&mut self, job: &Job, reports: impl Iterator<Item = (TaskId, &'a Report)>, now: Instant) -> bool {
        if job.generation != self.generation {
            // The parameters went back: so does what is known of them. The first one that is seen may have begun long ago.
            let step = job.checkpoints.restored.as_ref().map_or(0, |restored| restored.id.step);
            let known = self.generation != Generation::default();
            *self = Self { generation: job.generation, known, step: step.max(job.step), ..Self::default() };
        }
        let (mut reached, mut curve, mut servers) = (None, None, 0);
        let (mut furthest, mut late) = (0, BTreeMap::new());
        for (_, report) in reports.filter(|(_, report)| report.generation == job.generation) {
            if let Body::Server(server) = &report.body {
                servers += 1;
                // What is told is its lowest chunk, and none is two ahead of another.
                furthest = server.reached.map_or(furthest, |reached| furthest.max(reached.saturating_add(1)));
                reached = Some(reached.map_or(server.reached, |least: Option<u64>| least.min(server.reached)));
                curve = server.curve.or(curve);
                // Of several servers the one that has seen most counts.
                if let Some(seen) = server.late.filter(|seen| job.task_of(seen.worker).is_some()) {
                    let most = late.entry(seen.worker).or_insert(seen);
                    *most = if seen.steps > most.steps { seen } else { *most };
                }
            }
        }
        // Steps done are those that all servers have.
        let complete = servers == job.file.parameter_server.count;
        let news = complete && !self.known;
        self.known |= complete;
        let step = reached.flatten().filter(|_| complete).unwrap_or(0).clamp(self.step, job.plan.steps().max(self.step));
        let changed = news || step != self.step || curve.is_some_and(|curve| self.curve != Some(curve)) || late != self.late;
        for seen in late.values().filter(|seen| !self.late.contains_key(&seen.worker)) {
            let task = job.task_of(seen.worker).map(|task| task.to_string()).unwrap_or_default();
            tracing::warn!(job = %job.id, task, steps = seen.steps, behind_ms = seen.behind_ms, "a straggler");
        }
        self.late = late;
        (self.step, self.curve) = (step, curve.or(self.curve));
        self.furthest = furthest.min(job.run_until).max(step);
        // What was trained before it was known is no speed.
        if self.known {
            self.sample(now, records_before(&job.plan, step));
        }
        changed
    }

    /// Workers that are late again and again.
    pub(super) fn late(&self) -> Vec<Late> {
        self.late.values().copied().collect()
    }

    /// Steps that all servers have done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// How far servers may be, and how fast.
    pub fn pace(&self, job: &Job) -> Pace {
        Pace { reached: self.furthest, steps_per_s: self.records_per_s() / f64::from(job.plan.batch_size) }
    }

    fn sample(&mut self, now: Instant, records: u64) {
        if self.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= SAMPLE_GAP) {
            self.samples.push_back((now, records));
        }
        // One older than the window is its beginning.
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    fn records_per_s(&self) -> f64 {
        match (self.samples.front(), self.samples.back()) {
            (Some((from, before)), Some((to, after))) if to > from => (after - before) as f64 / to.duration_since(*from).as_secs_f64(),
            _ => 0.0,
        }
    }

    /// The message; nothing while it is not known how far the job is.
    pub(super) fn message(&self, job: &Job, workers_alive: u32) -> Option<v1::Progress> {
        self.known.then(|| self.figures(job, workers_alive))
    }

    fn figures(&self, job: &Job, workers_alive: u32) -> v1::Progress {
        let plan = &job.plan;
        let epoch = self.curve.map(|curve| curve.epoch).filter(|epoch| epoch.records > 0.0);
        let mean = |sum: f32, records: f32| f64::from(sum) / f64::from(records);
        let classes = job.file.model.loss.is_some_and(Loss::predicts_classes);
        let records_per_s = self.records_per_s();
        let left = (plan.records * u64::from(plan.epochs)).saturating_sub(records_before(plan, self.step));
        let seconds_left = (records_per_s > 0.0 && !job.is_over()).then(|| left as f64 / records_per_s);
        v1::Progress {
            epoch: plan.place(self.step.saturating_sub(1)).epoch + u32::from(self.step > 0),
            step: self.step,
            steps: plan.steps(),
            loss: epoch.map(|e| mean(e.loss_sum, e.records)).filter(|loss| loss.is_finite()),
            accuracy: epoch.filter(|_| classes).map(|e| mean(e.correct, e.records)),
            records_per_s,
            seconds_left,
            workers_alive,
        }
    }
}

/// Records of all steps before `step`.
fn records_before(plan: &TrainPlan, step: u64) -> u64 {
    let place = plan.place(step);
    let whole = plan.records.saturating_mul(u64::from(place.epoch));
    whole.saturating_add(place.step.saturating_mul(u64::from(plan.batch_size)).min(plan.records))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::fixture::{job, registered, server_report};

    #[test]
    fn figures_follow_from_reports() {
        let cluster = registered();
        let job = cluster.job(&job()).unwrap();
        let mut progress = Progress::default();
        let start = Instant::now();
        // 1000 records in steps of 64: 16 a epoch, of which the last has 40 records.
        for (s, step) in [(0, 0), (1, 8), (2, 16), (3, 17)] {
            let report = server_report(job.generation, step);
            // Also that it is at its beginning was not known.
            assert!(progress.update(job, [(TaskId::server(0), &report)].into_iter(), start + Duration::from_secs(s)));
        }
        let message = progress.message(job, 2).unwrap();
        assert_eq!((message.epoch, message.step, message.steps, message.workers_alive), (2, 17, 32, 2));
        assert_eq!(message.records_per_s, (1000.0 + 64.0) / 3.0);
        assert_eq!(message.seconds_left, Some((1000.0 - 64.0) / message.records_per_s));
        assert_eq!((message.loss, message.accuracy), (Some(0.5), Some(0.25)));
        assert_eq!(records_before(&job.plan, 16), 1000);
        // Nothing goes back when a server is silent about it.
        assert!(!progress.update(job, std::iter::empty(), start + Duration::from_secs(4)));
        assert_eq!(progress.message(job, 0).unwrap().step, 17);
        // But with the parameters.
        let job = Job { generation: Generation(2), ..job.clone() };
        let report = server_report(job.generation, 3);
        progress.update(&job, [(TaskId::server(0), &report)].into_iter(), start + Duration::from_secs(5));
        assert_eq!((progress.step(), progress.message(&job, 0).unwrap().records_per_s), (3, 0.0));
    }

    #[test]
    fn a_leader_that_takes_office_counts_from_what_it_hears_first() {
        let cluster = registered();
        let mut job = cluster.job(&job()).unwrap().clone();
        job.file.parameter_server.count = 2;
        let (mut progress, start) = (Progress::default(), Instant::now());
        let at = |step| server_report(job.generation, step);
        let mut see = |steps: &[u64], s| {
            let reports: Vec<Report> = steps.iter().map(|step| at(*step)).collect();
            let tasks = (0..).map(TaskId::server);
            let changed = progress.update(&job, tasks.zip(&reports), start + Duration::from_secs(s));
            (changed, progress.message(&job, 2).map(|message| (message.step, message.records_per_s)))
        };
        // One of two servers says how far it is, and that is not how far the job is.
        assert_eq!((see(&[], 0).1, see(&[16], 1).1), (None, None));
        assert_eq!(see(&[16, 16], 2), (true, Some((16, 0.0))), "what was trained before took no time that is known");
        assert_eq!(see(&[32, 32], 3), (true, Some((32, 1000.0))));
        // Of another generation that begins under its eyes all is known.
        job.generation = Generation(2);
        assert!(!progress.update(&job, std::iter::empty(), start + Duration::from_secs(4)));
        assert_eq!(progress.message(&job, 2).map(|message| message.step), Some(0));
    }

    #[test]
    fn stragglers_are_those_that_servers_see_now() {
        let cluster = registered();
        let job = cluster.job(&job()).unwrap();
        let worker = job.tasks[&TaskId::worker(0)].incarnation().unwrap();
        let (mut progress, now) = (Progress::default(), Instant::now());
        let report = |late: Option<(Incarnation, u32)>| {
            let mut report = server_report(job.generation, 1);
            let Body::Server(server) = &mut report.body else { unreachable!() };
            server.late = late.map(|(worker, steps)| Late { worker, steps, behind_ms: 50 });
            report
        };
        let mut see = |late: [Option<(Incarnation, u32)>; 2]| {
            let [first, second] = late.map(report);
            let reports = [(TaskId::server(0), &first), (TaskId::server(1), &second)];
            let changed = progress.update(job, reports.into_iter(), now);
            (changed, progress.late().iter().map(|late| (late.worker, late.steps)).collect::<Vec<_>>())
        };
        assert_eq!(see([Some((worker, 5)), Some((worker, 9))]), (true, vec![(worker, 9)]));
        assert!(!see([Some((worker, 9)), None]).0);
        assert_eq!(see([None, Some((Incarnation(77), 9))]), (true, vec![]), "a retired one is nobody's matter");
    }
}
