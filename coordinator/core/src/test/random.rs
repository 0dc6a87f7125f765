//! Random commands, sensible ones and others: invariants hold, refusals change nothing, replicas agree, and a
//! snapshot with the rest of the log is the log.

use super::fixture::{exported, fault, file, honest_counts, killed, process, submit, variables};
use crate::cluster::Cluster;
use crate::command::Command;
use crate::deadline::next_deadline;
use crate::evaluation::shards;
use crate::invariants::{check, check_step};
use crate::job::Job;
use crate::outcome::Outcome;
use crate::snapshot::{load, save};
use crate::view::view_for;
use proptest::prelude::*;
use tfcoord_types::checkpoint::PartFile;
use tfcoord_types::id::{Attempt, CheckpointId, Generation, Incarnation, Revision, TaskId};
use tfcoord_types::report::{EvaluatedShard, FaultKind};

/// A draw for one command: which one, of which job and task, and a number.
pub(super) type Draw = (u8, u8, u8, u8);

/// A log: (index, stamp, command).
pub(super) type Log = Vec<(u64, u64, Command)>;

// Mostly what the present state would expect, else something near it.
pub(super) fn command(cluster: &Cluster, (kind, which, who, number): Draw) -> Command {
    let jobs: Vec<&Job> = cluster.jobs().collect();
    let wild = number.is_multiple_of(16);
    let Some(job) = jobs.get(usize::from(which) % (jobs.len() + usize::from(wild)).max(1)).filter(|_| kind % 40 != 0) else {
        let (servers, workers) = (1 + u32::from(who % 2), 1 + u32::from(who % 3));
        return submit(&format!("r{}", which % 8), file(servers, workers, 1 + u32::from(number % 2), who.is_multiple_of(4)));
    };
    let id = job.id.clone();
    let tasks: Vec<TaskId> = job.tasks.keys().copied().collect();
    let task = if wild { TaskId::worker(u32::from(number)) } else { tasks[usize::from(who) % tasks.len()] };
    let state = job.tasks.get(&task);
    let attempt = Attempt(state.map_or(1, |s| s.attempt.0) + u32::from(wild));
    let incarnation = state.and_then(|s| s.incarnation()).unwrap_or(Incarnation(u64::from(number)));
    let generation = Generation(job.generation.0 + u64::from(number == 7));
    let cut = job.checkpoints.cutting.as_ref().map(|cutting| cutting.id);
    let any = CheckpointId { generation, step: u64::from(number), attempt: u64::from(who) };
    let step = if wild { u64::from(number) } else { job.run_until };
    let evaluation = job.evaluating.as_ref().map_or(0, |e| e.number);
    match kind % 40 {
        1..=8 => Command::RegisterTask { job: id, task, attempt, process: process(&format!("{task}/{attempt}/{}", number % 64 == 1)) },
        10..=12 => {
            let mut variables = variables();
            variables[0].shape[0] += u32::from(number == 3);
            Command::DeclareVariables { job: id, incarnation, variables, machine_bytes: None }
        }
        13..=15 => Command::ApplyView { job: id, incarnation, revision: Revision(job.revision.0 + u64::from(wild)) },
        16..=20 => Command::ReachStep { job: id, generation, incarnation, step },
        21..=23 => {
            let of = |shard| EvaluatedShard { evaluation, shard, counts: honest_counts(2500 + u64::from(number == 9), evaluation, shard) };
            let all = shards(job.manifest.eval_records);
            Command::CompleteShards { job: id, generation, incarnation, shards: (u32::from(number % 3)..all).map(of).collect() }
        }
        24 | 25 => Command::CompleteExport { job: id, incarnation, exported: exported() },
        27 | 28 => {
            let task = if who.is_multiple_of(4) { task } else { TaskId::worker(task.index) };
            let attempt = job.tasks.get(&task).map_or(attempt, |task| task.attempt);
            Command::DeclareLost { job: id, task, attempt, cause: killed(), step }
        }
        29 if number < 8 => Command::FailJob { job: id, incarnation: Some(incarnation), fault: fault(FaultKind::Data, "bad") },
        29 if number < 12 => Command::CancelJob { job: id, reason: "enough".into() },
        29 if number < 15 => Command::TakeOffice { adopts: number > 12 },
        9 | 26 => {
            let waiting = tasks.iter().filter(|task| job.waits_for_lanes(**task)).find_map(|task| job.tasks[task].incarnation());
            Command::JoinWorker { job: id, incarnation: waiting.unwrap_or(incarnation) }
        }
        31 if who < 32 => Command::MoveLanes { job: id, incarnation, reason: "late".into() },
        31 => Command::ScaleJob { job: id, workers: u32::from(number % 10), machine_bytes: None },
        30 => Command::CollectTask { job: id, task, attempt, exit: None },
        32..=39 if number < 200 && cut.is_none() => Command::CutCheckpoint { job: id, generation, step: step.min(u64::from(number)) },
        32..=39 if number < 200 && job.complete_cut().is_none() => {
            let server = TaskId::server(u32::from(who % 2));
            let incarnation = job.tasks.get(&server).and_then(|task| task.incarnation()).unwrap_or(incarnation);
            let part = PartFile { file: format!("part-{task}"), length: 7, crc32c: 1 };
            Command::CompleteCut { job: id, incarnation, id: cut.unwrap_or(any), part }
        }
        32..=39 if number < 220 => Command::CommitCheckpoint { job: id, id: cut.unwrap_or(any) },
        32..=39 if number < 230 => Command::AbandonCut { job: id, id: cut.unwrap_or(any), reason: wild.then(|| "disk full".into()) },
        32..=39 if number < 250 => {
            let restored = job.checkpoints.restored.as_ref().map_or(any, |restored| restored.id);
            Command::DiscardCheckpoint { job: id, generation, incarnation, id: restored, reason: "damaged".into() }
        }
        _ => Command::Tick {},
    }
}

