//! The counting model: every record counts exactly once an epoch, whatever happens to messages and workers.

use crate::jobs::checkpoints;
use rustix::process::Signal;
use serde_json::Value;
use tfcoord_testkit::{Lab, idx, job};

const RECORDS: u64 = 9_001;
const EPOCHS: u32 = 3;

pub(super) fn counting(name: &str) -> Value {
    job::counting(name, RECORDS, EPOCHS)
}

pub(super) fn check(lab: &Lab, name: &str) {
    check_epochs(lab, name, EPOCHS);
}

pub(super) fn check_epochs(lab: &Lab, name: &str, epochs: u32) {
    let tensors = lab.bits(name).0;
    let header = usize::try_from(u64::from_le_bytes(tensors[..8].try_into().unwrap())).unwrap();
    let counts: Vec<f32> = tensors[8 + header..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(counts.len() as u64, RECORDS);
    let wrong: Vec<_> = counts.iter().enumerate().filter(|(_, n)| **n != epochs as f32).take(5).collect();
    assert!(wrong.is_empty(), "records that did not count {epochs} times: {wrong:?}");
}

pub(super) fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), u32::try_from(RECORDS).unwrap(), 4, 4, 2);
    lab
}

const DISTURBED: &str = "exec tfcoord-fault-proxy duplicate=15 replay=15 reorder=15 seed=5";

pub(super) fn disturb(lab: &Lab, more: &str) {
    let proxy = lab.program("tfcoord-fault-proxy");
    let script = DISTURBED.replace("tfcoord-fault-proxy", proxy.to_str().unwrap());
    lab.replace_program("tfcoord-ps", &format!("{script} {more} -- $REAL \"$@\""));
}

#[test]
fn quietly() {
    let lab = lab();
    lab.submit(&counting("quiet"));
    check(&lab, "quiet");
}

#[test]
fn while_pushes_are_duplicated_replayed_and_reordered() {
    let lab = lab();
    disturb(&lab, "");
    lab.submit(&counting("disturbed"));
    check(&lab, "disturbed");
}

#[test]
fn while_a_worker_is_killed_and_replaced_on_a_disturbed_wire() {
    let lab = lab();
    disturb(&lab, "kill=1:50");
    let text = lab.submit(&counting("killed"));
    check(&lab, "killed");
    assert!(text.contains("worker-1"), "the replacement is told: {text}");
}

#[test]
fn while_both_workers_are_killed_from_outside() {
    let lab = lab();
    let mut job = counting("outside");
    job["train"]["epochs"] = EPOCHS.into();
    let submit = lab.spawn_submit(&job);
    lab.wait_for_step();
    for task in ["worker-0", "worker-1"] {
        lab.wait_for_task(task).signal(Signal::KILL);
    }
    let output = submit.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), lab.logs());
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("worker-0") && text.contains("worker-1"), "both replacements are told: {text}");
    check(&lab, "outside");
}

#[test]
fn while_both_servers_are_killed_and_the_counts_go_back_to_a_checkpoint() {
    let lab = lab();
    let epochs = 40;
    let mut job = counting("servers");
    job["train"]["epochs"] = epochs.into();
    job["parameter_server"]["count"] = 2.into();
    job["checkpoint"] = serde_json::json!({"every_steps": 50});
    let submit = lab.spawn_submit(&job);
    for server in ["ps-0", "ps-1"] {
        checkpoints::wait_for_newer(&lab);
        lab.wait_for_task(server).signal(Signal::KILL);
    }
    let output = submit.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", lab.logs());
    assert_eq!(text.matches("went back to the checkpoint at step").count(), 2, "{text}");
    check_epochs(&lab, "servers", epochs);
}

#[test]
fn an_mlp_with_a_worker_killed_between_two_chunks_ends_with_the_quiet_bits() {
    let lab = lab();
    idx::write_pictures(lab.path(), 1003, 12, 4, 1);
    let mut job = job::pictures("mlp-quiet", job::mlp_layers(), 803, 200);
    job["worker"]["count"] = 2.into();
    job["parameter_server"]["count"] = 2.into();
    lab.submit(&job);
    let proxy = lab.program("tfcoord-fault-proxy");
    // Only the first server's exchange goes through the proxy that kills.
    let script = format!("case \"$*\" in *ps-0*) exec {} kill=1:11 -- $REAL \"$@\";; *) exec $REAL \"$@\";; esac", proxy.display());
    let other = Lab::new();
    idx::write_pictures(other.path(), 1003, 12, 4, 1);
    other.replace_program("tfcoord-ps", &script);
    job["name"] = "mlp-killed".into();
    let text = other.submit(&job);
    assert!(text.contains("worker-1"), "the replacement is told: {text}");
    assert!(lab.bits("mlp-quiet") == other.bits("mlp-killed"), "the bits differ");
}
