//! A detached job goes on; the other commands find it.

use serde_json::{Value, json};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::{Lab, idx, job};

fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn submit_detached(lab: &Lab, job: &Value) -> String {
    let path = lab.write_job(job);
    let output = lab.run(&["submit", path.to_str().unwrap(), "--detach", "-o", "json"]);
    assert!(output.status.success(), "{}", text(&output));
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    reply["id"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

fn state(lab: &Lab, job: &str) -> String {
    let output = lab.run(&["status", job, "-o", "json"]);
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output)));
    reply["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_detached_job_goes_on_to_its_end() {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 500, 12, 4, 1);
    let id = submit_detached(&lab, &job::pictures("detached", job::mlp_layers(), 400, 100));
    wait_for(60, "the job ends", || (state(&lab, &id) == "succeeded").then_some(()));
    let logs = text(&lab.run(&["logs", &id, "--task", "worker-0"]));
    assert!(logs.contains("worker-0"), "{logs}");
    let list = text(&lab.run(&["list", "--all"]));
    assert!(list.contains(&id) && list.contains("succeeded"), "{list}");
}

#[test]
fn results_of_another_coordinator_s_job_are_not_touched() {
    let mut lab = Lab::new();
    idx::write_pictures(lab.path(), 500, 12, 4, 1);
    let mut job = job::pictures("twice", job::mlp_layers(), 400, 100);
    job["train"]["epochs"] = json!(1);
    lab.submit(&job);
    let first = lab.outputs("twice");
    let content = |name: &str| std::fs::read(first.join(name)).unwrap();
    let before = ["curve.csv", "model/model.safetensors"].map(content);
    // As of another user, or after the state was lost: numbers begin anew.
    lab.set("TFCOORD_STATE_DIR", lab.path().join("other").to_str().unwrap());
    job["train"]["seed"] = json!(8);
    let output = lab.run(&["submit", lab.write_job(&job).to_str().unwrap(), "-o", "json"]);
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output)));
    let second = std::path::PathBuf::from(reply["outputs"]["model_dir"].as_str().unwrap());
    assert!(second.join("model.safetensors").exists() && !second.starts_with(&first), "{reply}");
    assert_eq!(["curve.csv", "model/model.safetensors"].map(content), before);
    assert_eq!(std::fs::read_dir(first.join("tensorboard")).unwrap().count(), 1, "one server's events");
}

#[test]
fn cancel_ends_a_job_and_its_processes() {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 500, 12, 4, 1);
    let mut job = job::pictures("long", job::mlp_layers(), 400, 100);
    job["train"]["epochs"] = json!(5000);
    let id = submit_detached(&lab, &job);
    wait_for(60, "the job runs", || (state(&lab, &id) == "running").then_some(()));
    let output = lab.run(&["cancel", &id]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(state(&lab, &id), "cancelled");
    wait_for(15, "no task stays", || ["ps-0", "worker-0", "worker-1"].iter().all(|t| lab.task(t).is_empty()).then_some(()));
}

#[test]
fn unknown_jobs_are_said_to_be_unknown() {
    let lab = Lab::new();
    for arguments in [&["status", "nothing-9"][..], &["cancel", "nothing-9"], &["logs", "nothing-9"]] {
        let output = lab.run(arguments);
        assert!(!output.status.success());
        assert!(text(&output).contains("nothing-9"), "{}", text(&output));
    }
}
