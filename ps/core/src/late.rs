//! Who is late: when each worker's last sum of a step came. What a clock shows comes from
//! outside, as the time since some beginning.
//!
//! A worker is late in a step if its last sum comes after all others', by more than [`BEHIND_MIN`], and it took more than
//! twice as long for a lane as the slowest of the others. With k lanes, where an other has m: it came at time t of the
//! step, behind by more than t (1 - m / 2k), which for equal numbers of lanes is half of the step.

use std::collections::BTreeMap;
use std::time::Duration;
use tfcoord_types::id::Incarnation;
use tfcoord_types::report::{LATE_STEPS, Late};
use tfcoord_types::view::TaskView;

/// Whoever is behind by less is not late: the machine had something else to do.
const BEHIND_MIN: Duration = Duration::from_millis(20);

/// Who is late, under one dealing of the lanes.
#[derive(Debug, Default)]
pub struct Lateness {
    owners: Vec<Option<Incarnation>>,
    run_until: u64,
    // Since when the present step may be computed.
    began: Option<Duration>,
    // The last sum taken of each worker, for the steps that are not done.
    came: BTreeMap<u64, BTreeMap<Incarnation, Duration>>,
    late: Option<Late>,
}

impl Lateness {
    /// Another dealing begins anew; a step that nobody was allowed to compute before begins now.
    pub fn see(&mut self, view: &TaskView, now: Duration) {
        if self.owners != view.owners {
            *self = Self { owners: view.owners.clone(), ..Self::default() };
        }
        if self.run_until != view.run_until {
            (self.run_until, self.began) = (view.run_until, Some(now));
        }
    }

    /// A sum was taken.
    pub fn took(&mut self, worker: Incarnation, step: u64, now: Duration) {
        self.came.entry(step).or_default().insert(worker, now);
    }

    /// All chunks here have done the steps below this one.
    pub fn reached(&mut self, step: u64, now: Duration) {
        let began = self.began.replace(now);
        let done = step.checked_sub(1).and_then(|step| self.came.remove(&step)).unwrap_or_default();
        self.came.retain(|of, _| *of >= step);
        self.late = began.and_then(|began| self.latecomer(&done, began)).map(|(worker, behind)| {
            let before = self.late.filter(|late| late.worker == worker).map_or(0, |late| late.steps);
            let behind_ms = u64::try_from(behind.as_millis()).unwrap_or(u64::MAX);
            Late { worker, steps: before.saturating_add(1), behind_ms }
        });
    }

    fn latecomer(&self, came: &BTreeMap<Incarnation, Duration>, began: Duration) -> Option<(Incarnation, Duration)> {
        let (worker, at) = came.iter().max_by_key(|(_, at)| **at)?;
        let others = came.iter().filter(|(other, _)| *other != worker);
        let (other, before) = others.max_by_key(|(_, at)| **at)?;
        let lanes = |worker: &Incarnation| self.owners.iter().filter(|owner| **owner == Some(*worker)).count().max(1);
        let (mine, others) = (lanes(worker), lanes(other).min(lanes(worker)));
        let behind = at.saturating_sub(*before);
        let fair = 1.0 - others as f64 / (2 * mine) as f64;
        let limit = at.saturating_sub(began).mul_f64(fair).max(BEHIND_MIN);
        (behind > limit).then_some((*worker, behind))
    }

