//! Submitting and watching.

use super::fake::{self, Fake, JOB};
use super::process::{Home, Running, run};
use tfcoord_proto::v1::JobState;
use tonic::Status;

fn submit(home: &Home, more: &[&str]) -> Running {
    let args: Vec<&str> = ["submit", "job.json", "--interval", "0.02"].iter().chain(more).copied().collect();
    Running::start(home.standing(&args))
}

#[test]
fn a_job_is_shown_from_its_plan_to_its_result() {
    let home = Home::new();
    let fake = home.fake();
    let client = submit(&home, &[]);
    client.out.wait_for(
        "fashion-mnist-7: 2 workers, 1 server, 8,000 records + 2,000 for evaluation, batch 128 = 4 lanes x 32, 63 steps x 10 epochs, \
         worker 21 MB, server 12 MB of memory\n",
    );
    fake.shared.change(|job| {
        job.plan.as_mut().unwrap().parameters = 203_530;
        fake::run_to(job, 10);
    });
    client.out.wait_for("fashion-mnist-7 running, 203,530 parameters\n");
    client.out.wait_for("epoch 1/10  step 10/630  loss 0.5000  accuracy 0.7500  1,000 samples/s  0:04 left  2 workers\n");
    fake.shared.change(|job| {
        let task = &mut job.tasks[2];
        (task.attempt, task.restarts, task.last_exit) = (2, 1, "was killed by signal 9 (SIGKILL)".into());
    });
    client.out.wait_for("worker-1 is replaced: attempt 2, since the one before was killed by signal 9 (SIGKILL)\n");
    fake.shared.change(|job| fake::run_to(job, 100));
    client.out.wait_for("epoch 2/10  step 100/630");
    fake.shared.change(fake::evaluate);
    client.out.wait_for("epoch 1/10 evaluated on 2,000 records: test accuracy 0.8710, loss 0.3600\n");
    fake.shared.change(fake::succeed);
    let ended = client.end();
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let result = "
fashion-mnist-7 succeeded in 12 s

  test accuracy  0.8710  1,742 of 2,000 right
  test loss      0.3600

confusion matrix (rows are labels, columns predictions)
       cat  dog
  cat  900  100
  dog  158  842

  model        /out/fashion-mnist-7/model
  curve        /out/fashion-mnist-7/curve.csv
  TensorBoard  /out/fashion-mnist-7/tensorboard

next:
  tfcoord predict /out/fashion-mnist-7/model --data FILE
  tensorboard --logdir /out/fashion-mnist-7/tensorboard
  tfcoord list --all
  tfcoord logs fashion-mnist-7
";
    assert!(ended.out.ends_with(result), "{}", ended.out);
}

#[test]
fn the_job_file_goes_out_with_absolute_paths() {
    let home = Home::new();
    let fake = home.fake();
    assert_eq!(run(home.standing(&["submit", "job.json", "--detach"])).code, 0);
    let submits = fake.shared.submits.lock().unwrap();
    let sent: serde_json::Value = serde_json::from_str(&submits[0].job_file).unwrap();
    assert_eq!(sent["data"]["train"]["files"], home.path("a.csv").to_str().unwrap());
    assert_eq!(sent["output"]["dir"], home.path("out").to_str().unwrap());
    assert_eq!(submits[0].file_name, home.path("job.json").to_str().unwrap());
    assert_eq!(submits[0].request_id.len(), 32);
}

#[test]
fn a_failed_job_tells_why_and_exits_1() {
    let home = Home::new();
    let fake = home.fake();
    let client = submit(&home, &[]);
    client.out.wait_for("2 workers");
    fake.shared.change(|job| {
        fake::end(job, JobState::Failed, "worker-1 was lost 9 times");
        (job.tasks[2].last_exit, job.tasks[2].last_exit_attempt) = ("exited with code 101".into(), 1);
    });
    let ended = client.end();
    let expected = "\
error: fashion-mnist-7 failed: worker-1 was lost 9 times
  worker-1 (attempt 1) exited with code 101
  help: `tfcoord logs fashion-mnist-7 --task worker-1` shows what was printed
";
    assert_eq!((ended.code, ended.err.as_str()), (1, expected));
}

