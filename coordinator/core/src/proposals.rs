//! What the leader should propose upon a task's report. Facts that no report has, it adds itself: the step of
//! [`Command::DeclareLost`], the memory of [`Command::DeclareVariables`].
//!
//! A report is a task's whole state and comes again and again; so this compares it with the cluster's state and
//! says what is missing there. Once the state shows it, it says nothing: proposing is level-triggered, and a lost
//! proposal is simply made again.

mod scale;
mod shard;

use crate::cause::{Cause, clipped};
use crate::cluster::Cluster;
use crate::command::Command;
use crate::job::{Job, JobState};
use crate::task::{Registration, Task};
use tfcoord_types::checkpoint::{CutOutcome, CutReport, RestoreFault};
use tfcoord_types::id::{Generation, JobId, Role, TaskId};
use tfcoord_types::report::{Body, EvaluatedShard, Fault, FaultKind, Report, ServerReport, WorkerReport};
use tfcoord_types::variable::{Group, Initializer, Variable};

/// What to propose now, in this order; nothing for reports of retired incarnations and of jobs that are over.
pub fn proposals(cluster: &Cluster, job: &JobId, task: TaskId, report: &Report) -> Vec<Command> {
    let Some(job) = cluster.job(job).filter(|job| !job.is_over()) else { return Vec::new() };
    let Some(state) = job.tasks.get(&task) else { return Vec::new() };
    let Some(registration) = state.registration().filter(|r| r.incarnation == report.incarnation) else { return Vec::new() };
    if let Some(fault) = &report.fault {
        return vec![of_fault(job, task, state, registration, fault)];
    }
    match (task.role, &report.body) {
        (Role::Worker, Body::Worker(worker)) => {
            let mut commands = of_worker(job, registration, report.generation, worker);
            commands.extend(scale::join(job, task, report));
            commands
        }
        (Role::ParameterServer, Body::Server(server)) => {
            let mut commands = of_server(job, registration, report, server);
            commands.extend(scale::relieve(job, report, server));
            commands
        }
        (Role::Worker, Body::Server(_)) | (Role::ParameterServer, Body::Worker(_)) => Vec::new(),
    }
}

fn of_fault(job: &Job, task: TaskId, state: &Task, registration: &Registration, fault: &Fault) -> Command {
    let id = job.id.clone();
    match fault.kind {
        FaultKind::Task => {
            let cause = Cause::because(&fault.message).clipped();
            Command::DeclareLost { job: id, task, attempt: state.attempt, cause, step: 0 }
        }
        FaultKind::Data | FaultKind::NotFinite | FaultKind::Job => {
            let fault = Fault { kind: fault.kind, message: clipped(fault.message.clone()) };
            Command::FailJob { job: id, incarnation: Some(registration.incarnation), fault }
        }
    }
}

fn of_worker(job: &Job, registration: &Registration, generation: Generation, worker: &WorkerReport) -> Vec<Command> {
    let incarnation = registration.incarnation;
    let mut commands = Vec::new();
    let placed = job.placement.as_ref().map(|placement| &placement.variables);
    if !worker.variables.is_empty() && placed != Some(&worker.variables) {
        commands.push(match worker.variables.iter().find(|variable| !is_finite(variable)) {
            None => {
                let variables = worker.variables.clone();
                Command::DeclareVariables { job: job.id.clone(), incarnation, variables, machine_bytes: None }
            }
            // The log could not keep such numbers.
            Some(Variable { name, .. }) => impossible(job, registration, format!("variable {name} has an initializer that is not finite")),
        });
    }
    let is_open = |shard: &&EvaluatedShard| {
        job.evaluating.as_ref().is_some_and(|e| e.number == shard.evaluation && e.open.contains_key(&shard.shard))
    };
    let shards: Vec<_> = worker.evaluated.iter().filter(is_open).cloned().collect();
    if !shards.is_empty() && generation == job.generation {
        commands.push(Command::CompleteShards { job: job.id.clone(), generation, incarnation, shards });
    }
    if let (Some(exported), Some(exporter)) = (&worker.exported, job.exporter)
        && exporter == incarnation
        && job.outputs.is_none()
    {
        commands.push(Command::CompleteExport { job: job.id.clone(), incarnation, exported: exported.clone() });
    }
    commands
}

fn of_server(job: &Job, registration: &Registration, report: &Report, server: &ServerReport) -> Vec<Command> {
    let incarnation = registration.incarnation;
    let mut commands = Vec::new();
    // Not beyond the present state: such a claim would be refused each time.
    let waits = |fence| registration.applied < fence && fence <= report.applied && report.applied <= job.revision;
    let lanes = job.lanes.iter().filter_map(|lane| lane.vacated_at);
    let shards = job.leases.open.values().filter_map(|lease| lease.vacated_at);
    if lanes.chain(shards).any(waits) {
        commands.push(Command::ApplyView { job: job.id.clone(), incarnation, revision: report.applied });
    }
    if let Some(CutReport { id, outcome }) = &server.cut
        && let Some(cutting) = job.checkpoints.cutting.as_ref().filter(|cutting| cutting.id == *id)
        && let Some(slot) = job.task_of(incarnation).map(|task| task.index)
    {
        let (job, id) = (job.id.clone(), *id);
        match outcome {
            CutOutcome::Written(_) if cutting.parts.contains_key(&slot) => {}
            CutOutcome::Written(part) => commands.push(Command::CompleteCut { job, incarnation, id, part: part.clone() }),
            CutOutcome::Missed => commands.push(Command::AbandonCut { job, id, reason: None }),
            CutOutcome::Failed { reason } => commands.push(Command::AbandonCut { job, id, reason: Some(clipped(reason.clone())) }),
        }
    }
    if let Some(RestoreFault { id, reason }) = &server.restore_fault
        && report.generation == job.generation
        && job.checkpoints.restored.as_ref().is_some_and(|restored| restored.id == *id)
    {
        let (id, reason) = (*id, clipped(reason.clone()));
        commands.push(Command::DiscardCheckpoint { job: job.id.clone(), generation: report.generation, incarnation, id, reason });
    }
    let slot = job.task_of(incarnation).map(|task| task.index);
    commands.extend(slot.and_then(|slot| shard::finish(job, slot, report, server)));
    let reached = server.reached.filter(|_| report.generation == job.generation && job.state == JobState::Running);
    match reached {
        Some(step) if step > job.run_until => {
            let message = format!("it says that it reached step {step}, but no step from {} on may be computed", job.run_until);
            commands.push(impossible(job, registration, message));
        }
        Some(step) if step == job.run_until && registration.reached < step => {
            commands.push(Command::ReachStep { job: job.id.clone(), generation: report.generation, incarnation, step });
        }
        _ => {}
    }
    commands
}

fn impossible(job: &Job, registration: &Registration, message: String) -> Command {
    let fault = Fault { kind: FaultKind::Job, message };
    Command::FailJob { job: job.id.clone(), incarnation: Some(registration.incarnation), fault }
}

/// Whether all numbers of a variable can be kept: JSON has no infinities.
pub(crate) fn is_finite(variable: &Variable) -> bool {
    let initializer = match variable.initializer {
        Initializer::Zeros | Initializer::Ones => true,
        Initializer::Uniform { limit } => limit.is_finite(),
        Initializer::Normal { deviation } => deviation.is_finite(),
    };
    let group = match variable.group {
        Group::Average { momentum } => momentum.is_finite(),
        Group::Train | Group::Curve | Group::Add => true,
    };
    initializer && group
}
