//! A job as clients see it.

use tfcoord_client::host::own_name;
use tfcoord_coordinator_core::job::{Job, JobState};
use tfcoord_coordinator_core::near::local_share;
use tfcoord_coordinator_core::task::{Task, TaskState};
use tfcoord_proto::v1;
use tfcoord_types::id::TaskId;
use tfcoord_types::job::Loss;
use tfcoord_types::report::Late;
use tfcoord_types::variable::{Group, Variable};
use tfcoord_types::view::Evaluation;

/// What of a job's message is not in its state.
pub(super) struct Beside {
    pub(super) file_name: String,
    pub(super) classes: Vec<String>,
    pub(super) progress: Option<v1::Progress>,
    /// Its stragglers.
    pub(super) late: Vec<Late>,
    /// What is wrong with its access to HDFS.
    pub(super) hdfs: String,
    /// Where its data are ([`locality`]).
    pub(super) locality: Option<v1::Locality>,
}

/// The whole message.
pub(super) fn whole(job: &Job, beside: Beside) -> v1::Job {
    let job_file = serde_json::to_string(&job.file).expect("a job file is plain data");
    let last = job.evaluations.len().saturating_sub(1);
    let evaluations = job.evaluations.iter().enumerate();
    v1::Job {
        // A confusion matrix may be large: the last one is what people look at.
        evaluations: evaluations.map(|(n, e)| evaluation(job, e, n == last)).collect(),
        classes: beside.classes,
        hdfs: beside.hdfs,
        job_file,
        ..brief(job, beside.file_name, beside.progress, &beside.late, beside.locality)
    }
}

/// The message for lists: of the evaluations only the last one, without its confusion matrix.
pub(super) fn brief(
    job: &Job,
    file_name: String,
    progress: Option<v1::Progress>,
    late: &[Late],
    locality: Option<v1::Locality>,
) -> v1::Job {
    v1::Job {
        id: job.id.to_string(),
        revision: job.revision.0,
        state: state(job.state).into(),
        reason: job.reason(),
        file_name,
        submitted_at_ms: job.submitted_at_ms,
        started_at_ms: job.started_at_ms.unwrap_or(0),
        ended_at_ms: job.ended.as_ref().map_or(0, |ended| ended.at_ms),
        tasks: job.tasks.iter().map(|(id, task)| task_message(job, *id, task, late)).collect(),
        progress,
        outputs: outputs(job),
        checkpoints: job.started_at_ms.is_some().then(|| checkpoints(job)),
        plan: Some(plan(job, locality)),
        evaluations: job.evaluations.last().map(|last| evaluation(job, last, false)).into_iter().collect(),
        ..v1::Job::default()
    }
}

fn state(state: JobState) -> v1::JobState {
    match state {
        JobState::Pending => v1::JobState::Pending,
        JobState::Admitted => v1::JobState::Admitted,
        JobState::Starting => v1::JobState::Starting,
        JobState::Running => v1::JobState::Running,
        JobState::Finalizing => v1::JobState::Finalizing,
        JobState::Succeeded => v1::JobState::Succeeded,
        JobState::Failed => v1::JobState::Failed,
        JobState::Cancelled => v1::JobState::Cancelled,
    }
}

fn task_message(job: &Job, id: TaskId, task: &Task, late: &[Late]) -> v1::Task {
    let incarnation = task.incarnation();
    let lanes = job.lanes.iter().filter(|lane| incarnation.is_some() && lane.owner == incarnation).count();
    let word = match task.state {
        TaskState::Registered(_) if job.is_leaving(id) => "leaving",
        TaskState::Ended { .. } if job.is_leaving(id) => "left",
        TaskState::Waiting { .. } => "lost",
        TaskState::Launched { .. } => "launching",
        TaskState::Registered(_) => "registered",
        TaskState::Stopping { .. } => "stopping",
        TaskState::Ended { .. } => "ended",
    };
    let (last_exit, last_exit_attempt) = match (&task.exit, &task.lost) {
        (Some(exit), _) => (exit.to_string(), task.attempt.0),
        (None, Some(cause)) => (cause.to_string(), task.lost_attempt.unwrap_or(task.attempt).0),
        (None, None) => (String::new(), 0),
    };
    v1::Task {
        task: id.to_string(),
        state: word.into(),
        attempt: task.attempt.0,
        incarnation: incarnation.map_or(0, |incarnation| incarnation.0),
        lanes: u32::try_from(lanes).unwrap_or(u32::MAX),
        restarts: task.restarts,
        last_exit,
        last_exit_attempt,
        host: task.registration().map_or_else(String::new, |registration| registration.process.host.clone()),
        late: lateness(task, late.iter().find(|late| Some(late.worker) == incarnation)),
    }
}

