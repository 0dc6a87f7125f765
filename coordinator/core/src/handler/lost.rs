//! `DeclareLost`: an attempt is dead, and replaced. A worker's lanes are vacated, its shards and the export go to
//! others; nobody else restarts. With a parameter server its part of the parameters is gone: all parts go back to the
//! newest checkpoint together, in a new [`generation`].
//!
//! Replacing a task is in vain only where the job does not get any further between its losses. So what
//! `max_restarts` bounds are the losses since the job's last [`Advance`](crate::task::Advance).

use super::{Handled, finish, generation, scale};
use crate::cause::Cause;
use crate::cluster::Entry;
use crate::effect::Effect;
use crate::job::{Job, JobState};
use crate::lane;
use crate::outcome::{Outcome, Refusal};
use crate::shard;
use crate::task::{BACKOFF_MS, RESTARTS_AT_ONCE, Task, TaskState};
use tfcoord_types::id::{Attempt, JobId, Role, TaskId};

pub(super) fn declare_lost(job: &mut Job, entry: &mut Entry, task: TaskId, attempt: Attempt, cause: Cause, step: u64) -> Handled {
    job.active()?;
    let state = job.task_mut(task)?;
    if state.attempt != attempt || !state.is_out() {
        return Err(Refusal::StaleAttempt { task, attempt, present: state.attempt });
    }
    // A claim, perhaps of the generation before, if that was lost in the same turn. That the limit is reached the servers say
    // themselves: who waits there is leased nothing.
    job.step = job.step.max(step.min(job.run_until.saturating_sub(1)));
    lose(job, entry, task, cause.clipped());
    Ok(Outcome::Done)
}

/// Takes its part in the job from a task that is out, and replaces it or ends the job.
pub(super) fn lose(job: &mut Job, entry: &mut Entry, task: TaskId, cause: Cause) {
    if job.is_leaving(task) {
        return scale::leave(job, entry, task, cause);
    }
    let restarts_max = match task.role {
        Role::Worker => job.file.worker.max_restarts,
        Role::ParameterServer => job.file.parameter_server.max_restarts,
    };
    let advance = job.advance();
    // Without a worker that never had lanes the job advances: what ends at each start must not be launched again and again at once.
    let is_missed = task.role == Role::ParameterServer || job.lanes.is_empty() || job.lane_holders().contains(&task);
    let Some(state) = job.tasks.get_mut(&task) else { return };
    let incarnation = state.incarnation();
    if advance > state.lost_at {
        state.restarts_in_vain = 0;
    }
    let in_vain = state.restarts_in_vain;
    (state.lost, state.lost_attempt) = (Some(cause.clone()), Some(state.attempt));
    (state.lost_at, state.relieved) = (advance, None);
    let name = format!("{}/{task}", job.id);
    let ends = in_vain >= restarts_max;
    if ends && cause.exit.is_some() {
        // Its process is gone already: nobody will collect it again.
        (state.state, state.exit) = (TaskState::Ended { incarnation }, cause.exit);
    }
    if ends {
        let section = if task.role == Role::Worker { "worker" } else { "parameter_server" };
        let why = match in_vain {
            0 => format!("it is not replaced, as {section}.max_restarts is 0"),
            1 => format!("it was replaced once without any progress of the job, and {section}.max_restarts allows no more"),
            _ => format!("it was replaced {in_vain} times without any progress of the job, and {section}.max_restarts allows no more"),
        };
        return job.fail(entry, format!("{name} {cause}; {why}{}", cause.log_of(&name)));
    }
    // What was declared lost may still be alive behind a broken network: it is fenced, and ended where it can be.
    entry.effects.push(Effect::StopTask { job: job.id.clone(), task, attempt: state.attempt });
    state.restarts = state.restarts.saturating_add(1);
    state.restarts_in_vain += 1;
    state.state = TaskState::Waiting { until_ms: entry.now_ms.saturating_add(BACKOFF_MS) };
    if is_missed && state.restarts_in_vain <= RESTARTS_AT_ONCE {
        launch(&job.id, task, state, entry, job.file.start_timeout);
    }
    if task.role == Role::ParameterServer {
        // Before the start nothing is lost with it: the next one begins from where all do.
        if matches!(job.state, JobState::Running | JobState::Finalizing) {
            generation::begin(job, entry);
        }
        return;
    }
    lane::vacate(job, task, entry.revision);
    if let Some(incarnation) = incarnation {
        shard::vacate(job, incarnation, entry.revision);
        finish::release(job, incarnation);
    }
}

/// Launches the next attempt of a waiting task, which must register within `start_timeout` seconds.
pub(super) fn launch(job: &JobId, task: TaskId, state: &mut Task, entry: &mut Entry, start_timeout: u64) {
    state.attempt = Attempt(state.attempt.0.saturating_add(1));
    state.state = TaskState::launched(entry.now_ms, start_timeout);
    entry.effects.push(Effect::LaunchTask { job: job.clone(), task, attempt: state.attempt });
}