pub(super) fn draws() -> impl Strategy<Value = Vec<Draw>> {
    proptest::collection::vec(any::<Draw>(), 1..250)
}

// Applies draws, checking each entry; the log that they made.
pub(super) fn run(cluster: &mut Cluster, draws: &[Draw]) -> Log {
    let mut log = Log::new();
    for draw in draws {
        let command = command(cluster, *draw);
        let deadline = next_deadline(cluster).filter(|_| draw.3 % 4 == 0);
        let at_ms = deadline.unwrap_or(cluster.now_ms() + u64::from(draw.3));
        let index = cluster.revision().0 + 1 + u64::from(draw.2 % 2);
        let before = cluster.clone();
        log.push((index, at_ms, command.clone()));
        let text = command.to_string();
        let applied = cluster.apply(index, at_ms, command);
        check(cluster).unwrap();
        check_step(&before, cluster).unwrap();
        if matches!(applied.outcome, Outcome::Refused(_) | Outcome::Unchanged) {
            assert!(before.jobs == cluster.jobs && applied.effects.is_empty(), "{text}: {}", applied.outcome);
        }
        for job in cluster.jobs() {
            assert!(!job.reason().is_empty());
            for (task, state) in &job.tasks {
                let view = view_for(cluster, &job.id, *task, state.incarnation().unwrap_or_default()).unwrap();
                assert_eq!(view.owners.len(), 8);
            }
        }
    }
    log
}

pub(super) fn replay(cluster: &mut Cluster, log: &Log) {
    for (index, at_ms, command) in log {
        let stored = serde_json::to_vec(command).unwrap();
        cluster.apply(*index, *at_ms, serde_json::from_slice(&stored).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_and_a_snapshot_with_the_tail_is_the_log(draws in draws(), cut in any::<prop::sample::Index>()) {
        let mut cluster = Cluster::new();
        let log = run(&mut cluster, &draws);
        let bytes = save(&cluster);

        let mut replica = Cluster::new();
        replay(&mut replica, &log);
        prop_assert!(save(&replica) == bytes, "a replica differs");

        let (head, tail) = log.split_at(cut.index(log.len()));
        let mut resumed = Cluster::new();
        replay(&mut resumed, &head.to_vec());
        let mut resumed = load(&save(&resumed)).unwrap();
        replay(&mut resumed, &tail.to_vec());
        prop_assert!(save(&resumed) == bytes, "a snapshot with the tail differs");
    }
}

// The draws are worth something only if they lead far.
#[test]
fn random_commands_reach_every_state() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    let (mut replaced, mut joined, mut left, mut restored) = (false, false, false, false);
    for _ in 0..300 {
        let draws = proptest::collection::vec(any::<Draw>(), 250).new_tree(&mut runner).unwrap().current();
        let mut cluster = Cluster::new();
        for draw in &draws {
            run(&mut cluster, std::slice::from_ref(draw));
            seen.extend(cluster.jobs().map(|job| job.state.to_string()));
            seen.extend(cluster.jobs().filter(|job| job.evaluating.is_some()).map(|_| "evaluating".to_owned()));
            restored |= cluster.jobs().any(|job| job.checkpoints.restored.is_some());
            left |= cluster.jobs().any(|job| !job.is_over() && job.tasks.values().any(|task| task.is_dismissed()));
            joined |= cluster.jobs().any(|job| job.lanes.iter().any(|lane| lane.intended.index >= job.file.worker.count));
            replaced |= cluster.jobs().any(|job| {
                job.lanes.iter().any(|lane| lane.owner.is_some_and(|o| job.task_of(o).is_some_and(|task| job.tasks[&task].restarts > 0)))
            });
        }
    }
    let expect = ["admitted", "cancelled", "evaluating", "failed", "finalizing", "running", "starting", "succeeded"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expect);
    assert_eq!((replaced, joined, left, restored), (true, true, true, true));
}
