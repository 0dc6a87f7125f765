//! Whole models learn: their gradients point downhill together.

use super::{KEY, initial, model};
use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Labels, Model, Parameters, StepKey, Workspace};
use tfcoord_types::draw::Stream;
use tfcoord_types::variable::Group;

const RECORDS: usize = 64;

// Pictures of 8 x 8 with a bright bar, in row or column; the class says which way it lies.
fn bars(step: u64) -> Batch {
    let mut stream = Stream::new("bars", &[step]);
    let (mut features, mut classes) = (vec![0.0; RECORDS * 64], Vec::new());
    for picture in features.chunks_mut(64) {
        let (class, line) = (stream.below(2) as u32, stream.below(8) as usize);
        picture.fill_with(|| 0.5 * stream.unit());
        for i in 0..8 {
            picture[if class == 0 { line * 8 + i } else { i * 8 + line }] = 1.0;
        }
        classes.push(class);
    }
    Batch::new(RECORDS, Buffers { features, labels: Labels::Classes(classes), indices: vec![] }).unwrap()
}

fn descend(model: &Model, parameters: &mut Parameters, batch: fn(u64) -> Batch, steps: u64) {
    for step in 0..steps {
        let mut updates = Vec::new();
        let mut emit = |variable: usize, gradient: &[f32]| updates.push((variable, gradient.to_vec()));
        model.train(parameters, &batch(step), StepKey { step, ..KEY }, &mut Workspace::default(), &mut emit).unwrap();
        for (variable, sums) in updates {
            for (value, sum) in parameters.values_mut(variable).iter_mut().zip(sums) {
                let mean = sum / RECORDS as f32;
                match model.variables()[variable].group {
                    Group::Train => *value -= 0.1 * mean,
                    Group::Average { momentum } => *value = momentum * *value + (1.0 - momentum) * mean,
                    Group::Curve | Group::Add => {}
                }
            }
        }
    }
}

fn check(json: &str, input: &[u32], steps: u64) {
    check_with(json, input, bars, steps);
}

fn check_with(json: &str, input: &[u32], batch: fn(u64) -> Batch, steps: u64) {
    let model = model(json, input, 2);
    let mut parameters = initial(&model);
    descend(&model, &mut parameters, batch, steps);
    let counts = model.evaluate(&parameters, &batch(1_000_000), &mut Workspace::default()).unwrap();
    assert!(counts.accuracy().unwrap() > 0.95, "{:?} {:?}", counts.accuracy(), counts.loss());
}

#[test]
fn a_cnn_with_norms_and_dropout_learns() {
    check(
        r#"{"layers": [{"conv2d": {"filters": 8, "kernel": 3, "padding": "same"}}, {"batch_norm": {}}, {"activation": "relu"},
        {"max_pool2d": {"size": 2}}, {"conv2d": {"filters": 8, "kernel": 3, "activation": "gelu"}}, {"average_pool2d": {"size": 2}},
        {"flatten": {}}, {"layer_norm": {}}, {"dropout": {"rate": 0.1}}, {"dense": {"units": 2}}], "loss": "softmax_cross_entropy"}"#,
        &[1, 8, 8],
        150,
    );
}

// Every feature of a bar's picture is a token: whether it is bright, and where it is.
fn tokens(step: u64) -> Batch {
    let Buffers { features, labels, indices } = bars(step).into_buffers();
    let token = |(at, value): (usize, &f32)| (at % 64 * 2 + usize::from(*value == 1.0)) as f32;
    Batch::new(RECORDS, Buffers { features: features.iter().enumerate().map(token).collect(), labels, indices }).unwrap()
}

#[test]
fn a_bag_of_rows_learns() {
    let json = r#"{"layers": [{"embedding_bag": {"dim": 16, "vocabulary": 128}}, {"dense": {"units": 32, "activation": "relu", "init": "he"}},
        {"dense": {"units": 2}}], "loss": "softmax_cross_entropy"}"#;
    check_with(json, &[64], tokens, 400);
}

#[test]
fn a_model_with_one_logit_learns() {
    check(
        r#"{"layers": [{"conv2d": {"filters": 8, "kernel": [1, 8], "activation": "relu"}}, {"flatten": {}},
        {"dense": {"units": 16, "activation": "tanh"}}, {"batch_norm": {}}, {"dense": {"units": 1}}], "loss": "binary_cross_entropy"}"#,
        &[1, 8, 8],
        150,
    );
}

// The rows of the picture are the steps.
#[test]
fn recurrent_models_learn() {
    for layers in [
        r#"{"lstm": {"units": 16}}"#,
        r#"{"gru": {"units": 16}}"#,
        r#"{"lstm": {"units": 16, "sequences": true}}, {"gru": {"units": 16, "sequences": true}}, {"flatten": {}}"#,
    ] {
        check(&format!(r#"{{"layers": [{layers}, {{"dense": {{"units": 2}}}}], "loss": "softmax_cross_entropy"}}"#), &[8, 8], 300);
    }
}
