//! The start, and a trainer that does not end well.

use super::*;
use crate::trainer::Command;
use serde_json::json;
use std::path::Path;
use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::view::{Export, Placement};

const WITHIN: Duration = Duration::from_secs(20);

const PLAN: TrainPlan = TrainPlan { records: 4, batch_size: 2, micro_batches: 1, epochs: 1 };

// A job of a model of one number, with its data in this directory.
fn here(dir: &Path) -> Here {
    Here { threads: 1, scratch: dir.to_owned(), host: "h".into() }
}

fn welcome(dir: &Path) -> Welcome {
    let data = dir.join("numbers.csv");
    std::fs::write(&data, "a,target\n1,2\n2,4\n3,6\n4,8\n").unwrap();
    let job = json!({
        "name": "tiny",
        "model": {"layers": [{"dense": {"units": 1}}], "loss": "mse"},
        "data": {"format": "csv", "train": {"files": [data]}, "label": "target"},
        "train": {"batch_size": 2, "micro_batches": 1, "epochs": 1, "optimizer": {"sgd": {"learning_rate": 0.1}}},
        "output": {"dir": dir}
    });
    let file: JobFile = serde_json::from_value(job).unwrap();
    let manifest = tfcoord_data::prepare(&file, &Files::new(FileSystems::of_environment(), dir)).unwrap();
    Welcome {
        incarnation: Incarnation(1),
        job_file: serde_json::to_string(&file).unwrap(),
        manifest: serde_json::to_vec(&manifest).unwrap().into(),
        lease: Duration::from_secs(2),
    }
}

// A trainer as a worker starts it, and what it says.
fn trainer() -> (Started, mpsc::UnboundedReceiver<Event>) {
    let dir = tempfile::tempdir().unwrap();
    let (to, events) = mpsc::unbounded_channel();
    (start(&welcome(dir.path()), PLAN, here(dir.path()), to).unwrap(), events)
}

#[test]
fn data_that_are_not_seen_are_looked_for_again_and_others_end_the_job() {
    let dir = tempfile::tempdir().unwrap();
    let (welcome, data, away) = (welcome(dir.path()), dir.path().join("numbers.csv"), dir.path().join("away"));
    let fault = || {
        let failed = start(&welcome, PLAN, here(dir.path()), mpsc::unbounded_channel().0).err();
        failed.map(|error| (kind(&error), causes::said(error.as_ref())))
    };
    assert_eq!(fault(), None);
    std::fs::rename(&data, &away).unwrap();
    let (kind, message) = fault().unwrap();
    assert!(kind == FaultKind::Task && message.contains("numbers.csv: it is not there"), "{kind:?} {message}");
    std::fs::rename(&away, &data).unwrap();
    assert_eq!(fault(), None);
    std::fs::write(&data, "a,target\n1,2\n2,4\n3,6\n4,9999\n").unwrap();
    let (kind, message) = fault().unwrap();
    assert!(kind == FaultKind::Job && message.contains("start again"), "{kind:?} {message}");
}

#[tokio::test]
async fn a_trainer_that_panics_ends_the_worker_with_its_message() {
    let (Started { trainer, preprocessing, variables, train }, mut events) = trainer();
    let transport = Grpc { token: Bearer::new("abcd").unwrap(), job: "tiny-1".into(), host: "h".into(), patience: PATIENCE };
    let state = State::new(Incarnation(1), 0, variables);
    trainer.command(Command::Export(Box::new(|_, _| panic!("struck by lightning"))));
    let (mut shell, _messages) = Shell::new(Worker::new(Incarnation(1), &train), transport, trainer, preprocessing, state);
    let event = tokio::time::timeout(WITHIN, events.recv()).await.expect("it says something").expect("it says why");
    shell.event(event);
    assert_eq!(shell.end(), Some(&End::Failed));
    assert_eq!(shell.state.fault.as_ref().unwrap().message, "the trainer panicked: struck by lightning");
}

#[tokio::test]
async fn the_curve_of_an_export_that_is_not_wanted_any_more_is_not_written() {
    let (Started { trainer, preprocessing, variables, train }, mut events) = trainer();
    let transport = Grpc { token: Bearer::new("abcd").unwrap(), job: "tiny-1".into(), host: "h".into(), patience: PATIENCE };
    let state = State::new(Incarnation(1), 0, variables);
    let (mut shell, _messages) = Shell::new(Worker::new(Incarnation(1), &train), transport, trainer, preprocessing, state);
    let dir = tempfile::tempdir().unwrap();
    let outputs = dir.path().join("outputs");
    // Asked for in an earlier generation than the one that has answered.
    let export = Export { step: 2, dir: outputs.to_string_lossy().into(), attempt: 1, evaluations: vec![] };
    shell.message(shell::Message::Curve(Box::new(export), Ok(vec![])));
    drop(shell);
    let event = tokio::time::timeout(WITHIN, events.recv()).await.expect("the trainer ends");
    assert!(event.is_none() && !outputs.exists(), "it was written");
}

#[tokio::test]
async fn a_worker_with_other_variables_than_the_jobs_takes_no_part() {
    let (Started { trainer, preprocessing, variables, train }, _events) = trainer();
    let transport = Grpc { token: Bearer::new("abcd").unwrap(), job: "tiny-1".into(), host: "h".into(), patience: PATIENCE };
    let state = State::new(Incarnation(1), 0, variables[..1].to_vec());
    let (mut shell, _messages) = Shell::new(Worker::new(Incarnation(1), &train), transport, trainer, preprocessing, state);
    shell.view(TaskView {
        revision: Revision(1),
        incarnation: Incarnation(1),
        directive: Directive::Run,
        generation: Generation(1),
        plan: TrainPlan { records: 4, batch_size: 2, micro_batches: 1, epochs: 1 },
        placement: Some(Placement { epoch: 1, variables, chunk_elements: 4096, servers: vec![0] }),
        servers: vec![],
        owners: vec![None],
        workers: vec![Incarnation(1)],
        leases: vec![],
        run_until: 2,
        evaluate: None,
        export: None,
        evaluations: vec![],
        restore: None,
        cut: None,
    });
    assert_eq!((shell.end(), shell.state.applied), (Some(&End::Failed), Revision(0)));
    assert!(shell.state.fault.as_ref().unwrap().message.contains("do not have the same model"));
}

#[tokio::test]
async fn the_session_goes_on_while_the_worker_starts() {
    let (beat, beats) = std::sync::mpsc::channel();
    tokio::spawn(async move { beat.send(()) });
    let start = move || Ok(beats.recv_timeout(WITHIN)?);
    assert!(beside(std::future::pending(), start).await.unwrap().is_ok(), "the runtime stood still");
}

#[tokio::test]
async fn a_start_is_not_waited_for_when_it_is_over() {
    let (_kept, never) = std::sync::mpsc::channel::<()>();
    let start = move || Ok(never.recv_timeout(WITHIN)?);
    assert!(beside(async { ExitCode::SUCCESS }, start).await.is_err());
}

#[tokio::test]
async fn a_start_that_panics_is_an_error() {
    let start = || -> anyhow::Result<()> { panic!("out of luck") };
    let error = beside(std::future::pending(), start).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
}
