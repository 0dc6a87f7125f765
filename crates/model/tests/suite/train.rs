use super::{EVERYTHING, KEY, batch, features, initial, model, spec, with_threads};
use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Error, Isa, Labels, Model, Options, Parameters, StepKey, Workspace};
use tfcoord_types::job::Input;
use tfcoord_types::variable::Group;

// A model, its parameters and batches go from thread to thread.
const _: () = {
    const fn sent<T: Send + Sync>() {}
    sent::<Model>();
    sent::<Parameters>();
    sent::<Batch>();
};

type Emitted = Vec<(usize, Vec<u32>)>;

fn train(model: &Model, parameters: &Parameters, batch: &Batch, key: StepKey) -> Result<Emitted, Error> {
    let mut emitted = Vec::new();
    let mut emit = |variable: usize, gradient: &[f32]| emitted.push((variable, gradient.iter().map(|v| v.to_bits()).collect()));
    model.train(parameters, batch, key, &mut Workspace::default(), &mut emit)?;
    Ok(emitted)
}

#[test]
fn variables_are_named_and_placed() {
    let model = model(EVERYTHING, &[2, 10, 11], 5);
    let names: Vec<_> = model.variables().iter().map(|v| format!("{} {:?}", v.name, v.shape)).collect();
    assert_eq!(
        names,
        [
            "conv2d_0/kernel [4, 2, 3, 3]",
            "conv2d_0/bias [4]",
            "batch_norm_1/scale [4]",
            "batch_norm_1/shift [4]",
            "batch_norm_1/moving_mean [4]",
            "batch_norm_1/moving_variance [4]",
            "conv2d_3/kernel [3, 4, 2, 3]",
            "layer_norm_7/scale [9]",
            "layer_norm_7/shift [9]",
            "dense_9/kernel [9, 9]",
            "dense_9/bias [9]",
            "batch_norm_10/scale [9]",
            "batch_norm_10/shift [9]",
            "batch_norm_10/moving_mean [9]",
            "batch_norm_10/moving_variance [9]",
            "dense_11/kernel [9, 5]",
            "dense_11/bias [5]",
            "curve [3]",
        ]
    );
    let limits: Vec<_> = model.variables().iter().map(|v| v.initializer).collect();
    let glorot = |fans: f64| tfcoord_types::variable::Initializer::Uniform { limit: (6.0 / fans).sqrt() as f32 };
    assert_eq!((limits[0], limits[15]), (glorot(54.0), glorot(14.0)));
    assert_eq!(model.variables()[17].group, Group::Curve);
}

#[test]
fn every_variable_is_emitted_once_and_top_layers_come_first() {
    let model = model(EVERYTHING, &[2, 10, 11], 5);
    let emitted = train(&model, &initial(&model), &batch(6, 220, 5), KEY).unwrap();
    let order: Vec<_> = emitted.iter().map(|(variable, _)| *variable).collect();
    assert_eq!(order, [17, 15, 16, 11, 12, 13, 14, 9, 10, 7, 8, 6, 2, 3, 4, 5, 0, 1]);
    for (variable, gradient) in &emitted {
        assert_eq!(gradient.len() as u64, model.variables()[*variable].elements().unwrap());
        assert!(gradient.iter().any(|bits| *bits != 0), "{}", model.variables()[*variable].name);
    }
}

#[test]
fn bits_follow_from_parameters_batch_and_key() {
    let one = model(EVERYTHING, &[2, 10, 11], 5);
    let parameters = initial(&one);
    for records in [1, 3, 17] {
        let batch = batch(records, 220, 5);
        let emitted = train(&one, &parameters, &batch, KEY).unwrap();
        assert!(emitted == train(&one, &parameters, &batch, KEY).unwrap());
        for threads in 2..=4 {
            let more = with_threads(EVERYTHING, &[2, 10, 11], 5, threads);
            assert!(emitted == train(&more, &parameters, &batch, KEY).unwrap(), "{records} records, {threads} threads");
        }
        assert!(emitted != train(&one, &parameters, &batch, StepKey { lane: 1, ..KEY }).unwrap());
    }
}

