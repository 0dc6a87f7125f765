//! Bad input: one clear error with place and remedy, exit code 2, before anything is launched.

use serde_json::{Value, json};
use tfcoord_testkit::{Lab, idx, job, table};

// Submits what cannot run; gives the error.
fn refused(lab: &Lab, job: &Value, code: i32) -> String {
    let path = lab.write_job(job);
    let output = lab.run(&["submit", path.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}\n{}", lab.logs());
    assert!(!text.contains("panicked"), "{text}");
    let jobs = lab.state_dir().join("jobs");
    let started = std::fs::read_dir(jobs).map_or(0, |entries| entries.count());
    assert!(code == 1 || started == 0, "a job was started");
    assert!(code != 2 || !lab.path().join("out").exists(), "results were begun");
    text
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

fn lab() -> (Lab, Value) {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 100, 12, 4, 1);
    (lab, job::pictures("bad", job::mlp_layers(), 80, 20))
}

#[test]
fn pictures() {
    let (lab, good) = lab();
    let mut job = good.clone();
    job["data"]["train"]["images"] = json!("absent.idx");
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": data.train.images: ", "absent.idx", "is not there"]);

    let images = std::fs::read(lab.path().join("images.idx")).unwrap();
    std::fs::write(lab.path().join("short.idx"), &images[..images.len() - 7]).unwrap();
    job["data"]["train"]["images"] = json!("short.idx");
    has(&refused(&lab, &job, 2), &["short.idx", "truncated"]);

    let mut job = good.clone();
    job["data"]["eval"]["records"] = json!([80, 200]);
    has(&refused(&lab, &job, 2), &["100", "records"]);

    let mut labels = std::fs::read(lab.path().join("labels.idx")).unwrap();
    labels.truncate(labels.len() - 1);
    labels.push(9);
    std::fs::write(lab.path().join("other-labels.idx"), labels).unwrap();
    let mut job = good.clone();
    job["data"]["eval"]["labels"] = json!("other-labels.idx");
    has(&refused(&lab, &job, 2), &["other-labels.idx", "label", "9"]);
}

#[test]
fn a_place_for_results_that_cannot_be_written() {
    let (lab, mut job) = lab();
    std::fs::write(lab.path().join("file"), "").unwrap();
    job["output"]["dir"] = json!("file/out");
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": output.dir: ", "file/out", "help:"]);
    job["output"]["dir"] = json!("results");
    job["checkpoint"] = json!({"dir": "file/kept"});
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": checkpoint.dir: ", "file/kept", "help:"]);
}

#[test]
fn a_model_that_servers_or_workers_cannot_hold() {
    let (lab, mut job) = lab();
    job["parameter_server"]["mem"] = json!(1);
    job["model"]["layers"] = json!([{"flatten": {}}, {"dense": {"units": 4096}}, {"dense": {"units": 4}}]);
    has(&refused(&lab, &job, 3), &["parameter_server.mem is 1", "raise it"]);
    (job["parameter_server"]["mem"], job["worker"]["mem"]) = (json!(1024), json!(20));
    has(&refused(&lab, &job, 3), &["a worker would need about ", "worker.mem is 20", "raise it"]);
}

#[test]
fn shapes_that_do_not_chain() {
    let (lab, good) = lab();
    let mut job = good.clone();
    job["model"]["layers"] = json!([{"dense": {"units": 4}}]);
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.layers[0]: ", "dense", "flatten"]);
    job["model"]["layers"] = json!([{"flatten": {}}, {"dense": {"units": 7}}]);
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.loss: ", "4", "7"]);
    job["model"]["layers"] = json!([{"conv2d": {"filters": 2, "kernel": 13}}, {"flatten": {}}, {"dense": {"units": 4}}]);
    has(&refused(&lab, &job, 2), &["conv2d", "13"]);
}

#[test]
fn more_micro_batches_than_records() {
    let (lab, mut job) = lab();
    (job["train"]["batch_size"], job["train"]["micro_batches"]) = (json!(1024), json!(128));
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": train.micro_batches: 80 training records", "help:"]);
}

