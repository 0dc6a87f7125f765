use super::{EVERYTHING, KEY, batch, features, initial, model};
use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Error, Labels, Prediction, Workspace};

#[test]
fn counts_agree_with_predictions() {
    let model = model(EVERYTHING, &[2, 10, 11], 5);
    let parameters = initial(&model);
    let batch = batch(40, 220, 5);
    let counts = model.evaluate(&parameters, &batch, &mut Workspace::default()).unwrap();
    let predictions = model.predict(&parameters, &batch, &mut Workspace::default()).unwrap();
    let Labels::Classes(labels) = batch.into_buffers().labels else { panic!("classes") };
    let (mut confusion, mut loss) = (vec![0; 25], 0.0);
    for (prediction, label) in predictions.iter().zip(&labels) {
        let Prediction::Class { class, scores } = prediction else { panic!("a class") };
        confusion[*label as usize * 5 + *class as usize] += 1;
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(scores.iter().all(|score| *score <= scores[*class as usize]));
        loss -= f64::from(scores[*label as usize]).ln();
    }
    assert_eq!((counts.records, counts.correct), (40, (0..5).map(|c| confusion[c * 6]).sum::<u64>()));
    assert_eq!((counts.confusion, counts.bins.len()), (confusion, 0));
    assert!((f64::from_bits(counts.loss_sum_bits) - loss).abs() < 1e-4);
}

#[test]
fn the_roc_curve_is_binned() {
    let json = r#"{"layers": [{"dense": {"units": 1}}], "loss": "binary_cross_entropy", "metrics": ["auc"]}"#;
    let model = model(json, &[1], 2);
    let mut parameters = initial(&model);
    parameters.values_mut(0)[0] = 1.0;
    let logits = vec![-100.0, -0.1, 0.0, 0.1, 100.0, 100.0];
    let labels = Labels::Classes(vec![0, 1, 0, 1, 1, 0]);
    let batch = Batch::new(6, Buffers { features: logits, labels, indices: vec![] }).unwrap();
    let counts = model.evaluate(&parameters, &batch, &mut Workspace::default()).unwrap();
    assert_eq!(counts.bins, [(0, 1, 0), (1945, 0, 1), (2048, 1, 0), (2150, 0, 1), (4095, 1, 1)]);
    assert_eq!((counts.correct, counts.confusion), (4, vec![]));
    assert_eq!(
        model.predict(&parameters, &batch, &mut Workspace::default()).unwrap()[0],
        Prediction::Class { class: 0, scores: vec![1.0, 0.0] }
    );
}

#[test]
fn numbers_are_predicted() {
    let model = model(r#"{"layers": [{"dense": {"units": 1}}], "loss": "mse"}"#, &[2], 0);
    let mut parameters = initial(&model);
    parameters.values_mut(0).copy_from_slice(&[2.0, 3.0]);
    let buffers = Buffers { features: vec![1.0, 1.0, 0.0, 2.0], labels: Labels::Numbers(vec![4.0, 6.0]), indices: vec![] };
    let batch = Batch::new(2, buffers).unwrap();
    assert_eq!(model.predict(&parameters, &batch, &mut Workspace::default()).unwrap(), [Prediction::Number(5.0), Prediction::Number(6.0)]);
    let counts = model.evaluate(&parameters, &batch, &mut Workspace::default()).unwrap();
    assert_eq!((f64::from_bits(counts.loss_sum_bits), counts.correct), (1.0, 0));
    parameters.values_mut(0)[0] = f32::NAN;
    let error = model.evaluate(&parameters, &batch, &mut Workspace::default()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { tensor } if tensor == "dense_0/kernel"));
}

#[test]
fn predictions_need_no_labels_and_nothing_is_dropped_out() {
    let model = model(EVERYTHING, &[2, 10, 11], 5);
    let parameters = initial(&model);
    let unlabelled = Buffers { features: features(40, 220, 3), labels: Labels::None, indices: vec![] };
    let unlabelled = Batch::new(40, unlabelled).unwrap();
    let once = model.predict(&parameters, &unlabelled, &mut Workspace::default()).unwrap();
    assert_eq!(once, model.predict(&parameters, &batch(40, 220, 5), &mut Workspace::default()).unwrap());
    assert!(model.evaluate(&parameters, &unlabelled, &mut Workspace::default()).is_err());
    assert!(model.train(&parameters, &unlabelled, KEY, &mut Workspace::default(), &mut |_, _| ()).is_err());
}