fn lateness(task: &Task, late: Option<&Late>) -> String {
    match (&task.relieved, late) {
        (Some(reason), _) => format!("its lanes have moved to the others: {reason}"),
        (None, Some(Late { steps, behind_ms, .. })) => {
            format!("late in {steps} steps in a row, in the last one {behind_ms} ms behind all others")
        }
        (None, None) => String::new(),
    }
}

fn plan(job: &Job, locality: Option<v1::Locality>) -> v1::Plan {
    let trained = |variable: &&Variable| matches!(variable.group, Group::Train | Group::Add);
    let variables = job.placement.iter().flat_map(|placement| &placement.variables);
    v1::Plan {
        train_records: job.plan.records,
        eval_records: job.manifest.eval_records,
        batch_size: job.plan.batch_size,
        micro_batches: job.plan.micro_batches,
        steps_per_epoch: job.plan.steps_per_epoch(),
        epochs: job.plan.epochs,
        workers: job.workers(),
        servers: job.file.parameter_server.count,
        worker_bytes: job.need.map_or(0, |need| need.worker_bytes),
        server_bytes: job.need.map_or(0, |need| need.server_bytes),
        sync: job.file.train.modes_in_words(),
        parameters: variables.filter(trained).filter_map(Variable::elements).fold(0, u64::saturating_add),
        locality,
    }
}

/// Where the data of a job are that has some in HDFS and is not over. The order of epochs to come is looked at for that. Tasks
/// that have not registered are launched on this machine.
pub(super) fn locality(job: &Job) -> Option<v1::Locality> {
    job.manifest.holders.as_ref().filter(|_| !job.is_over())?;
    let (local_bytes, bytes) = local_share(job, &own_name()).unwrap_or_default();
    Some(v1::Locality { bytes, local_bytes })
}

fn evaluation(job: &Job, evaluation: &Evaluation, confusion: bool) -> v1::Evaluation {
    let of_classes = job.file.model.loss.is_some_and(Loss::predicts_classes);
    let counts = &evaluation.counts;
    v1::Evaluation {
        epoch: evaluation.epoch,
        step: evaluation.step,
        records: counts.records,
        loss: counts.loss().unwrap_or(f64::NAN),
        accuracy: counts.accuracy().filter(|_| of_classes),
        auc: counts.auc(),
        confusion: if confusion { counts.confusion.clone() } else { Vec::new() },
        correct: counts.correct,
    }
}

fn checkpoints(job: &Job) -> v1::Checkpoints {
    let checkpoints = &job.checkpoints;
    v1::Checkpoints {
        generation: job.generation.0,
        committed: checkpoints.committed.iter().cloned().map(Into::into).collect(),
        restored: checkpoints.restored.clone().map(Into::into),
        failure: checkpoints.failure.clone().unwrap_or_default(),
    }
}