#[test]
fn rows_of_a_wrong_type() {
    let lab = Lab::new();
    let mut text = String::from("size,colour,good\n");
    (0..60).for_each(|n| text += &format!("{n}.5,{},{}\n", ["red", "blue"][n % 2], n % 2));
    std::fs::write(lab.path().join("good.csv"), &text).unwrap();
    std::fs::write(lab.path().join("bad.csv"), text.replace("40.5", "large")).unwrap();
    let mut job = json!({
        "name": "rows",
        "model": {"layers": [{"dense": {"units": 1}}], "loss": "binary_cross_entropy"},
        "data": {"format": "csv", "train": {"files": "bad.csv"}, "features": [{"number": "size"}, {"category": "colour"}], "label": "good"},
        "train": {"batch_size": 16, "micro_batches": 2, "epochs": 1, "optimizer": {"sgd": {"learning_rate": 0.1}}},
        "output": {"dir": "out"}
    });
    has(&refused(&lab, &job, 2), &["bad.csv:42", "size", "large"]);
    job["data"]["train"]["files"] = json!("good.csv");
    job["data"]["label"] = json!("taste");
    has(&refused(&lab, &job, 2), &["taste", "good.csv"]);
}

// With this in the place of the layers.
fn with_layers(job: &Value, layers: Value) -> Value {
    let mut job = job.clone();
    job["model"]["layers"] = layers;
    job
}

#[test]
fn layers_that_see_what_is_not_there_or_are_not_seen() {
    let (lab, good) = lab();
    let job = with_layers(&good, json!([{"name": "flat", "flatten": {}}, {"input": "flatt", "dense": {"units": 4}}]));
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.layers[1].input: ", "\"flatt\" is no layer before this one", "help:"]);
    let unseen = json!([{"name": "flat", "flatten": {}}, {"dense": {"units": 7}}, {"input": "flat", "dense": {"units": 4}}]);
    let job = with_layers(&good, unseen);
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.layers[1]: ", "no layer sees", "dense_1", "help: name it in the input"]);
    let mut job = good.clone();
    job["model"]["preset"] = json!({"mlp": {}});
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.layers: ", "beside a preset", "help: keep one of them"]);
}

#[test]
fn columns_and_embeddings_that_do_not_fit() {
    let lab = Lab::new();
    table::write_table(lab.path(), 100, 1);
    let good = job::table("bad", job::table_layers(), 80, 20);
    let job = with_layers(&good, json!([{"input": "colour", "dense": {"units": 1}}]));
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.layers[0]: ", "sees columns of categories", "put an embedding before it"]);
    let job = with_layers(&good, json!([{"input": "first", "embedding_bag": {"dim": 1}}]));
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.layers[0]: ", "name a vocabulary"]);
    let mut job = with_layers(&good, json!([{"input": "first", "embedding_bag": {"dim": 1, "vocabulary": 500}}]));
    job["data"]["features"][3] = json!({"number": "first"});
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": data.features[3]: ", "\"first\"", "{\"raw\": \"first\"}"]);
    job["data"]["features"][3] = json!({"category": "first"});
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": data.features[3]: ", "a feature for each category", "{\"index\": \"first\"}"]);
}

#[test]
fn a_word_beyond_the_vocabulary() {
    let lab = Lab::new();
    table::write_table(lab.path(), 100, 1);
    let good = job::table("bad", job::table_layers(), 80, 20);
    let text = std::fs::read_to_string(lab.path().join("table.csv")).unwrap();
    // Of the records to train on, and of those for evaluation.
    for line in [42, 93] {
        let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut fields: Vec<&str> = rows[line - 1].split(',').collect();
        fields[4] = "500";
        rows[line - 1] = fields.join(",");
        std::fs::write(lab.path().join("table.csv"), rows.join("\n")).unwrap();
        let place = format!("table.csv:{line}: column \"second\": \"500\" names no row");
        has(&refused(&lab, &good, 2), &[&place, "the rows 0 to 499", "help:"]);
    }
}

