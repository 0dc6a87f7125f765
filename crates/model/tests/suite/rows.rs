//! Models whose features name rows of a table, and values in other dimensions.

use super::{KEY, initial, model};
use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Error, Labels, Model, Parameters, Workspace};

const TOKENS: &str = r#"{"layers": [{"embedding": {"dim": 6, "vocabulary": 9}}, {"flatten": {}}, {"dense": {"units": 3}}],
    "loss": "softmax_cross_entropy"}"#;
const BAG: &str = r#"{"layers": [{"embedding_bag": {"dim": 6, "vocabulary": 9, "mode": "mean"}}, {"dense": {"units": 3}}],
    "loss": "softmax_cross_entropy"}"#;

fn batch(features: &[f32], each: usize) -> Batch {
    let records = features.len() / each;
    let labels = Labels::Classes((0..3).cycle().take(records).collect());
    Batch::new(records, Buffers { features: features.to_vec(), labels, indices: vec![] }).unwrap()
}

fn train(model: &Model, parameters: &Parameters, batch: &Batch, workspace: &mut Workspace) -> Vec<(usize, Vec<f32>)> {
    let mut emitted = Vec::new();
    model.train(parameters, batch, KEY, workspace, &mut |variable, sums| emitted.push((variable, sums.to_vec()))).unwrap();
    emitted
}

#[test]
fn a_value_that_names_no_row_is_told_before_anything_is_computed() {
    for json in [TOKENS, BAG] {
        let model = model(json, &[4], 3);
        let (parameters, mut workspace) = (initial(&model), Workspace::default());
        for bad in [9.0, -1.0, 0.5, f32::NAN, f32::INFINITY, 1e30] {
            let mut features = vec![3.0; 40 * 4];
            features[37 * 4 + 2] = bad;
            let batch = batch(&features, 4);
            let mut emit = |_: usize, _: &[f32]| panic!("emitted");
            for error in [
                model.train(&parameters, &batch, KEY, &mut workspace, &mut emit).unwrap_err(),
                model.evaluate(&parameters, &batch, &mut workspace).unwrap_err(),
                model.predict(&parameters, &batch, &mut workspace).unwrap_err(),
            ] {
                assert!(matches!(error, Error::Row { record: 37, place: 2, last: 8, .. }), "{error}");
                assert!(error.to_string().contains("embedding"), "{error}");
            }
        }
    }
}

#[test]
fn only_rows_that_occur_have_gradients_and_no_step_sees_the_one_before() {
    for json in [TOKENS, BAG] {
        let model = model(json, &[2], 3);
        let (parameters, mut workspace) = (initial(&model), Workspace::default());
        for rows in [[1.0, 8.0, 8.0, 8.0], [0.0, 1.0, 4.0, 1.0], [5.0, 5.0, 5.0, 5.0]] {
            let batch = batch(&rows, 2);
            let emitted = train(&model, &parameters, &batch, &mut workspace);
            assert_eq!(emitted, train(&model, &parameters, &batch, &mut Workspace::default()));
            let (_, sums) = emitted.iter().find(|(variable, _)| *variable == 0).unwrap();
            for (row, sums) in sums.chunks(6).enumerate() {
                assert_eq!(sums.iter().any(|sum| *sum != 0.0), rows.contains(&(row as f32)), "row {row}");
            }
        }
    }
}

#[test]
fn models_may_share_a_workspace() {
    let mut workspace = Workspace::default();
    for (json, each) in [(TOKENS, 3), (BAG, 5), (TOKENS, 8), (super::EVERYTHING, 220), (BAG, 1)] {
        let (input, classes) = if each == 220 { (vec![2, 10, 11], 5) } else { (vec![each], 3) };
        let model = model(json, &input, classes);
        let features: Vec<f32> = (0..each * 7).map(|n| (n * 5 % 9) as f32).collect();
        let (parameters, batch) = (initial(&model), batch(&features, each as usize));
        let alone = train(&model, &parameters, &batch, &mut Workspace::default());
        assert_eq!(train(&model, &parameters, &batch, &mut workspace), alone);
    }
}

#[test]
fn reshaped_values_are_counted_channel_by_channel() {
    let rest = r#"{"conv2d": {"filters": 3, "kernel": 2}}, {"flatten": {}}, {"dense": {"units": 3}}"#;
    let with = |before: &str| format!(r#"{{"layers": [{before}{rest}], "loss": "softmax_cross_entropy"}}"#);
    let features: Vec<f32> = (0..5 * 24).map(|n| (n % 7) as f32).collect();
    let emitted = |json: &str, input: &[u32]| {
        let model = model(json, input, 3);
        let mut parameters = initial(&model);
        // Layers have other names by their places.
        (0..4).for_each(|variable| parameters.values_mut(variable).iter_mut().zip(1u8..).for_each(|(v, n)| *v = f32::from(n % 11) / 11.0));
        train(&model, &parameters, &batch(&features, 24), &mut Workspace::default())
    };
    let expected = emitted(&with(""), &[2, 3, 4]);
    assert_eq!(emitted(&with(r#"{"reshape": {"shape": [2, 3, 4]}}, "#), &[24]), expected);
    assert_eq!(emitted(&with(r#"{"reshape": {"shape": [2, 3, 4]}}, "#), &[4, 3, 2]), expected);
    // A picture that was computed place by place goes back to channel by channel.
    let last = r#"{"reshape": {"shape": [3, 6]}}, {"flatten": {}}, {"dense": {"units": 3}}"#;
    assert_eq!(emitted(&with("").replace(r#"{"flatten": {}}, {"dense": {"units": 3}}"#, last), &[2, 3, 4]), expected);
}
