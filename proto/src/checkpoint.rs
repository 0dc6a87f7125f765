//! What is said of checkpoints.

use crate::{Malformed, needed, sensible, v1};
use tfcoord_types::checkpoint::{Checkpoint, CutOutcome, CutReport, PartFile, RestoreFault};
use tfcoord_types::id::CheckpointId;
use v1::cut_report as wire;

fn id(text: &str, field: &'static str) -> Result<CheckpointId, Malformed> {
    sensible(text.parse().ok(), field)
}

impl From<Checkpoint> for v1::Checkpoint {
    fn from(Checkpoint { id, dir }: Checkpoint) -> Self {
        Self { id: id.to_string(), dir }
    }
}

impl TryFrom<v1::Checkpoint> for Checkpoint {
    type Error = Malformed;

    fn try_from(message: v1::Checkpoint) -> Result<Self, Malformed> {
        // A path of this machine, or an address.
        let absolute = Some(message.dir).filter(|dir| dir.starts_with('/') || dir.contains("://"));
        Ok(Self { id: id(&message.id, "Checkpoint.id")?, dir: sensible(absolute, "Checkpoint.dir")? })
    }
}

impl From<CutReport> for v1::CutReport {
    fn from(CutReport { id, outcome }: CutReport) -> Self {
        let outcome = match outcome {
            CutOutcome::Written(PartFile { file, length, crc32c }) => wire::Outcome::Written(v1::PartFile { file, length, crc32c }),
            CutOutcome::Missed => wire::Outcome::Missed(wire::Missed {}),
            CutOutcome::Failed { reason } => wire::Outcome::Failed(wire::Failed { reason }),
        };
        Self { checkpoint: id.to_string(), outcome: Some(outcome) }
    }
}

impl TryFrom<v1::CutReport> for CutReport {
    type Error = Malformed;

    fn try_from(message: v1::CutReport) -> Result<Self, Malformed> {
        let outcome = match needed(message.outcome, "CutReport.outcome")? {
            wire::Outcome::Written(v1::PartFile { file, length, crc32c }) => CutOutcome::Written(PartFile { file, length, crc32c }),
            wire::Outcome::Missed(_) => CutOutcome::Missed,
            wire::Outcome::Failed(failed) => CutOutcome::Failed { reason: failed.reason },
        };
        Ok(Self { id: id(&message.checkpoint, "CutReport.checkpoint")?, outcome })
    }
}

impl From<RestoreFault> for v1::RestoreFault {
    fn from(RestoreFault { id, reason }: RestoreFault) -> Self {
        Self { checkpoint: id.to_string(), reason }
    }
}

impl TryFrom<v1::RestoreFault> for RestoreFault {
    type Error = Malformed;

    fn try_from(message: v1::RestoreFault) -> Result<Self, Malformed> {
        Ok(Self { id: id(&message.checkpoint, "RestoreFault.checkpoint")?, reason: message.reason })
    }
}
