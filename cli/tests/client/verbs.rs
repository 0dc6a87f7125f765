//! The other verbs.

use super::fake::{self, JOB};
use super::process::{Home, Running, run};
use tfcoord_proto::v1;

#[test]
fn list_and_status_show_the_job() {
    let home = Home::new();
    let fake = home.fake();
    fake.shared.change(|job| fake::run_to(job, 150));
    let list = run(home.standing(&["list"]));
    assert_eq!(list.code, 0, "{}", list.err);
    assert!(list.out.starts_with("job              state") && list.out.contains("epoch 3/10, step 150/630 (23 %)"), "{}", list.out);
    let status = run(home.standing(&["status", JOB]));
    assert_eq!(status.code, 0, "{}", status.err);
    assert!(
        status.out.starts_with("fashion-mnist-7\nstate     running, ") && status.out.contains("\nworker-1  registered"),
        "{}",
        status.out
    );
    fake.shared.change(fake::succeed);
    assert!(run(home.standing(&["list"])).out.starts_with("no jobs are active"));
    assert!(run(home.standing(&["list", "--all"])).out.contains("succeeded"));
}

#[test]
fn json_is_for_programs() {
    let home = Home::new();
    let _fake = home.fake();
    let json = |args: &[&str]| -> serde_json::Value { serde_json::from_str(&run(home.standing(args)).out).unwrap() };
    assert_eq!(json(&["list", "-o", "json"])["jobs"][0]["id"], JOB);
    assert_eq!(json(&["status", JOB, "-o", "json"])["plan"]["steps_per_epoch"], 63);
    assert_eq!(json(&["cancel", JOB, "-o", "json"])["state"], "cancelled");
}

#[test]
fn a_job_that_is_not_there_exits_1() {
    let home = Home::new();
    let _fake = home.fake();
    for verb in ["status", "cancel", "logs"] {
        let ended = run(home.standing(&[verb, "other-9"]));
        assert_eq!(ended.code, 1, "{}", ended.err);
        assert!(ended.err.contains("there is no job other-9\n  help: `tfcoord list --all`"), "{}", ended.err);
    }
    assert_eq!(run(home.standing(&["status", "no job at all"])).code, 2);
}

#[test]
fn cancel_says_why() {
    let home = Home::new();
    let fake = home.fake();
    let ended = run(home.standing(&["cancel", JOB, "--reason", "wrong data"]));
    assert_eq!((ended.code, ended.out.as_str()), (0, "fashion-mnist-7 cancelled\n"));
    assert_eq!(fake.shared.cancels.lock().unwrap()[0].reason, "wrong data");
}

#[test]
fn a_job_that_was_cancelled_is_cancelled_once() {
    let home = Home::new();
    let fake = home.fake();
    for expected in ["fashion-mnist-7 cancelled\n", "fashion-mnist-7 has been cancelled already\n"] {
        let ended = run(home.standing(&["cancel", JOB]));
        assert_eq!((ended.code, ended.out.as_str()), (0, expected));
    }
    assert_eq!(fake.shared.cancels.lock().unwrap().len(), 1);
}

fn lines(task: &str, attempt: u32, lines: &[&str]) -> v1::LogLines {
    v1::LogLines { task: task.into(), attempt, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
}

#[test]
fn logs_stand_behind_their_tasks() {
    let home = Home::new();
    let fake = home.fake();
    let all = [lines("ps-0", 1, &["ready"]), lines("worker-0", 1, &["a", "b"]), lines("worker-0", 2, &["c"])];
    fake.shared.logs.lock().unwrap().extend(all);
    let all = "ps-0     | ready\nworker-0 | a\nworker-0 | b\nworker-0.2 | c\n";
    assert_eq!(run(home.standing(&["logs", JOB])).out, all);
    assert_eq!(run(home.standing(&["logs", JOB, "--task", "ps-0"])).out, "ps-0     | ready\n");
}

#[test]
fn followed_logs_are_printed_once_over_a_break() {
    let home = Home::new();
    let fake = home.fake();
    fake.shared.logs.lock().unwrap().push(lines("worker-0", 1, &["a", "b"]));
    let client = Running::start(home.standing(&["logs", JOB, "--follow"]));
    client.out.wait_for("worker-0 | b\n");
    let shared = fake.shared.clone();
    drop(fake);
    shared.logs.lock().unwrap()[0].lines.push("c".into());
    let fake = fake::Fake::go_on(&home.socket(), shared);
    client.out.wait_for("worker-0 | c\n");
    fake.shared.change(fake::succeed);
    let ended = client.end();
    assert_eq!((ended.code, ended.out.as_str()), (0, "worker-0 | a\nworker-0 | b\nworker-0 | c\n"));
}

#[test]
fn the_worker_predicts_under_the_clients_name() {
    let home = Home::new();
    // A shell that runs the script `predict`.
    std::os::unix::fs::symlink("/bin/sh", home.path("bin").join("tfcoord-worker")).unwrap();
    std::fs::write(home.path("predict"), "tr '\\0' ' ' < /proc/$$/cmdline").unwrap();
    let ended = run(home.embedded(&["predict", "--help"]));
    assert_eq!((ended.code, ended.out.as_str()), (0, "tfcoord predict --help "));
}

#[test]
fn predict_is_the_workers_matter() {
    let home = Home::new();
    home.program("tfcoord-worker", "echo \"$@\"; exit 7");
    let ended = run(home.embedded(&["predict", "model", "--data", "a.csv"]));
    assert_eq!((ended.code, ended.out.as_str()), (7, "predict model --data a.csv\n"));
}

#[test]
fn what_does_not_exist_is_a_usage_error() {
    let home = Home::new();
    let ended = run(home.embedded(&["scale", JOB]));
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("unrecognized subcommand 'scale'"), "{}", ended.err);
}

#[test]
fn the_version_needs_no_coordinator() {
    let home = Home::new();
    let ended = run(home.embedded(&["version"]));
    assert_eq!((ended.code, ended.out.as_str()), (0, concat!("tfcoord ", env!("CARGO_PKG_VERSION"), "\n")));
}
