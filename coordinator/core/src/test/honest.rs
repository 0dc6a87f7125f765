//! A job from its submission to its end with honest servers and workers, whatever the order in which things
//! happen, with tasks that die or only seem to, with a number of workers that changes, and with checkpoints that are missed,
//! not written or damaged.
//!
//! The driver knows nothing of the core but views, effects and proposals. What it checks: the fence (no two
//! incarnations can have a push taken for the same lane, by whichever server), that proposals are level-triggered,
//! and that the job succeeds with the figures of a quiet run.

use super::fixture::{exported, file, honest_counts, killed, process, submit, variables};
use crate::checkpoint::next_cut;
use crate::cluster::Cluster;
use crate::command::Command;
use crate::desired::desired;
use crate::job::{Job, JobState};
use crate::outcome::{Applied, Outcome};
use crate::proposals::proposals;
use crate::task::TaskState;
use crate::view::view;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::checkpoint::{CutOutcome, CutReport, PartFile, RestoreFault};
use tfcoord_types::id::{Attempt, CheckpointId, Incarnation, JobId, Role, TaskId};
use tfcoord_types::job::{Checkpointing, JobFile, Sync};
use tfcoord_types::report::{Body, EvaluatedShard, Report, ServerReport, ShardsDone, WorkerReport};
use tfcoord_types::shard::Shards;
use tfcoord_types::view::{Directive, TaskView};

struct Process {
    task: TaskId,
    attempt: Attempt,
    view: Option<TaskView>,
    // A server's: steps that its chunks have. One without chunks has nothing to do.
    cursor: u64,
    // Outside of bsp: the shards that all its chunks have done of an epoch.
    done: ShardsDone,
    // What it has written of checkpoints.
    saved: BTreeMap<CheckpointId, Saved>,
    shards: Option<Shards>,
    cut: Option<CutReport>,
    restore_fault: Option<RestoreFault>,
    evaluated: Vec<EvaluatedShard>,
    dead: bool,
}

// The cursor of a server, and what it has done of the epoch.
type Saved = (u64, ShardsDone);

struct Driver {
    cluster: Cluster,
    job: JobId,
    index: u64,
    at_ms: u64,
    // By launch: a worker that was declared lost wrongly goes on beside its replacement.
    processes: BTreeMap<(TaskId, Attempt), Process>,
    // Checkpoints that nobody can begin from.
    damaged: BTreeSet<CheckpointId>,
}

impl Process {
    // A new generation begins where its checkpoint says.
    fn follow(&mut self, view: TaskView, saved: Option<Saved>, damaged: &BTreeSet<CheckpointId>) {
        if self.view.as_ref().is_none_or(|old| old.generation < view.generation) {
            let restore = view.restore.as_ref().map(|restore| restore.id);
            (self.cursor, self.done) = saved.unwrap_or_default();
            let damaged = restore.filter(|id| damaged.contains(id));
            self.restore_fault = damaged.map(|id| RestoreFault { id, reason: "damaged".into() });
            self.evaluated.clear();
        }
        let epoch = u32::try_from(view.run_until.saturating_sub(1) / view.plan.steps_per_epoch()).unwrap();
        if self.done.epoch != epoch {
            self.done = ShardsDone { epoch, shards: Vec::new() };
        }
        self.view = Some(view);
        self.cut();
    }

    // What it says of the shards that its view leases.
    fn done(&self) -> ShardsDone {
        let leases = self.view.iter().flat_map(|view| &view.leases).map(|lease| lease.shard);
        ShardsDone { epoch: self.done.epoch, shards: leases.filter(|shard| self.done.shards.contains(shard)).collect() }
    }

    // Cuts what the view asks for, once its time has come.
    fn cut(&mut self) {
        let Some(cut) = self.view.as_ref().and_then(|view| view.cut.as_ref()) else { return self.cut = None };
        let (id, step) = (cut.id, cut.id.step);
        if self.cursor < step || self.cut.as_ref().is_some_and(|report| report.id == id) {
            return;
        }
        let part = PartFile { file: format!("{id}.{}", self.task), length: 1, crc32c: 2 };
        let within = self.shards.and_then(|shards| Some((shards, shards.within(step)?)));
        let most = within.map_or(step, |(shards, epoch)| shards.end(epoch));
        let outcome = if self.cursor <= most { CutOutcome::Written(part) } else { CutOutcome::Missed };
        let done = match within {
            Some((shards, epoch)) if self.cursor == most => ShardsDone { epoch, shards: (0..shards.count()).collect() },
            Some(_) => self.done.clone(),
            None => ShardsDone::default(),
        };
        self.saved.insert(id, (self.cursor, done));
        self.cut = Some(CutReport { id, outcome });
    }
}

