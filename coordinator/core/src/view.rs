//! What a task should do: a pure function of the state.
//!
//! A view's revision is that of the last entry that changed the job, so that entries of other jobs make no new
//! views. Whoever sends views sends a new one to **all** tasks of the job whenever it is unlike the last: a server
//! tells a push that is ahead of its view from one that is behind by the revision alone.

use crate::cluster::Cluster;
use crate::job::{Job, JobState};
use crate::task::Task;
use tfcoord_types::id::{Incarnation, JobId, Role, TaskId};
use tfcoord_types::view::{Directive, Evaluate, Export, Lease, ServerAddress, TaskView};

/// The view for the newest attempt's incarnation of a task; nothing for one that has none.
pub fn view(cluster: &Cluster, job: &JobId, task: TaskId) -> Option<TaskView> {
    let incarnation = cluster.job(job)?.tasks.get(&task)?.incarnation()?;
    view_for(cluster, job, task, incarnation)
}

/// The view for an incarnation of a task: [`Directive::Fenced`] for any but the newest attempt's. Nothing where
/// there is no such job or task.
pub fn view_for(cluster: &Cluster, job: &JobId, task: TaskId, incarnation: Incarnation) -> Option<TaskView> {
    let job = cluster.job(job)?;
    let state = job.tasks.get(&task)?;
    let directive = directive(job, state, incarnation);
    let server = task.role == Role::ParameterServer;
    let takes_part = directive == Directive::Run;
    Some(TaskView {
        revision: job.revision,
        incarnation,
        generation: job.generation,
        plan: job.plan,
        placement: job.placement.clone().filter(|_| directive != Directive::Fenced),
        servers: servers(job),
        owners: owners(job),
        workers: job.unretired_workers(),
        leases: leases(job, incarnation, server),
        run_until: job.run_until,
        evaluate: evaluate(job, incarnation).filter(|_| takes_part),
        export: export(job, incarnation).filter(|_| takes_part),
        // The curve lies on slot 0, see `placement`. The last one is enough: no step of the next epoch counts before the
        // server has applied the view that shows it.
        evaluations: job.evaluations.last().filter(|_| task == TaskId::server(0)).cloned().into_iter().collect(),
        restore: job.checkpoints.restored.clone().filter(|_| server),
        cut: job.cut().filter(|_| server && takes_part),
        directive,
    })
}

fn directive(job: &Job, task: &Task, incarnation: Incarnation) -> Directive {
    match job.state {
        _ if task.incarnation() != Some(incarnation) => Directive::Fenced,
        _ if !job.is_over() && task.is_dismissed() => Directive::Stop { reason: "the job goes on without it".into() },
        JobState::Pending | JobState::Admitted | JobState::Starting => Directive::Wait,
        JobState::Running | JobState::Finalizing => Directive::Run,
        JobState::Succeeded | JobState::Failed | JobState::Cancelled => {
            // Without log lines, which may follow.
            let reason = job.reason();
            Directive::Stop { reason: format!("the job {}: {}", job.state, reason.lines().next().unwrap_or_default()) }
        }
    }
}

fn servers(job: &Job) -> Vec<ServerAddress> {
    let address = |(task, state): (&TaskId, &Task)| {
        let process = &state.registration()?.process;
        let (addresses, host) = (process.addresses.clone(), process.host.clone());
        Some(ServerAddress { task: *task, incarnation: state.incarnation()?, addresses, host })
    };
    let servers = job.tasks.iter().filter(|(task, _)| task.role == Role::ParameterServer).map(address);
    // All of them, or none while one is missing.
    servers.collect::<Option<Vec<_>>>().unwrap_or_default()
}

fn owners(job: &Job) -> Vec<Option<Incarnation>> {
    if job.lanes.is_empty() {
        return (0..job.plan.micro_batches).map(|_| None).collect();
    }
    job.lanes.iter().map(|lane| lane.owner).collect()
}

// To a server all of them.
fn leases(job: &Job, incarnation: Incarnation, server: bool) -> Vec<Lease> {
    let lease = |(shard, lease): (&u32, &crate::shard::Lease)| Lease { shard: *shard, owner: lease.owner };
    job.leases.open.iter().map(lease).filter(|lease| server || lease.owner == Some(incarnation)).collect()
}

fn evaluate(job: &Job, incarnation: Incarnation) -> Option<Evaluate> {
    let evaluating = job.evaluating.as_ref()?;
    let records = job.manifest.eval_records;
    let mine = evaluating.open.iter().filter(|(_, lease)| **lease == Some(incarnation));
    let shards: Vec<_> = mine.map(|(shard, _)| (*shard, crate::evaluation::shard(records, *shard))).collect();
    (!shards.is_empty()).then_some(Evaluate { evaluation: evaluating.number, step: evaluating.step, shards })
}

fn export(job: &Job, incarnation: Incarnation) -> Option<Export> {
    let mine = job.exporter == Some(incarnation);
    let (step, dir, evaluations) = (job.plan.steps(), job.output_dir(), job.evaluations.clone());
    mine.then_some(Export { step, dir, attempt: incarnation.0, evaluations })
}
