//! Deaths that end a job in this version, and what is said; no orphan stays.

use serde_json::json;
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