impl Driver {
    fn new(servers: u32, workers: u32, epochs: u32, eval: bool) -> Self {
        Self::of(file(servers, workers, epochs, eval))
    }

    fn of(file: JobFile) -> Self {
        let job: JobId = "fashion-1".parse().unwrap();
        let mut driver = Self { cluster: Cluster::new(), job, index: 0, at_ms: 0, processes: BTreeMap::new(), damaged: BTreeSet::new() };
        driver.apply(submit("r", file));
        driver
    }

    fn job(&self) -> &Job {
        self.cluster.job(&self.job).unwrap()
    }

    // Effects are dropped: only what is desired counts.
    fn apply(&mut self, command: Command) {
        self.index += 1;
        let text = command.to_string();
        let before = self.cluster.clone();
        let Applied { outcome, .. } = self.cluster.apply(self.index, self.at_ms, command);
        crate::invariants::check_step(&before, &self.cluster).unwrap();
        assert!(!matches!(outcome, Outcome::Refused(_)), "{text}: {outcome}");
    }

    fn reconcile(&mut self) {
        for (_, task, attempt) in desired(&self.cluster) {
            let fresh = Process {
                task,
                attempt,
                view: None,
                cursor: 0,
                done: ShardsDone::default(),
                saved: BTreeMap::new(),
                shards: self.job().shards(),
                cut: None,
                restore_fault: None,
                evaluated: Vec::new(),
                dead: false,
            };
            self.processes.entry((task, attempt)).or_insert(fresh);
        }
    }

    fn is_present(&self, process: &Process) -> bool {
        self.job().tasks[&process.task].attempt == process.attempt && self.job().tasks[&process.task].is_out()
    }

    // The session: a process that is not registered does that, another one gets its newest view.
    fn talk(&mut self, key: (TaskId, Attempt)) {
        let (task, attempt) = key;
        if self.processes[&key].dead || self.job().tasks[&task].attempt != attempt {
            return;
        }
        if self.job().tasks[&task].incarnation().is_none() {
            if !self.job().tasks[&task].is_out() {
                return;
            }
            let process = process(&format!("{task}/{attempt}"));
            return self.apply(Command::RegisterTask { job: self.job.clone(), task, attempt, process });
        }
        let view = view(&self.cluster, &self.job, task);
        let view = view.unwrap();
        let of_task = || self.processes.values().filter(|process| process.task == task);
        let saved = view.restore.as_ref().and_then(|restore| of_task().find_map(|process| process.saved.get(&restore.id)).cloned());
        self.processes.get_mut(&key).unwrap().follow(view, saved, &self.damaged);
        self.check_fence();
    }

    // Within a generation no lane may be pushed for by two incarnations: neither by two servers' views, nor by a server's and
    // the state. A server that was declared lost wrongly holds parameters of an earlier life, which count no more.
    fn check_fence(&self) {
        let servers = self.processes.values().filter(|p| p.task.role == Role::ParameterServer);
        let present = |view: &&TaskView| view.generation == self.job().generation;
        let views: Vec<&TaskView> = servers.filter_map(|p| p.view.as_ref()).filter(present).collect();
        for (number, lane) in self.job().lanes.iter().enumerate() {
            let mut owners: BTreeSet<Incarnation> = views.iter().filter_map(|view| view.owners[number]).collect();
            owners.extend(lane.owner);
            assert!(owners.len() <= 1, "lane {number} has the owners {owners:?}");
        }
        for (number, lease) in &self.job().leases.open {
            let epoch = views.iter().filter(|view| view.run_until == self.job().run_until);
            let leases = epoch.flat_map(|view| &view.leases).filter(|lease| lease.shard == *number);
            let mut owners: BTreeSet<Incarnation> = leases.filter_map(|lease| lease.owner).collect();
            owners.extend(lease.owner);
            assert!(owners.len() <= 1, "shard {number} has the owners {owners:?}");
        }
    }

