//! The shipped example, as `make demo` runs it.

use serde_json::Value;
use std::path::Path;
use tfcoord_testkit::Lab;

// The example's job file, with its data, in the laboratory.
fn copy(lab: &Lab, example: &str, names: &[&str]) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    for name in names {
        let to = lab.path().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from.join(name), to).unwrap_or_else(|e| panic!("{example}/{name}: {e}"));
    }
}

#[test]
fn fashion_mnist_learns_on_separate_processes_and_predicts_what_it_reported() {
    let lab = Lab::new();
    copy(&lab, "fashion-mnist", &["job.json", "data/t10k-images-idx3-ubyte.gz", "data/t10k-labels-idx1-ubyte.gz"]);
    let job = lab.path().join("job.json");
    let mut command = lab.tfcoord(&["submit", job.to_str().unwrap()]);
    let submit = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let pids = ["ps-0", "worker-0", "worker-1"].map(|task| lab.wait_for_task(task).pid);
    assert!(pids[0] != pids[1] && pids[1] != pids[2], "separate processes");
    let output = submit.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}\n{}", String::from_utf8_lossy(&output.stderr), lab.logs());
    let model = lab.outputs("fashion-mnist").join("model");
    let metrics: Value = serde_json::from_slice(&std::fs::read(model.join("metrics.json")).unwrap()).unwrap();
    let accuracy = metrics["accuracy"].as_f64().unwrap();
    assert!(accuracy >= 0.85, "accuracy {accuracy}");

    let data = ["data/t10k-images-idx3-ubyte.gz", "data/t10k-labels-idx1-ubyte.gz"].map(|f| lab.path().join(f));
    let [images, labels] = data.each_ref().map(|p| p.to_str().unwrap());
    let arguments = ["predict", model.to_str().unwrap(), "--data", images, "--labels", labels, "--records", "8000..10000", "-o", "json"];
    let output = lab.run(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = output.stdout.split(|b| *b == b'\n').rfind(|line| !line.is_empty()).unwrap();
    let summary: Value = serde_json::from_slice(last).unwrap();
    assert_eq!(summary["accuracy"], metrics["accuracy"], "predict reproduces what was reported");
    // Its losses are added batch by batch, those of the job shard by shard.
    let loss = |of: &Value| of["loss"].as_f64().unwrap();
    assert!((loss(&summary) - loss(&metrics)).abs() < 1e-12);
}