// Each layer would double the width.
#[test]
fn inputs_that_double_until_nothing_can_hold_them() {
    let lab = Lab::new();
    table::write_table(lab.path(), 100, 1);
    let mut layers = vec![json!({"name": "l0", "input": "colour", "flatten": {}})];
    layers.extend((0..40).map(|n| json!({"name": format!("l{}", n + 1), "input": [format!("l{n}"), format!("l{n}")], "concatenate": {}})));
    layers.push(json!({"embedding_bag": {"dim": 1}}));
    let job = with_layers(&job::table("bad", job::table_layers(), 80, 20), json!(layers));
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.layers[23]: ", "values of columns", "help:"]);
}

#[test]
fn presets_for_other_data() {
    let (lab, good) = lab();
    let mut job = with_layers(&good, json!([]));
    job["model"]["preset"] = json!({"wide_deep": {}});
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.preset.wide_deep: ", "is for tables", "help: use {\"index\""]);
    job["model"]["preset"] = json!({"lstm": {}});
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.preset.lstm: ", "help: add \"shape\""]);
    job["model"]["preset"] = json!({"cnn": {"filters": [1, 1, 1, 1, 1, 1, 1]}});
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.preset.cnn: ", "7 filters, each of which halves the picture", "help: use "]);
}

// Labels of a reconstruction: not looked at, or 0 and 1.
#[test]
fn anomalies_are_labelled_0_or_1() {
    let lab = Lab::new();
    let mut text = String::from("size,weight,kind\n");
    (0..60).for_each(|n| text += &format!("{n}.5,{},usual\n", n % 7));
    std::fs::write(lab.path().join("rows.csv"), &text).unwrap();
    let mut job = json!({
        "name": "rows",
        "model": {"preset": {"autoencoder": {"code": 1}}, "loss": "reconstruction", "metrics": ["auc"]},
        "data": {"format": "csv", "train": {"files": "rows.csv"}, "label": "kind"},
        "train": {"batch_size": 16, "micro_batches": 2, "epochs": 1, "optimizer": {"sgd": {"learning_rate": 0.1}}},
        "output": {"dir": "out"}
    });
    has(&refused(&lab, &job, 2), &["rows.csv:2", "kind", "neither 0 (usual) nor 1", "remove the metric auc"]);
    // Without the metric the column is neither label nor feature.
    job["model"]["metrics"] = json!([]);
    lab.submit(&job);
}

#[test]
fn outputs_that_are_no_copy_of_the_features() {
    let (lab, good) = lab();
    let mut job = with_layers(&good, json!([{"flatten": {}}, {"dense": {"units": 143}}]));
    (job["model"]["loss"], job["model"]["metrics"]) = (json!("reconstruction"), json!([]));
    has(&refused(&lab, &job, 2), &["/bad.json:1:", ": model.loss: ", "as many outputs as there are features: 144", "gives 143", "help:"]);
}

#[test]
fn a_loss_that_is_no_number_stops_the_job_and_is_placed() {
    let (lab, mut job) = lab();
    job["model"]["layers"] = json!([{"flatten": {}}, {"dense": {"units": 32, "activation": "relu"}}, {"dense": {"units": 4}}]);
    job["train"]["optimizer"] = json!({"sgd": {"learning_rate": 1e30}});
    has(&refused(&lab, &job, 1), &["step", "not finite"]);
}

#[test]
fn a_model_that_a_worker_s_memory_cannot_hold_ends_the_job_with_its_bytes() {
    let (lab, mut job) = lab();
    let limited = "case \"$1\" in run) ulimit -v 2000000;; esac; exec $REAL \"$@\"";
    lab.replace_program("tfcoord-worker", limited);
    // 149 units of weight for each of 2^20 units: five times 597 MiB.
    job["model"]["layers"] = json!([{"flatten": {}}, {"dense": {"units": 1 << 20}}, {"dense": {"units": 4}}]);
    (job["worker"]["mem"], job["parameter_server"]["mem"]) = (json!(6000), json!(6000));
    has(&refused(&lab, &job, 1), &["bytes of memory", "model.layers"]);
}
