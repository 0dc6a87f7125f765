//! Whoever exports a job's model, and however often, exports the same bits.

use super::ensure;
use crate::model::ByChunk;
use std::collections::BTreeMap;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::JobId;

/// What a job leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Bits of the parameters, by chunk.
    pub parameters: Vec<Vec<u32>>,
    /// Bits of the curve: step, loss sum, records, correct.
    pub curve: Vec<(u64, [u32; 3])>,
}

#[derive(Debug, Default)]
pub struct Exports {
    left: BTreeMap<JobId, Left>,
}

impl Exports {
    /// A worker is about to export these. One that was told to in an earlier generation may have the curve of a later one,
    /// as far as that is: the last one to write it counts.
    pub fn values(&mut self, job: &JobId, parameters: &ByChunk, curve: &[CurvePoint]) {
        let parameters = parameters.iter().map(|chunk| chunk.iter().map(|value| value.to_bits()).collect()).collect();
        let point = |point: &CurvePoint| (point.step, [point.loss_sum, point.records, point.correct].map(f32::to_bits));
        let left = Left { parameters, curve: curve.iter().map(point).collect() };
        let same = self.left.get(job).is_none_or(|first| first.parameters == left.parameters);
        ensure(same, job, "all exports of a job have the same bits");
        self.left.insert(job.clone(), left);
    }

    /// What a job has left, if it was exported.
    pub fn left(&self, job: &JobId) -> Option<&Left> {
        self.left.get(job)
    }
}
