//! `CutCheckpoint`, `CompleteCut`, `AbandonCut`, `CommitCheckpoint`, `DiscardCheckpoint`: a checkpoint's life, as
//! [`crate::checkpoint`] draws it.

use super::{Handled, finish, generation};
use crate::cause::clipped;
use crate::checkpoint::{Cutting, due_after, due_after_failure};
use crate::cluster::Entry;
use crate::job::{Job, JobState};
use crate::outcome::{Outcome, Refusal};
use std::collections::BTreeMap;
use tfcoord_types::checkpoint::PartFile;
use tfcoord_types::id::{CheckpointId, Generation, Incarnation, Role};

/// The longest name of a part's file, in bytes.
const FILE_BYTES_MAX: usize = 255;

pub(super) fn cut_checkpoint(job: &mut Job, entry: &mut Entry, generation: Generation, step: u64) -> Handled {
    job.active()?;
    job.present(generation)?;
    let runs = matches!(job.state, JobState::Running | JobState::Finalizing);
    if !runs || job.checkpoints.cutting.is_some() {
        return Ok(Outcome::Unchanged);
    }
    let newest = job.plan.steps();
    if step > newest {
        return Err(Refusal::Ahead { what: "step", number: step, newest });
    }
    let id = CheckpointId { generation, step, attempt: entry.revision.0 };
    if job.checkpoints.committed.last().is_some_and(|newest| newest.id >= id) {
        return Err(Refusal::NoCut { id });
    }
    job.checkpoints.cutting = Some(Cutting { id, parts: BTreeMap::new() });
    job.checkpoints.due_at_ms = due_after(job, entry.now_ms);
    Ok(Outcome::Done)
}

pub(super) fn complete_cut(job: &mut Job, incarnation: Incarnation, id: CheckpointId, part: PartFile) -> Handled {
    job.active()?;
    let slot = job.speaker(incarnation, Role::ParameterServer)?.index;
    let holds = job.placement.as_ref().is_some_and(|placement| placement.servers.contains(&slot));
    let Some(cutting) = job.checkpoints.cutting.as_mut().filter(|cutting| cutting.id == id && holds) else {
        return Err(Refusal::NoCut { id });
    };
    // A name of a file, and of nothing else.
    if part.file.is_empty() || part.file.len() > FILE_BYTES_MAX || part.file.contains(['/', '\0']) || part.file.starts_with('.') {
        return Err(Refusal::NoCut { id });
    }
    if cutting.parts.contains_key(&slot) {
        return Ok(Outcome::Unchanged);
    }
    cutting.parts.insert(slot, part);
    Ok(Outcome::Done)
}

/// The cut comes to nothing: missed where there is no `reason`.
pub(super) fn abandon_cut(job: &mut Job, entry: &mut Entry, id: CheckpointId, reason: Option<String>) -> Handled {
    job.active()?;
    if job.checkpoints.cutting.as_ref().is_none_or(|cutting| cutting.id != id) {
        return Err(Refusal::NoCut { id });
    }
    job.checkpoints.cutting = None;
    match reason {
        Some(reason) => {
            job.checkpoints.due_at_ms = due_after_failure(job, entry.now_ms);
            job.checkpoints.failure = Some(clipped(format!("checkpoint {id}: {reason}")));
            job.checkpoints.last_failed = job.state == JobState::Finalizing && id.step == job.plan.steps();
        }
        None => job.checkpoints.due_at_ms = entry.now_ms,
    }
    finish::succeed_if_done(job, entry);
    Ok(Outcome::Done)
}

pub(super) fn commit_checkpoint(job: &mut Job, entry: &mut Entry, id: CheckpointId) -> Handled {
    job.active()?;
    job.present(id.generation)?;
    if job.complete_cut().is_none_or(|cutting| cutting.id != id) {
        return Err(Refusal::NoCut { id });
    }
    let keep = job.checkpointing().keep as usize;
    let committed = job.cut();
    let checkpoints = &mut job.checkpoints;
    checkpoints.committed.extend(committed);
    checkpoints.committed.drain(..checkpoints.committed.len().saturating_sub(keep.max(1)));
    (checkpoints.cutting, checkpoints.failure) = (None, None);
    finish::succeed_if_done(job, entry);
    Ok(Outcome::Done)
}

/// A server cannot begin from the checkpoint of the present generation: the one before takes its place.
pub(super) fn discard_checkpoint(
    job: &mut Job,
    entry: &mut Entry,
    generation: Generation,
    incarnation: Incarnation,
    id: CheckpointId,
    reason: &str,
) -> Handled {
    job.active()?;
    job.present(generation)?;
    let task = job.speaker(incarnation, Role::ParameterServer)?;
    if job.checkpoints.restored.as_ref().is_none_or(|restored| restored.id != id) {
        return Err(Refusal::NoCut { id });
    }
    job.checkpoints.committed.retain(|checkpoint| checkpoint.id != id);
    let failure = clipped(format!("checkpoint {id} cannot be used, as {task} says: {reason}"));
    if job.checkpoints.committed.is_empty() && !job.is_from_seed() {
        let remedy = "from the seed on it would become another one, as it trains otherwise than what it went on from: put the files back and submit it with --resume, or submit it without";
        job.fail(entry, format!("{failure}; there is no other one to go on from, and {remedy}"));
        return Ok(Outcome::Done);
    }
    generation::begin(job, entry);
    let from = match &job.checkpoints.restored {
        Some(restored) => format!("step {}", restored.id.step),
        None => "the beginning".into(),
    };
    job.checkpoints.failure = Some(format!("{failure}; the job went back to {from}"));
    Ok(Outcome::Done)
}