    // One piece of a process's own work, by its view alone.
    fn work(&mut self, key: (TaskId, Attempt)) {
        let (pushes, trained, shards) = (self.pushes(), self.trained(), self.job().shards());
        let records = self.job().manifest.eval_records;
        let Some(process) = self.processes.get_mut(&key).filter(|p| !p.dead) else { return };
        let Some(view) = process.view.as_ref().filter(|view| view.directive == Directive::Run) else { return };
        if process.task.role == Role::ParameterServer {
            if !holds_chunks(process.task, view) {
                return;
            }
            if let Some(shards) = shards {
                let able = process.restore_fault.is_none() && process.cursor < view.run_until;
                let open = view.leases.iter().filter(|lease| able && !process.done.shards.contains(&lease.shard));
                let next = open.map(|l| (view.run_until, l.shard, l.owner)).find(|key| trained.contains(key));
                if let Some((_, shard, _)) = next {
                    let steps = shards.steps(process.done.epoch, shard);
                    process.cursor += steps.end - steps.start;
                    process.done.shards.push(shard);
                    process.cut();
                }
                return;
            }
            let complete = view.owners.iter().enumerate().all(|(lane, owner)| owner.is_some_and(|owner| pushes.contains(&(lane, owner))));
            process.cursor += u64::from(complete && process.cursor < view.run_until && process.restore_fault.is_none());
            process.cut();
        } else if let Some(evaluate) = &view.evaluate {
            let new = |shard: &u32| !process.evaluated.iter().any(|e| (e.evaluation, e.shard) == (evaluate.evaluation, *shard));
            if let Some(shard) = evaluate.shards.iter().map(|(shard, _)| *shard).find(new) {
                let (evaluation, counts) = (evaluate.evaluation, honest_counts(records, evaluate.evaluation, shard));
                process.evaluated.push(EvaluatedShard { evaluation, shard, counts });
            }
        }
    }

    // (lane, incarnation) of all living workers: what they would push, by their own views.
    fn pushes(&self) -> BTreeSet<(usize, Incarnation)> {
        let living = self.processes.values().filter(|p| !p.dead && p.task.role == Role::Worker);
        let views = living.filter_map(|p| p.view.as_ref()).filter(|view| view.directive == Directive::Run);
        let mine = views.flat_map(|view| (0..).zip(&view.owners).map(move |(lane, owner)| (lane, *owner, view.incarnation)));
        mine.filter(|(_, owner, me)| *owner == Some(*me)).map(|(lane, _, me)| (lane, me)).collect()
    }

    // (end of the epoch, shard, owner) of all living workers of the present generation, by their own views.
    fn trained(&self) -> BTreeSet<(u64, u32, Option<Incarnation>)> {
        let living = self.processes.values().filter(|p| !p.dead && p.task.role == Role::Worker);
        let views = living.filter_map(|p| p.view.as_ref()).filter(|view| view.directive == Directive::Run);
        let present = views.filter(|view| view.generation == self.job().generation);
        let mine = present.flat_map(|view| view.leases.iter().map(move |lease| (view, lease)));
        mine.filter(|(view, lease)| lease.owner == Some(view.incarnation)).map(|(view, l)| (view.run_until, l.shard, l.owner)).collect()
    }

    fn report(&self, process: &Process) -> Option<Report> {
        let view = process.view.as_ref()?;
        let body = if process.task.role == Role::ParameterServer {
            // Without chunks it is as far as it may be, always.
            let reached = if holds_chunks(process.task, view) { process.cursor } else { view.run_until };
            let reached = Some(reached).filter(|_| view.placement.is_some() && process.restore_fault.is_none());
            Body::Server(ServerReport {
                reached,
                done: process.done(),
                curve: None,
                cut: process.cut.clone(),
                restore_fault: process.restore_fault.clone(),
                late: None,
            })
        } else {
            let variables = if view.placement.is_none() { variables() } else { Vec::new() };
            let exported = view.export.is_some().then(exported);
            Body::Worker(WorkerReport { variables, exported, evaluated: process.evaluated.clone(), ..WorkerReport::default() })
        };
        Some(Report { incarnation: view.incarnation, applied: view.revision, generation: view.generation, body, fault: None })
    }

