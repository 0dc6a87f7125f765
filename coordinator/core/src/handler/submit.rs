//! `SubmitJob`: a job is checked once more, gets its number from the log, and its place at once.

use super::{Handled, variables};
use crate::cause::clipped;
use crate::checkpoint::{Checkpoints, Resume};
use crate::cluster::{Cluster, Entry};
use crate::effect::Effect;
use crate::job::{self, Job, JobState};
use crate::outcome::{Outcome, Refusal};
use crate::task::Task;
use tfcoord_types::id::{Generation, TaskId};
use tfcoord_types::job::{Graph, JobFile, ModelKind, Problem, Problems, check, fits_loss, unknown_layers};
use tfcoord_types::manifest::ManifestSummary;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::view::Evaluation;

/// The most jobs that are not over, and the most that are over and still known.
pub(crate) const JOBS_MAX: usize = 1000;
/// The longest request id, in bytes.
const REQUEST_ID_MAX: usize = 128;
/// The most records of a data set.
const RECORDS_MAX: u64 = 1 << 48;

pub(super) fn submit_job(
    cluster: &mut Cluster,
    entry: &mut Entry,
    request_id: String,
    file: JobFile,
    manifest: ManifestSummary,
    resume: Option<Resume>,
) -> Handled {
    if let Some(job) = cluster.requests.get(&request_id) {
        return Ok(Outcome::Submitted { job: job.clone() });
    }
    if !(1..=REQUEST_ID_MAX).contains(&request_id.len()) {
        return Err(Refusal::RequestId { bytes: request_id.len() });
    }
    let active = cluster.jobs.values().filter(|job| !job.is_over()).count();
    if active >= JOBS_MAX {
        return Err(Refusal::TooManyJobs { jobs: active });
    }
    let plan = plan(&file, &manifest)?;
    let id = job::id(&file, entry.revision);
    let mut job = Job {
        id: id.clone(),
        request_id: request_id.clone(),
        file,
        manifest,
        plan,
        revision: entry.revision,
        state: JobState::Pending,
        submitted_at_ms: entry.now_ms,
        away_ms: 0,
        started_at_ms: None,
        ended: None,
        generation: Generation(1),
        kernel_path: None,
        tasks: Default::default(),
        scaled: None,
        lanes: Vec::new(),
        leases: Default::default(),
        placement: None,
        need: None,
        run_until: 0,
        step: 0,
        furthest: Default::default(),
        checkpoints: Default::default(),
        evaluating: None,
        evaluations: Vec::new(),
        exporter: None,
        outputs: None,
    };
    if let Some(resume) = resume {
        go_on_from(&mut job, resume)?;
    }
    job.need = variables::foreseen(&job, job.workers())?;
    admit(&mut job, entry);
    cluster.requests.insert(request_id, id.clone());
    cluster.jobs.insert(id.clone(), job);
    forget_old(cluster);
    Ok(Outcome::Submitted { job: id })
}

// The generations after those of the checkpoints.
fn go_on_from(job: &mut Job, resume: Resume) -> Result<(), Refusal> {
    let Resume { mut checkpoints, evaluations, passed_over, chunk_elements, from_seed } = resume;
    let ascending = checkpoints.windows(2).all(|pair| pair[0].id < pair[1].id);
    let Some(newest) = checkpoints.last().cloned().filter(|_| ascending) else {
        return Err(refuse("the checkpoints to go on from are none, or not in order".into()));
    };
    let (step, all) = (newest.id.step, job.plan.steps());
    if checkpoints.iter().any(|checkpoint| checkpoint.id.step > all) {
        return Err(refuse(format!(
            "train.epochs: the checkpoint to go on from has {step} steps already, and this job only {all}: use more epochs"
        )));
    }
    let before = |(number, evaluation): (u64, &Evaluation)| evaluation.step == (number + 1) * job.plan.steps_per_epoch();
    job.evaluations = (0..).zip(&evaluations).take_while(|e| before(*e)).map(|(_, evaluation)| evaluation.clone()).collect();
    job.evaluations.retain(|evaluation| job.file.data.eval.is_some() && evaluation.step <= step);
    let spare = checkpoints.len().saturating_sub(job.checkpointing().keep.max(1) as usize);
    checkpoints.drain(..spare);
    job.generation = Generation(newest.id.generation.0.saturating_add(1));
    let failure = Some(clipped(passed_over)).filter(|text| !text.is_empty());
    let restored = Some(newest);
    let resumed = true;
    job.checkpoints =
        Checkpoints { committed: checkpoints, restored, resumed, from_seed, failure, chunk_elements, ..Checkpoints::default() };
    Ok(())
}

