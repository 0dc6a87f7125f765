//! A cluster, and words to bring it into a state.

use crate::cause::{Cause, Exit};
use crate::cluster::Cluster;
use crate::command::{Command, Process};
use crate::effect::Effect;
use crate::job::Job;
use crate::outcome::{Applied, Outcome, Refusal};
use tfcoord_types::figures::Counts;
use tfcoord_types::id::{Attempt, Generation, Incarnation, JobId, Revision, TaskId};
use tfcoord_types::job::{Input, JobFile, parse};
use tfcoord_types::manifest::{Beside, ManifestSummary};
use tfcoord_types::report::{EvaluatedShard, Exported, Fault, FaultKind};
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::TaskView;

pub(crate) const PS: TaskId = TaskId::server(0);
pub(crate) const W0: TaskId = TaskId::worker(0);
pub(crate) const W1: TaskId = TaskId::worker(1);

/// Counts in `(records, loss)`, all of them right.
pub(crate) fn counts(records: u64, loss: f64) -> Counts {
    Counts { records, correct: records, loss_sum_bits: loss.to_bits(), ..Counts::default() }
}

/// What an honest worker counts of a shard: something of its own for each.
pub(crate) fn honest_counts(records: u64, evaluation: u32, shard: u32) -> Counts {
    let range = crate::evaluation::shard(records, shard);
    counts(range.end - range.start, f64::from(evaluation) + 0.1 * f64::from(shard))
}

pub(crate) fn variable(name: &str, shape: &[u32], group: Group) -> Variable {
    Variable { name: name.into(), shape: shape.to_vec(), initializer: Initializer::Uniform { limit: 0.1 }, group, sync: None }
}

pub(crate) fn variables() -> Vec<Variable> {
    vec![
        variable("dense_0/kernel", &[100, 1000], Group::Train),
        variable("dense_0/bias", &[1000], Group::Train),
        variable("curve", &[3], Group::Curve),
    ]
}

/// A job of 8 lanes with `servers` and `workers`, `epochs` epochs of 4 steps; evaluated on 3 shards if asked for.
pub(crate) fn file(servers: u32, workers: u32, epochs: u32, eval: bool) -> JobFile {
    let source = r#"{"images": "/d/i", "labels": "/d/l"}"#;
    let eval = if eval { format!(r#""eval": {source},"#) } else { String::new() };
    let text = format!(
        r#"{{"name": "fashion",
            "model": {{"layers": [{{"flatten": {{}}}}, {{"dense": {{"units": 10}}}}], "loss": "softmax_cross_entropy"}},
            "data": {{"format": "idx", "train": {source}, {eval}}},
            "train": {{"batch_size": 64, "micro_batches": 8, "epochs": {epochs}, "optimizer": {{"adam": {{"learning_rate": 0.001}}}}}},
            "worker": {{"count": {workers}, "max_restarts": 5}}, "parameter_server": {{"count": {servers}}},
            "output": {{"dir": "/out/"}}}}"#
    );
    parse("job.json", &text).unwrap()
}

pub(crate) fn manifest(eval: bool) -> ManifestSummary {
    let eval_records = if eval { 2500 } else { 0 };
    ManifestSummary {
        digest: "ab".repeat(32),
        records_digest: "cd".repeat(32),
        train_records: 250,
        eval_records,
        input: Input::plain(&[1, 28, 28], 10),
        beside: Beside::default(),
        holders: None,
    }
}

pub(crate) fn submit(request: &str, file: JobFile) -> Command {
    let manifest = manifest(file.data.eval.is_some());
    Command::SubmitJob { request_id: request.into(), file: Box::new(file), manifest, resume: None }
}

pub(crate) fn process(nonce: &str) -> Process {
    Process { nonce: nonce.into(), addresses: vec![format!("unix:/{nonce}")], host: "here".into(), kernel_path: "avx2".into() }
}

pub(crate) fn killed() -> Cause {
    Cause { exit: Some(Exit::Signal(9)), log: vec!["one".into(), "two".into()], ..Cause::default() }
}

pub(crate) fn fault(kind: FaultKind, message: &str) -> Fault {
    Fault { kind, message: message.into() }
}

pub(crate) fn exported() -> Exported {
    Exported { dir: "/out/fashion-1/model".into(), files: vec![("model.json".into(), 3, "00".into())] }
}

/// A cluster with one job, and who is who in it.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) job: JobId,
    pub(crate) at_ms: u64,
    pub(crate) index: u64,
}

impl World {
    /// One job, submitted.
    pub(crate) fn submitted(file: JobFile) -> Self {
        let mut world = Self::empty();
        world.done(submit("r", file));
        world
    }

    /// No job yet; the first one is called `fashion-1`.
    pub(crate) fn empty() -> Self {
        let job = JobId { name: "fashion".into(), number: 1 };
        Self { cluster: Cluster::new(), job, at_ms: 1000, index: 0 }
    }

    /// The job runs; its servers have the incarnations 2.., its workers those that follow.
    pub(crate) fn running(servers: u32, workers: u32, epochs: u32, eval: bool) -> Self {
        Self::running_file(file(servers, workers, epochs, eval))
    }

    /// A job of this file runs.
    pub(crate) fn running_file(file: JobFile) -> Self {
        let mut world = Self::submitted(file);
        world.start();
        world
    }

    /// All tasks register, and the model's variables are named.
    pub(crate) fn start(&mut self) {
        for task in self.job().tasks.keys().copied().collect::<Vec<_>>() {
            self.register(task, 1);
        }
        self.declare();
    }