    // A report comes in, also from those that were declared lost, and what it leads to is proposed.
    fn hear(&mut self, key: (TaskId, Attempt)) {
        let Some(process) = self.processes.get(&key).filter(|p| !p.dead) else { return };
        let Some(report) = self.report(process) else { return };
        let present = self.is_present(process);
        let commands = proposals(&self.cluster, &self.job, key.0, &report);
        assert!(present || commands.is_empty(), "a retired incarnation moves nothing: {commands:?}");
        commands.into_iter().for_each(|command| self.apply(command));
        // The variables may have made the job run, and then the worker is ready for shards.
        let joins = proposals(&self.cluster, &self.job, key.0, &report);
        joins.into_iter().filter(|command| matches!(command, Command::JoinWorker { .. })).for_each(|command| self.apply(command));
        assert_eq!(proposals(&self.cluster, &self.job, key.0, &report), [], "the state shows it already");
    }

    fn lose(&mut self, key: (TaskId, Attempt), dies: bool) {
        let worn = self.job().tasks.values().any(|task| task.restarts_in_vain == 4);
        let servers = self.processes.values().filter(|p| p.task.role == Role::ParameterServer);
        let present = servers.filter(|p| p.view.as_ref().is_some_and(|view| view.generation == self.job().generation));
        let step = present.filter(|p| !p.dead && self.is_present(p)).map(|p| p.cursor).min().unwrap_or(0);
        let Some(process) = self.processes.get(&key) else { return };
        if self.is_present(process) && !worn {
            self.processes.entry(key).and_modify(|process| process.dead |= dies);
            self.apply(Command::DeclareLost { job: self.job.clone(), task: key.0, attempt: key.1, cause: killed(), step });
        }
    }

    // One that was told to stop has ended, or its end is seen before it hears of it.
    fn collect(&mut self, key: (TaskId, Attempt)) {
        let task = &self.job().tasks[&key.0];
        if task.attempt == key.1 && matches!(task.state, TaskState::Stopping { .. }) {
            self.processes.entry(key).and_modify(|process| process.dead = true);
            self.apply(Command::CollectTask { job: self.job.clone(), task: key.0, attempt: key.1, exit: None });
        }
    }

    fn tick(&mut self) {
        let waiting = self.job().tasks.values().filter_map(|task| match task.state {
            TaskState::Waiting { until_ms } => Some(until_ms),
            _ => None,
        });
        if let Some(until_ms) = waiting.min() {
            self.at_ms = self.at_ms.max(until_ms);
            self.apply(Command::Tick {});
        }
    }

    // The leader: cuts, some of them too late, commits, and disks that are full.
    fn save(&mut self, which: u8) {
        let (job, id) = (self.job.clone(), self.job().checkpoints.cutting.as_ref().map(|cutting| cutting.id));
        if let Some(id) = self.job().complete_cut().map(|cutting| cutting.id) {
            if which % 16 == 1 {
                self.damaged.insert(id);
            }
            return self.apply(Command::CommitCheckpoint { job, id });
        }
        match id {
            Some(id) if which % 8 == 7 => self.apply(Command::AbandonCut { job, id, reason: Some("disk full".into()) }),
            Some(_) => {}
            None => {
                let reached = self.cursors().into_iter().max().unwrap_or(0);
                let now_ms = self.job().checkpoints.due_at_ms.max(self.at_ms);
                if let Some(step) = next_cut(self.job(), now_ms, reached, u64::from(which % 3)) {
                    self.at_ms = now_ms;
                    self.apply(Command::CutCheckpoint { job, generation: self.job().generation, step });
                }
            }
        }
    }

    fn act(&mut self, kind: u8, which: u8) {
        self.reconcile();
        let keys: Vec<_> = self.processes.keys().copied().collect();
        let Some(key) = keys.get(usize::from(which) % keys.len().max(1)).copied() else { return };
        if self.job().is_over() {
            return;
        }
        match kind % 19 {
            18 => self.save(which),
            0..=4 => self.talk(key),
            5..=9 => self.work(key),
            10..=13 => self.hear(key),
            14 => self.lose(key, which >= 128),
            15 => self.tick(),
            16 => self.collect(key),
            _ => self.apply(Command::ScaleJob { job: self.job.clone(), workers: 1 + u32::from(which % 8), machine_bytes: None }),
        }
    }

