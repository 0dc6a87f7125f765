//! Modes by groups of layers, in one job: every record counts exactly once an epoch for each of them, and models learn.

use crate::jobs::checkpoints::wait_for_newer;
use crate::jobs::exactly_once::{check_epochs, counting, disturb, lab};
use rustix::process::Signal;
use serde_json::{Value, json};
use tfcoord_testkit::{Lab, job, table};

/// The mode of the curve and the one of the counts, each way round.
fn modes() -> [(&'static str, Value, Value); 2] {
    let (ssp, local) = (json!({"ssp": {"staleness": 2}}), json!({"local": {"every": 5}}));
    [("counts-local", ssp, local.clone()), ("counts-async", local, json!({"async": {}}))]
}

/// 282 batches an epoch.
fn mixed(name: &str, sync: &Value, counts: &Value, epochs: u32) -> Value {
    let mut job = counting(name);
    job["train"]["sync"] = sync.clone();
    job["train"]["groups"] = json!([{"layers": ["count"], "sync": counts}]);
    job["train"]["epochs"] = json!(epochs);
    job["parameter_server"]["count"] = json!(2);
    job
}

/// The curve has a point for each batch, and each record is in one of an epoch.
fn check_curve(lab: &Lab, name: &str, epochs: u32) {
    let curve = std::fs::read_to_string(lab.outputs(name).join("curve.csv")).unwrap();
    assert_eq!(curve.lines().count(), 1 + 282 * epochs as usize, "{name}: a point for each batch");
}

#[test]
fn each_group_counts_once_while_pushes_are_disturbed_and_a_worker_is_killed() {
    for (name, sync, counts) in modes() {
        let lab = lab();
        disturb(&lab, "$(case \"$*\" in *ps-0*) echo kill=1:50;; *) echo kill=0:50;; esac)");
        let text = lab.submit(&mixed(name, &sync, &counts, 3));
        check_epochs(&lab, name, 3);
        check_curve(&lab, name, 3);
        assert!(text.contains("is replaced"), "the replacement is told: {text}");
        let both = format!("{}; {}: count (not deterministic)", name_of(&sync), name_of(&counts));
        assert!(text.contains(&both), "the plan says {both}: {text}");
    }
}

#[test]
fn each_group_counts_once_while_servers_are_killed_and_all_goes_back_to_the_midst_of_an_epoch() {
    for (name, sync, counts) in modes() {
        let lab = lab();
        let mut job = mixed(name, &sync, &counts, 12);
        job["checkpoint"] = json!({"every_steps": 40});
        let submit = lab.spawn_submit(&job);
        for server in ["ps-0", "ps-1"] {
            wait_for_newer(&lab);
            lab.wait_for_task(server).signal(Signal::KILL);
        }
        let output = submit.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{}", lab.logs());
        assert!(text.contains("went back to the checkpoint at step "), "{text}");
        check_epochs(&lab, name, 12);
        check_curve(&lab, name, 12);
    }
}

#[test]
fn embeddings_in_async_learn_beside_dense_layers_in_other_modes_while_a_worker_is_killed() {
    for (name, sync) in [("table-ssp", json!({"ssp": {"staleness": 2}})), ("table-local", json!({"local": {"every": 4}}))] {
        let lab = Lab::new();
        table::write_table(lab.path(), 2000, 1);
        let mut job = job::table(name, job::table_layers(), 1600, 400);
        job["train"]["sync"] = sync;
        job["train"]["groups"] = json!([{"layers": ["words", "kinds", "wide"], "sync": {"async": {}}}]);
        job["train"]["epochs"] = json!(20);
        (job["worker"]["count"], job["parameter_server"]["count"]) = (json!(2), json!(2));
        let submit = lab.spawn_submit(&job);
        lab.wait_for_step();
        lab.wait_for_task("worker-1").signal(Signal::KILL);
        let output = submit.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("worker-1"), "the replacement is told: {text}\n{}", lab.logs());
        let metrics: Value = serde_json::from_slice(&std::fs::read(lab.outputs(name).join("model/metrics.json")).unwrap()).unwrap();
        let auc = metrics["auc"].as_f64().unwrap();
        assert!(auc > 0.8, "{name}: auc {auc}");
    }
}

#[test]
fn a_bsp_layer_takes_all_with_it_and_the_bits_are_those_without_groups() {
    let lab = Lab::new();
    table::write_table(lab.path(), 500, 1);
    let mut job = job::table("plain", job::table_layers(), 400, 100);
    lab.submit(&job);
    job["train"]["groups"] = json!([{"layers": ["words"], "sync": {"async": {}}}]);
    job["name"] = json!("grouped");
    let text = lab.submit(&job);
    assert!(text.contains("bsp for all layers, since one is; not async: words"), "it is said: {text}");
    assert!(lab.bits("plain") == lab.bits("grouped"), "the bits differ");
    let path = lab.write_job(&job);
    let output = lab.run(&["validate", path.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("bsp for all layers, since one is; not async: words"), "{text}");
}

#[test]
fn a_layer_that_a_preset_does_not_have_is_refused_with_those_that_it_has() {
    let lab = lab();
    let mut job = job::pictures("preset", json!([]), 80, 20);
    job["model"]["preset"] = json!({"mlp": {"hidden": [16]}});
    job["model"].as_object_mut().unwrap().remove("layers");
    job["train"]["groups"] = json!([{"layers": ["dense_9"], "sync": {"async": {}}}]);
    let path = lab.write_job(&job);
    let output = lab.run(&["submit", path.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("train.groups[0].layers[0]: there is no layer called \"dense_9\""), "{text}");
    assert!(text.contains("did you mean \"dense_"), "{text}");
}

fn name_of(sync: &Value) -> &str {
    sync.as_object().unwrap().keys().next().unwrap()
}
