//! Figures of training and evaluation, in forms that merge exactly.

use serde::{Deserialize, Serialize};

/// The curve's variable: one a model, group [`crate::variable::Group::Curve`], of [`CURVE_LEN`] elements:
/// loss sum, records, correct records of a micro-batch.
pub const CURVE_VARIABLE: &str = "curve";
/// Elements of the curve's variable.
pub const CURVE_LEN: u32 = 3;
/// Bins of the area under the ROC curve: a score s in 0..=1 counts in bin min(floor(s * 4096), 4095).
pub const AUC_BINS: usize = 4096;

/// Records a batch of an evaluation; part of an evaluation's bits.
pub const EVALUATION_BATCH: u64 = 256;

/// One step of the curve: the sums over its records, as the server's tree gave them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The step, from 0.
    pub step: u64,
    /// Sum of the records' losses.
    pub loss_sum: f32,
    /// Records of the step.
    pub records: f32,
    /// Records whose prediction was right.
    pub correct: f32,
}

/// What an evaluation of a shard, or of several, counted. All integers but the loss, which is added in the
/// order of the shards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Records seen.
    pub records: u64,
    /// Bits of the f64 sum of losses: exact in JSON whatever the value.
    pub loss_sum_bits: u64,
    /// Records whose prediction was right (classification).
    pub correct: u64,
    /// Records by (label, prediction), row by row; `classes` squared entries, or none.
    pub confusion: Vec<u64>,
    /// (bin, negatives, positives) of the bins that are not empty, ascending; for binary outputs.
    pub bins: Vec<(u16, u64, u64)>,
}

impl Counts {
    /// Sum of the records' losses.
    pub fn loss_sum(&self) -> f64 {
        f64::from_bits(self.loss_sum_bits)
    }

    /// Adds what `other` counted; `other` must be of the shard that follows.
    pub fn add(&mut self, other: &Counts) {
        self.records += other.records;
        self.loss_sum_bits = (self.loss_sum() + other.loss_sum()).to_bits();
        self.correct += other.correct;
        if self.confusion.len() < other.confusion.len() {
            self.confusion.resize(other.confusion.len(), 0);
        }
        for (mine, more) in self.confusion.iter_mut().zip(&other.confusion) {
            *mine += more;
        }
        for &(bin, negatives, positives) in &other.bins {
            match self.bins.binary_search_by_key(&bin, |b| b.0) {
                Ok(at) => {
                    self.bins[at].1 += negatives;
                    self.bins[at].2 += positives;
                }
                Err(at) => self.bins.insert(at, (bin, negatives, positives)),
            }
        }
    }

    /// Mean loss a record; `None` without records.
    pub fn loss(&self) -> Option<f64> {
        (self.records > 0).then(|| self.loss_sum() / self.records as f64)
    }

    /// Share of right predictions; `None` without records.
    pub fn accuracy(&self) -> Option<f64> {
        (self.records > 0).then(|| self.correct as f64 / self.records as f64)
    }

    /// Area under the ROC curve over the bins, ties within a bin counted half (Mann-Whitney); `None` unless
    /// there are both negatives and positives.
    pub fn auc(&self) -> Option<f64> {
        let (mut below, mut twice_wins) = (0u128, 0u128);
        let (mut negatives_all, mut positives_all) = (0u128, 0u128);
        for &(_, negatives, positives) in &self.bins {
            let (negatives, positives) = (u128::from(negatives), u128::from(positives));
            twice_wins += positives * (2 * below + negatives);
            below += negatives;
            negatives_all += negatives;
            positives_all += positives;
        }
        let pairs = negatives_all * positives_all;
        (pairs > 0).then(|| twice_wins as f64 / (2.0 * pairs as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(bins: &[(u16, u64, u64)]) -> Counts {
        Counts { bins: bins.to_vec(), ..Counts::default() }
    }

    #[test]
    fn auc_of_known_orders() {
        assert_eq!(counts(&[(1, 5, 0), (9, 0, 3)]).auc(), Some(1.0));
        assert_eq!(counts(&[(1, 0, 3), (9, 5, 0)]).auc(), Some(0.0));
        assert_eq!(counts(&[(4, 5, 3)]).auc(), Some(0.5));
        assert_eq!(counts(&[(4, 5, 0)]).auc(), None);
    }

    #[test]
    fn bins_merge_in_order() {
        let mut sum = counts(&[(2, 1, 0), (7, 0, 1)]);
        sum.add(&counts(&[(1, 0, 1), (7, 2, 2)]));
        assert_eq!(sum.bins, [(1, 0, 1), (2, 1, 0), (7, 2, 3)]);
    }
}
