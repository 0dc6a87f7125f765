//! Deaths that end a job, and some that do not, and what is said; no orphan stays.

use rustix::process::Signal;
use serde_json::{Value, json};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::{Lab, idx, job};

fn long_job(name: &str) -> serde_json::Value {
    let mut job = job::pictures(name, job::mlp_layers(), 1600, 200);
    job["train"]["epochs"] = json!(2000);
    job["worker"]["count"] = json!(2);
    job
}

fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1800, 12, 4, 1);
    lab
}

#[test]
fn data_that_are_unseen_for_a_moment_cost_a_worker_attempts_and_not_the_job() {
    let lab = lab();
    let mut job = long_job("unseen");
    job["train"]["epochs"] = json!(100);
    job["lease_seconds"] = json!(0.5);
    let id = lab.submit_detached(&job);
    lab.wait_for_step();
    let (data, away) = (lab.path().join("images.idx"), lab.path().join("away"));
    std::fs::rename(&data, &away).unwrap();
    lab.wait_for_task("worker-1").signal(Signal::KILL);
    let attempt = |status: &Value| status["tasks"].as_array().unwrap().iter().find(|t| t["task"] == "worker-1").unwrap().clone();
    let again = || Some(attempt(&lab.status(&id))).filter(|task| task["attempt"].as_u64() >= Some(3));
    let task = wait_for(60, "another attempt in vain", again);
    assert!(task["last_exit"].as_str().unwrap().contains("images.idx: it is not there"), "{task}");
    std::fs::rename(&away, &data).unwrap();
    let over = || Some(lab.status(&id)).filter(|status| ["succeeded", "failed"].contains(&status["state"].as_str().unwrap()));
    let status = wait_for(120, "the job's end", over);
    assert_eq!(status["state"], "succeeded", "{status}\n{}", lab.logs());
}

#[test]
fn a_worker_that_dies_too_often_ends_the_job() {
    let lab = lab();
    lab.replace_program("tfcoord-worker", "case \"$*\" in *worker-1*) echo wanted a library >&2; exit 3;; *) exec $REAL \"$@\";; esac");
    let mut job = long_job("dies-often");
    job["worker"]["max_restarts"] = json!(2);
    let output = lab.spawn_submit(&job).wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("worker-1") && text.contains("code 3") && text.contains("wanted a library"), "{text}");
}