fn outputs(job: &Job) -> Option<v1::Outputs> {
    let exported = job.outputs.as_ref()?;
    let file =
        |(name, length, sha256): &(String, u64, String)| v1::OutputFile { name: name.clone(), length: *length, sha256: sha256.clone() };
    Some(v1::Outputs {
        model_dir: exported.dir.clone(),
        // Without a loss there are no events.
        tensorboard_dir: job.file.model.loss.map(|_| format!("{}/tensorboard", job.output_dir())).unwrap_or_default(),
        files: exported.files.iter().map(file).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::fixture;
    use tfcoord_coordinator_core::cause::{Cause, Exit};
    use tfcoord_types::figures::Counts;
    use tfcoord_types::holders::{Holders, Run};
    use tfcoord_types::id::Attempt;
    use tfcoord_types::report::Exported;

    #[test]
    fn a_list_has_the_last_evaluation_and_no_matrix() {
        let mut job = fixture::registered().job(&fixture::job()).unwrap().clone();
        assert!(brief(&job, String::new(), None, &[], None).evaluations.is_empty());
        let counts = Counts { records: 8, correct: 6, confusion: vec![3, 1, 1, 3], ..Counts::default() };
        job.evaluations = (1..3).map(|epoch| Evaluation { epoch, step: 16, counts: counts.clone() }).collect();
        let evaluations = brief(&job, String::new(), None, &[], None).evaluations;
        assert_eq!((evaluations.len(), evaluations[0].epoch, evaluations[0].accuracy), (1, 2, Some(0.75)));
        assert!(evaluations[0].confusion.is_empty());
        let all = whole(
            &job,
            Beside { file_name: String::new(), classes: Vec::new(), progress: None, late: Vec::new(), hdfs: String::new(), locality: None },
        )
        .evaluations;
        assert_eq!((all.len(), all[0].confusion.len(), all[1].confusion.len()), (2, 0, 4));
    }

    #[test]
    fn an_end_is_of_the_attempt_that_ended_so() {
        let cluster = fixture::registered();
        let mut job = cluster.job(&fixture::job()).unwrap().clone();
        let exit = |job: &Job| {
            let task = brief(job, String::new(), None, &[], None).tasks.remove(1);
            (task.attempt, task.last_exit_attempt, task.last_exit)
        };
        assert_eq!(exit(&job), (1, 0, String::new()));
        let task = job.tasks.get_mut(&TaskId::worker(0)).unwrap();
        task.attempt = Attempt(2);
        (task.lost, task.lost_attempt) = (Some(Cause::because("was lost")), Some(Attempt(1)));
        assert_eq!(exit(&job), (2, 1, "was lost".into()));
        job.tasks.get_mut(&TaskId::worker(0)).unwrap().exit = Some(Exit::Code(0));
        assert_eq!(exit(&job), (2, 2, "exited with code 0".into()));
    }

    #[test]
    fn what_is_near_is_told_of_data_in_hdfs_alone() {
        let mut job = fixture::registered().job(&fixture::job()).unwrap().clone();
        let told = |job: &Job| plan(job, locality(job)).locality.map(|locality| (locality.local_bytes, locality.bytes));
        assert_eq!(told(&job), None);
        job.manifest.holders = Some(Box::default());
        assert_eq!(told(&job), Some((0, 0)));
        // One of two workers has registered, from host h.
        let run = |held| Run { bytes: 100, held };
        let runs = vec![run(vec![(0, 100)]), run(vec![])];
        job.manifest.holders = Some(Box::new(Holders { hosts: vec!["h".into()], runs }));
        assert_eq!(told(&job), Some((50, 200)));
        let hosts = brief(&job, String::new(), None, &[], None).tasks.into_iter().map(|task| task.host).collect::<Vec<_>>();
        assert_eq!(hosts, ["", "h", ""]);
        job.state = JobState::Succeeded;
        assert_eq!(told(&job), None);
    }

    #[test]
    fn a_job_without_a_loss_has_no_events() {
        let mut job = fixture::registered().job(&fixture::job()).unwrap().clone();
        job.outputs = Some(Exported { dir: "/out/model".into(), files: Vec::new() });
        let dir = |job: &Job| outputs(job).unwrap().tensorboard_dir;
        assert!(dir(&job).ends_with("/fashion-1/tensorboard"), "{}", dir(&job));
        job.file.model.loss = None;
        assert_eq!(dir(&job), "");
    }

    #[test]
    fn a_straggler_is_named() {
        let cluster = fixture::registered();
        let job = cluster.job(&fixture::job()).unwrap();
        let worker = job.tasks[&TaskId::worker(0)].incarnation().unwrap();
        let late = [Late { worker, steps: 7, behind_ms: 130 }];
        let texts = |job: &Job| brief(job, String::new(), None, &late, None).tasks.into_iter().map(|task| task.late).collect::<Vec<_>>();
        assert_eq!(texts(job), ["", "late in 7 steps in a row, in the last one 130 ms behind all others", ""]);
        let mut job = job.clone();
        job.tasks.get_mut(&TaskId::worker(1)).unwrap().relieved = Some("too slow".into());
        assert_eq!(texts(&job)[2], "its lanes have moved to the others: too slow");
    }
}
