//! Against candle's own operations and its automatic differentiation.

use super::{Case, ONE, spec};
use candle_core::{DType, Device, Result, Tensor, Var};
use tfcoord_types::variable::Variable;

fn var(values: &[f32], shape: &[usize]) -> Var {
    Var::from_slice(values, shape, &Device::Cpu).unwrap()
}

fn near(what: &str, ours: &[f32], theirs: &Tensor) {
    let theirs: Vec<f32> = theirs.flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(1e-6f32, |largest, v| largest.max(v.abs()));
    for (at, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        assert!((a - b).abs() <= 1e-5 * largest, "{what} [{at}]: {a}, candle has {b}");
    }
}

fn tensor(values: &[f32], records: usize, shape: &[u32]) -> Tensor {
    let shape: Vec<usize> = std::iter::once(records).chain(shape.iter().map(|d| *d as usize)).collect();
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

// `theirs` computes the layer from its input and variables.
fn compare(json: &str, input: &[u32], records: usize, theirs: impl Fn(&Tensor, &[Var]) -> Result<Tensor>) {
    let case = Case::new(&spec(json), input, records, 11).unwrap();
    let back = case.run(&ONE);
    let x = Var::from_tensor(&tensor(&case.input, records, input)).unwrap();
    let shape = |variable: &Variable| variable.shape.iter().map(|d| *d as usize).collect::<Vec<_>>();
    let variables: Vec<Var> = case.variables.iter().enumerate().map(|(at, v)| var(case.parameters.values(at), &shape(v))).collect();
    let y = theirs(x.as_tensor(), &variables).unwrap();
    near("output", &back.output, &y);
    let gradients = (y * tensor(&case.gradient, records, &case.shape.output)).unwrap().sum_all().unwrap().backward().unwrap();
    match gradients.get(&x) {
        Some(gradient) => near("gradient by the input", &back.input_gradient, gradient),
        None => assert!(back.input_gradient.iter().all(|slope| *slope == 0.0), "names have no slope"),
    }
    for (at, variable) in variables.iter().enumerate() {
        near(&case.variables[at].name, &back.emitted[&at], gradients.get(variable).unwrap());
    }
}

#[test]
fn conv2d() {
    for (kernel, stride, padding, records) in
        [(3, 1, "valid", 4), (3, 2, "valid", 3), (5, 1, "same", 2), (1, 1, "valid", 1), (3, 1, "same", 9)]
    {
        let json = format!(r#"{{"conv2d": {{"filters": 6, "kernel": {kernel}, "stride": {stride}, "padding": "{padding}"}}}}"#);
        let around = if padding == "same" { kernel / 2 } else { 0 };
        compare(&json, &[3, 13, 11], records, |x, variables| {
            x.conv2d(&variables[0], around, stride, 1, 1)?.broadcast_add(&variables[1].reshape((1, 6, 1, 1))?)
        });
    }
}

#[test]
fn grouped_conv2d() {
    for (groups, filters, stride, records) in [(2, 6, 1, 3), (4, 4, 1, 2), (4, 4, 2, 1), (4, 8, 1, 2)] {
        let json = format!(r#"{{"conv2d": {{"filters": {filters}, "kernel": 3, "stride": {stride}, "groups": {groups}, "bias": false}}}}"#);
        compare(&json, &[4, 13, 11], records, |x, variables| x.conv2d(&variables[0], 0, stride, 1, groups));
    }
}

#[test]
fn dense() {
    compare(r#"{"dense": {"units": 7}}"#, &[20], 5, |x, variables| x.matmul(&variables[0])?.broadcast_add(&variables[1]));
    compare(r#"{"dense": {"units": 7, "bias": false, "activation": "relu"}}"#, &[20], 5, |x, variables| x.matmul(&variables[0])?.relu());
}

// Column number `at` of parts of equal width, `value` of them.
fn gate(values: &Tensor, at: usize, gates: usize) -> Result<Tensor> {
    let units = values.dim(1)? / gates;
    values.narrow(1, at * units, units)
}

fn sigmoid(x: &Tensor) -> Result<Tensor> {
    (x.neg()?.exp()? + 1.0)?.recip()
}

fn outputs(steps: &[Tensor], sequences: bool) -> Result<Tensor> {
    if sequences { Tensor::stack(steps, 1) } else { Ok(steps[steps.len() - 1].clone()) }
}

#[test]
fn lstm() {
    for (records, units, steps, sequences) in [(5, 7, 4, false), (21, 20, 6, true), (1, 33, 9, false), (3, 1, 1, true)] {
        let json = format!(r#"{{"lstm": {{"units": {units}, "sequences": {sequences}}}}}"#);
        compare(&json, &[steps, 5], records, |x, variables| {
            let (mut h, mut c) =
                (Tensor::zeros((records, units), DType::F32, &Device::Cpu)?, Tensor::zeros((records, units), DType::F32, &Device::Cpu)?);
            let mut all = Vec::new();
            for step in 0..steps as usize {
                let x = x.narrow(1, step, 1)?.squeeze(1)?.contiguous()?;
                let sums = (x.matmul(&variables[0])? + h.matmul(&variables[1])?)?.broadcast_add(&variables[2])?;
                let (i, f) = (sigmoid(&gate(&sums, 0, 4)?)?, sigmoid(&gate(&sums, 1, 4)?)?);
                let (g, o) = (gate(&sums, 2, 4)?.tanh()?, sigmoid(&gate(&sums, 3, 4)?)?);
                c = ((f * c)? + (i * g)?)?;
                h = (o * c.tanh()?)?;
                all.push(h.clone());
            }
            outputs(&all, sequences)
        });
    }
}

#[test]
fn gru() {
    for (records, units, steps, sequences) in [(5, 7, 4, false), (21, 20, 6, true), (1, 33, 9, false), (3, 1, 1, true)] {
        let json = format!(r#"{{"gru": {{"units": {units}, "sequences": {sequences}}}}}"#);
        compare(&json, &[steps, 5], records, |x, variables| {
            let mut h = Tensor::zeros((records, units), DType::F32, &Device::Cpu)?;
            let mut all = Vec::new();
            for step in 0..steps as usize {
                let x = x.narrow(1, step, 1)?.squeeze(1)?.contiguous()?;
                let (x, u) =
                    (x.matmul(&variables[0])?.broadcast_add(&variables[2])?, h.matmul(&variables[1])?.broadcast_add(&variables[3])?);
                let r = sigmoid(&(gate(&x, 0, 3)? + gate(&u, 0, 3)?)?)?;
                let z = sigmoid(&(gate(&x, 1, 3)? + gate(&u, 1, 3)?)?)?;
                let n = (gate(&x, 2, 3)? + (r * gate(&u, 2, 3)?)?)?.tanh()?;
                h = (&n + (z * (h - &n)?)?)?;
                all.push(h.clone());
            }
            outputs(&all, sequences)
        });
    }
}

#[test]
fn pooling() {
    // Forward only: candle's gradient of a maximum is a quarter of what it should be for windows of 2 x 2.
    let case = Case::new(&spec(r#"{"max_pool2d": {"size": 3, "stride": 2}}"#), &[3, 9, 8], 4, 11).unwrap();
    near("output", &case.run(&ONE).output, &tensor(&case.input, 4, &[3, 9, 8]).max_pool2d_with_stride(3, 2).unwrap());
    compare(r#"{"average_pool2d": {"size": 2}}"#, &[3, 8, 8], 4, |x, _| x.avg_pool2d(2));
}

#[test]
fn activations() {
    compare(r#"{"activation": "relu"}"#, &[50], 4, |x, _| x.relu());
    compare(r#"{"activation": "tanh"}"#, &[50], 4, |x, _| x.tanh());
    compare(r#"{"activation": "gelu"}"#, &[50], 4, |x, _| x.gelu_erf());
}

#[test]
fn embeddings() {
    let rows = |x: &Tensor, table: &Var| {
        let (records, values) = x.dims2()?;
        table.index_select(&x.flatten_all()?.to_dtype(DType::U32)?, 0)?.reshape((records, values, 12))
    };
    compare(r#"{"embedding": {"dim": 12, "vocabulary": 30}}"#, &[7], 9, |x, variables| rows(x, &variables[0]));
    compare(r#"{"embedding_bag": {"dim": 12, "vocabulary": 30}}"#, &[7], 9, |x, variables| rows(x, &variables[0])?.sum(1));
    compare(r#"{"embedding_bag": {"dim": 12, "vocabulary": 30, "mode": "mean"}}"#, &[7], 9, |x, variables| rows(x, &variables[0])?.mean(1));
}
