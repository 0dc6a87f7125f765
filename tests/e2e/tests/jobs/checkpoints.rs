//! Checkpoints: servers that die, jobs that are resumed, files that are damaged; the bits are always those of the quiet run.

use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::processes::Process;
use tfcoord_testkit::{Lab, idx, job};

const EPOCHS: u32 = 40;

/// 26 steps an epoch.
fn long_job(name: &str, every_steps: Option<u64>) -> Value {
    let mut job = job::pictures(name, job::mlp_layers(), 803, 200);
    job["train"]["epochs"] = json!(EPOCHS);
    job["worker"]["count"] = json!(2);
    job["parameter_server"]["count"] = json!(2);
    if let Some(every_steps) = every_steps {
        job["checkpoint"] = json!({"every_steps": every_steps, "keep": 3});
    }
    job
}

fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1003, 12, 4, 1);
    lab
}

/// Manifests of the only job, by step.
fn manifests(lab: &Lab) -> Vec<(u64, PathBuf)> {
    let jobs = fs::read_dir(lab.path().join("out")).into_iter().flatten().map(|entry| entry.unwrap().path().join("checkpoints"));
    let files = jobs.filter_map(|dir| fs::read_dir(dir).ok()).flatten().map(|entry| entry.unwrap().path());
    let manifest = |path: PathBuf| {
        let id = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
        Some((id.split('-').nth(1)?.parse().ok()?, path))
    };
    let mut found: Vec<_> = files.filter_map(manifest).collect();
    found.sort();
    found
}

fn wait_for_checkpoint(lab: &Lab, step: u64) -> (u64, PathBuf) {
    wait_for(60, "a checkpoint", || manifests(lab).pop().filter(|(at, _)| *at >= step))
}

/// Waits for a checkpoint beyond those that are there.
pub(super) fn wait_for_newer(lab: &Lab) {
    let newest = manifests(lab).pop().map_or(0, |(step, _)| step);
    wait_for_checkpoint(lab, newest + 1);
}

fn finish(submit: std::process::Child, lab: &Lab) -> String {
    let output = submit.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", lab.logs());
    text
}

fn quiet_bits() -> (Vec<u8>, Vec<u8>) {
    let lab = lab();
    lab.submit(&long_job("quiet", None));
    lab.bits("quiet")
}

#[test]
fn servers_that_are_killed_take_the_job_back_to_a_checkpoint() {
    let lab = lab();
    let submit = lab.spawn_submit(&long_job("killed", Some(50)));
    for (server, step) in [("ps-0", 50), ("ps-1", 300)] {
        wait_for_checkpoint(&lab, step);
        lab.wait_for_task(server).signal(Signal::KILL);
    }
    let text = finish(submit, &lab);
    assert!(text.matches("went back to the checkpoint at step").count() == 2, "{text}");
    assert!(text.contains("ps-0 is replaced") && text.contains("ps-1 is replaced"), "{text}");
    assert!(!text.contains("worker-0 is replaced"), "the others go on: {text}");
    assert!(lab.bits("killed") == quiet_bits(), "the bits differ");
    let kept = || Some(manifests(&lab).into_iter().map(|(step, _)| step).collect::<Vec<_>>()).filter(|steps| steps.len() == 3);
    let steps = wait_for(10, "as many checkpoints as are kept", kept);
    assert_eq!(steps.last(), Some(&(26 * u64::from(EPOCHS))), "the last parameters are among them");
}

#[test]
fn without_a_checkpoint_a_job_begins_again() {
    let lab = lab();
    let submit = lab.spawn_submit(&long_job("again", None));
    lab.wait_for_step();
    lab.wait_for_task("ps-1").signal(Signal::KILL);
    let text = finish(submit, &lab);
    assert!(text.contains("went back to the beginning"), "{text}");
    assert!(lab.bits("again") == quiet_bits(), "the bits differ");
}