    /// The model's variables are named.
    pub(crate) fn declare(&mut self) {
        let incarnation = self.incarnation(W0);
        self.done(Command::DeclareVariables { job: self.job.clone(), incarnation, variables: variables(), machine_bytes: None });
    }

    pub(crate) fn apply(&mut self, command: Command) -> Applied {
        self.index += 1;
        let before = self.cluster.clone();
        let applied = self.cluster.apply(self.index, self.at_ms, command);
        crate::invariants::check_step(&before, &self.cluster).unwrap();
        let unchanged = matches!(applied.outcome, Outcome::Refused(_) | Outcome::Unchanged);
        assert!(!unchanged || (before.jobs == self.cluster.jobs && applied.effects.is_empty()), "{applied:?}");
        applied
    }

    /// Applies what must not be refused; its effects, as text.
    pub(crate) fn done(&mut self, command: Command) -> Vec<String> {
        let Applied { outcome, effects } = self.apply(command);
        assert!(!matches!(outcome, Outcome::Refused(_) | Outcome::Unchanged), "{outcome}");
        effects.iter().map(Effect::to_string).collect()
    }

    pub(crate) fn refused(&mut self, command: Command) -> Refusal {
        match self.apply(command).outcome {
            Outcome::Refused(refusal) => refusal,
            other => panic!("{other}"),
        }
    }

    pub(crate) fn unchanged(&mut self, command: Command) {
        assert_eq!(self.apply(command).outcome, Outcome::Unchanged);
    }

    pub(crate) fn register_command(&self, task: TaskId, attempt: u32) -> Command {
        Command::RegisterTask { job: self.job.clone(), task, attempt: Attempt(attempt), process: process(&format!("{task}/{attempt}")) }
    }

    pub(crate) fn register(&mut self, task: TaskId, attempt: u32) -> Incarnation {
        match self.apply(self.register_command(task, attempt)).outcome {
            Outcome::Registered { incarnation } => incarnation,
            other => panic!("{other}"),
        }
    }

    pub(crate) fn lost(&self, task: TaskId, attempt: u32) -> Command {
        self.lost_at(task, attempt, 0)
    }

    /// Lost when all servers had done `step` steps.
    pub(crate) fn lost_at(&self, task: TaskId, attempt: u32, step: u64) -> Command {
        Command::DeclareLost { job: self.job.clone(), task, attempt: Attempt(attempt), cause: killed(), step }
    }

    pub(crate) fn applied(&self, task: TaskId, revision: u64) -> Command {
        Command::ApplyView { job: self.job.clone(), incarnation: self.incarnation(task), revision: Revision(revision) }
    }

    pub(crate) fn reach(&self, task: TaskId, step: u64) -> Command {
        Command::ReachStep { job: self.job.clone(), generation: Generation(1), incarnation: self.incarnation(task), step }
    }

    /// As [`World::reach`], of the present generation.
    pub(crate) fn reach_now(&self, task: TaskId, step: u64) -> Command {
        let (job, generation, incarnation) = (self.job.clone(), self.job().generation, self.incarnation(task));
        Command::ReachStep { job, generation, incarnation, step }
    }

    /// As [`World::evaluated`], of the present generation.
    pub(crate) fn evaluated_now(&self, task: TaskId, evaluation: u32, shards: &[u32]) -> Command {
        let Command::CompleteShards { job, incarnation, shards, .. } = self.evaluated(task, evaluation, shards) else { unreachable!() };
        Command::CompleteShards { job, generation: self.job().generation, incarnation, shards }
    }

    /// Honest counts of `shards` of the evaluation `evaluation`.
    pub(crate) fn evaluated(&self, task: TaskId, evaluation: u32, shards: &[u32]) -> Command {
        let counted = |shard: &u32| EvaluatedShard { evaluation, shard: *shard, counts: honest_counts(2500, evaluation, *shard) };
        let (job, incarnation, shards) = (self.job.clone(), self.incarnation(task), shards.iter().map(counted).collect());
        Command::CompleteShards { job, generation: Generation(1), incarnation, shards }
    }

    pub(crate) fn export(&self, task: TaskId) -> Command {
        Command::CompleteExport { job: self.job.clone(), incarnation: self.incarnation(task), exported: exported() }
    }

    pub(crate) fn scale(&self, workers: u32) -> Command {
        Command::ScaleJob { job: self.job.clone(), workers, machine_bytes: None }
    }

    pub(crate) fn join(&self, task: TaskId) -> Command {
        Command::JoinWorker { job: self.job.clone(), incarnation: self.incarnation(task) }
    }

    pub(crate) fn collect(&self, task: TaskId, attempt: u32) -> Command {
        Command::CollectTask { job: self.job.clone(), task, attempt: Attempt(attempt), exit: Some(Exit::Code(0)) }
    }

    pub(crate) fn cancel(&self) -> Command {
        Command::CancelJob { job: self.job.clone(), reason: "enough".into() }
    }

    pub(crate) fn job(&self) -> &Job {
        self.cluster.job(&self.job).unwrap()
    }

    pub(crate) fn incarnation(&self, task: TaskId) -> Incarnation {
        self.job().tasks[&task].incarnation().unwrap()
    }

    pub(crate) fn view(&self, task: TaskId) -> TaskView {
        crate::view::view(&self.cluster, &self.job, task).unwrap()
    }

    /// The owners of the lanes, 0 for nobody.
    pub(crate) fn owners(&self) -> Vec<u64> {
        self.owners_of(PS)
    }

    /// As [`World::owners`], in the view of `task`.
    pub(crate) fn owners_of(&self, task: TaskId) -> Vec<u64> {
        self.view(task).owners.iter().map(|owner| owner.map_or(0, |o| o.0)).collect()
    }
}
