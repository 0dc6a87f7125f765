//! The curve: one point a step, summed over the tree like a gradient, so exactly-once and the same bits.

use std::ops::Range;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::CurveReport;

/// The curve of one generation, on the server that holds its chunk.
#[derive(Debug, Default)]
pub(crate) struct Curve {
    points: Vec<CurvePoint>,
    epoch_first: u64,
    // Loss sum, records, correct records since the epoch began.
    epoch: [f64; 3],
}

impl Curve {
    /// The curve as it was after these steps: one point each.
    pub fn restored(plan: &TrainPlan, points: &[CurvePoint]) -> Self {
        let mut curve = Self::default();
        for point in points {
            curve.push(plan, [point.loss_sum, point.records, point.correct]);
        }
        curve
    }

    /// Adds the next step's sums.
    pub fn push(&mut self, plan: &TrainPlan, sums: [f32; 3]) -> CurvePoint {
        let step = self.points.len() as u64;
        if plan.place(step).step == 0 {
            (self.epoch_first, self.epoch) = (step, [0.0; 3]);
        }
        self.epoch.iter_mut().zip(sums).for_each(|(all, sum)| *all += f64::from(sum));
        let point = CurvePoint { step, loss_sum: sums[0], records: sums[1], correct: sums[2] };
        self.points.push(point);
        point
    }

    /// Adds the sums of these steps of the data together: each gets its part of them, by its records.
    pub fn extend(&mut self, plan: &TrainPlan, steps: Range<u64>, sums: [f32; 3]) -> &[CurvePoint] {
        let from = self.points.len();
        if steps.end - steps.start == 1 {
            self.push(plan, sums);
        } else {
            for step in steps {
                let records = plan.records_in(step, 0..plan.micro_batches) as f32;
                let share = if sums[1] > 0.0 { records / sums[1] } else { 0.0 };
                self.push(plan, [sums[0] * share, records, sums[2] * share]);
            }
        }
        &self.points[from..]
    }

    /// The points from step `from` on.
    pub fn from(&self, from: u64) -> &[CurvePoint] {
        let from = usize::try_from(from).map_or(self.points.len(), |from| from.min(self.points.len()));
        &self.points[from..]
    }

    /// Where the curve stands; `None` before its first point.
    pub fn report(&self) -> Option<CurveReport> {
        let [loss_sum, records, correct] = self.epoch.map(|sum| sum as f32);
        let epoch = CurvePoint { step: self.epoch_first, loss_sum, records, correct };
        self.points.last().map(|last| CurveReport { last: *last, epoch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_s_sums_begin_anew() {
        let plan = TrainPlan { records: 4, batch_size: 2, micro_batches: 1, epochs: 2 };
        let mut curve = Curve::default();
        assert_eq!(curve.report(), None);
        for step in 0u8..3 {
            curve.push(&plan, [f32::from(step), 2.0, 1.0]);
        }
        let report = curve.report().unwrap();
        assert_eq!((report.last.step, report.epoch.step, report.epoch.loss_sum, report.epoch.records), (2, 2, 2.0, 2.0));
        assert_eq!((curve.from(1).len(), curve.from(9).len()), (2, 0));
    }
}
