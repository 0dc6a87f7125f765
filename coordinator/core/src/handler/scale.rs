//! `ScaleJob` and `JoinWorker`: a job gets more workers, or fewer, while it goes on.
//!
//! ```text
//!   more:   launched ──RegisterTask──► registered ──JoinWorker: it is ready──► lanes are dealt again
//!   fewer:  lanes are dealt again, at once ──► leaving ──holds no shard, no export──► stopping ──CollectTask──► ended
//! ```
//!
//! So nobody ever waits for a process to start: until a new worker is ready, the others keep all lanes. A lane that
//! changes hands does so as where a worker was lost: vacated, applied by every server, granted. Nothing has to happen
//! at the end of a step, because what a push is worth is keyed by its step and lanes. Where shards are leased instead, a new
//! worker that is ready gets some, and one that leaves loses its own: others go on with them.

use super::{Handled, evaluate, finish, lost, register, variables};
use crate::cause::Cause;
use crate::cluster::Entry;
use crate::effect::Effect;
use crate::job::Job;
use crate::lane;
use crate::outcome::{Outcome, Refusal};
use crate::shard;
use crate::task::{Task, TaskState};
use tfcoord_types::id::{Incarnation, Role, TaskId};
use tfcoord_types::lane::WORKERS_MAX;

pub(super) fn scale_job(job: &mut Job, entry: &mut Entry, workers: u32, machine_bytes: Option<u64>) -> Handled {
    job.active()?;
    let most = job.workers_max();
    if !(1..=most).contains(&workers) {
        let job = job.id.clone();
        return Err(if most == WORKERS_MAX {
            Refusal::TooManyWorkers { job, workers }
        } else {
            Refusal::Workers { job, workers, micro_batches: most }
        });
    }
    let relieved = job.tasks.values().any(|task| task.relieved.is_some());
    if workers == job.workers() && !relieved {
        return Ok(Outcome::Unchanged);
    }
    job.need = variables::need(job, workers, machine_bytes)?;
    job.scaled = Some(workers);
    // They join again with the next report.
    job.tasks.values_mut().for_each(|task| task.relieved = None);
    (0..workers).for_each(|index| call(job, entry, TaskId::worker(index)));
    if !job.lanes.is_empty() {
        lane::redeal(job, &[], entry.revision);
    }
    let leaving = job.leases.workers.iter().copied().filter(|worker| job.task_of(*worker).is_some_and(|task| job.is_leaving(task)));
    leaving.collect::<Vec<_>>().into_iter().for_each(|worker| shard::vacate(job, worker, entry.revision));
    // A worker that was leaving may be the only one that is there.
    evaluate::lease(job);
    finish::assign_export(job);
    dismiss(job, entry);
    register::start_if_ready(job, entry);
    Ok(Outcome::Done)
}

/// A worker is ready for lanes, or for shards.
pub(super) fn join_worker(job: &mut Job, entry: &mut Entry, incarnation: Incarnation) -> Handled {
    job.active()?;
    let task = job.speaker(incarnation, Role::Worker)?;
    if job.waits_for_shards(incarnation) {
        job.leases.workers.insert(incarnation);
        shard::grant(job);
        return Ok(Outcome::Done);
    }
    if !job.waits_for_lanes(task) {
        return Ok(Outcome::Unchanged);
    }
    lane::redeal(job, &[task], entry.revision);
    evaluate::lease(job);
    Ok(Outcome::Done)
}

// Launches a worker that is not there, or is told to stop.
fn call(job: &mut Job, entry: &mut Entry, task: TaskId) {
    let start_timeout = job.file.start_timeout;
    match job.tasks.get_mut(&task) {
        Some(state) if state.is_dismissed() => {
            state.exit = None;
            lost::launch(&job.id, task, state, entry, start_timeout);
        }
        Some(_) => {}
        None => {
            let state = Task::new(entry.now_ms, start_timeout);
            entry.effects.push(Effect::LaunchTask { job: job.id.clone(), task, attempt: state.attempt });
            job.tasks.insert(task, state);
        }
    }
}

/// Tells leaving workers to stop that hold nothing any more.
pub(super) fn dismiss(job: &mut Job, entry: &mut Entry) {
    let leaving = job.tasks.iter().filter(|(task, state)| job.is_leaving(**task) && !state.is_dismissed());
    let free = leaving.filter(|(_, state)| !state.incarnation().is_some_and(|worker| job.holds_work(worker)));
    let free: Vec<TaskId> = free.map(|(task, _)| *task).collect();
    for task in free {
        let Some(state) = job.tasks.get_mut(&task) else { continue };
        let incarnation = state.incarnation();
        if state.is_out() {
            entry.effects.push(Effect::StopTask { job: job.id.clone(), task, attempt: state.attempt });
            state.state = TaskState::Stopping { incarnation };
        } else {
            state.state = TaskState::Ended { incarnation };
        }
    }
}

/// A leaving worker is dead: what it held goes to others, and nobody takes its place.
pub(super) fn leave(job: &mut Job, entry: &mut Entry, task: TaskId, cause: Cause) {
    let Some(state) = job.tasks.get_mut(&task) else { return };
    let incarnation = state.incarnation();
    if cause.exit.is_some() {
        (state.state, state.exit) = (TaskState::Ended { incarnation }, cause.exit);
    } else {
        entry.effects.push(Effect::StopTask { job: job.id.clone(), task, attempt: state.attempt });
        state.state = TaskState::Stopping { incarnation };
    }
    (state.lost, state.lost_attempt) = (Some(cause), Some(state.attempt));
    if let Some(incarnation) = incarnation {
        finish::release(job, incarnation);
    }
}
