//! Models from outside: training, evaluation, files.
#![allow(clippy::unwrap_used)]

mod evaluate;
mod file;
mod graph;
mod learn;
mod rows;
mod train;

use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Isa, Labels, Model, Options, Parameters, StepKey};
use tfcoord_types::draw::{Stream, text_key};
use tfcoord_types::job::{self, Input};
use tfcoord_types::variable::Initializer;

const KEY: StepKey = StepKey { seed: 1, epoch: 0, step: 0, lane: 0 };

const EVERYTHING: &str = r#"{"layers": [
    {"conv2d": {"filters": 4, "kernel": 3, "padding": "same", "activation": "relu"}}, {"batch_norm": {}},
    {"max_pool2d": {"size": 2}}, {"conv2d": {"filters": 3, "kernel": [2, 3], "stride": [1, 2], "bias": false}}, {"activation": "tanh"},
    {"average_pool2d": {"size": 2, "stride": 1}}, {"flatten": {}}, {"layer_norm": {}}, {"dropout": {"rate": 0.2}},
    {"dense": {"units": 9, "activation": "gelu"}}, {"batch_norm": {"momentum": 0.5}}, {"dense": {"units": 5}}],
    "loss": "softmax_cross_entropy", "metrics": ["accuracy", "confusion_matrix"]}"#;

fn spec(json: &str) -> job::Model {
    serde_json::from_str(json).unwrap()
}

fn model(json: &str, input: &[u32], classes: u32) -> Model {
    with_threads(json, input, classes, 1)
}

fn with_threads(json: &str, input: &[u32], classes: u32, threads: usize) -> Model {
    Model::new(&spec(json), &Input::plain(input, classes), Options { threads, train_records: 12, isa: Isa::detect() }).unwrap()
}

fn initial(model: &Model) -> Parameters {
    let mut parameters = Parameters::new(model.variables()).unwrap();
    for (place, variable) in model.variables().iter().enumerate() {
        let mut stream = Stream::new("test", &[text_key(&variable.name)]);
        parameters.values_mut(place).fill_with(|| match variable.initializer {
            Initializer::Zeros => 0.0,
            Initializer::Ones => 1.0,
            Initializer::Uniform { limit } => limit * (2.0 * stream.unit() - 1.0),
            // Any values of that size will do.
            Initializer::Normal { deviation } => 1.7 * deviation * (2.0 * stream.unit() - 1.0),
        });
    }
    parameters
}

fn features(records: usize, each: usize, key: u64) -> Vec<f32> {
    let mut stream = Stream::new("features", &[key]);
    (0..records * each).map(|_| stream.unit()).collect()
}

fn batch(records: usize, each: usize, classes: u32) -> Batch {
    let labels = (0..records).map(|record| record as u32 * 7 % classes).collect();
    let indices = (0..records as u64).collect();
    Batch::new(records, Buffers { features: features(records, each, 3), labels: Labels::Classes(labels), indices }).unwrap()
}
