//! Models whose layers see more than the layer before them.

use super::{KEY, spec};
use std::collections::BTreeMap;
use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Isa, Labels, Model, Options, Parameters, Prediction, Workspace};
use tfcoord_types::draw::Stream;
use tfcoord_types::job::{Input, InputColumn};

const RECORDS: usize = 5;
const STEP: f32 = 1e-2;

fn made(json: &str, input: &Input, threads: usize) -> Model {
    Model::new(&spec(json), input, Options { threads, train_records: 0, isa: Isa::detect() }).unwrap()
}

fn drawn(model: &Model) -> Parameters {
    let mut parameters = Parameters::new(model.variables()).unwrap();
    for place in 0..model.variables().len() {
        let mut stream = Stream::new("graph", &[place as u64]);
        parameters.values_mut(place).fill_with(|| stream.unit() - 0.5);
    }
    parameters
}

fn batch(input: &Input) -> Batch {
    let values: u32 = input.shape.iter().product();
    let mut stream = Stream::new("graph features", &[]);
    let features = (0..RECORDS * values as usize).map(|_| 2.0 * stream.unit() - 1.0).collect();
    let labels = Labels::Classes((0..RECORDS as u32).map(|n| n % 2).collect());
    Batch::new(RECORDS, Buffers { features, labels, indices: Vec::new() }).unwrap()
}

fn gradients(model: &Model, parameters: &Parameters, batch: &Batch) -> (f32, BTreeMap<usize, Vec<f32>>) {
    let mut all = BTreeMap::new();
    let mut emit = |variable: usize, gradient: &[f32]| assert!(all.insert(variable, gradient.to_vec()).is_none());
    let figures = model.train(parameters, batch, KEY, &mut Workspace::default(), &mut emit).unwrap();
    (figures.loss_sum, all)
}

// Whether every gradient is the slope of the loss.
fn check(json: &str, input: &Input) {
    let (model, batch) = (made(json, input, 1), batch(input));
    let mut parameters = drawn(&model);
    let (_, all) = gradients(&model, &parameters, &batch);
    assert_eq!(all.len(), model.variables().len());
    for (variable, gradient) in &all {
        let name = &model.variables()[*variable].name;
        if name == "tfcoord/curve" || *variable == model.variables().len() - 1 {
            continue;
        }
        let largest = gradient.iter().fold(0.1f32, |a, b| a.max(b.abs()));
        for (at, value) in gradient.iter().enumerate() {
            let mut loss = |step: f32| {
                parameters.values_mut(*variable)[at] += step;
                gradients(&model, &parameters, &batch).0
            };
            let (above, below) = (loss(STEP), loss(-2.0 * STEP));
            loss(STEP);
            let slope = (above - below) / (2.0 * STEP);
            assert!((slope - value).abs() < 5e-3 * largest, "{name}[{at}]: {value} instead of {slope}");
        }
    }
    for threads in [2, 3] {
        let other = made(json, input, threads);
        assert_eq!(gradients(&other, &parameters, &batch), gradients(&model, &parameters, &batch), "{threads} threads");
    }
}

fn table() -> Input {
    let column = |name: &str, features| InputColumn { name: name.into(), features, categories: 0 };
    Input { shape: vec![6], columns: vec![column("a", 1), column("b", 3), column("c", 2)], classes: 2 }
}

#[test]
fn gradients_of_two_ways_through_a_picture() {
    check(
        r#"{"layers": [
        {"name": "small", "input": "features", "conv2d": {"filters": 2, "kernel": 1, "activation": "tanh"}},
        {"name": "large", "input": "features", "conv2d": {"filters": 3, "kernel": 3, "padding": "same", "activation": "tanh"}},
        {"input": ["small", "features", "large", "small"], "average_pool2d": {"size": 2}},
        {"residual": {"layers": [{"conv2d": {"filters": 9, "kernel": 3, "padding": "same", "activation": "tanh"}},
            {"residual": {"layers": [{"activation": "sigmoid"}, {"conv2d": {"filters": 9, "kernel": 1}}]}}]}},
        {"flatten": {}}, {"dense": {"units": 2}}], "loss": "softmax_cross_entropy"}"#,
        &Input::plain(&[2, 4, 6], 2),
    );
}