#[test]
fn everything_is_killed_and_another_coordinator_resumes_with_other_numbers_of_tasks() {
    let lab = lab();
    let mut job = long_job("resumed", Some(50));
    let submit = lab.spawn_submit(&job);
    let (_, manifest) = wait_for_checkpoint(&lab, 100);
    end_everything(&lab, submit);
    job["parameter_server"] = json!({"count": 3, "chunk_bytes": 32768});
    job["worker"]["count"] = json!(4);
    let path = lab.write_job(&job);
    let output = lab.run(&["submit", path.to_str().unwrap(), "--resume"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", lab.logs());
    assert!(text.contains("goes on from step"), "{text}");
    // Only one job's outputs are looked at.
    fs::remove_dir_all(manifest.ancestors().nth(2).unwrap()).unwrap();
    assert!(lab.bits("resumed") == quiet_bits(), "the bits differ");
}

// Ends all that runs, as a power cut would, and takes the coordinator's memory away.
fn end_everything(lab: &Lab, mut submit: std::process::Child) {
    // The client first: it would start another coordinator.
    submit.kill().unwrap();
    submit.wait().unwrap();
    lab.coordinator().expect("it runs").signal(Signal::KILL);
    for task in ["ps-0", "ps-1", "worker-0", "worker-1"] {
        lab.task(task).iter().for_each(|process| process.signal(Signal::KILL));
    }
    wait_for(15, "no task stays", || ["ps-0", "ps-1", "worker-0"].iter().all(|task| lab.task(task).is_empty()).then_some(()));
    // Supervisors write how their tasks ended.
    wait_for(15, "the state is gone", || fs::remove_dir_all(lab.state_dir()).ok());
}

fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn parts(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "safetensors")).collect()
}

fn resume(lab: &Lab, job: &Value) -> std::process::Output {
    let path = lab.write_job(job);
    lab.run(&["submit", path.to_str().unwrap(), "--resume"])
}

fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_resumed_job_does_not_need_what_it_went_on_from_any_more() {
    let lab = lab();
    let mut job = long_job("own", Some(50));
    let submit = lab.spawn_submit(&job);
    let (_, manifest) = wait_for_checkpoint(&lab, 100);
    end_everything(&lab, submit);
    let (theirs, before) = (manifest.parent().unwrap().to_owned(), manifests(&lab));
    // None of its own would be due before its end.
    job["checkpoint"]["every_steps"] = json!(100_000);
    let path = lab.write_job(&job);
    let mut command = lab.tfcoord(&["submit", path.to_str().unwrap(), "--resume"]);
    let submit = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(60, "a checkpoint of its own", || manifests(&lab).iter().any(|found| !before.contains(found)).then_some(()));
    fs::remove_dir_all(theirs.parent().unwrap()).unwrap();
    lab.wait_for_task("ps-0").signal(Signal::KILL);
    let text = finish(submit, &lab);
    assert!(text.contains("went back to the checkpoint at step"), "{text}");
    assert!(lab.bits("own") == quiet_bits(), "the bits differ");
}

#[test]
fn where_nothing_is_left_to_go_on_from_the_seed_is_gone_back_to_if_it_makes_the_same() {
    for (rate, same) in [(None, true), (Some(0.01), false)] {
        let mut lab = lab();
        let mut job = long_job("gone", Some(50));
        let submit = lab.spawn_submit(&job);
        let (_, manifest) = wait_for_checkpoint(&lab, 100);
        end_everything(&lab, submit);
        if let Some(rate) = rate {
            job["train"]["optimizer"] = json!({"adam": {"learning_rate": rate}});
        }
        // It never gets one of its own.
        lab.set("TFCOORD_FAULT", "checkpoint.part.create=eio@1+");
        let path = lab.write_job(&job);
        let mut command = lab.tfcoord(&["submit", path.to_str().unwrap(), "--resume"]);
        let submit = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        lab.wait_for_step();
        fs::remove_dir_all(manifest.ancestors().nth(2).unwrap()).unwrap();
        lab.wait_for_task("ps-0").signal(Signal::KILL);
        let output = submit.wait_with_output().unwrap();
        let text = text(&output);
        if same {
            assert!(output.status.success() && text.contains("went back to the beginning"), "{text}\n{}", lab.logs());
            assert!(lab.bits("gone") == quiet_bits(), "the bits differ");
        } else {
            let told = "there is no other one to go on from, and from the seed on it would become another one";
            assert!(output.status.code() == Some(1) && text.contains(told), "{text}\n{}", lab.logs());
        }
    }
}

