//! Every layer, preset, loss, optimizer and schedule of the job file stands in a job that trains.

use serde_json::{Value, json};
use tfcoord_testkit::{Lab, idx, job, table};

// Trains `job` and gives its last evaluation.
fn trained(lab: &Lab, job: &Value) -> Value {
    lab.submit(job);
    let dir = lab.outputs(job["name"].as_str().unwrap());
    let metrics = std::fs::read_to_string(dir.join("model/metrics.json")).unwrap();
    serde_json::from_str(&metrics).unwrap()
}

fn accuracy(metrics: &Value) -> f64 {
    metrics["accuracy"].as_f64().unwrap_or_else(|| panic!("{metrics}"))
}

fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 800, 12, 4, 1);
    lab
}

#[test]
fn layers() {
    let lab = lab();
    let convolutions = json!([
        {"conv2d": {"filters": 6, "kernel": [3, 2], "stride": [1, 2], "padding": "same", "activation": "gelu"}},
        {"layer_norm": {}},
        {"average_pool2d": {"size": 2}},
        {"conv2d": {"filters": 8, "kernel": 2, "bias": false}},
        {"batch_norm": {"momentum": 0.8}},
        {"activation": "sigmoid"},
        {"max_pool2d": {"size": 2, "stride": 1}},
        {"flatten": {}},
        {"dropout": {"rate": 0.1}},
        {"dense": {"units": 32, "activation": "tanh"}},
        {"dense": {"units": 4, "bias": false}}
    ]);
    let mut job = job::pictures("layers", convolutions, 640, 160);
    job["train"]["epochs"] = json!(6);
    let reached = accuracy(&trained(&lab, &job));
    assert!(reached > 0.8, "accuracy {reached}");
}

#[test]
fn recurrent_layers_and_groups_with_every_way_to_begin() {
    let lab = lab();
    let recurrent = json!([
        {"reshape": {"shape": [12, 12]}},
        {"lstm": {"units": 16, "sequences": true, "init": "uniform"}},
        {"gru": {"units": 24, "init": "normal"}},
        {"dense": {"units": 4, "init": "zeros"}}
    ]);
    let ways = json!([
        {"name": "small", "input": "features", "conv2d": {"filters": 4, "kernel": 3, "padding": "same", "init": "he"}},
        {"name": "large", "input": "features", "conv2d": {"filters": 4, "kernel": 5, "padding": "same", "init": "glorot"}},
        {"name": "both", "input": ["small", "large"], "concatenate": {}},
        {"conv2d": {"filters": 8, "kernel": 3, "padding": "same", "groups": 4, "init": "normal"}},
        {"name": "sum", "input": ["both", "conv2d_3"], "add": {}},
        {"residual": {"layers": [ {"batch_norm": {}}, {"activation": "relu"}, {"conv2d": {"filters": 8, "kernel": 3, "padding": "same"}} ]}},
        {"max_pool2d": {"size": 2}},
        {"flatten": {}},
        {"dense": {"units": 4, "init": "uniform"}}
    ]);
    for (name, layers) in [("recurrent", recurrent), ("ways", ways)] {
        let mut job = job::pictures(name, layers, 640, 160);
        job["train"]["epochs"] = json!(6);
        let reached = accuracy(&trained(&lab, &job));
        assert!(reached > 0.8, "{name}: accuracy {reached}");
    }
}

#[test]
fn columns_by_name() {
    let lab = Lab::new();
    table::write_table(lab.path(), 1600, 1);
    let mut job = job::table("columns", job::table_layers(), 1280, 320);
    job["train"]["epochs"] = json!(6);
    let metrics = trained(&lab, &job);
    assert!(metrics["auc"].as_f64().unwrap() > 0.9, "{metrics}");
}

