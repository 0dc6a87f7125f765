//! `DeclareVariables`: the first list of variables is the job's; its chunks are placed on servers, if they fit there.

use super::{Handled, register};
use crate::cluster::Entry;
use crate::job::Job;
use crate::memory::Need;
use crate::outcome::{Outcome, Refusal};
use crate::placement::place;
use crate::proposals::is_finite;
use tfcoord_types::figures::{CURVE_LEN, CURVE_VARIABLE};
use tfcoord_types::id::{Incarnation, Role};
use tfcoord_types::job::Graph;
use tfcoord_types::layout::Layout;
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::Placement;

/// The most variables of a model.
const VARIABLES_MAX: usize = 16_384;
/// The most chunks of a job: 64 GiB in chunks of 1 MiB.
const CHUNKS_MAX: u64 = 65_536;

pub(super) fn declare_variables(
    job: &mut Job,
    entry: &mut Entry,
    incarnation: Incarnation,
    variables: Vec<Variable>,
    machine_bytes: Option<u64>,
) -> Handled {
    job.active()?;
    let task = job.speaker(incarnation, Role::Worker)?;
    if variables.is_empty() {
        return Err(Refusal::NoVariables);
    }
    if let Some(placement) = &job.placement {
        let Some(difference) = difference(&placement.variables, &variables) else { return Ok(Outcome::Unchanged) };
        job.fail(entry, format!("the workers do not have the same model: {task} {difference}"));
        return Ok(Outcome::Done);
    }
    match lay_out(job, job.workers(), variables, machine_bytes) {
        Ok((placement, need)) => {
            (job.placement, job.need) = (Some(placement), Some(need));
            register::start_if_ready(job, entry);
        }
        Err(problem) => job.fail(entry, unplaceable(&problem)),
    }
    Ok(Outcome::Done)
}

/// What a job's file and data tell of its variables before any worker names them: whether they can be placed at all, and
/// the memory that this takes. How much the machine has is looked at when tasks run.
pub(super) fn foreseen(job: &Job, workers: u32) -> Result<Option<Need>, Refusal> {
    // Counting has no layers; whether they fit was checked.
    let Ok(graph) = Graph::new(&job.file.model, &job.manifest.input) else { return Ok(None) };
    let variable = |(name, shape, group): (String, _, _)| {
        let sync = job.file.train.sync_of(&name);
        Variable { name, shape, initializer: Initializer::Zeros, group, sync }
    };
    let variables: Vec<Variable> =
        graph.variables().chain([(CURVE_VARIABLE.into(), vec![CURVE_LEN], Group::Curve)]).map(variable).collect();
    let laid_out = lay_out(job, workers, variables, None);
    laid_out.map(|(_, need)| Some(need)).map_err(|problem| Refusal::TooLarge { problem: unplaceable(&problem) })
}

/// The memory that the job takes with so many workers, as far as its variables are known; or why there is not enough.
pub(super) fn need(job: &Job, workers: u32, machine_bytes: Option<u64>) -> Result<Option<Need>, Refusal> {
    let Some(placement) = &job.placement else {
        return foreseen(job, workers);
    };
    let too_large = |problem| Refusal::TooLarge { problem: format!("with {workers} workers {problem}") };
    let layout = Layout::new(&placement.variables, placement.chunk_elements).map_err(|error| too_large(error.to_string()))?;
    let need = Need::new(job, workers, &layout, &placement.servers);
    need.problem(job, workers, machine_bytes).map_or(Ok(Some(need)), |problem| Err(too_large(problem)))
}

fn unplaceable(problem: &str) -> String {
    format!("the model cannot be placed: {problem}")
}

fn lay_out(job: &Job, workers: u32, variables: Vec<Variable>, machine_bytes: Option<u64>) -> Result<(Placement, Need), String> {
    if variables.len() > VARIABLES_MAX {
        return Err(format!("it has {} variables; the most are {VARIABLES_MAX}", variables.len()));
    }
    if let Some(Variable { name, .. }) = variables.iter().find(|variable| !is_finite(variable)) {
        return Err(format!("variable {name} has an initializer that is not finite"));
    }
    if let Some(variable) = variables.iter().find(|variable| variable.sync != job.file.train.sync_of(&variable.name)) {
        let (name, modes) = (&variable.name, job.file.train.modes_in_words());
        return Err(format!("variable {name} has a mode that its layer does not have in the job file ({modes}): {:?}", variable.sync));
    }
    let servers = job.file.parameter_server.count;
    let bytes = job.file.parameter_server.chunk_bytes;
    let named = job.checkpoints.chunk_elements.or(bytes.map(|bytes| bytes / 4));
    let chunk_elements = named.unwrap_or_else(|| Layout::chunk_elements_default(&variables, servers));
    // Before anything is laid out: the sizes are only claims.
    let elements = variables.iter().filter_map(Variable::elements).fold(0, u64::saturating_add);
    let chunks = elements.checked_div(chunk_elements).unwrap_or(0).saturating_add(variables.len() as u64);
    if chunks > CHUNKS_MAX && elements <= tfcoord_types::layout::ELEMENTS_MAX {
        return Err(format!("about {chunks} chunks are too many: raise parameter_server.chunk_bytes, or leave it out"));
    }
    let layout = Layout::new(&variables, chunk_elements).map_err(|e| e.to_string())?;
    let servers = place(&layout, servers);
    let need = Need::new(job, workers, &layout, &servers);
    match need.problem(job, workers, machine_bytes) {
        Some(problem) => Err(problem),
        None => Ok((Placement { epoch: 1, variables, chunk_elements, servers }, need)),
    }
}

// What a list has otherwise than the job's, at the first place where they differ.
fn difference(job: &[Variable], list: &[Variable]) -> Option<String> {
    if let Some((theirs, mine)) = job.iter().zip(list).find(|(theirs, mine)| theirs != mine) {
        return Some(format!("has {}, where the first worker has {}", describe(mine), describe(theirs)));
    }
    let (theirs, mine) = (job.len(), list.len());
    (theirs != mine).then(|| format!("has {mine} variables, where the first worker has {theirs}"))
}

fn describe(Variable { name, shape, initializer, group, sync }: &Variable) -> String {
    let mode = sync.map(|sync| format!(", {}", sync.name())).unwrap_or_default();
    format!("variable {name} of shape {shape:?} ({initializer:?}, {group:?}{mode})")
}