    /// The straggler.
    pub fn straggler(&self) -> Option<Late> {
        self.late.filter(|late| late.steps >= LATE_STEPS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_types::id::{Generation, Revision};
    use tfcoord_types::plan::TrainPlan;
    use tfcoord_types::view::Directive;

    fn view(owners: &[u64], run_until: u64) -> TaskView {
        TaskView {
            revision: Revision(1),
            incarnation: Incarnation(1),
            directive: Directive::Run,
            generation: Generation(1),
            plan: TrainPlan { records: 8, batch_size: 4, micro_batches: 4, epochs: 100 },
            placement: None,
            servers: vec![],
            owners: owners.iter().map(|owner| Some(Incarnation(*owner))).collect(),
            workers: vec![],
            run_until,
            evaluate: None,
            export: None,
            evaluations: vec![],
            restore: None,
            cut: None,
            leases: vec![],
        }
    }

    struct Bed {
        lateness: Lateness,
        now: Duration,
        step: u64,
    }

    impl Bed {
        fn new(owners: &[u64]) -> Self {
            let mut bed = Bed { lateness: Lateness::default(), now: Duration::from_secs(1), step: 0 };
            bed.lateness.see(&view(owners, 50), bed.now);
            bed
        }

        // A step in which these workers' last sums come after so many ms.
        fn step(&mut self, came_ms: &[(u64, u64)]) -> Option<(u64, u32, u64)> {
            for (worker, ms) in came_ms {
                // The first chunk's sum comes at once.
                self.lateness.took(Incarnation(*worker), self.step, self.now);
                self.lateness.took(Incarnation(*worker), self.step, self.now + Duration::from_millis(*ms));
            }
            let end = came_ms.iter().map(|(_, ms)| *ms).max().unwrap();
            (self.now, self.step) = (self.now + Duration::from_millis(end), self.step + 1);
            self.lateness.reached(self.step, self.now);
            self.lateness.straggler().map(|late| (late.worker.0, late.steps, late.behind_ms))
        }
    }

    #[test]
    fn five_steps_in_a_row_make_a_straggler() {
        let mut bed = Bed::new(&[5, 5, 6, 6]);
        for _ in 0..4 {
            assert_eq!(bed.step(&[(5, 40), (6, 100)]), None);
        }
        assert_eq!(bed.step(&[(5, 40), (6, 110)]), Some((6, 5, 70)));
        assert_eq!(bed.step(&[(5, 40), (6, 100)]), Some((6, 6, 60)));
        assert_eq!(bed.step(&[(5, 40), (6, 70)]), None, "one step in time, and it is none any more");
        for _ in 0..4 {
            assert_eq!(bed.step(&[(5, 40), (6, 100)]), None);
        }
        assert_eq!(bed.step(&[(5, 100), (6, 40)]), None, "another one");
    }

    // The fifth such step in a row.
    fn fifth(owners: &[u64], came_ms: &[(u64, u64)]) -> Option<u64> {
        let mut bed = Bed::new(owners);
        (0..5).filter_map(|_| bed.step(came_ms)).next().map(|late| late.0)
    }

    #[test]
    fn late_is_who_takes_twice_as_long_for_a_lane() {
        assert_eq!(fifth(&[5, 5, 6, 6], &[(5, 50), (6, 99)]), None);
        assert_eq!(fifth(&[5, 5, 6, 6], &[(5, 49), (6, 100)]), Some(6));
        assert_eq!(fifth(&[5, 5, 6, 6], &[(5, 1), (6, 20)]), None, "too little to matter");
        assert_eq!(fifth(&[5, 5, 5, 5], &[(5, 500)]), None, "alone");
        assert_eq!(fifth(&[5, 5, 6, 7], &[(5, 150), (6, 50), (7, 40)]), None, "with two lanes twice as long is in time");
        assert_eq!(fifth(&[5, 5, 6, 7], &[(5, 250), (6, 50), (7, 40)]), Some(5));
        assert_eq!(fifth(&[5, 5, 6, 7], &[(5, 100), (6, 250), (7, 40)]), Some(6));
    }

    #[test]
    fn another_dealing_begins_anew_and_waiting_counts_for_nobody() {
        let mut bed = Bed::new(&[5, 5, 6, 6]);
        (0..4).for_each(|_| assert_eq!(bed.step(&[(5, 40), (6, 100)]), None));
        // An evaluation of ten seconds: the step begins behind it.
        bed.now += Duration::from_secs(10);
        bed.lateness.see(&view(&[5, 5, 6, 6], 100), bed.now);
        assert_eq!(bed.step(&[(5, 40), (6, 100)]), Some((6, 5, 60)));
        bed.lateness.see(&view(&[5, 6, 6, 6], 100), bed.now);
        assert_eq!(bed.lateness.straggler(), None);
        (0..4).for_each(|_| assert_eq!(bed.step(&[(5, 40), (6, 400)]), None));
    }
}
