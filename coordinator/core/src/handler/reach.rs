//! `ReachStep`: a server's chunks have all a version. With the last server a phase of training is over: an
//! evaluation follows, or the end.

use super::{Handled, evaluate, finish};
use crate::job::Job;
use crate::outcome::{Outcome, Refusal};
use tfcoord_types::id::{Generation, Incarnation, Role};

pub(super) fn reach_step(job: &mut Job, generation: Generation, incarnation: Incarnation, step: u64) -> Handled {
    job.active()?;
    job.present(generation)?;
    let task = job.speaker(incarnation, Role::ParameterServer)?;
    let newest = job.run_until;
    if step > newest {
        return Err(Refusal::Ahead { what: "step", number: step, newest });
    }
    let server = job.task_mut(task)?.registration_mut().ok_or(Refusal::Fenced { incarnation })?;
    if step <= server.reached {
        return Ok(Outcome::Unchanged);
    }
    server.reached = step;
    if job.all_servers_at(newest) {
        job.step = newest;
        // A generation may begin at the very end, with all evaluations.
        let evaluated = job.evaluations.last().is_some_and(|evaluation| evaluation.step == newest);
        if job.evaluates() && !evaluated { evaluate::begin(job) } else { finish::finalize(job) }
    }
    Ok(Outcome::Done)
}
