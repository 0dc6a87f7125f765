//! What evaluations counted.

use crate::{Malformed, needed, sensible, v1};
use tfcoord_types::figures::{AUC_BINS, Counts};
use tfcoord_types::report::EvaluatedShard;
use tfcoord_types::view::Evaluation;

impl From<Counts> for v1::Counts {
    fn from(counts: Counts) -> Self {
        Self {
            records: counts.records,
            loss_sum: counts.loss_sum(),
            correct: counts.correct,
            confusion: counts.confusion,
            bins: counts.bins.into_iter().map(|(bin, negatives, positives)| v1::AucBin { bin: bin.into(), negatives, positives }).collect(),
        }
    }
}

impl TryFrom<v1::Counts> for Counts {
    type Error = Malformed;

    fn try_from(message: v1::Counts) -> Result<Self, Malformed> {
        let bin = |b: v1::AucBin| Some((u16::try_from(b.bin).ok().filter(|n| usize::from(*n) < AUC_BINS)?, b.negatives, b.positives));
        let bins: Option<Vec<_>> = message.bins.into_iter().map(bin).collect();
        let bins = bins.filter(|bins| bins.windows(2).all(|pair| pair[0].0 < pair[1].0));
        Ok(Self {
            records: message.records,
            loss_sum_bits: message.loss_sum.to_bits(),
            correct: message.correct,
            confusion: message.confusion,
            bins: sensible(bins, "Counts.bins")?,
        })
    }
}

impl From<EvaluatedShard> for v1::EvaluatedShard {
    fn from(EvaluatedShard { evaluation, shard, counts }: EvaluatedShard) -> Self {
        Self { evaluation, shard, counts: Some(counts.into()) }
    }
}

impl TryFrom<v1::EvaluatedShard> for EvaluatedShard {
    type Error = Malformed;

    fn try_from(message: v1::EvaluatedShard) -> Result<Self, Malformed> {
        let counts = needed(message.counts, "EvaluatedShard.counts")?.try_into()?;
        Ok(Self { evaluation: message.evaluation, shard: message.shard, counts })
    }
}

impl From<Evaluation> for v1::CompleteEvaluation {
    fn from(Evaluation { epoch, step, counts }: Evaluation) -> Self {
        Self { epoch, step, counts: Some(counts.into()) }
    }
}

impl TryFrom<v1::CompleteEvaluation> for Evaluation {
    type Error = Malformed;

    fn try_from(message: v1::CompleteEvaluation) -> Result<Self, Malformed> {
        let counts = needed(message.counts, "CompleteEvaluation.counts")?.try_into()?;
        Ok(Self { epoch: message.epoch, step: message.step, counts })
    }
}