#[test]
fn presets() {
    let lab = lab();
    let cases = [
        ("softmax", json!({"softmax": {}})),
        ("mlp", json!({"mlp": {"hidden": [32, 16], "activation": "tanh", "dropout": 0.1}})),
        ("cnn", json!({"cnn": {"filters": [4, 8], "hidden": [32], "dropout": 0.1}})),
        ("lstm", json!({"lstm": {"shape": [12, 12], "units": [16, 16], "dropout": 0.1}})),
    ];
    for (name, preset) in cases {
        let mut job = with_preset(job::pictures(name, json!([]), 640, 160), preset);
        job["train"]["epochs"] = json!(8);
        let reached = accuracy(&trained(&lab, &job));
        assert!(reached > 0.8, "{name}: accuracy {reached}");
    }
    table::write_table(lab.path(), 1600, 1);
    let wide_deep = json!({"wide_deep": {"dim": 4, "hidden": [16], "dropout": 0.1}});
    let mut job = with_preset(job::table("wide-deep", json!([]), 1280, 320), wide_deep);
    job["train"]["epochs"] = json!(6);
    job["data"]["features"] = json!([{"number": "size"}, {"index": "colour"}, {"index": "shape"}]);
    let named = trained(&lab, &job);
    assert!(named["auc"].as_f64().unwrap() > 0.9, "{named}");
    // The same features, found: the words are numbers.
    let columns =
        |row: &str| row.split(',').enumerate().filter(|(at, _)| ![3, 4].contains(at)).map(|(_, text)| text).collect::<Vec<_>>().join(",");
    let text = std::fs::read_to_string(lab.path().join("table.csv")).unwrap();
    std::fs::write(lab.path().join("table.csv"), text.lines().map(|row| columns(row) + "\n").collect::<String>()).unwrap();
    job["name"] = json!("wide-deep-found");
    job["data"].as_object_mut().unwrap().remove("features");
    assert_eq!(trained(&lab, &job)["loss"], named["loss"]);
}

fn with_preset(mut job: Value, preset: Value) -> Value {
    let model = job["model"].as_object_mut().unwrap();
    model.remove("layers");
    model.insert("preset".into(), preset);
    job
}

#[test]
fn reconstruction() {
    let lab = lab();
    let preset = json!({"autoencoder": {"hidden": [64], "code": 8, "activation": "tanh", "output": "sigmoid"}});
    let mut job = with_preset(job::pictures("reconstruction", json!([]), 640, 160), preset);
    (job["model"]["loss"], job["model"]["metrics"]) = (json!("reconstruction"), json!([]));
    job["train"]["epochs"] = json!(8);
    let loss = trained(&lab, &job)["loss"].as_f64().unwrap();
    // A code can say where the square is, which leaves the noise: 0.018. The mean picture gives 0.042.
    assert!(loss < 0.03, "loss {loss}");
}

#[test]
fn optimizers_and_schedules() {
    let lab = lab();
    let layers = json!([{"flatten": {}}, {"dense": {"units": 32, "activation": "relu"}}, {"dense": {"units": 4}}]);
    let cases = [
        ("sgd", json!({"sgd": {"learning_rate": 0.1, "weight_decay": 0.0001}}), json!("constant")),
        ("momentum", json!({"momentum": {"learning_rate": 0.02}}), json!({"step": {"every_steps": 30, "factor": 0.7}})),
        ("nesterov", json!({"momentum": {"learning_rate": 0.02, "nesterov": true}}), json!({"cosine": {}})),
        ("adagrad", json!({"adagrad": {"learning_rate": 0.05}}), json!("constant")),
        ("rmsprop", json!({"rmsprop": {"learning_rate": 0.002}}), json!({"cosine": {"steps": 50, "floor": 0.1}})),
        ("adam", json!({"adam": {"learning_rate": 0.003}}), json!("constant")),
        ("adamw", json!({"adam_w": {"learning_rate": 0.003}}), json!("constant")),
    ];
    for (name, optimizer, schedule) in cases {
        let mut job = job::pictures(name, layers.clone(), 640, 160);
        job["train"]["epochs"] = json!(5);
        job["train"]["optimizer"] = optimizer;
        job["train"]["schedule"] = schedule;
        job["train"]["warm_up_steps"] = json!(5);
        job["train"]["clip_norm"] = json!(5.0);
        let reached = accuracy(&trained(&lab, &job));
        assert!(reached > 0.9, "{name}: accuracy {reached}");
    }
}

#[test]
fn mean_squared_error() {
    let lab = Lab::new();
    let row = |n: u32| format!("{},{},{}\n", n % 17, n % 5, f64::from(n % 17) * 0.5 - f64::from(n % 5) + 1.0);
    let text: String = (0..600).map(row).collect();
    std::fs::write(lab.path().join("numbers.csv"), format!("a,b,target\n{text}")).unwrap();
    let job = json!({
        "name": "mse",
        "model": {"layers": [{"dense": {"units": 1}}], "loss": "mse"},
        "data": {"format": "csv", "train": {"files": "numbers.csv", "records": [0, 500]}, "eval": {"files": "numbers.csv", "records": [500, 600]}, "label": "target"},
        "train": {"batch_size": 20, "micro_batches": 4, "epochs": 20, "optimizer": {"adam": {"learning_rate": 0.05}}},
        "output": {"dir": "out"}
    });
    let metrics = trained(&lab, &job);
    let loss = metrics["loss"].as_f64().unwrap();
    assert!(loss < 0.01, "{metrics}");
}
