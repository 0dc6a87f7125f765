//! `tfcoord submit --chaos`: processes of a job are struck while it is watched, and it ends with the quiet run's bits.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Stdio;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::processes::Process;
use tfcoord_testkit::{Lab, idx, job};

fn file(name: &str) -> Value {
    let mut job = job::pictures(name, job::mlp_layers(), 803, 200);
    job["train"]["epochs"] = json!(100);
    (job["worker"]["count"], job["parameter_server"]["count"]) = (json!(2), json!(2));
    // Strikes come faster than most of what they interrupt.
    (job["worker"]["max_restarts"], job["parameter_server"]["max_restarts"]) = (json!(100), json!(100));
    (job["lease_seconds"], job["checkpoint"]) = (json!(0.5), json!({"every_steps": 20}));
    job
}

fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1003, 12, 4, 1);
    lab
}

fn submit(lab: &Lab, plan: &str, form: &str) -> String {
    let path = lab.write_job(&file("struck"));
    let output = lab.run(&["submit", path.to_str().unwrap(), "--chaos", plan, "-o", form, "--wait-timeout", "120"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}\n{}", String::from_utf8_lossy(&output.stderr), lab.logs());
    text
}

#[test]
fn a_job_shrugs_off_what_strikes_it() {
    let quiet = lab();
    quiet.submit(&file("quiet"));
    let lab = lab();
    let text = submit(&lab, "kill=worker/1500ms,kill=ps/2500ms,kill=coordinator/2s,stop=worker/3s,for=15s,seed=7", "jsonl");
    assert!(lab.bits("struck") == quiet.bits("quiet"), "the bits differ: {text}");
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let struck: Vec<&Value> = events.iter().filter(|event| event["event"] == "chaos").collect();
    let whom = |signal: &str| -> BTreeSet<&str> {
        let of = struck.iter().filter(|event| event["signal"] == signal);
        of.filter_map(|event| event["target"].as_str()?.split('-').next()).collect()
    };
    assert_eq!((whom("SIGKILL"), whom("SIGSTOP")), (["coordinator", "ps", "worker"].into(), ["worker"].into()), "{text}");
    assert!(struck.iter().all(|event| event["pid"].as_i64().is_some_and(|pid| pid > 1)), "{text}");
    for event in ["task_replaced", "went_back", "coordinator_restarted"] {
        assert!(events.iter().any(|line| line["event"] == event), "{event}: {text}");
    }
}

#[test]
fn it_is_told_for_people_and_over_when_that_was_said() {
    let lab = lab();
    let text = submit(&lab, "kill=worker/400ms,for=800ms", "text");
    let kills = text.lines().filter(|line| line.starts_with("chaos: killed worker-") && line.ends_with(" with SIGKILL")).count();
    assert!((1..=4).contains(&kills), "{text}");
}

#[test]
fn who_is_asked_to_end_leaves_nobody_stopped() {
    let lab = lab();
    let mut job = file("stopped");
    // Nobody would wake it for long.
    job["lease_seconds"] = json!(100);
    let path = lab.write_job(&job);
    let mut command = lab.tfcoord(&["submit", path.to_str().unwrap(), "--chaos", "stop=coordinator/1s"]);
    let mut submit = command.stdout(Stdio::null()).spawn().unwrap();
    let coordinator = || lab.coordinator().filter(Process::is_stopped);
    let stopped = wait_for(60, "a coordinator that is stopped", coordinator);
    kill_process(Pid::from_child(&submit), Signal::TERM).unwrap();
    assert_eq!(submit.wait().unwrap().code(), Some(143));
    wait_for(60, "it goes on", || (!stopped.is_stopped()).then_some(()));
    assert_eq!(lab.coordinator(), Some(stopped), "and lives");
}
