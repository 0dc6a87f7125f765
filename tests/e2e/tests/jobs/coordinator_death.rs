//! The coordinator's death does not end a job: tasks train on, and the next one on the same log adopts them.

use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::processes::Process;
use tfcoord_testkit::{Lab, idx, job};

const RESTARTED: &str = "the coordinator was gone and is started again";
const TASKS: [&str; 3] = ["ps-0", "worker-0", "worker-1"];

// Without an evaluation nobody waits for the coordinator until the last step.
fn job(name: &str, epochs: u32) -> Value {
    let mut job = job::pictures(name, job::mlp_layers(), 1600, 200);
    job["data"].as_object_mut().unwrap().remove("eval");
    job["train"]["epochs"] = json!(epochs);
    job["worker"]["count"] = json!(2);
    job
}

fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.set("TFCOORD_METRICS_LISTEN", "127.0.0.1:0");
    idx::write_pictures(lab.path(), 1800, 12, 4, 1);
    lab
}

fn pids(lab: &Lab) -> Vec<Process> {
    TASKS.map(|task| lab.wait_for_task(task)).into()
}

fn launch_dir(lab: &Lab, id: &str, task: &str, attempt: u32) -> PathBuf {
    lab.state_dir().join("jobs").join(id).join("tasks").join(task).join(attempt.to_string())
}

// The step that the server has reached, as it tells itself.
fn step(lab: &Lab, id: &str) -> u64 {
    let file = launch_dir(lab, id, "ps-0", 1).join("metrics-address");
    let ask = || {
        let mut stream = TcpStream::connect(std::fs::read_to_string(&file).ok()?.trim()).ok()?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.lines().find_map(|line| line.strip_prefix("tfcoord_step ")?.parse().ok())
    };
    wait_for(60, "the server's step", ask)
}

fn wait_for_steps(lab: &Lab, id: &str, more: u64) {
    let from = step(lab, id);
    wait_for(60, "steps", || (step(lab, id) >= from + more).then_some(()));
}

fn wait_for_success(lab: &Lab, id: &str) -> Value {
    wait_for(120, "the job's end", || {
        let status = lab.status(id);
        match status["state"].as_str().unwrap() {
            "succeeded" => Some(status),
            "failed" | "cancelled" => panic!("{status}\n{}", lab.logs()),
            _ => None,
        }
    })
}

fn attempts(status: &Value) -> Vec<u64> {
    status["tasks"].as_array().unwrap().iter().map(|task| task["attempt"].as_u64().unwrap()).collect()
}

fn exit(lab: &Lab, id: &str, task: &str, attempt: u32) -> Value {
    let path = launch_dir(lab, id, task, attempt).join("exit.json");
    wait_for(30, "an exit record", || serde_json::from_slice(&std::fs::read(&path).ok()?).ok())
}

#[test]
fn tasks_train_on_and_are_adopted() {
    let lab = lab();
    lab.submit(&job("quiet", 60));
    let id = lab.submit_detached(&job("killed", 60));
    let before = pids(&lab);
    wait_for_steps(&lab, &id, 1);
    lab.kill_coordinator();
    wait_for_steps(&lab, &id, 100);
    assert!(lab.coordinator().is_none());
    let status = lab.status(&id);
    assert_eq!((status["state"].as_str(), attempts(&status)), (Some("running"), vec![1, 1, 1]), "{status}");
    assert_eq!(pids(&lab), before);
    assert_eq!(attempts(&wait_for_success(&lab, &id)), [1, 1, 1]);
    assert!(lab.bits("quiet") == lab.bits("killed"), "the bits differ");
    wait_for(15, "nothing stays", || (lab.supervisors().is_empty() && TASKS.iter().all(|t| lab.task(t).is_empty())).then_some(()));
}

#[test]
fn a_worker_that_dies_while_nobody_is_there_is_replaced_with_its_cause() {
    let lab = lab();
    lab.submit(&job("quiet", 40));
    // Once as its supervisor has seen it, once without a supervisor.
    for (name, supervised) in [("seen", true), ("unseen", false)] {
        let id = lab.submit_detached(&job(name, 40));
        let worker = lab.wait_for_task("worker-1");
        wait_for_steps(&lab, &id, 1);
        lab.kill_coordinator();
        if !supervised {
            let of_worker = |process: &Process| process.arguments.iter().any(|a| a.contains("/worker-1/"));
            let supervisors: Vec<Process> = lab.supervisors().into_iter().filter(of_worker).collect();
            assert_eq!(supervisors.len(), 1);
            supervisors[0].signal(Signal::KILL);
            wait_for_steps(&lab, &id, 10);
        }
        worker.signal(Signal::KILL);
        wait_for(10, "its end", || lab.task("worker-1").is_empty().then_some(()));
        let replaced = || Some(lab.status(&id)).filter(|status| status["tasks"][2]["attempt"] == json!(2));
        let status = wait_for(30, "its replacement", replaced);
        let cause = status["tasks"][2]["last_exit"].as_str().unwrap();
        let expected =
            if supervised { "was killed by signal 9 (SIGKILL), peak memory " } else { "ended unseen: its supervisor was killed" };
        assert!(cause.starts_with(expected), "{cause}");
        assert_eq!(attempts(&wait_for_success(&lab, &id)), [1, 1, 2]);
        assert!(lab.bits("quiet") == lab.bits(name), "{name}: the bits differ");
    }
}

