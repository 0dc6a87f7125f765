//! `ssp`, `async` and `local`: every record counts exactly once an epoch, whatever dies, and models learn.

use crate::jobs::checkpoints::wait_for_newer;
use crate::jobs::exactly_once::{check, check_epochs, counting, disturb, lab};
use crate::jobs::scaling::Asked;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::process::Child;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::{Lab, idx, job};

fn modes() -> [(&'static str, Value); 3] {
    [("async", json!({"async": {}})), ("ssp", json!({"ssp": {"staleness": 2}})), ("local", json!({"local": {"every": 5}}))]
}

/// 282 batches an epoch, or as many epochs as are asked for.
fn in_mode(name: &str, sync: &Value, epochs: u32) -> Value {
    let mut job = counting(name);
    job["train"]["sync"] = sync.clone();
    job["train"]["epochs"] = json!(epochs);
    job["parameter_server"]["count"] = json!(2);
    job
}

fn finish(submit: Child, lab: &Lab) -> String {
    let output = submit.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", lab.logs());
    text
}

/// Chunks of 4,096 records, and checkpoints that are all within an epoch, but for the last one.
fn saved(name: &str, sync: &Value) -> Value {
    let mut job = in_mode(name, sync, 12);
    job["checkpoint"] = json!({"every_steps": 40});
    job["parameter_server"]["chunk_bytes"] = json!(16384);
    job
}

fn wait_for_checkpoint(lab: &Lab) {
    let step = |path: std::path::PathBuf| {
        let id = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
        id.split('-').nth(1)?.parse::<u64>().ok()
    };
    wait_for(60, "a checkpoint within an epoch", || {
        let jobs = std::fs::read_dir(lab.path().join("out")).ok()?.flatten().map(|entry| entry.path().join("checkpoints"));
        let mut files = jobs.filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
        files.any(|entry| step(entry.path()).is_some_and(|step| step % 282 > 0)).then_some(())
    });
}

#[test]
fn while_pushes_are_duplicated_replayed_and_reordered_and_a_worker_is_killed() {
    for (name, sync) in modes() {
        let lab = lab();
        // Whoever holds the shard of that batch is killed between two of its chunks.
        disturb(&lab, "$(case \"$*\" in *ps-0*) echo kill=1:50;; *) echo kill=0:50;; esac)");
        let text = lab.submit(&in_mode(name, &sync, 3));
        check(&lab, name);
        assert!(text.contains("is replaced"), "the replacement is told: {text}");
    }
}

#[test]
fn while_both_workers_are_killed() {
    for (name, sync) in modes() {
        let lab = lab();
        let submit = lab.spawn_submit(&in_mode(name, &sync, 6));
        lab.wait_for_step();
        for task in ["worker-0", "worker-1"] {
            lab.wait_for_task(task).signal(Signal::KILL);
        }
        let text = finish(submit, &lab);
        assert!(text.contains("worker-0") && text.contains("worker-1"), "both replacements are told: {text}");
        check_epochs(&lab, name, 6);
    }
}

#[test]
fn while_a_server_is_killed_without_a_checkpoint() {
    for (name, sync) in modes() {
        let lab = lab();
        let submit = lab.spawn_submit(&in_mode(name, &sync, 6));
        lab.wait_for_step();
        lab.wait_for_task("ps-1").signal(Signal::KILL);
        let text = finish(submit, &lab);
        assert!(text.contains("went back to the beginning"), "{text}");
        check_epochs(&lab, name, 6);
    }
}

#[test]
fn while_servers_are_killed_and_all_goes_back_to_the_midst_of_an_epoch() {
    for (name, sync) in modes() {
        let lab = lab();
        let submit = lab.spawn_submit(&saved(name, &sync));
        for server in ["ps-0", "ps-1"] {
            wait_for_newer(&lab);
            lab.wait_for_task(server).signal(Signal::KILL);
        }
        let text = finish(submit, &lab);
        let steps = text.split("went back to the checkpoint at step ").skip(1);
        let steps: Vec<u64> = steps.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect();
        assert!(!steps.is_empty() && steps.iter().all(|step| step % 282 > 0), "{name}: {steps:?}: {text}");
        check_epochs(&lab, name, 12);
    }
}

#[test]
fn while_the_coordinator_is_killed_and_workers_come_and_leave() {
    for (name, sync) in modes() {
        let lab = lab();
        let submit = lab.spawn_submit(&in_mode(name, &sync, 12));
        lab.wait_for_step();
        let mut asked = Asked::new(&lab);
        asked.scale(4);
        asked.until("four workers that train", |job| job.progress.as_ref().is_some_and(|progress| progress.workers_alive == 4));
        asked.scale(1);
        lab.kill_coordinator();
        finish(submit, &lab);
        check_epochs(&lab, name, 12);
    }
}

#[test]
fn an_mlp_with_adam_and_batch_norm_learns() {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1800, 12, 4, 1);
    let with_momentum = ("momentum", json!({"local": {"every": 4, "momentum": 0.5}}));
    for (name, sync) in modes().into_iter().chain([with_momentum]) {
        let mut job = job::pictures(name, job::mlp_layers(), 1600, 200);
        job["train"]["sync"] = sync;
        job["train"]["epochs"] = json!(8);
        (job["worker"]["count"], job["parameter_server"]["count"]) = (json!(2), json!(2));
        lab.submit(&job);
        let dir = lab.outputs(name);
        let metrics: Value = serde_json::from_slice(&std::fs::read(dir.join("model/metrics.json")).unwrap()).unwrap();
        let accuracy = metrics["accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.8, "{name}: accuracy {accuracy}");
        let curve = std::fs::read_to_string(dir.join("curve.csv")).unwrap();
        assert_eq!(curve.lines().count(), 1 + 8 * 50, "{name}: a point for each batch");
    }
}

#[test]
fn fashion_mnist_learns_in_every_mode() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/fashion-mnist");
    let text = std::fs::read_to_string(format!("{example}/job.json")).unwrap();
    let text = text.replace("\"data/", &format!("\"{example}/data/"));
    for (name, sync) in modes() {
        let lab = Lab::new();
        let mut job: Value = serde_json::from_str(&text).unwrap();
        (job["name"], job["train"]["sync"], job["train"]["epochs"]) = (json!(name), sync, json!(8));
        lab.submit(&job);
        let metrics = std::fs::read(lab.outputs(name).join("model/metrics.json")).unwrap();
        let metrics: Value = serde_json::from_slice(&metrics).unwrap();
        let accuracy = metrics["accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.8, "{name}: accuracy {accuracy}");
    }
}

#[test]
fn everything_is_killed_and_another_coordinator_resumes_in_the_midst_of_an_epoch() {
    for (name, sync) in modes() {
        let lab = lab();
        let mut job = saved(name, &sync);
        let mut submit = lab.spawn_submit(&job);
        wait_for_checkpoint(&lab);
        // The client first: it would start another coordinator.
        submit.kill().unwrap();
        submit.wait().unwrap();
        lab.kill_coordinator();
        let tasks = ["ps-0", "ps-1", "worker-0", "worker-1"];
        tasks.iter().flat_map(|task| lab.task(task)).for_each(|process| process.signal(Signal::KILL));
        wait_for(15, "no task stays", || tasks.iter().all(|task| lab.task(task).is_empty()).then_some(()));
        let left = std::fs::read_dir(lab.path().join("out")).unwrap().next().unwrap().unwrap().path();
        // Supervisors write how their tasks ended.
        wait_for(15, "the state is gone", || std::fs::remove_dir_all(lab.state_dir()).ok());
        let resume = |job: &Value| {
            let path = lab.write_job(job);
            let output = lab.run(&["submit", path.to_str().unwrap(), "--resume"]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            (output.status.code(), text)
        };
        // What counts is said of these chunks, and of these shards.
        job["parameter_server"] = json!({"count": 1, "chunk_bytes": 32768});
        let (code, text) = resume(&job);
        assert!(code == Some(2) && text.contains("parameter_server.chunk_bytes: ") && text.contains("leave it out"), "{text}");
        (job["parameter_server"], job["worker"]["count"]) = (json!({"count": 1}), json!(3));
        if name == "local" {
            job["train"]["sync"] = json!({"local": {"every": 7}});
            let (code, text) = resume(&job);
            assert!(code == Some(2) && text.contains("train.sync.local.every: ") && text.contains("it was 5, and is 7"), "{text}");
            job["train"]["sync"] = sync.clone();
        }
        let (code, text) = resume(&job);
        assert!(code == Some(0) && text.contains("goes on from step"), "{text}\n{}", lab.logs());
        // Only one job's outputs are looked at.
        std::fs::remove_dir_all(left).unwrap();
        check_epochs(&lab, name, 12);
    }
}
