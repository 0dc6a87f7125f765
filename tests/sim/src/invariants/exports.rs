//! Whoever exports a job's model, and however often, exports the same bits.

use super::ensure;
use crate::model::ByChunk;
use std::collections::BTreeMap;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::JobId;
use tfcoord_types::report::Exported;

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
    exported: BTreeMap<JobId, Exported>,
    left: BTreeMap<JobId, Left>,
}

impl Exports {
    /// A worker is about to export these.
    pub fn values(&mut self, job: &JobId, parameters: &ByChunk, curve: &[CurvePoint]) {
        let parameters = parameters.iter().map(|chunk| chunk.iter().map(|value| value.to_bits()).collect()).collect();
        let point = |point: &CurvePoint| (point.step, [point.loss_sum, point.records, point.correct].map(f32::to_bits));
        let left = Left { parameters, curve: curve.iter().map(point).collect() };
        let first = self.left.entry(job.clone()).or_insert_with(|| left.clone());
        ensure(*first == left, job, "all exports of a job have the same bits");
    }

    /// An export is in its place.
    pub fn exported(&mut self, job: &JobId, exported: &Exported) {
        let first = self.exported.entry(job.clone()).or_insert_with(|| exported.clone());
        ensure(first == exported, job, "all exports of a job are the same files");
    }

    /// What a job has left, if it was exported.
    pub fn left(&self, job: &JobId) -> Option<&Left> {
        self.left.get(job)
    }

    /// What an export of a job was reported as.
    pub fn files(&self, job: &JobId) -> Option<&Exported> {
        self.exported.get(job)
    }
}
