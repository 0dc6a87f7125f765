//! The same bits for any number of workers and servers.

use serde_json::{Value, json};
use tfcoord_testkit::{Lab, idx, job, table};

fn run(lab: &Lab, base: &Value, workers: u32, servers: u32) -> (Vec<u8>, Vec<u8>) {
    let mut job = base.clone();
    let name = format!("{}-w{workers}-s{servers}", base["name"].as_str().unwrap());
    job["name"] = json!(name);
    job["worker"]["count"] = json!(workers);
    job["parameter_server"]["count"] = json!(servers);
    lab.submit(&job);
    lab.bits(&name)
}

fn check(lab: &Lab, base: &Value) {
    idx::write_pictures(lab.path(), 1003, 12, 4, 1);
    table::write_table(lab.path(), 1003, 1);
    let (model, curve) = run(lab, base, 1, 1);
    assert!(curve.iter().filter(|b| **b == b'\n').count() > 40, "the curve has all steps");
    for (workers, servers) in [(2, 1), (3, 2), (4, 3)] {
        let (other_model, other_curve) = run(lab, base, workers, servers);
        assert!(other_curve == curve, "curve of {workers} workers and {servers} servers");
        assert!(other_model == model, "parameters of {workers} workers and {servers} servers");
    }
}

#[test]
fn of_an_mlp_with_dropout_and_batch_norm() {
    check(&Lab::new(), &job::pictures("mlp", job::mlp_layers(), 803, 200));
}

#[test]
fn of_a_cnn_with_dropout_batch_norm_and_clipping() {
    let mut base = job::pictures("cnn", job::cnn_layers(), 803, 200);
    base["train"]["clip_norm"] = json!(0.5);
    check(&Lab::new(), &base);
}

#[test]
fn of_a_model_with_fewer_chunks_than_servers() {
    let layers = json!([{"flatten": {}}, {"dense": {"units": 4}}]);
    check(&Lab::new(), &job::pictures("small", layers, 803, 200));
}

#[test]
fn of_embeddings_a_residual_and_a_concatenation() {
    check(&Lab::new(), &job::table("graph", job::table_layers(), 803, 200));
}

#[test]
fn of_an_lstm() {
    let layers = json!([
        {"reshape": {"shape": [12, 12]}},
        {"lstm": {"units": 32, "sequences": true}},
        {"lstm": {"units": 24}},
        {"dense": {"units": 4}}
    ]);
    check(&Lab::new(), &job::pictures("lstm", layers, 803, 200));
}

#[test]
fn a_fifth_worker_is_refused_with_the_reason() {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 100, 12, 4, 1);
    let mut job = job::pictures("five", job::mlp_layers(), 80, 20);
    job["worker"]["count"] = json!(5);
    let path = lab.write_job(&job);
    let output = lab.run(&["submit", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("5 workers") && text.contains("4 micro-batches"), "{text}");
    assert!(lab.coordinator().is_none(), "nothing was started");
}