    // No more faults: everything happens again and again.
    fn heal(&mut self) {
        for _ in 0..200 {
            for kind in [0, 5, 10, 15, 16, 18] {
                (0..u8::try_from(self.processes.len()).unwrap() + 4).for_each(|which| self.act(kind, if kind == 18 { 0 } else { which }));
            }
            if self.job().is_over() {
                return;
            }
        }
        panic!("it does not end: {} ({})", self.job().state, self.job().reason());
    }
}

fn holds_chunks(server: TaskId, view: &TaskView) -> bool {
    view.placement.as_ref().is_some_and(|placement| placement.servers.contains(&server.index))
}

impl Driver {
    // Cursors of the servers that hold chunks.
    fn cursors(&self) -> BTreeSet<u64> {
        let servers = self.processes.values().filter(|p| p.task.role == Role::ParameterServer);
        let present = servers.filter(|p| !p.dead && p.attempt == self.job().tasks[&p.task].attempt);
        present.filter(|p| p.view.as_ref().is_some_and(|view| holds_chunks(p.task, view))).map(|p| p.cursor).collect()
    }
}

#[test]
fn a_job_that_is_not_bsp_succeeds() {
    for eval in [false, true] {
        let mut file = file(2, 3, 2, eval);
        file.train.sync = Sync::Async {};
        let mut driver = Driver::of(file);
        driver.heal();
        let job = driver.job();
        assert_eq!((job.state, job.evaluations.len()), (JobState::Succeeded, if eval { 2 } else { 0 }), "{}", job.reason());
        assert_eq!(driver.cursors(), BTreeSet::from([8]));
    }
}

fn quiet(servers: u32, workers: u32, epochs: u32, eval: bool) -> Driver {
    let mut driver = Driver::new(servers, workers, epochs, eval);
    driver.heal();
    driver
}

#[test]
fn a_quiet_job_succeeds() {
    let driver = quiet(2, 3, 2, true);
    let job = driver.job();
    assert_eq!((job.state, job.evaluations.len(), job.outputs.clone()), (JobState::Succeeded, 2, Some(exported())));
    assert_eq!(driver.cursors(), BTreeSet::from([8]));
    assert!(job.tasks.values().all(|task| task.attempt == Attempt(1)));
}

#[test]
fn a_job_with_servers_that_hold_nothing_succeeds() {
    let driver = quiet(5, 3, 2, true);
    let job = driver.job();
    let holders = BTreeSet::from_iter(&job.placement.as_ref().unwrap().servers);
    assert!(holders.len() < 5, "five servers for {holders:?}");
    assert_eq!((job.state, job.evaluations.len(), driver.cursors()), (JobState::Succeeded, 2, BTreeSet::from([8])));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_job_succeeds_in_any_order_and_through_any_deaths(
        servers in 1u32..6, workers in 1u32..5, epochs in 1u32..4, eval in any::<bool>(), every in proptest::option::of(0u64..6),
        alone in any::<bool>(), acts in proptest::collection::vec(any::<(u8, u8)>(), 0..600),
    ) {
        let mut file = file(servers, workers, epochs, eval);
        file.checkpoint = every.map(|every| Checkpointing { every_steps: (every > 0).then_some(every), ..Checkpointing::default() });
        if alone {
            file.train.sync = Sync::Async {};
        }
        let saves = file.checkpoint.is_some();
        let mut driver = Driver::of(file);
        acts.into_iter().for_each(|(kind, which)| driver.act(kind, which));
        driver.heal();
        let job = driver.job();
        prop_assert_eq!(job.state, JobState::Succeeded, "{}", job.reason());
        let quiet = quiet(1, 1, epochs, eval);
        prop_assert_eq!(&job.evaluations, &quiet.job().evaluations);
        let last = u64::from(epochs) * 4;
        prop_assert_eq!(driver.cursors(), BTreeSet::from([last]));
        let checkpoints = &job.checkpoints;
        let saved = checkpoints.committed.last().map(|checkpoint| checkpoint.id.step);
        prop_assert!(!saves || saved == Some(last) || checkpoints.last_failed || job.restored_step() == last, "{:?}", checkpoints);
    }
}
