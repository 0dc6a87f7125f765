//! What holds between a state and the next one.

use super::{Checked, ensure};
use crate::cluster::Cluster;
use crate::evaluation::shorten;
use crate::job::{Job, JobState};
use tfcoord_types::view::Evaluation;

/// What holds between a state and a later one, of one entry or of several; but for the fence, which is only seen
/// entry by entry.
///
/// # Errors
/// The first rule that does not hold.
pub fn check_step(before: &Cluster, after: &Cluster) -> Checked {
    ensure(before.revision <= after.revision, "revision", "revisions grow")?;
    ensure(before.now_ms <= after.now_ms, "time", "time does not go back")?;
    for (id, old) in &before.jobs {
        match after.jobs.get(id) {
            Some(new) => job(old, new, before)?,
            None => ensure(old.is_over(), id, "only jobs that are over are forgotten")?,
        }
    }
    Ok(())
}

fn job(old: &Job, new: &Job, before: &Cluster) -> Checked {
    let id = &old.id;
    let (was, is) = (old.state, new.state);
    ensure(!was.is_final() || (was == is && old.ended == new.ended && old.outputs == new.outputs), id, "a final state is never left")?;
    let same = old.generation == new.generation;
    ensure(old.generation <= new.generation, id, "generations grow")?;
    ensure(is.is_final() || was as u8 <= is as u8 || !same, id, "within a generation a job goes forward")?;
    ensure(!same || (old.step <= new.step && old.run_until <= new.run_until), id, "within a generation the limit never falls")?;
    ensure(old.advance() <= new.advance() || is.is_final(), id, "how far a job has been is never forgotten")?;
    ensure(!same || new.evaluations.len() >= old.evaluations.len(), id, "within a generation a complete evaluation stays")?;
    let began = old.state < JobState::Running && new.state >= JobState::Running;
    ensure(!same || began || old.checkpoints.restored == new.checkpoints.restored, id, "a generation has one beginning")?;
    let stays = old.evaluations.iter().zip(&new.evaluations).all(|(old, new)| briefly(old) == briefly(new));
    ensure(stays, id, "what an evaluation found stays")?;
    ensure((&old.file, &old.plan, &old.manifest) == (&new.file, &new.plan, &new.manifest), id, "what was submitted stays")?;
    ensure(old.placement.is_none() || old.placement == new.placement, id, "a placement stays")?;
    ensure(old == new || old.revision < new.revision, id, "a change has a revision")?;
    for (task, state) in &old.tasks {
        let place = format!("{id}/{task}");
        let Some(next) = new.tasks.get(task) else { return ensure(false, place, "a task stays") };
        ensure(state.attempt <= next.attempt && state.restarts <= next.restarts, &place, "attempts grow")?;
        let fresh = next.incarnation() != state.incarnation();
        let later = next.incarnation().is_none_or(|incarnation| incarnation.0 > before.revision.0);
        ensure(!fresh || later, &place, "a new incarnation is above all before")?;
        if let (Some(old), Some(new)) = (state.registration(), next.registration())
            && old.incarnation == new.incarnation
        {
            ensure(old.applied <= new.applied, &place, "what was applied stays applied")?;
            ensure(!same || old.reached <= new.reached, &place, "within a generation what was reached stays reached")?;
        }
    }
    for (number, (lane, next)) in old.lanes.iter().zip(&new.lanes).enumerate() {
        let place = format!("{id} lane {number}");
        ensure(lane.owner.is_none() || next.owner.is_none() || lane.owner == next.owner, &place, "owners change only through a fence")?;
        if let (Some(vacated_at), Some(_)) = (lane.vacated_at, next.owner) {
            let fenced = new.servers().all(|server| server.applied >= vacated_at);
            ensure(fenced, &place, "a lane is granted only after every server has applied that it is vacated")?;
        }
    }
    let epoch = same && old.run_until == new.run_until;
    for (number, lease) in old.leases.open.iter().filter(|_| epoch) {
        let place = format!("{id} shard {number} of training");
        let Some(next) = new.leases.open.get(number) else { continue };
        ensure(lease.owner.is_none() || next.owner.is_none() || lease.owner == next.owner, &place, "owners change only through a fence")?;
        if let (Some(vacated_at), Some(_)) = (lease.vacated_at, next.owner) {
            let fenced = new.servers().all(|server| server.applied >= vacated_at);
            ensure(fenced, &place, "a shard is granted again only after every server has applied that it is vacated")?;
        }
    }
    Ok(())
}

// Only the last evaluation is kept whole.
fn briefly(evaluation: &Evaluation) -> Evaluation {
    let mut brief = evaluation.clone();
    shorten(&mut brief);
    brief
}