#[test]
fn a_task_that_loses_coordinator_and_supervisor_is_adopted_all_the_same() {
    let lab = lab();
    let id = lab.submit_detached(&job("unsupervised", 60));
    let before = pids(&lab);
    wait_for_steps(&lab, &id, 1);
    lab.kill_coordinator();
    lab.supervisors().iter().for_each(|supervisor| supervisor.signal(Signal::KILL));
    wait_for_steps(&lab, &id, 100);
    let status = lab.status(&id);
    assert_eq!((status["state"].as_str(), attempts(&status)), (Some("running"), vec![1, 1, 1]), "{status}");
    assert_eq!(pids(&lab), before);
    assert_eq!(attempts(&wait_for_success(&lab, &id)), [1, 1, 1]);
    wait_for(15, "no task stays", || TASKS.iter().all(|t| lab.task(t).is_empty()).then_some(()));
}

#[test]
fn without_a_coordinator_all_end_within_their_orphan_grace() {
    let lab = lab();
    let mut orphans = job("orphans", 5000);
    (orphans["lease_seconds"], orphans["orphan_grace_seconds"]) = (json!(0.5), json!(3));
    let id = lab.submit_detached(&orphans);
    wait_for_steps(&lab, &id, 1);
    let mut all = pids(&lab);
    all.extend(lab.supervisors());
    assert_eq!(all.len(), 6);
    lab.kill_coordinator();
    wait_for_steps(&lab, &id, 10);
    // One that cannot end itself any more.
    all[2].signal(Signal::STOP);
    let lives = |process: &Process| tfcoord_testkit::processes::with_arguments(&[]).contains(process);
    // 3 s, one to end in, and what a busy machine takes.
    wait_for(10, "no process stays", || (!all.iter().any(lives)).then_some(()));
    let exits = TASKS.map(|task| exit(&lab, &id, task, 1));
    let expected = [json!({"code": 77}), json!({"code": 77}), json!({"signal": 9})];
    assert_eq!(exits.each_ref().map(|exit| &exit["exit"]), expected.each_ref());
    assert!(exits[2]["message"].as_str().unwrap().starts_with("no coordinator came back for 3 s"), "{}", exits[2]);
}

#[test]
fn who_watches_starts_an_embedded_one_again_and_says_so_once() {
    let lab = lab();
    let submit = lab.spawn_submit(&job("watched", 60));
    lab.wait_for_step();
    let before = pids(&lab);
    lab.kill_coordinator();
    wait_for(60, "another coordinator", || lab.coordinator());
    assert_eq!(pids(&lab), before);
    let output = submit.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", lab.logs());
    assert_eq!(text.matches(RESTARTED).count(), 1, "{text}");
    assert!(!text.contains("is replaced"), "{text}");
}

#[test]
fn who_follows_logs_starts_an_embedded_one_again_and_goes_on_where_it_was() {
    let lab = lab();
    let id = lab.submit_detached(&job("followed", 40));
    let mut logs = lab.tfcoord(&["logs", &id, "--follow"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut text, mut stdout) = (String::new(), BufReader::new(logs.stdout.take().unwrap()));
    stdout.read_line(&mut text).unwrap();
    wait_for_steps(&lab, &id, 1);
    lab.kill_coordinator();
    stdout.read_to_string(&mut text).unwrap();
    let output = logs.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.matches(RESTARTED).count() == 1, "{text}\n{errors}");
    for task in TASKS {
        let registered = |line: &&str| line.starts_with(task) && line.contains("registered as incarnation");
        assert_eq!(text.lines().filter(registered).count(), 1, "{text}");
    }
    assert_eq!(text.matches("in session again").count(), 3, "{text}");
}

#[test]
fn ten_deaths_of_it_change_nothing() {
    let lab = lab();
    let with_evaluation = |name: &str| {
        let mut job = job(name, 60);
        job["data"]["eval"] = json!({"images": "images.idx", "labels": "labels.idx", "records": [1600, 1800]});
        job
    };
    lab.submit(&with_evaluation("quiet"));
    let submit = lab.spawn_submit(&with_evaluation("killed"));
    lab.wait_for_step();
    for death in 1..=10 {
        lab.kill_coordinator();
        wait_for(60, "another coordinator", || lab.coordinator());
        if death % 2 == 0 {
            // Others are killed in the first moments of their lives.
            lab.wait_for_step();
        }
    }
    let output = submit.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", lab.logs());
    assert!(!text.contains("is replaced"), "{text}");
    assert!(lab.bits("quiet") == lab.bits("killed"), "the bits differ");
}

#[test]
fn a_worker_that_sleeps_beyond_its_lease_is_fenced_when_it_wakes() {
    let lab = lab();
    let short = |name: &str| {
        let mut job = job(name, 60);
        job["lease_seconds"] = json!(0.5);
        job
    };
    lab.submit(&short("quiet"));
    for (name, coordinator_dies) in [("asleep", false), ("asleep-twice", true)] {
        let id = lab.submit_detached(&short(name));
        let sleeper = lab.wait_for_task("worker-1");
        wait_for_steps(&lab, &id, 1);
        sleeper.signal(Signal::STOP);
        let replaced = || Some(lab.status(&id)).filter(|status| status["tasks"][2]["incarnation"] != json!(0) && attempts(status)[2] == 2);
        let status = wait_for(30, "its replacement", replaced);
        assert_eq!(status["tasks"][2]["last_exit"], json!("did not report for 0.5 s"));
        if coordinator_dies {
            lab.kill_coordinator();
            lab.status(&id);
        }
        sleeper.signal(Signal::CONT);
        assert_eq!(exit(&lab, &id, "worker-1", 1)["exit"], json!({"code": 76}), "{}", lab.logs());
        assert_eq!(attempts(&wait_for_success(&lab, &id)), [1, 1, 2]);
        assert!(lab.bits("quiet") == lab.bits(name), "{name}: the bits differ");
    }
}
