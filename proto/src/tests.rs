//! What is written is read back; what makes no sense is refused.

use crate::{Malformed, v1};
use tfcoord_types::checkpoint::{Checkpoint, CutOutcome, CutReport, PartFile, RestoreFault};
use tfcoord_types::exchange::Answer;
use tfcoord_types::figures::{Counts, CurvePoint};
use tfcoord_types::id::{CheckpointId, Generation, Incarnation, Revision, TaskId};
use tfcoord_types::job::Sync;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::{
    Body, CurveReport, EvaluatedShard, Exported, Fault, FaultKind, Late, Report, ServerReport, ShardsDone, WorkerReport,
};
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::{Directive, Evaluate, Evaluation, Export, Lease, Placement, ServerAddress, TaskView};

fn counts() -> Counts {
    Counts { records: 3, loss_sum_bits: 0.1f64.to_bits(), correct: 2, confusion: vec![1, 0, 1, 1], bins: vec![(0, 1, 0), (4095, 0, 2)] }
}

fn variables() -> Vec<Variable> {
    let variable = |name: &str, initializer, group| Variable { name: name.into(), shape: vec![2, 3], initializer, group, sync: None };
    let local = Sync::Local { every: 4, momentum: 0.5 };
    vec![
        variable("a", Initializer::Zeros, Group::Train),
        Variable { sync: Some(Sync::Async {}), ..variable("b", Initializer::Ones, Group::Average { momentum: 0.9 }) },
        Variable { sync: Some(Sync::Ssp { staleness: 3 }), ..variable("c", Initializer::Uniform { limit: 0.5 }, Group::Curve) },
        Variable { sync: Some(local), ..variable("d", Initializer::Normal { deviation: 0.1 }, Group::Add) },
    ]
}

fn view() -> TaskView {
    let evaluation = Evaluation { epoch: 1, step: 63, counts: counts() };
    TaskView {
        revision: Revision(9),
        incarnation: Incarnation(4),
        directive: Directive::Stop { reason: "done".into() },
        generation: Generation(1),
        plan: TrainPlan { records: 100, batch_size: 8, micro_batches: 4, epochs: 2 },
        placement: Some(Placement { epoch: 1, variables: variables(), chunk_elements: 4096, servers: vec![0, 1] }),
        servers: vec![ServerAddress {
            task: TaskId::server(0),
            incarnation: Incarnation(2),
            addresses: vec!["127.0.0.1:1".into()],
            host: "h".into(),
        }],
        owners: vec![Some(Incarnation(4)), None, None, Some(Incarnation(5))],
        workers: vec![Incarnation(4), Incarnation(5)],
        leases: vec![Lease { shard: 3, owner: None }, Lease { shard: 4, owner: Some(Incarnation(7)) }],
        run_until: 13,
        evaluate: Some(Evaluate { evaluation: 0, step: 13, shards: vec![(0, 0..10)] }),
        export: Some(Export { step: 26, dir: "/out".into(), attempt: 4, evaluations: vec![evaluation.clone()] }),
        evaluations: vec![evaluation],
        restore: Some(Checkpoint { id: CheckpointId { generation: Generation(1), step: 7, attempt: 8 }, dir: "/out/checkpoints".into() }),
        cut: Some(Checkpoint { id: CheckpointId { generation: Generation(2), step: 20, attempt: 30 }, dir: "/out/checkpoints".into() }),
    }
}

#[test]
fn views_come_back_as_they_went() {
    let there = v1::TaskView::from(view());
    assert_eq!(TaskView::try_from(there), Ok(view()));
}

