//! One file a transition. A handler checks before it changes anything: a refusal leaves the state as it was.

mod cancel;
mod checkpoint;
mod evaluate;
mod finish;
mod generation;
mod lane;
mod lost;
mod office;
mod reach;
mod register;
mod scale;
mod shard;
mod straggler;
pub(crate) mod submit;
mod tick;
mod variables;

#[cfg(test)]
mod cancel_test;
#[cfg(test)]
mod checkpoint_test;
#[cfg(test)]
mod evaluate_test;
#[cfg(test)]
mod finish_test;
#[cfg(test)]
mod generation_test;
#[cfg(test)]
mod lane_test;
#[cfg(test)]
mod lost_test;
#[cfg(test)]
mod office_test;
#[cfg(test)]
mod reach_test;
#[cfg(test)]
mod register_test;
#[cfg(test)]
mod scale_test;
#[cfg(test)]
mod shard_test;
#[cfg(test)]
mod straggler_test;
#[cfg(test)]
mod submit_test;
#[cfg(test)]
mod tick_test;
#[cfg(test)]
mod variables_test;

use crate::cluster::{Cluster, Entry};
use crate::command::Command;
use crate::job::Job;
use crate::outcome::{Outcome, Refusal};
use tfcoord_types::id::JobId;

type Handled = Result<Outcome, Refusal>;

pub(crate) fn handle(cluster: &mut Cluster, entry: &mut Entry, command: Command) -> Handled {
    let c = cluster;
    match command {
        Command::SubmitJob { request_id, file, manifest, resume } => submit::submit_job(c, entry, request_id, *file, manifest, resume),
        Command::TakeOffice { adopts } => office::take_office(c, entry, adopts),
        Command::Tick {} => tick::tick(c, entry),
        Command::RegisterTask { job, task, attempt, process } => {
            on(c, entry, &job, |job, entry| register::register_task(job, entry, task, attempt, process))
        }
        Command::DeclareVariables { job, incarnation, variables, machine_bytes } => {
            on(c, entry, &job, |job, entry| variables::declare_variables(job, entry, incarnation, variables, machine_bytes))
        }
        Command::ApplyView { job, incarnation, revision } => on(c, entry, &job, |job, _| lane::apply_view(job, incarnation, revision)),
        Command::ReachStep { job, generation, incarnation, step } => {
            on(c, entry, &job, |job, _| reach::reach_step(job, generation, incarnation, step))
        }
        Command::FinishShards { job, generation, incarnation, done } => {
            on(c, entry, &job, |job, _| shard::finish_shards(job, generation, incarnation, &done))
        }
        Command::CompleteShards { job, generation, incarnation, shards } => {
            on(c, entry, &job, |job, entry| evaluate::complete_shards(job, entry, generation, incarnation, shards))
        }
        Command::CompleteExport { job, incarnation, exported } => {
            on(c, entry, &job, |job, entry| finish::complete_export(job, entry, incarnation, exported))
        }
        Command::DeclareLost { job, task, attempt, cause, step } => {
            on(c, entry, &job, |job, entry| lost::declare_lost(job, entry, task, attempt, cause, step))
        }
        Command::CutCheckpoint { job, generation, step } => {
            on(c, entry, &job, |job, entry| checkpoint::cut_checkpoint(job, entry, generation, step))
        }
        Command::CompleteCut { job, incarnation, id, part } => {
            on(c, entry, &job, |job, _| checkpoint::complete_cut(job, incarnation, id, part))
        }
        Command::AbandonCut { job, id, reason } => on(c, entry, &job, |job, entry| checkpoint::abandon_cut(job, entry, id, reason)),
        Command::CommitCheckpoint { job, id } => on(c, entry, &job, |job, entry| checkpoint::commit_checkpoint(job, entry, id)),
        Command::DiscardCheckpoint { job, generation, incarnation, id, reason } => {
            on(c, entry, &job, |job, entry| checkpoint::discard_checkpoint(job, entry, generation, incarnation, id, &reason))
        }
        Command::FailJob { job, incarnation, fault } => on(c, entry, &job, |job, entry| finish::fail_job(job, entry, incarnation, fault)),
        Command::CancelJob { job, reason } => on(c, entry, &job, |job, entry| cancel::cancel_job(job, entry, &reason)),
        Command::ScaleJob { job, workers, machine_bytes } => {
            on(c, entry, &job, |job, entry| scale::scale_job(job, entry, workers, machine_bytes))
        }
        Command::JoinWorker { job, incarnation } => on(c, entry, &job, |job, entry| scale::join_worker(job, entry, incarnation)),
        Command::MoveLanes { job, incarnation, reason } => {
            on(c, entry, &job, |job, entry| straggler::move_lanes(job, entry, incarnation, reason))
        }
        Command::CollectTask { job, task, attempt, exit } => on(c, entry, &job, |job, _| finish::collect_task(job, task, attempt, exit)),
    }
}

fn on(cluster: &mut Cluster, entry: &mut Entry, id: &JobId, handle: impl FnOnce(&mut Job, &mut Entry) -> Handled) -> Handled {
    let job = cluster.jobs.get_mut(id).ok_or_else(|| Refusal::UnknownJob { job: id.clone() })?;
    let outcome = handle(job, entry)?;
    if outcome != Outcome::Unchanged {
        job.revision = entry.revision;
    }
    Ok(outcome)
}