#[test]
fn flipped_bits_are_seen_before_a_job_goes_on_from_them() {
    let lab = lab();
    let mut job = long_job("flipped", Some(50));
    let submit = lab.spawn_submit(&job);
    let (_, manifest) = wait_for_checkpoint(&lab, 100);
    end_everything(&lab, submit);
    let dir = manifest.parent().unwrap();
    // A newer job's, in which all that can be read is right but for a bit.
    let newer = dir.parent().unwrap().with_file_name("flipped-999").join("checkpoints");
    fs::create_dir_all(&newer).unwrap();
    for file in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
        fs::copy(file.path(), newer.join(file.file_name())).unwrap();
    }
    for part in parts(&newer) {
        flip_a_bit(&part);
    }
    job["worker"]["count"] = json!(4);
    let output = resume(&lab, &job);
    let text = text(&output);
    assert!(output.status.success() && text.contains("goes on from step"), "{text}\n{}", lab.logs());
    assert!(text.contains("flipped-999") && text.contains("its CRC-32C is"), "what was passed over is said: {text}");
    fs::remove_dir_all(dir.parent().unwrap()).unwrap();
    fs::remove_dir_all(newer.parent().unwrap()).unwrap();
    assert!(lab.bits("flipped") == quiet_bits(), "the bits differ");
}

fn of_the_first_generation(lab: &Lab) -> Vec<PathBuf> {
    let first = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with("1-"));
    manifests(lab).into_iter().map(|(_, path)| path).filter(first).collect()
}

#[test]
fn a_server_that_sleeps_beyond_its_lease_while_it_writes_its_part_is_fenced_when_it_wakes() {
    let mut lab = lab();
    let once = lab.path().join("once");
    fs::create_dir(&once).unwrap();
    lab.set("TFCOORD_FAULT", "checkpoint.part.before_sync=stop@3");
    lab.set("TFCOORD_FAULT_ONCE", once.to_str().unwrap());
    let mut job = long_job("asleep", Some(20));
    job["lease_seconds"] = json!(0.5);
    let id = lab.submit_detached(&job);
    let stopped = |server: &&str| lab.task(server).iter().any(Process::is_stopped);
    let server = wait_for(60, "a server that stops", || ["ps-0", "ps-1"].into_iter().find(stopped));
    let sleeper = lab.task(server).into_iter().find(Process::is_stopped).unwrap();
    let task = |status: &Value| status["tasks"].as_array().unwrap().iter().find(|task| task["task"] == server).unwrap().clone();
    // Its successor has taken part in a checkpoint.
    let replaced = || {
        let committed = lab.status(&id)["checkpoints"]["committed"].clone();
        committed.as_array()?.iter().any(|checkpoint| checkpoint["id"].as_str().unwrap().starts_with("2-")).then(|| lab.status(&id))
    };
    let status = wait_for(60, "a checkpoint of the next generation", replaced);
    assert_eq!((&task(&status)["attempt"], &task(&status)["last_exit"]), (&json!(2), &json!("did not report for 0.5 s")), "{status}");
    let before = of_the_first_generation(&lab);
    sleeper.signal(Signal::CONT);
    let exit = lab.state_dir().join("jobs").join(&id).join("tasks").join(server).join("1/exit.json");
    let exit: Value = wait_for(30, "its end", || serde_json::from_slice(&fs::read(&exit).ok()?).ok());
    assert_eq!(exit["exit"], json!({"code": 76}), "{}", lab.logs());
    let state = |state: &str| lab.status(&id)["state"] == state;
    wait_for(60, "the job's end", || state("succeeded").then_some(()));
    let after = of_the_first_generation(&lab);
    assert!(after.iter().all(|path| before.contains(path)), "what it wrote counts: {after:?}, before {before:?}");
    assert_eq!(lab.status(&id)["checkpoints"]["generation"], json!(2), "nothing else happened");
    assert!(lab.bits("asleep") == quiet_bits(), "the bits differ");
}

