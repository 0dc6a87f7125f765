//! Proposals that make lanes move, or give a worker its first shards.

use crate::command::Command;
use crate::job::Job;
use tfcoord_types::id::{Revision, TaskId};
use tfcoord_types::job::Straggler;
use tfcoord_types::report::{LATE_STEPS, Late, Report, ServerReport};

/// A worker without lanes that has applied a view since it registered: a process has its model, and has found it equal to
/// the job's, before it applies anything.
pub(super) fn join(job: &Job, task: TaskId, report: &Report) -> Option<Command> {
    let ready = report.applied >= Revision(report.incarnation.0) && report.applied <= job.revision;
    (ready && (job.waits_for_lanes(task) || job.waits_for_shards(report.incarnation)))
        .then(|| Command::JoinWorker { job: job.id.clone(), incarnation: report.incarnation })
}

/// A straggler that a server has seen, where the job wants its lanes to move. Only by the newest view: a server that has
/// not applied it may speak of an older dealing.
pub(super) fn relieve(job: &Job, report: &Report, server: &ServerReport) -> Option<Command> {
    let Late { worker, steps, behind_ms } = server.late.filter(|late| late.steps >= LATE_STEPS)?;
    let newest = report.generation == job.generation && report.applied == job.revision;
    let moves = job.file.worker.straggler == Straggler::Move && newest && job.can_be_relieved(worker);
    let reason = format!("its sums came after all others' in {steps} steps in a row, the last ones {behind_ms} ms after");
    moves.then(|| Command::MoveLanes { job: job.id.clone(), incarnation: worker, reason })
}