// Quotas will decide here; until then there is always room.
fn admit(job: &mut Job, entry: &mut Entry) {
    let servers = (0..job.file.parameter_server.count).map(TaskId::server);
    for task in servers.chain((0..job.file.worker.count).map(TaskId::worker)) {
        let state = Task::new(entry.now_ms, job.file.start_timeout);
        entry.effects.push(Effect::LaunchTask { job: job.id.clone(), task, attempt: state.attempt });
        job.tasks.insert(task, state);
    }
    job.state = JobState::Admitted;
}

// The oldest jobs that are over give way: memory is bounded.
fn forget_old(cluster: &mut Cluster) {
    let over: Vec<_> = cluster.jobs.values().filter(|job| job.is_over()).map(|job| job.id.clone()).collect();
    for id in &over[..over.len().saturating_sub(JOBS_MAX)] {
        if let Some(job) = cluster.jobs.remove(id) {
            cluster.requests.remove(&job.request_id);
        }
    }
}

/// The steps of a job, if its file can be trained on its data.
pub(crate) fn plan(file: &JobFile, manifest: &ManifestSummary) -> Result<TrainPlan, Refusal> {
    let problems = check(file);
    if !problems.is_empty() {
        return Err(refuse(Problems { file: "job file".into(), problems }.to_string()));
    }
    let is_digest = manifest.digest.len() == 64 && manifest.digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_digest {
        return Err(refuse("the manifest's digest is no SHA-256".into()));
    }
    let shape = &manifest.input.shape;
    if shape.is_empty() || shape.contains(&0) {
        return Err(refuse(format!("data: a record of shape {shape:?} has no features")));
    }
    if manifest.train_records == 0 {
        return Err(refuse("data.train: there are no training records".into()));
    }
    if file.data.eval.is_some() && manifest.eval_records == 0 {
        return Err(refuse("data.eval: there are no records to evaluate; remove it, or name files with records".into()));
    }
    if file.model.kind == ModelKind::Layers {
        let graph = Graph::new(&file.model, &manifest.input).map_err(|e| refuse(format!("{}: {e}", e.path)))?;
        if let Some(Problem { path, message, remedy, .. }) = unknown_layers(&file.train, &graph.layers()).into_iter().next() {
            return Err(refuse(format!("{path}: {message}: {remedy}")));
        }
        if let Some((loss, output)) = file.model.loss.zip(graph.output()) {
            fits_loss(loss, output, &manifest.input).map_err(|problem| refuse(format!("model.loss: {problem}")))?;
        }
    }
    steps(file, manifest)
}

// All later arithmetic on records and steps stays within u64.
fn steps(file: &JobFile, manifest: &ManifestSummary) -> Result<TrainPlan, Refusal> {
    let (batch_size, epochs) = (file.train.batch_size, file.train.epochs);
    let plan = TrainPlan { records: manifest.train_records, batch_size, micro_batches: file.micro_batches(), epochs };
    let most = manifest.train_records.max(manifest.eval_records);
    if most > RECORDS_MAX || plan.steps_per_epoch().checked_mul(u64::from(epochs)).is_none() {
        return Err(refuse(format!("data: {most} records in {epochs} epochs are too many")));
    }
    Ok(plan)
}

fn refuse(problem: String) -> Refusal {
    Refusal::Job { problem }
}