#[test]
fn what_does_not_fit_is_not_resumed_and_the_reason_is_told() {
    let lab = lab();
    let mut job = long_job("fits", Some(13));
    job["train"]["epochs"] = json!(1);
    let refused = |job: &Value, expect: &str| {
        let path = lab.write_job(job);
        let output = lab.run(&["submit", path.to_str().unwrap(), "--resume"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains(expect), "{expect}: {text}");
    };
    refused(&job, "there is no checkpoint of a job named fits in");
    lab.submit(&job);
    let with = |path: &[&str], value: Value| {
        let mut other = job.clone();
        let at = path.iter().fold(&mut other, |at, key| &mut at[*key]);
        *at = value;
        other
    };
    refused(&with(&["train", "seed"], json!(8)), "train.seed: ");
    refused(&with(&["train", "batch_size"], json!(64)), "it was 32, and is 64");
    refused(&with(&["train", "optimizer"], json!({"sgd": {"learning_rate": 0.1}})), "train.optimizer: ");
    refused(&with(&["model", "layers"], json!([{"flatten": {}}, {"dense": {"units": 4}}])), "use the same model");
    refused(&with(&["data", "train", "records"], json!([0, 700])), "it has 700 training records, and there were 803");
    refused(&with(&["data", "train", "records"], json!([1, 804])), "the records are not those that it was trained on");
    refused(&with(&["data", "shuffle"], json!(false)), "data.shuffle: ");
    let mut layers = job["model"]["layers"].clone();
    layers[1]["dense"]["activation"] = json!("tanh");
    refused(&with(&["model", "layers"], layers), "model.layers: the checkpoint ");
    let mut layers = job["model"]["layers"].clone();
    layers.as_array_mut().unwrap().push(json!({"dropout": {"rate": 0.5}}));
    refused(&with(&["model", "layers"], layers), "it was null, and is {\"dropout\"");
}

#[test]
fn what_goes_on_by_itself_is_not_done_twice() {
    let lab = lab();
    let mut job = long_job("going", Some(50));
    let mut submit = lab.spawn_submit(&job);
    wait_for_checkpoint(&lab, 50);
    submit.kill().unwrap();
    submit.wait().unwrap();
    lab.coordinator().expect("it runs").signal(Signal::KILL);
    for task in ["ps-0", "ps-1", "worker-0", "worker-1"] {
        lab.task(task).iter().for_each(|process| process.signal(Signal::KILL));
    }
    // The state is there: the next coordinator takes the job up, whoever asks it for what.
    let resume = |job: &Value| {
        let path = lab.write_job(job);
        let output = lab.run(&["submit", path.to_str().unwrap(), "--resume"]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    };
    job["worker"]["count"] = json!(4);
    let (code, text) = resume(&job);
    assert!(code == Some(2) && text.contains("is not over: it goes on by itself"), "{text}");
    job["worker"]["count"] = json!(2);
    let (code, text) = resume(&job);
    assert!(code == Some(0), "{text}\n{}", lab.logs());
    let jobs: Value = serde_json::from_slice(&lab.run(&["list", "--all", "-o", "json"]).stdout).unwrap();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "{jobs}");
    assert!(lab.bits("going") == quiet_bits(), "the bits differ");
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let lab = lab();
    let submit = lab.spawn_submit(&long_job("damaged", Some(100)));
    let (newest, manifest) = wait_for_checkpoint(&lab, 200);
    let id = manifest.file_stem().unwrap().to_str().unwrap().to_owned();
    let of_it = |path: &PathBuf| path.to_str().unwrap().contains(&format!("{id}.ps-"));
    parts(manifest.parent().unwrap()).iter().filter(|path| of_it(path)).for_each(|path| flip_a_bit(path));
    lab.wait_for_task("ps-0").signal(Signal::KILL);
    let text = finish(submit, &lab);
    // Unless a newer one was committed in between.
    let fell_back = text.contains(&format!("checkpoint {id} cannot be used"));
    let newer = text.contains(&format!("went back to the checkpoint at step {}", newest + 100));
    assert!(fell_back || newer, "{text}");
    assert!(lab.bits("damaged") == quiet_bits(), "the bits differ");
}