#[test]
fn reports_come_back_as_they_went() {
    let point = CurvePoint { step: 5, loss_sum: 0.5, records: 4.0, correct: 1.0 };
    let worker = WorkerReport {
        variables: variables(),
        step: 3,
        records: 12,
        evaluated: vec![EvaluatedShard { evaluation: 1, shard: 2, counts: counts() }],
        exported: Some(Exported { dir: "/out".into(), files: vec![("model.json".into(), 3, "ab".into())] }),
    };
    let id = CheckpointId { generation: Generation(1), step: 4, attempt: 9 };
    let written = PartFile { file: "1-4-9.ps-0".into(), length: 100, crc32c: u32::MAX };
    let outcomes = [CutOutcome::Written(written), CutOutcome::Missed, CutOutcome::Failed { reason: "disk full".into() }];
    let server = |outcome: &CutOutcome| ServerReport {
        reached: Some(4),
        done: ShardsDone { epoch: 2, shards: vec![3, 5] },
        curve: Some(CurveReport { last: point, epoch: point }),
        cut: Some(CutReport { id, outcome: outcome.clone() }),
        restore_fault: Some(RestoreFault { id, reason: "damaged".into() }),
        late: Some(Late { worker: Incarnation(7), steps: 5, behind_ms: 120 }),
    };
    let servers = outcomes.iter().map(|outcome| Body::Server(server(outcome)));
    for body in servers.chain([Body::Worker(worker), Body::Server(ServerReport::default())]) {
        let fault = Some(Fault { kind: FaultKind::NotFinite, message: "step 3".into() });
        let report = Report { incarnation: Incarnation(4), applied: Revision(8), generation: Generation(1), body, fault };
        assert_eq!(Report::try_from(v1::Report::from(report.clone())), Ok(report));
    }
}

#[test]
fn answers_come_back_as_they_went() {
    let revision = Revision(3);
    let refused = Answer::Refused { reason: "length".into() };
    for answer in [
        Answer::Held,
        Answer::Duplicate,
        Answer::Counted { next: 7 },
        Answer::NotOwner,
        Answer::NotYet { revision },
        Answer::Fenced,
        Answer::Ahead,
        refused,
    ] {
        let message = v1::PushAnswer { answer: Some(answer.clone().into()), ..v1::PushAnswer::default() };
        assert_eq!(Answer::try_from(message), Ok(answer));
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |change: &dyn Fn(&mut v1::TaskView)| {
        let mut message = v1::TaskView::from(view());
        change(&mut message);
        TaskView::try_from(message).unwrap_err().field
    };
    assert_eq!(refused(&|m| m.plan = None), "TaskView.plan");
    assert_eq!(refused(&|m| m.directive = None), "TaskView.directive");
    assert_eq!(refused(&|m| m.owners.push(1)), "TaskView.owners");
    assert_eq!(refused(&|m| m.plan.as_mut().unwrap().micro_batches = 3), "TrainPlan");
    assert_eq!(refused(&|m| m.plan.as_mut().unwrap().records = 0), "TrainPlan");
    assert_eq!(refused(&|m| m.servers[0].task = "../x".into()), "ServerAddress.task");
    let bins = vec![v1::AucBin { bin: 4096, negatives: 1, positives: 1 }];
    let error = Counts::try_from(v1::Counts { bins, ..v1::Counts::default() });
    assert_eq!(error, Err(Malformed { field: "Counts.bins", problem: "makes no sense" }));
}

#[test]
fn a_digest_tells_variables_apart() {
    let digest = crate::variables_digest(&variables());
    let mut other = variables();
    other[0].shape = vec![3, 2];
    assert_eq!(crate::variables_digest(&variables()), digest);
    assert_ne!(crate::variables_digest(&other), digest);
    let mut other = variables();
    other[1].sync = None;
    assert_ne!(crate::variables_digest(&other), digest);
}

#[test]
fn a_mode_that_makes_no_sense_is_refused() {
    let malformed = Err(Malformed { field: "Variable.sync", problem: "makes no sense" });
    for sync in [
        Sync::Ssp { staleness: 0 },
        Sync::Local { every: 0, momentum: 0.0 },
        Sync::Local { every: 1, momentum: 1.0 },
        Sync::Local { every: 1, momentum: f64::NAN },
    ] {
        let [variable, ..] = &variables()[..] else { panic!() };
        let there = v1::Variable::from(Variable { sync: Some(sync), ..variable.clone() });
        assert_eq!(Variable::try_from(there), malformed, "{sync:?}");
    }
}
