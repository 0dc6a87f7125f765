//! The examples whose data `make setup` fetches do what their pages say.

use serde_json::Value;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tfcoord_testkit::Lab;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

// The example's job file, and the data that it takes, laid out as in the sources.
fn lab(example: &str, job: &str, data: &[&str]) -> Lab {
    let lab = Lab::new();
    let dir = lab.path().join("examples").join(example);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::copy(root().join("examples").join(example).join(job), dir.join(job)).unwrap();
    std::fs::create_dir(lab.path().join("data")).unwrap();
    for name in data {
        let fetched = root().join("data").join(name);
        assert!(fetched.exists(), "{} is missing: run make setup", fetched.display());
        symlink(fetched, lab.path().join("data").join(name)).unwrap();
    }
    lab
}

fn figure(of: &Value, name: &str) -> f64 {
    of[name].as_f64().unwrap_or_else(|| panic!("{name}: {of}"))
}

// Trains the example; its evaluations, in order. What it suggests gives its figures again.
fn evaluations(lab: &Lab, job: &str) -> Vec<Value> {
    let output = lab.run(&["submit", lab.path().join("examples").join(job).to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", lab.logs());
    let suggested = text.lines().find(|line| line.contains(" predict ")).unwrap_or_else(|| panic!("{text}"));
    assert!(!suggested.contains(".."), "{suggested}");
    let words: Vec<&str> = suggested.split_whitespace().skip(1).chain(["-o", "json"]).collect();
    let output = lab.run(&words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let predicted: Value = serde_json::from_slice(&output.stdout).unwrap();

    let id = Path::new(words[1]).parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap();
    let status: Value = serde_json::from_slice(&lab.run(&["status", id, "-o", "json"]).stdout).unwrap();
    let evaluations = status["evaluations"].as_array().unwrap().clone();
    let last = evaluations.last().unwrap();
    assert_eq!((&predicted["auc"], &predicted["records"]), (&last["auc"], &last["records"]));
    assert!((figure(&predicted, "loss") - figure(last, "loss")).abs() < 1e-9, "{predicted} {last}");
    evaluations
}

// The number with which cell `cell` of the page's row about `what` begins.
fn page(example: &str, what: &str, cell: usize) -> f64 {
    let path = root().join("examples").join(example).join("README.md");
    let page = std::fs::read_to_string(path).unwrap();
    let row = page.lines().find(|line| line.starts_with(&format!("| {what}"))).unwrap_or_else(|| panic!("{what}"));
    let text = row.split('|').nth(cell + 1).unwrap().trim();
    text.split(':').next().unwrap().parse().unwrap_or_else(|e| panic!("{row}: {e}"))
}

// Bits may change from version to version; what is learned does not.
fn near(shown: f64, measured: f64) {
    assert!((shown - measured).abs() < 0.005, "the page says {shown}, measured {measured}");
}

#[test]
fn adult() {
    let evaluations = evaluations(&lab("adult", "job.json", &["adult"]), "adult/job.json");
    let last = evaluations.last().unwrap();
    assert!(figure(last, "auc") >= 0.89, "{last}");
    near(page("adult", "`job.json`", 1), figure(last, "auc"));
    near(page("adult", "`job.json`", 2), figure(last, "accuracy"));
}

#[test]
fn stocks() {
    let evaluations = evaluations(&lab("stocks", "job.json", &["stocks"]), "stocks/job.json");
    let last = evaluations.last().unwrap();
    for naive in ["the last value", "the last 30 days"] {
        assert!(figure(last, "loss") < page("stocks", naive, 1), "{naive}: {last}");
    }
    near(page("stocks", "the LSTM", 1), figure(last, "loss"));
}

// No better than that the price stays, as its page says, but no worse.
#[test]
fn returns_of_stocks() {
    let evaluations = evaluations(&lab("stocks", "return.json", &["stocks"]), "stocks/return.json");
    let last = evaluations.last().unwrap();
    assert!(figure(last, "loss") < 1.02 * page("stocks", "the last value", 2), "{last}");
    near(page("stocks", "the LSTM", 2), figure(last, "loss"));
}

#[test]
fn anomaly() {
    let lab = lab("anomaly", "job.json", &["fashion-mnist"]);
    let script = root().join("examples/anomaly/hold_out.py");
    let held_out = Command::new("python3").arg(script).args(["data/fashion-mnist", "data/anomaly"]).current_dir(lab.path()).output();
    let held_out = held_out.expect("the example needs python3");
    assert!(held_out.status.success(), "{}", String::from_utf8_lossy(&held_out.stderr));
    let evaluations = evaluations(&lab, "anomaly/job.json");
    let losses: Vec<f64> = evaluations.iter().map(|evaluation| figure(evaluation, "loss")).collect();
    assert!(losses.len() == 4 && losses.is_sorted_by(|before, after| before > after), "{losses:?}");
    let auc = figure(evaluations.last().unwrap(), "auc");
    assert!(auc >= 0.9, "AUC {auc}");
    near(page("anomaly", "`job.json`", 1), auc);
}
