//! `examples/tabular` beside scikit-learn on the same split.

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tfcoord_testkit::Lab;
use tfcoord_testkit::tools::tool;

#[test]
fn its_auc_is_that_of_the_reference() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tabular");
    let lab = Lab::new();
    for name in ["job.json", "train.synthetic.csv", "eval.synthetic.csv"] {
        std::fs::copy(example.join(name), lab.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    let output = lab.run(&["submit", lab.path().join("job.json").to_str().unwrap()]);
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), lab.logs());
    let path = lab.outputs("tabular").join("model/metrics.json");
    let metrics: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let ours = metrics["auc"].as_f64().unwrap_or_else(|| panic!("{metrics}"));
    let Some(python) = tool("venv/bin/python") else { return };
    let output = Command::new(python).arg(example.join("reference.py")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reference: Value = serde_json::from_slice(&output.stdout).unwrap();
    let theirs = reference["auc"].as_f64().unwrap_or_else(|| panic!("{reference}"));
    assert!((ours - theirs).abs() < 0.01, "ours {ours}, scikit-learn's {theirs}");
}