#[test]
fn gradients_of_columns_seen_several_times() {
    check(
        r#"{"layers": [
        {"name": "x", "input": ["c", "a"], "dense": {"units": 4, "activation": "tanh"}},
        {"name": "y", "input": "b", "dense": {"units": 4, "activation": "sigmoid"}},
        {"name": "sum", "input": ["x", "y", "x"], "add": {}},
        {"name": "all", "input": ["sum", "y", "a"], "concatenate": {}},
        {"name": "deep", "dense": {"units": 1}},
        {"name": "wide", "input": "numbers", "dense": {"units": 1, "bias": false}},
        {"input": ["wide", "deep"], "add": {}}], "loss": "binary_cross_entropy"}"#,
        &table(),
    );
}

#[test]
fn gradients_of_a_reconstruction() {
    let json = r#"{"preset": {"autoencoder": {"hidden": [5], "code": 2, "activation": "tanh"}}, "loss": "reconstruction"}"#;
    check(json, &Input::plain(&[2, 2, 3], 2));
    // Without a flatten layer the output is turned back to the order of the features.
    let json = r#"{"layers": [{"conv2d": {"filters": 2, "kernel": 3, "padding": "same"}}], "loss": "reconstruction"}"#;
    check(json, &Input::plain(&[2, 4, 3], 2));
}

#[test]
fn an_error_is_predicted_and_tells_classes_apart() {
    let json = r#"{"layers": [{"dense": {"units": 2}}], "loss": "reconstruction", "metrics": ["auc"]}"#;
    let model = made(json, &Input::plain(&[2], 2), 1);
    // All outputs are 0: the error is the mean square of the features.
    let parameters = Parameters::new(model.variables()).unwrap();
    let features = vec![0.0, 0.0, 2.0, 0.0, 0.5, 0.5, 3.0, 1.0];
    let buffers = Buffers { features, labels: Labels::Classes(vec![0, 1, 0, 1]), indices: Vec::new() };
    let batch = Batch::new(4, buffers).unwrap();
    let counts = model.evaluate(&parameters, &batch, &mut Workspace::default()).unwrap();
    assert_eq!((counts.auc(), counts.loss(), counts.correct), (Some(1.0), Some((0.0 + 2.0 + 0.25 + 5.0) / 4.0), 0));
    let expected = [0.0, 2.0, 0.25, 5.0].map(Prediction::Error);
    assert_eq!(model.predict(&parameters, &batch, &mut Workspace::default()).unwrap(), expected);
    assert_eq!(model.classes(), 0);
}

#[test]
fn presets_are_their_layers() {
    let variables = |json: &str, input: &Input| -> Vec<Vec<u32>> {
        made(json, input, 1).variables().iter().map(|variable| variable.shape.clone()).collect()
    };
    let picture = Input::plain(&[1, 8, 8], 3);
    let curve = vec![3];
    let softmax = variables(r#"{"preset": {"softmax": {}}, "loss": "softmax_cross_entropy"}"#, &picture);
    assert_eq!(softmax, [vec![64, 3], vec![3], curve.clone()]);
    let mlp = variables(r#"{"preset": {"mlp": {"hidden": [7, 5], "dropout": 0.1}}, "loss": "softmax_cross_entropy"}"#, &picture);
    assert_eq!(mlp, [vec![64, 7], vec![7], vec![7, 5], vec![5], vec![5, 3], vec![3], curve.clone()]);
    let cnn = variables(r#"{"preset": {"cnn": {"filters": [2, 4], "hidden": [6]}}, "loss": "softmax_cross_entropy"}"#, &picture);
    let expected = [vec![2, 1, 3, 3], vec![2], vec![4, 2, 3, 3], vec![4], vec![16, 6], vec![6], vec![6, 3], vec![3], curve.clone()];
    assert_eq!(cnn, expected);
    let autoencoder = variables(r#"{"preset": {"autoencoder": {"hidden": [9], "code": 4}}, "loss": "reconstruction"}"#, &picture);
    assert_eq!(autoencoder, [vec![64, 9], vec![9], vec![9, 4], vec![4], vec![4, 9], vec![9], vec![9, 64], vec![64], curve]);
}