#[test]
fn a_lost_submission_is_said_again_with_the_same_request_id() {
    let home = Home::new();
    let fake = home.fake();
    fake.shared.refusals.lock().unwrap().extend([Status::unavailable("an election"), Status::unavailable("an election")]);
    let ended = run(home.standing(&["submit", "job.json", "--detach"]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let submits = fake.shared.submits.lock().unwrap();
    assert_eq!(submits.len(), 3);
    assert!(submits.iter().all(|submit| submit.request_id == submits[0].request_id));
    assert!(
        ended.out.ends_with("detached, fashion-mnist-7 goes on; find it again with: tfcoord status fashion-mnist-7\n"),
        "{}",
        ended.out
    );
    assert!(fake.shared.watches.lock().unwrap().is_empty());
}

#[test]
fn two_submissions_have_two_request_ids() {
    let home = Home::new();
    let fake = home.fake();
    for _ in 0..2 {
        run(home.standing(&["submit", "job.json", "--detach"]));
    }
    let submits = fake.shared.submits.lock().unwrap();
    assert_ne!(submits[0].request_id, submits[1].request_id);
}

#[test]
fn refusals_have_their_exit_codes() {
    let home = Home::new();
    let fake = home.fake();
    for (refusal, code, text) in [
        (Status::invalid_argument("a.csv:3: 'x' is no number"), 2, "error: a.csv:3: 'x' is no number\n"),
        (Status::resource_exhausted("it needs 99 cpus"), 3, "error: it needs 99 cpus\n"),
        (Status::internal("the disk is full"), 5, "error: the coordinator failed (Internal): the disk is full\n"),
    ] {
        fake.shared.refusals.lock().unwrap().push(refusal);
        let ended = run(home.standing(&["submit", "job.json"]));
        assert_eq!((ended.code, ended.err.as_str()), (code, text));
    }
    assert_eq!(fake.shared.submits.lock().unwrap().len(), 3);
}

#[test]
fn a_wrong_token_exits_4() {
    let home = Home::new();
    let _fake = home.fake();
    super::process::write_secret(&home.path("token"), "0bad");
    let ended = run(home.standing(&["submit", "job.json"]));
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(ended.err.contains("wrong or missing token") && ended.err.contains("TFCOORD_TOKEN_FILE"), "{}", ended.err);
}

#[test]
fn a_coordinator_that_is_not_there_exits_6() {
    let home = Home::new();
    for verb in [&["submit", "job.json"][..], &["list"], &["status", JOB], &["cancel", JOB], &["logs", JOB]] {
        let args: Vec<&str> = verb.iter().chain(&["--patience", "0.2"]).copied().collect();
        let ended = run(home.standing(&args));
        assert_eq!(ended.code, 6, "{verb:?} {}", ended.err);
        assert!(ended.err.contains("no coordinator answers") && ended.err.contains("help: see that it runs there"), "{}", ended.err);
    }
}

#[test]
fn the_watch_survives_another_coordinator() {
    let home = Home::new();
    let fake = home.fake();
    let client = submit(&home, &[]);
    client.out.wait_for("2 workers");
    fake.shared.change(|job| fake::run_to(job, 10));
    client.out.wait_for("step 10/630");
    let shared = fake.shared.clone();
    drop(fake);
    shared.change(|job| fake::run_to(job, 20));
    shared.change(fake::succeed);
    let fake = Fake::go_on(&home.socket(), shared);
    let ended = client.end();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(*fake.shared.watches.lock().unwrap(), [0, 2]);
    assert_eq!(ended.out.matches("2 workers, 1 server").count(), 1);
}

#[test]
fn a_coordinator_that_stays_away_exits_6_and_tells_how_to_ask_again() {
    let home = Home::new();
    let fake = home.fake();
    let client = submit(&home, &["--patience", "0.3"]);
    client.out.wait_for("2 workers");
    drop(fake);
    let ended = client.end();
    assert_eq!(ended.code, 6, "{}", ended.err);
    assert!(ended.err.contains("`tfcoord status fashion-mnist-7`"), "{}", ended.err);
}

#[test]
fn the_waiting_time_ends_the_watch_and_not_the_job() {
    let home = Home::new();
    let fake = home.fake();
    let ended = run(home.standing(&["submit", "job.json", "--wait-timeout", "0.5"]));
    assert_eq!(ended.code, 124, "{}", ended.err);
    assert!(ended.err.contains("goes on"), "{}", ended.err);
    assert!(fake.shared.cancels.lock().unwrap().is_empty());
}

#[test]
fn events_come_as_json_lines() {
    let home = Home::new();
    let fake = home.fake();
    let client = submit(&home, &["-o", "jsonl"]);
    client.out.wait_for("\"submitted\"");
    fake.shared.change(|job| fake::run_to(job, 10));
    client.out.wait_for("\"progress\"");
    fake.shared.change(fake::evaluate);
    client.out.wait_for("\"evaluated\"");
    fake.shared.change(fake::succeed);
    let ended = client.end();
    assert_eq!(ended.code, 0, "{}", ended.err);
    let events: Vec<serde_json::Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["submitted", "state", "progress", "evaluated", "ended"]);
    assert_eq!(events[2]["progress"]["step"], 10);
    assert_eq!(events[4]["job"]["outputs"]["model_dir"], "/out/fashion-mnist-7/model");
}

#[test]
fn the_job_comes_as_one_json_value_also_when_it_failed() {
    let home = Home::new();
    let fake = home.fake();
    fake.shared.change(|job| fake::end(job, JobState::Failed, "no"));
    let ended = submit(&home, &["-o", "json"]).end();
    assert_eq!(ended.code, 1);
    let job: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&job["id"], &job["state"], &job["reason"]), (&JOB.into(), &"failed".into(), &"no".into()));
}

#[test]
fn nobody_reading_is_no_crash() {
    let home = Home::new();
    let fake = home.fake();
    fake.shared.change(|job| fake::run_to(job, 10));
    let mut command = home.standing(&["submit", "job.json"]);
    let mut child = command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let client = Running::of(child);
    let ended = client.end();
    assert_eq!((ended.code, ended.err.as_str()), (141, ""));
}

#[test]
fn chaos_is_for_embedded_coordinators_and_makes_sense_or_nothing_is_submitted() {
    let home = Home::new();
    let fake = home.fake();
    let check = |mut command: std::process::Command, expect: &str| {
        command.env_remove("COLUMNS");
        let ended = run(command);
        assert_eq!(ended.code, 2, "{}", ended.err);
        assert!(ended.err.contains(expect), "{}", ended.err);
    };
    let refused = "--chaos: a standing coordinator and its tasks are not this client's to kill\n  help: leave out --chaos, or unset TFCOORD_COORDINATOR";
    check(home.standing(&["submit", "job.json", "--chaos", "kill=worker/1s"]), refused);
    check(
        home.embedded(&["submit", "job.json", "--chaos", "kill=boss/1s"]),
        "\"boss\" is no role: expected worker, ps, coordinator or any",
    );
    check(home.embedded(&["submit", "job.json", "--chaos", "kill=worker/1s", "--detach"]), "--detach");
    assert!(!home.path("state").exists() && fake.shared.submits.lock().unwrap().is_empty());
}
