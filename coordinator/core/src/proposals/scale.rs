//! Proposals that make lanes move, or give a worker its first shards.

use crate::command::Command;
use crate::job::Job;
use tfcoord_types::id::{Revision, TaskId};
use tfcoord_types::report::Report;

/// A worker without lanes that has applied a view since it registered: a process has its model, and has found it equal to
/// the job's, before it applies anything.
pub(super) fn join(job: &Job, task: TaskId, report: &Report) -> Option<Command> {
    let ready = report.applied >= Revision(report.incarnation.0) && report.applied <= job.revision;
    (ready && (job.waits_for_lanes(task) || job.waits_for_shards(report.incarnation)))
        .then(|| Command::JoinWorker { job: job.id.clone(), incarnation: report.incarnation })
}
