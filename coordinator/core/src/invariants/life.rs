//! What holds in each state of a job: its tasks, lanes and exporter.

use super::{Checked, ensure};
use crate::job::{Job, JobState};
use tfcoord_types::id::{Role, TaskId};

pub(super) fn check(job: &Job) -> Checked {
    tasks(job)?;
    lanes(job)?;
    let id = &job.id;
    let (over, runs) = (job.is_over(), matches!(job.state, JobState::Running | JobState::Finalizing));
    ensure(job.state != JobState::Pending, id, "no job rests in pending: there are no quotas")?;
    ensure(over == job.ended.is_some(), id, "a job has ended if and only if its state is final")?;
    ensure(!runs || job.started_at_ms.is_some(), id, "a job that runs has started")?;
    ensure(!runs || job.placement.is_some(), id, "chunks of a job that runs are placed")?;
    ensure(job.step <= job.run_until && job.run_until <= job.plan.steps(), id, "no step is beyond the plan")?;
    ensure(over || runs == (job.run_until > 0), id, "steps may be computed if and only if the job runs")?;
    ensure(job.state != JobState::Succeeded || job.outputs.is_some(), id, "a job succeeds with its outputs")?;
    let finalizing = job.state == JobState::Finalizing;
    if finalizing {
        let all = job.plan.steps();
        ensure(job.all_servers_at(all), id, "before the export all servers have reached the last step")?;
    }
    if finalizing || job.state == JobState::Succeeded {
        let last = job.evaluations.last().map(|evaluation| evaluation.step);
        ensure(!job.evaluates() || last == Some(job.plan.steps()), id, "before the export the last evaluation is complete")?;
    }
    match job.exporter {
        Some(exporter) => ensure(finalizing && job.live_workers().contains(&exporter), id, "a live worker exports"),
        None => ensure(!finalizing || job.hands().is_empty(), id, "while a worker stays, one exports"),
    }
}

fn tasks(job: &Job) -> Checked {
    let file = &job.file;
    let servers = (0..file.parameter_server.count).map(TaskId::server);
    let workers = job.tasks.keys().filter(|task| task.role == Role::Worker).count();
    let gang = servers.chain((0..).map(TaskId::worker).take(workers));
    ensure(gang.eq(job.tasks.keys().copied()), &job.id, "a job has the tasks of its file, but for the number of workers")?;
    ensure((1..=job.workers_max()).contains(&job.workers()), &job.id, "a job has a worker, and in bsp a lane for each")?;
    ensure(workers >= job.workers() as usize, &job.id, "a job has as many workers as it should")?;
    for (task, state) in &job.tasks {
        let place = format!("{}/{task}", job.id);
        let holds_work = state.registration().is_some_and(|worker| job.holds_work(worker.incarnation));
        let stops = job.is_over() || (job.is_leaving(*task) && !holds_work);
        ensure(state.is_dismissed() == stops, &place, "tasks stop when their job is over or has no more of them, and not before")?;
        let in_vain = state.restarts_in_vain;
        let restarts_max = if task.role == Role::Worker { file.worker.max_restarts } else { file.parameter_server.max_restarts };
        ensure(in_vain <= state.restarts && in_vain <= restarts_max, &place, "no task is replaced too often in vain")?;
        ensure(state.attempt.0 >= 1, &place, "attempts count from 1")?;
        ensure(job.is_over() || state.lost_at <= job.advance(), &place, "a loss lies in the past")?;
        if let Some(registration) = state.registration() {
            let path = Some(&registration.process.kernel_path);
            ensure(
                task.role == Role::ParameterServer || path == job.kernel_path.as_ref(),
                &place,
                "all workers run the job's kernel path",
            )?;
            ensure(registration.applied <= job.revision, &place, "no view is applied before it is there")?;
            ensure(registration.reached <= job.run_until, &place, "no step is reached that may not be computed")?;
            let server = task.role == Role::ParameterServer;
            ensure(!server || !registration.process.addresses.is_empty(), &place, "a server has an address")?;
        }
    }
    Ok(())
}

fn lanes(job: &Job) -> Checked {
    let runs = matches!(job.state, JobState::Running | JobState::Finalizing);
    let expected = if runs && job.shards().is_none() { job.plan.micro_batches as usize } else { 0 };
    ensure(job.lanes.len() == expected, &job.id, "lanes are dealt while the job runs")?;
    for (number, lane) in job.lanes.iter().enumerate() {
        let place = format!("{} lane {number}", job.id);
        let task = job.tasks.get(&lane.intended).filter(|_| lane.intended.role == Role::Worker && !job.is_leaving(lane.intended));
        ensure(task.is_some_and(|task| task.relieved.is_none()), &place, "a lane is intended for a worker that stays and is not relieved")?;
        let present = task.and_then(|task| task.registration()).map(|r| r.incarnation);
        ensure(lane.owner.is_none() || lane.owner == present, &place, "an owner is the present incarnation of a live worker")?;
        ensure(lane.owner.is_some() != lane.vacated_at.is_some(), &place, "a lane is owned, or vacated since some revision")?;
        ensure(lane.vacated_at.is_none_or(|at| at <= job.revision), &place, "a lane was vacated in the past")?;
    }
    Ok(())
}
