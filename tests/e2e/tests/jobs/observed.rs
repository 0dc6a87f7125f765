//! What a running job shows: Prometheus endpoints and TensorBoard files, judged by their own tools.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::tools::tool;
use tfcoord_testkit::{Lab, idx, job};

// Addresses of the endpoints of the job's tasks and of the coordinator.
fn addresses(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for path in std::fs::read_dir(dir).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())) {
        if path.is_dir() {
            addresses(&path, found);
        } else if path.file_name().is_some_and(|n| n == "metrics-address") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text.trim().to_owned()));
        }
    }
}

fn metrics(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|e| panic!("{address}: {e}"));
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn promtool_finds_no_fault_in_the_endpoints_of_a_running_job() {
    let mut lab = Lab::new();
    lab.set("TFCOORD_METRICS_LISTEN", "127.0.0.1:0");
    idx::write_pictures(lab.path(), 1800, 12, 4, 1);
    let mut job = job::pictures("observed", job::mlp_layers(), 1600, 200);
    job["train"]["epochs"] = json!(3000);
    let mut submit = lab.spawn_submit(&job);
    let found = wait_for(60, "endpoints of coordinator, server and worker", || {
        let mut found = Vec::new();
        addresses(&lab.state_dir(), &mut found);
        (found.len() >= 3).then_some(found)
    });
    for wanted in ["tfcoord_log_entries_total", "tfcoord_chunk_updates_total", "tfcoord_worker_steps_total"] {
        let counted = |text: &str| text.lines().any(|l| l.starts_with(wanted) && !l.ends_with(" 0"));
        wait_for(60, wanted, || found.iter().any(|(_, address)| counted(&metrics(address))).then_some(()));
    }
    if let Some(promtool) = tool("promtool/promtool") {
        for (path, address) in &found {
            let mut check = Command::new(&promtool)
                .args(["check", "metrics"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            check.stdin.take().unwrap().write_all(metrics(address).as_bytes()).unwrap();
            let output = check.wait_with_output().unwrap();
            assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
        }
    }
    submit.kill().unwrap();
    submit.wait().unwrap();
}

#[test]
fn tensorboard_loads_the_event_files() {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1003, 12, 4, 1);
    lab.submit(&job::pictures("events", job::mlp_layers(), 803, 200));
    let dir = lab.outputs("events").join("tensorboard");
    let Some(python) = tool("venv/bin/python") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/telemetry/tests/tools/read_plugin.py");
    let output = Command::new(python).arg(script).arg(&dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tags: Vec<(&String, &Value)> = seen.as_object().unwrap().values().flat_map(|run| run.as_object().unwrap()).collect();
    let points = |part: &str| tags.iter().find(|(tag, _)| tag.contains(part)).map_or(0, |(_, points)| points.as_array().unwrap().len());
    assert!(points("train/loss") >= 3, "{seen}");
    assert_eq!(points("eval/accuracy"), 2, "{seen}");
}
