//! A job whose data, checkpoints and results are in HDFS, while a DataNode dies as it reads, the NameNode changes, and for half a
//! minute HDFS takes nothing: it ends with the bits of a quiet run.

use super::place::Place;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_testkit::processes::Process;
use tfcoord_testkit::{Lab, idx, job};

/// Four pieces of 4 MiB, and as many blocks as MiB.
const RECORDS: u32 = 20_000;
const SIDE: u32 = 28;
const PIECE: u64 = 4 << 20;
/// Half a minute of training where nothing else runs, most of it in safe mode.
const EPOCHS: u32 = 36;
/// By 63 batches of 256 records in each.
const STEPS: u64 = 63 * EPOCHS as u64;
const SAFE_MODE: Duration = Duration::from_secs(30);

fn file(name: &str, root: &str) -> Value {
    let layers = json!([{"flatten": {}}, {"dense": {"units": 256, "activation": "relu"}}, {"dense": {"units": 4}}]);
    let mut job = job::pictures(name, layers, 16_000, 2_000);
    for set in ["train", "eval"] {
        job["data"][set]["images"] = json!(format!("{root}images.idx"));
        job["data"][set]["labels"] = json!(format!("{root}labels.idx"));
    }
    (job["train"]["batch_size"], job["train"]["epochs"]) = (json!(256), json!(EPOCHS));
    (job["worker"]["count"], job["parameter_server"]["count"]) = (json!(2), json!(2));
    // A worker that is stopped for a moment is not dead yet.
    job["lease_seconds"] = json!(20);
    job
}

fn quiet() -> (Vec<u8>, Vec<u8>) {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), RECORDS, SIDE, 4, 1);
    lab.submit(&file("quiet", ""));
    lab.bits("quiet")
}

// What a process has written up to now, in bytes: of a worker that reads, mostly pieces on the scratch disk.
fn written(process: &Process) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", process.pid)).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}

// Stops a worker that has some of its pieces and reads the others. One that has read all is killed: the next one reads again.
fn stopped_while_it_reads(place: &Place<'_>) -> Process {
    let all = u64::from(RECORDS * SIDE * SIDE);
    for _ in 0..8 {
        let worker = place.lab.wait_for_task("worker-0");
        wait_for(60, "the first piece", || (written(&worker) >= PIECE).then_some(()));
        worker.signal(Signal::STOP);
        if written(&worker) < all {
            return worker;
        }
        worker.signal(Signal::KILL);
        wait_for(60, "the worker's end", || (!place.lab.task("worker-0").contains(&worker)).then_some(()));
    }
    panic!("no worker was met while it read\n{}", place.lab.logs());
}

fn step(place: &Place<'_>, job: &str) -> u64 {
    place.lab.status(job)["progress"]["step"].as_u64().unwrap_or_default()
}

// Half a minute in which nothing can be written.
fn safe_mode(place: &Place<'_>, job: &str) {
    place.hadoop.command("safemode enter");
    let began = Instant::now();
    let (before, saved) = (step(place, job), place.steps("out", "/checkpoints"));
    wait_for(60, "half a minute of safe mode", || (began.elapsed() >= SAFE_MODE).then_some(()));
    let last = step(place, job);
    assert!(last > before || before == STEPS, "training goes on: {before}, {last}");
    assert_eq!(place.steps("out", "/checkpoints"), saved, "nothing gets there");
    let state = place.lab.status(job)["state"].clone();
    assert!(state == "running" || state == "finalizing", "{state}");
    place.hadoop.command("safemode leave");
}

#[test]
fn a_job_lives_through_what_happens_to_hdfs() {
    let Some(hadoop) = Hadoop::start(Form { block_size: 1 << 20, high_availability: true, ..Form::new(Security::Simple) }) else { return };
    let place = Place::of(&hadoop, "alice");
    // While this one waits for HDFS.
    let quiet = std::thread::spawn(quiet);
    idx::write_pictures(place.lab.path(), RECORDS, SIDE, 4, 1);
    let data = place.at("pictures").to_string();
    let put = place.lab.run(&["data", "put", "images.idx", "labels.idx", &data]);
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));

    let mut job = file("faults", &format!("{data}/"));
    job["output"]["dir"] = json!(place.at("out").to_string());
    job["checkpoint"] = json!({"every_steps": 20, "keep": 2});
    let id = place.lab.submit_detached(&job);

    println!("a DataNode dies in mid-read");
    let reading = stopped_while_it_reads(&place);
    hadoop.command("kill-datanode 1");
    reading.signal(Signal::CONT);
    place.wait_for_checkpoint("out", "/checkpoints", 20);

    println!("the NameNode changes, and a worker reads all of it anew");
    assert_eq!(hadoop.command("fail-over"), "1");
    place.lab.wait_for_task("worker-1").signal(Signal::KILL);
    let at = step(&place, &id);
    place.wait_for_checkpoint("out", "/checkpoints", STEPS.min(at + 20));

    println!("safe mode");
    safe_mode(&place, &id);
    let ended = wait_for(180, "the job's end", || {
        let status = place.lab.status(&id);
        ["succeeded", "failed"].iter().any(|end| status["state"] == *end).then_some(status)
    });
    assert_eq!(ended["state"], "succeeded", "{ended}\n{}", place.lab.logs());
    assert!(place.bits("out") == quiet.join().unwrap(), "the bits differ");
}
