//! Job files for tests, as JSON values to be changed at will.

use serde_json::{Value, json};

/// Layers of a small mlp with dropout and batch norm; above 256 KiB of parameters for 12 x 12 pictures.
pub fn mlp_layers() -> Value {
    json!([
        {"flatten": {}},
        {"dense": {"units": 256, "activation": "relu"}},
        {"batch_norm": {}},
        {"dropout": {"rate": 0.2}},
        {"dense": {"units": 128, "activation": "tanh"}},
        {"dense": {"units": 4}}
    ])
}

/// Layers of a small cnn with dropout and batch norm.
pub fn cnn_layers() -> Value {
    json!([
        {"conv2d": {"filters": 8, "kernel": 3, "padding": "same"}},
        {"batch_norm": {}},
        {"activation": "relu"},
        {"conv2d": {"filters": 16, "kernel": 3, "activation": "relu"}},
        {"max_pool2d": {"size": 2}},
        {"flatten": {}},
        {"dropout": {"rate": 0.2}},
        {"dense": {"units": 64, "activation": "relu"}},
        {"dense": {"units": 4}}
    ])
}

/// A job over `images.idx` and `labels.idx` beside the job file: `train` records from the first one on for
/// training, then `eval` for evaluation; 4 micro-batches, chunks of 16 KiB so that several servers have some.
pub fn pictures(name: &str, layers: Value, train: u64, eval: u64) -> Value {
    let source = |from: u64, to: u64| json!({"images": "images.idx", "labels": "labels.idx", "records": [from, to]});
    json!({
        "name": name,
        "model": {"layers": layers, "loss": "softmax_cross_entropy", "metrics": ["accuracy", "confusion_matrix"]},
        "data": {"format": "idx", "train": source(0, train), "eval": source(train, train + eval)},
        "train": {"batch_size": 32, "micro_batches": 4, "epochs": 2, "seed": 7, "optimizer": {"adam": {"learning_rate": 0.002}}},
        "worker": {"count": 1},
        "parameter_server": {"count": 1, "chunk_bytes": 16384},
        "output": {"dir": "out"}
    })
}

/// Layers that see the columns of [`table`] by name, and each other: embeddings, a concatenation, a residual, a sum.
pub fn table_layers() -> Value {
    json!([
        {"name": "words", "input": ["first", "second"], "embedding": {"dim": 32, "vocabulary": crate::table::WORDS}},
        {"name": "read", "flatten": {}},
        {"name": "kinds", "input": ["colour", "shape"], "embedding_bag": {"dim": 8, "mode": "mean"}},
        {"input": ["size", "read", "kinds"], "concatenate": {}},
        {"dense": {"units": 48, "activation": "relu", "init": "he"}},
        {"residual": {"layers": [ {"dense": {"units": 48, "activation": "relu"}}, {"dropout": {"rate": 0.2}} ]}},
        {"name": "deep", "dense": {"units": 1}},
        {"name": "wide", "input": "categories", "embedding_bag": {"dim": 1, "init": "zeros"}},
        {"input": ["wide", "deep"], "add": {}}
    ])
}

/// A job over `table.csv` beside the job file, otherwise as [`pictures`]; `first` and `second` are words, by number.
pub fn table(name: &str, layers: Value, train: u64, eval: u64) -> Value {
    let source = |from: u64, to: u64| json!({"files": "table.csv", "records": [from, to]});
    let features = json!([{"number": "size"}, {"index": "colour"}, {"index": "shape"}, {"raw": "first"}, {"raw": "second"}]);
    let mut job = pictures(name, layers, train, eval);
    job["data"] =
        json!({"format": "csv", "train": source(0, train), "eval": source(train, train + eval), "features": features, "label": "good"});
    (job["model"]["loss"], job["model"]["metrics"]) = (json!("binary_cross_entropy"), json!(["auc", "accuracy"]));
    job
}

/// The counting model over the same pictures.
pub fn counting(name: &str, train: u64, epochs: u32) -> Value {
    json!({
        "name": name,
        "model": {"kind": "counting"},
        "data": {"format": "idx", "train": {"images": "images.idx", "labels": "labels.idx", "records": [0, train]}},
        "train": {"batch_size": 32, "micro_batches": 4, "epochs": epochs, "seed": 7, "optimizer": {"add": {}}},
        "worker": {"count": 2},
        "parameter_server": {"count": 1, "chunk_bytes": 16384},
        "output": {"dir": "out"}
    })
}