#[test]
fn gradients_are_sums() {
    let json = r#"{"layers": [{"dense": {"units": 4, "activation": "tanh"}}, {"dense": {"units": 3}}], "loss": "softmax_cross_entropy"}"#;
    let model = model(json, &[6], 3);
    let parameters = initial(&model);
    let sums = |batch: &Batch, sums: &mut Vec<Vec<f64>>| {
        let mut emit = |variable: usize, gradient: &[f32]| {
            sums.resize_with(model.variables().len(), Vec::new);
            sums[variable].resize(gradient.len(), 0.0);
            sums[variable].iter_mut().zip(gradient).for_each(|(sum, value)| *sum += f64::from(*value));
        };
        model.train(&parameters, batch, KEY, &mut Workspace::default(), &mut emit).unwrap();
    };
    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    sums(&batch(5, 6, 3), &mut whole);
    let Buffers { features, labels, .. } = batch(5, 6, 3).into_buffers();
    let Labels::Classes(labels) = labels else { panic!("classes") };
    for (row, label) in features.chunks(6).zip(labels) {
        let buffers = Buffers { features: row.to_vec(), labels: Labels::Classes(vec![label]), indices: vec![] };
        sums(&Batch::new(1, buffers).unwrap(), &mut parts);
    }
    for (a, b) in whole.iter().flatten().zip(parts.iter().flatten()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn the_counting_model_counts_records() {
    let model = model(r#"{"kind": "counting"}"#, &[2], 0);
    let counted = |indices: Vec<u64>| {
        let buffers = Buffers { features: vec![], labels: Labels::None, indices };
        train(&model, &initial(&model), &Batch::new(3, buffers).unwrap(), KEY)
    };
    let emitted = counted(vec![11, 0, 4]).unwrap();
    let mut counts = [0.0f32; 12];
    for at in [0, 4, 11] {
        counts[at] = 1.0;
    }
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(emitted, [(1, bits(&[0.0, 3.0, 0.0])), (0, bits(&counts))]);
    assert!(counted(vec![0, 1, 12]).unwrap_err().to_string().contains("record 12"));
    assert!(counted(vec![]).unwrap_err().to_string().contains("indices"));
}

const TWO: &str =
    r#"{"layers": [{"dense": {"units": 4, "activation": "relu"}}, {"dense": {"units": 2}}], "loss": "softmax_cross_entropy"}"#;

fn culprit(json: &str, labels: Labels, change: impl FnOnce(&mut Parameters, &mut Vec<f32>)) -> String {
    let model = model(json, &[3], if matches!(labels, Labels::Classes(_)) { 2 } else { 0 });
    let (mut parameters, mut features) = (initial(&model), features(2, 3, 1));
    change(&mut parameters, &mut features);
    let batch = Batch::new(2, Buffers { features, labels, indices: vec![] }).unwrap();
    let mut emit = |_: usize, _: &[f32]| panic!("emitted although the loss is not finite");
    match model.train(&parameters, &batch, KEY, &mut Workspace::default(), &mut emit).unwrap_err() {
        Error::NotFinite { tensor } => tensor,
        other => panic!("{other}"),
    }
}

#[test]
fn the_first_tensor_that_is_not_finite_is_named() {
    let classes = || Labels::Classes(vec![0, 1]);
    assert_eq!(culprit(TWO, classes(), |_, features| features[4] = f32::NAN), "features");
    assert_eq!(culprit(TWO, classes(), |parameters, _| parameters.values_mut(0)[3] = f32::NAN), "dense_0/kernel");
    assert_eq!(culprit(TWO, classes(), |parameters, _| parameters.values_mut(3)[1] = f32::INFINITY), "dense_1/bias");
    assert_eq!(culprit(TWO, classes(), |parameters, _| parameters.values_mut(0).fill(3e38)), "dense_0/output");
    let mse = r#"{"layers": [{"dense": {"units": 1}}], "loss": "mse"}"#;
    let numbers = || Labels::Numbers(vec![1.0, 2.0]);
    assert_eq!(culprit(mse, numbers(), |parameters, _| parameters.values_mut(0).fill(1e30)), "loss");
    assert_eq!(culprit(mse, Labels::Numbers(vec![1.0, f32::NAN]), |_, _| ()), "labels");
}

#[test]
fn what_does_not_fit_is_refused() {
    let model = model(TWO, &[3], 2);
    let parameters = initial(&model);
    let refused = |parameters: &Parameters, records: usize, features: usize, labels: Labels| {
        let batch = Batch::new(records, Buffers { features: vec![0.0; features], labels, indices: vec![] }).unwrap();
        train(&model, parameters, &batch, KEY).unwrap_err().to_string()
    };
    let classes = |label: u32| Labels::Classes(vec![0, label]);
    assert!(refused(&parameters, 2, 8, classes(1)).contains("4 features a record"));
    assert!(refused(&parameters, 2, 6, classes(2)).contains("record 1 of the batch has label 2"));
    assert!(refused(&parameters, 2, 6, Labels::None).contains("labels"));
    assert!(refused(&parameters, 2, 6, Labels::Numbers(vec![0.0; 2])).contains("labels"));
    let other = Parameters::new(&model.variables()[1..]).unwrap();
    assert!(refused(&other, 2, 6, classes(1)).contains("another model"));
}

#[test]
fn models_that_cannot_be_are_refused() {
    let refused = |json: &str, input: &[u32], classes: u32| {
        let options = Options { threads: 1, train_records: 0, isa: Isa::detect() };
        Model::new(&spec(json), &Input::plain(input, classes), options).err().unwrap().to_string()
    };
    assert!(refused(TWO, &[3, 3], 2).contains("flatten"));
    assert!(refused(TWO, &[3], 3).contains("one output a class"));
    assert!(refused(TWO, &[0], 2).contains("features that cannot be"));
    assert!(refused(r#"{"layers": []}"#, &[3], 2).contains("no layers"));
    assert!(refused(r#"{"layers": [{"dense": {"units": 2}}]}"#, &[3], 2).contains("no loss"));
    assert!(refused(r#"{"kind": "counting"}"#, &[3], 2).contains("count 0 records"));
    let huge = r#"{"layers": [{"dense": {"units": 4000000000}}, {"dense": {"units": 2}}], "loss": "softmax_cross_entropy"}"#;
    assert!(refused(huge, &[4_000_000_000], 2).contains("parameters"));
    let gates = r#"{"layers": [{"lstm": {"units": 1073741823}}, {"dense": {"units": 2}}], "loss": "softmax_cross_entropy"}"#;
    assert!(refused(gates, &[1_000_000, 4000], 2).contains("parameters"));
    assert!(refused(gates, &[4], 2).contains("two dimensions"));
    let wide = r#"{"layers": [{"conv2d": {"filters": 4294967295, "kernel": 4096, "padding": "same"}}, {"flatten": {}},
        {"dense": {"units": 2}}], "loss": "softmax_cross_entropy"}"#;
    assert!(refused(wide, &[64, 1, 1], 2).contains("larger than memory"));
    assert!(refused(wide, &[1, 1_000_000_000, 4], 2).contains("at most 1048576 places"));
}
