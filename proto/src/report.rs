//! A task's report.

use crate::{Malformed, needed, sensible, v1};
use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::report::{Body, Exported, Fault, FaultKind, Late, Report, ServerReport, ShardsDone, WorkerReport};
use v1::fault::Kind;
use v1::report as wire;

impl From<Report> for v1::Report {
    fn from(report: Report) -> Self {
        let body = match report.body {
            Body::Worker(worker) => wire::Body::Worker(worker.into()),
            Body::Server(server) => wire::Body::Server(server.into()),
        };
        Self {
            incarnation: report.incarnation.0,
            applied_revision: report.applied.0,
            generation: report.generation.0,
            body: Some(body),
            fault: report.fault.map(Into::into),
        }
    }
}

impl TryFrom<v1::Report> for Report {
    type Error = Malformed;

    fn try_from(message: v1::Report) -> Result<Self, Malformed> {
        let body = match needed(message.body, "Report.body")? {
            wire::Body::Worker(worker) => Body::Worker(worker.try_into()?),
            wire::Body::Server(server) => Body::Server(server.try_into()?),
        };
        Ok(Self {
            incarnation: Incarnation(message.incarnation),
            applied: Revision(message.applied_revision),
            generation: Generation(message.generation),
            body,
            fault: message.fault.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<WorkerReport> for v1::WorkerReport {
    fn from(report: WorkerReport) -> Self {
        Self {
            variables: report.variables.into_iter().map(Into::into).collect(),
            step: report.step,
            records: report.records,
            evaluated: report.evaluated.into_iter().map(Into::into).collect(),
            exported: report.exported.map(Into::into),
        }
    }
}

impl TryFrom<v1::WorkerReport> for WorkerReport {
    type Error = Malformed;

    fn try_from(message: v1::WorkerReport) -> Result<Self, Malformed> {
        let variables: Result<_, _> = message.variables.into_iter().map(TryInto::try_into).collect();
        let evaluated: Result<_, _> = message.evaluated.into_iter().map(TryInto::try_into).collect();
        Ok(Self {
            variables: variables?,
            step: message.step,
            records: message.records,
            evaluated: evaluated?,
            exported: message.exported.map(Into::into),
        })
    }
}

impl From<ServerReport> for v1::ServerReport {
    fn from(report: ServerReport) -> Self {
        let ServerReport { reached, done, curve, cut, restore_fault, late } = report;
        Self {
            reached,
            curve: curve.map(Into::into),
            cut: cut.map(Into::into),
            restore_fault: restore_fault.map(Into::into),
            late: late.map(|Late { worker, steps, behind_ms }| v1::Late { worker: worker.0, steps, behind_ms }),
            done_epoch: done.epoch,
            done_shards: done.shards,
        }
    }
}

impl TryFrom<v1::ServerReport> for ServerReport {
    type Error = Malformed;

    fn try_from(message: v1::ServerReport) -> Result<Self, Malformed> {
        Ok(Self {
            reached: message.reached,
            done: ShardsDone { epoch: message.done_epoch, shards: message.done_shards },
            curve: message.curve.map(TryInto::try_into).transpose()?,
            cut: message.cut.map(TryInto::try_into).transpose()?,
            restore_fault: message.restore_fault.map(TryInto::try_into).transpose()?,
            late: message.late.map(|v1::Late { worker, steps, behind_ms }| Late { worker: Incarnation(worker), steps, behind_ms }),
        })
    }
}

impl From<Exported> for v1::Exported {
    fn from(exported: Exported) -> Self {
        let file = |(name, length, sha256)| v1::ExportedFile { name, length, sha256 };
        Self { dir: exported.dir, files: exported.files.into_iter().map(file).collect() }
    }
}

impl From<v1::Exported> for Exported {
    fn from(message: v1::Exported) -> Self {
        Self { dir: message.dir, files: message.files.into_iter().map(|f| (f.name, f.length, f.sha256)).collect() }
    }
}

impl From<Fault> for v1::Fault {
    fn from(fault: Fault) -> Self {
        let kind = match fault.kind {
            FaultKind::Data => Kind::Data,
            FaultKind::NotFinite => Kind::NotFinite,
            FaultKind::Job => Kind::Job,
            FaultKind::Task => Kind::Task,
        };
        Self { kind: kind.into(), message: fault.message }
    }
}

impl TryFrom<v1::Fault> for Fault {
    type Error = Malformed;

    fn try_from(message: v1::Fault) -> Result<Self, Malformed> {
        let kind = match Kind::try_from(message.kind) {
            Ok(Kind::Data) => Some(FaultKind::Data),
            Ok(Kind::NotFinite) => Some(FaultKind::NotFinite),
            Ok(Kind::Job) => Some(FaultKind::Job),
            Ok(Kind::Task) => Some(FaultKind::Task),
            Ok(Kind::Unspecified) | Err(_) => None,
        };
        Ok(Self { kind: sensible(kind, "Fault.kind")?, message: message.message })
    }
}
