//! `tfcoord predict` gives a job's own figures again, in words and in JSON.

use serde_json::{Value, json};
use tfcoord_testkit::{Lab, idx, job, table};

// Trains `job` and gives its last evaluation.
fn trained(lab: &Lab, job: &Value) -> Value {
    lab.submit(job);
    let path = lab.outputs(job["name"].as_str().unwrap()).join("model/metrics.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn predict(lab: &Lab, job: &Value, arguments: &[&str]) -> String {
    let model = lab.outputs(job["name"].as_str().unwrap()).join("model");
    let output = lab.run(&[&["predict", model.to_str().unwrap()], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

// The figures of the evaluation records, in JSON and in words, are the job's.
fn check(lab: &Lab, job: &Value, arguments: &[&str], wanted: &Value) {
    let text = predict(lab, job, &[arguments, &["-o", "json"]].concat());
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let figure = |of: &Value, name: &str| of[name].as_f64().unwrap_or_else(|| panic!("{name}: {of}"));
    assert_eq!((&last["records"], &last["auc"]), (&wanted["records"], &wanted["auc"]));
    // Its losses are added batch by batch, those of the job shard by shard.
    assert!((figure(&last, "loss") - figure(wanted, "loss")).abs() < 1e-9, "{last} {wanted}");
    let words = predict(lab, job, arguments);
    for name in ["loss", "auc"] {
        let line = words.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {words}"));
        let shown: f64 = line.trim().parse().unwrap();
        assert!((shown - figure(wanted, name)).abs() < 1e-4, "{words} {wanted}");
    }
}

#[test]
fn of_a_model_that_sees_columns_by_name() {
    let lab = Lab::new();
    table::write_table(lab.path(), 1000, 1);
    let job = job::table("columns", job::table_layers(), 800, 200);
    let metrics = trained(&lab, &job);
    check(&lab, &job, &["--data", "table.csv", "--records", "800..1000"], &metrics);
    // Rows without a label, in another order of columns.
    std::fs::write(lab.path().join("new.csv"), "second,first,colour,shape,size\n0,499,red,flat,99\n7,8,pink,round,\n").unwrap();
    let lines: Vec<String> = predict(&lab, &job, &["--data", "new.csv"]).lines().map(str::to_owned).collect();
    assert!(lines.len() == 2 && lines[0].starts_with("0: yes (") && lines[1].starts_with("1: "), "{lines:?}");
}

#[test]
fn of_errors_of_reconstruction() {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 800, 12, 2, 1);
    let mut job = job::pictures("copy", json!([]), 600, 200);
    job["model"] = json!({"preset": {"autoencoder": {"code": 8}}, "loss": "reconstruction", "metrics": ["auc"]});
    let metrics = trained(&lab, &job);
    check(&lab, &job, &["--data", "images.idx", "--labels", "labels.idx", "--records", "600..800"], &metrics);
    // Without labels, the error of each record; their mean is the loss.
    let text = predict(&lab, &job, &["--data", "images.idx", "--records", "600..800", "-o", "json"]);
    let errors: Vec<f64> = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["error"].as_f64().unwrap()).collect();
    assert_eq!(errors.len(), 200);
    let mean = errors.iter().sum::<f64>() / 200.0;
    assert!((mean - metrics["loss"].as_f64().unwrap()).abs() < 1e-6, "{mean} {metrics}");
    let words = predict(&lab, &job, &["--data", "images.idx", "--records", "600..601"]);
    let shown: f64 = words.trim().strip_prefix("0: ").unwrap_or_else(|| panic!("{words}")).parse().unwrap();
    assert!((shown - errors[0]).abs() < 1e-6, "{words} {}", errors[0]);
}
