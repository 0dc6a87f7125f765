//! Disks that are full, and that fail to sync: training goes on where it can, and nothing that was acknowledged is lost.

use serde_json::{Value, json};
use std::fs;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::tmpfs::Tmpfs;
use tfcoord_testkit::{Lab, idx, job};

fn file(name: &str, epochs: u32) -> Value {
    let mut job = job::pictures(name, job::mlp_layers(), 803, 200);
    job["train"]["epochs"] = json!(epochs);
    job["worker"]["count"] = json!(2);
    job["parameter_server"]["count"] = json!(2);
    job
}

fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1003, 12, 4, 1);
    lab
}

fn quiet(epochs: u32) -> (Vec<u8>, Vec<u8>) {
    let lab = lab();
    lab.submit(&file("quiet", epochs));
    lab.bits("quiet")
}

// A coordinator that notes its exit code.
fn note_exits(lab: &Lab) {
    let exits = lab.path().join("exits");
    let script = format!("\"$REAL\" \"$@\" & exec >/dev/null; wait $!; echo $? >> {}", exits.display());
    lab.replace_program("tfcoord-coordinator", &script);
}

fn exits(lab: &Lab) -> Vec<String> {
    fs::read_to_string(lab.path().join("exits")).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn coordinator_log(lab: &Lab) -> String {
    fs::read_to_string(lab.state_dir().join("coordinator.log")).unwrap_or_default()
}

fn wait_for_success(lab: &Lab, id: &str) {
    wait_for(60, "the job's end", || {
        let status = lab.status(id);
        assert!(!["failed", "cancelled"].contains(&status["state"].as_str().unwrap()), "{status}\n{}", lab.logs());
        (status["state"] == "succeeded").then_some(())
    });
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told_and_the_bits_stay() {
    const EPOCHS: u32 = 10;
    let faults = [
        ("checkpoint.part.create", "enospc"),
        ("checkpoint.part.write", "enospc"),
        ("checkpoint.part.sync", "eio"),
        ("checkpoint.manifest.write", "enospc"),
        ("checkpoint.manifest.sync", "eio"),
        ("checkpoint.manifest.rename", "eio"),
    ];
    let quiet = quiet(EPOCHS);
    let check = |(point, error): (&str, &str)| {
        let mut lab = lab();
        let once = lab.path().join("once");
        fs::create_dir(&once).unwrap();
        lab.set("TFCOORD_FAULT", &format!("{point}={error}"));
        lab.set("TFCOORD_FAULT_ONCE", once.to_str().unwrap());
        let mut job = file("struck", EPOCHS);
        job["checkpoint"] = json!({"every_seconds": 1, "keep": 1});
        let text = lab.submit(&job);
        let cause = if error == "eio" { "Input/output error" } else { "No space left on device" };
        let told = text.lines().filter(|line| line.starts_with("checkpoint 1-") && line.contains(cause)).count();
        assert_eq!(told, 1, "{point}: {text}\n{}", lab.logs());
        assert!(!text.contains("is replaced") && !text.contains("went back"), "{point}: {text}");
        assert!(lab.bits("struck") == quiet, "{point}: the bits differ");
    };
    std::thread::scope(|scope| {
        for half in faults.chunks(faults.len() / 2) {
            scope.spawn(|| half.iter().copied().for_each(check));
        }
    });
}

#[test]
fn a_full_checkpoint_directory_stops_no_training_and_is_used_again_when_there_is_room() {
    let lab = lab();
    let Some(disk) = Tmpfs::new(&lab.path().join("checkpoints"), 4 << 20) else { return };
    let mut job = file("full", 5_000);
    job["checkpoint"] = json!({"dir": "checkpoints", "every_seconds": 1, "keep": 1});
    let id = lab.submit_detached(&job);
    disk.fill();
    let failure = |status: &Value| status["checkpoints"]["failure"].as_str().unwrap_or_default().to_owned();
    let step = |status: &Value| status["progress"]["step"].as_u64().unwrap_or_default();
    let told = || Some(lab.status(&id)).filter(|status| failure(status).contains("No space left on device"));
    let status = wait_for(60, "the failure in the status", told);
    assert_eq!(status["checkpoints"]["committed"], json!([]), "{status}");
    let page = lab.run(&["status", &id]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("No space left on device"), "{page:?}");
    let before = step(&status);
    wait_for(60, "steps", || (step(&lab.status(&id)) > before + 50).then_some(()));
    disk.make_room();
    let saved = || Some(lab.status(&id)).filter(|status| status["checkpoints"]["committed"].as_array().is_some_and(|all| !all.is_empty()));
    let status = wait_for(60, "a checkpoint", saved);
    assert_eq!(failure(&status), "", "{status}");
    assert!(status["tasks"].as_array().unwrap().iter().all(|task| task["attempt"] == 1), "{status}");
    // A server that is lost now takes the job back to what was written when there was room.
    lab.wait_for_task("ps-0").signal(rustix::process::Signal::KILL);
    let restored = || Some(lab.status(&id)).filter(|status| !status["checkpoints"]["restored"].is_null());
    wait_for(60, "its use", restored);
    lab.run(&["cancel", &id]);
}

#[test]
fn a_log_that_cannot_be_written_ends_the_coordinator_and_loses_nothing() {
    const EPOCHS: u32 = 30;
    let quiet = quiet(EPOCHS);
    for (fault, cause) in [("log.append.write=enospc@40", "No space left on device"), ("log.append.sync=eio@40", "Input/output error")] {
        let mut lab = lab();
        note_exits(&lab);
        let once = lab.path().join("once");
        fs::create_dir(&once).unwrap();
        lab.set("TFCOORD_FAULT", fault);
        lab.set("TFCOORD_FAULT_ONCE", once.to_str().unwrap());
        let submit = lab.spawn_submit(&file("struck", EPOCHS));
        let output = submit.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(5), "{fault}: {errors}\n{}", lab.logs());
        assert!(
            errors.contains(cause) && errors.contains("/log/segment-") && errors.contains("the next coordinator goes on with all jobs"),
            "{fault}: {errors}"
        );
        wait_for(10, "its exit", || (exits(&lab) == ["1"]).then_some(()));
        assert!(coordinator_log(&lab).contains(cause), "{}", coordinator_log(&lab));
        // Whoever asks next starts another one, which goes on.
        let listed = lab.run(&["list", "--all", "-o", "json"]);
        let jobs: Value = serde_json::from_slice(&listed.stdout).unwrap();
        let id = jobs["jobs"][0]["id"].as_str().unwrap().to_owned();
        wait_for_success(&lab, &id);
        assert!(lab.bits("struck") == quiet, "{fault}: the bits differ");
    }
}

#[test]
fn a_full_state_directory_ends_the_coordinator_and_every_job_that_was_acknowledged_is_there_when_there_is_room() {
    const EPOCHS: u32 = 150;
    let quiet = quiet(EPOCHS);
    let lab = lab();
    let Some(disk) = Tmpfs::new(&lab.state_dir(), 24 << 20) else { return };
    note_exits(&lab);
    let mut ids: Vec<String> = (0..3).map(|n| lab.submit_detached(&file(&format!("before-{n}"), 1))).collect();
    ids.iter().for_each(|id| wait_for_success(&lab, id));
    ids.push(lab.submit_detached(&file("through", EPOCHS)));
    lab.wait_for_step();
    disk.fill();
    wait_for(60, "the coordinator's end", || (exits(&lab) == ["1"]).then_some(()));
    // Without room there is no other one, and it is said why.
    let output = lab.run(&["status", &ids[0]]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(5) && errors.contains("No space left on device") && errors.contains("make room there"),
        "{errors}"
    );
    disk.make_room();
    let listed = lab.run(&["list", "--all", "-o", "json"]);
    let jobs: Value = serde_json::from_slice(&listed.stdout).unwrap_or_else(|_| panic!("{listed:?}"));
    let there: Vec<&str> = jobs["jobs"].as_array().unwrap().iter().filter_map(|job| job["id"].as_str()).collect();
    assert!(ids.iter().all(|id| there.contains(&id.as_str())), "{ids:?}, but there are {there:?}");
    wait_for_success(&lab, &ids[3]);
    assert!(lab.bits("through") == quiet, "the bits differ");
}
