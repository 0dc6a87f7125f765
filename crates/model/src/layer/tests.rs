//! Every layer against float64 references, and against candle where it has the operation.

mod candle;
mod reference;
mod tiled;

use super::{Backward, Forward, Kept, Layer, Mode, Needs, Order, Pass, StepKey, Turn, build, order, values_of};
use crate::kernel::{Buffer, Isa};
use crate::parameters::Parameters;
use crate::threads::{ONE, Threads};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use reference::Reference;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;
use tfcoord_types::draw::Stream;
use tfcoord_types::job::{self, Activation, LayerShape, Padding, Pair};
use tfcoord_types::variable::{Group, Variable};

const KEY: StepKey = StepKey { seed: 1, epoch: 2, step: 3, lane: 4 };
const STEP: f64 = 1e-5;

/// A layer with parameters, an input and a gradient by its output. Pictures lie channel by channel here; the layer gets
/// them, and gives them, in its own order.
struct Case {
    spec: job::Layer,
    layer: Box<dyn Layer>,
    shape: LayerShape,
    variables: Vec<Variable>,
    parameters: Parameters,
    records: usize,
    input: Vec<f32>,
    gradient: Vec<f32>,
}

/// What came back.
struct Back {
    output: Vec<f32>,
    emitted: BTreeMap<usize, Vec<f32>>,
    input_gradient: Vec<f32>,
}

impl Case {
    /// `None` if the layer does not take such records.
    fn new(spec: &job::Layer, input: &[u32], records: usize, seed: u64) -> Option<Self> {
        let shape = LayerShape::new(spec, &format!("{}_0", spec.kind()), input, &[]).ok()?;
        let vocabulary = match *spec {
            job::Layer::Embedding { vocabulary, .. } | job::Layer::EmbeddingBag { vocabulary, .. } => vocabulary,
            _ => None,
        };
        let categories = vocabulary.map(|rows| vec![rows; values_of(input)]).unwrap_or_default();
        Self::made(spec, shape, &categories, records, seed)
    }

    /// An embedding whose values name rows of their own.
    fn of_columns(spec: &job::Layer, categories: &[u32], records: usize, seed: u64) -> Option<Self> {
        let shape = LayerShape::new(spec, spec.kind(), &[categories.len() as u32], categories).unwrap();
        Self::made(spec, shape, categories, records, seed)
    }

    // The input is of whole numbers below the `categories`, where there are any.
    fn made(spec: &job::Layer, shape: LayerShape, categories: &[u32], records: usize, seed: u64) -> Option<Self> {
        let mut variables = Vec::new();
        let layer = build(spec, 0, &shape, &mut variables).unwrap()?;
        let mut parameters = Parameters::new(&variables).unwrap();
        for place in 0..variables.len() {
            let len = parameters.values(place).len();
            parameters.values_mut(place).copy_from_slice(&draw(len, &[seed, 1, place as u64]));
        }
        let (mut input, gradient) =
            (draw(records * values_of(&shape.input), &[seed, 2]), draw(records * values_of(&shape.output), &[seed, 3]));
        if !categories.is_empty() {
            let whole = |(value, rows): (&mut f32, &u32)| *value = ((*value + 1.0) / 2.0 * *rows as f32).floor().min((*rows - 1) as f32);
            input.iter_mut().zip(categories.iter().cycle()).for_each(whole);
            layer.check(Isa::detect(), &input).unwrap();
        }
        Some(Self { spec: spec.clone(), layer, shape, variables, parameters, records, input, gradient })
    }

    // A picture layer's values from our order to its own, or back.
    fn turned(&self, values: &[f32], shape: &[u32], to: Order) -> Vec<f32> {
        let places = order(&self.spec) == Some(Order::Places);
        let Some(turn) = places.then(|| Turn::new(shape, to)).flatten() else { return values.to_vec() };
        let pass = Pass { parameters: &self.parameters, threads: &ONE, isa: Isa::detect(), mode: Mode::Evaluate };
        let mut output = vec![f32::NAN; values.len()];
        turn.forward(&pass, Forward { input: values, output: &mut output, kept: &mut Kept::default(), scratch: &mut [] });
        output
    }

    fn layer_input(&self) -> Vec<f32> {
        self.turned(&self.input, &self.shape.input, Order::Places)
    }

    fn our_output(&self, output: &[f32]) -> Vec<f32> {
        self.turned(output, &self.shape.output, Order::Channels)
    }

    /// Room as a workspace would have it, but full of what another batch has left.
    fn room(&self) -> (Vec<f32>, Kept, Vec<f32>) {
        let needs = self.layer.needs(self.records);
        let (Needs { kept, places, zeros, .. }, scratch) = (needs, needs.scratch(4));
        let mut kept = Kept { values: Buffer::new(kept).unwrap(), places: vec![u32::MAX; places], zeros: Buffer::new(zeros).unwrap() };
        kept.values.fill(f32::NAN);
        (vec![f32::NAN; self.gradient.len()], kept, vec![f32::NAN; scratch])
    }

    fn forward(&self, mode: Mode) -> Vec<f32> {
        let pass = Pass { parameters: &self.parameters, threads: &ONE, isa: Isa::detect(), mode };
        let (mut output, mut kept, mut scratch) = self.room();
        let input = &self.layer_input();
        self.layer.forward(&pass, Forward { input, output: &mut output, kept: &mut kept, scratch: &mut scratch });
        self.our_output(&output)
    }

    fn run(&self, threads: &Threads) -> Back {
        self.run_with(threads, Isa::detect())
    }

    fn run_with(&self, threads: &Threads, isa: Isa) -> Back {
        let pass = Pass { parameters: &self.parameters, threads, isa, mode: Mode::Train(KEY) };
        let (mut output, mut kept, mut scratch) = self.room();
        let input = &self.layer_input();
        self.layer.forward(&pass, Forward { input, output: &mut output, kept: &mut kept, scratch: &mut scratch });
        let back = |wants: bool, kept: &mut Kept, scratch: &mut [f32]| {
            scratch.fill(f32::NAN);
            let mut emitted = BTreeMap::new();
            let mut emit = |variable: usize, gradient: &[f32]| {
                assert!(emitted.insert(variable, gradient.to_vec()).is_none(), "variable {variable} twice");
            };
            let mut gradient = self.turned(&self.gradient, &self.shape.output, Order::Places);
            let mut input_gradient = vec![f32::NAN; self.input.len()];
            let buffers = Backward {
                input,
                output: &output,
                kept: &mut *kept,
                output_gradient: &mut gradient,
                input_gradient: wants.then_some(&mut input_gradient),
                scratch,
            };
            self.layer.backward(&pass, buffers, &mut emit);
            assert!(kept.zeros.iter().all(|value| value.to_bits() == 0), "zeros are left as they were");
            (emitted, self.turned(&input_gradient, &self.shape.input, Order::Channels))
        };
        let mut again = Kept { values: kept.values.clone(), places: kept.places.clone(), zeros: kept.zeros.clone() };
        let (emitted, input_gradient) = back(true, &mut kept, &mut scratch);
        // The lowest layer's gradients are the same without that by its input.
        assert_eq!(emitted, back(false, &mut again, &mut scratch).0);
        Back { output: self.our_output(&output), emitted, input_gradient }
    }

    fn wide(&self) -> Reference {
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let parameters = (0..self.variables.len()).map(|v| wide(self.parameters.values(v))).collect();
        Reference { spec: self.spec.clone(), shape: self.shape.clone(), parameters, input: wide(&self.input), records: self.records }
    }

    // Slope of the sum of outputs times gradients, where `nudge` adds to one value; `None` on a kink.
    fn slope(&self, nudge: impl Fn(&mut Reference, f64)) -> Option<f64> {
        let loss = |step: f64| {
            let mut reference = self.wide();
            nudge(&mut reference, step);
            reference.output().iter().zip(&self.gradient).map(|(y, g)| y * f64::from(*g)).sum::<f64>()
        };
        let (below, here, above) = (loss(-STEP), loss(0.0), loss(STEP));
        ((above - 2.0 * here + below).abs() / STEP < 1e-2).then(|| (above - below) / (2.0 * STEP))
    }

    /// Whether the bits are the same with 1 to 4 threads.
    fn same_with_more_threads(&self, one: &Back) -> Result<(), TestCaseError> {
        for threads in std::iter::once(&ONE).chain(pools()) {
            let again = self.run(threads);
            prop_assert!(bits(&one.output) == bits(&again.output), "the output with {} threads", threads.count());
            let gradients = |back: &Back| back.emitted.values().chain([&back.input_gradient]).map(|g| bits(g)).collect::<Vec<_>>();
            prop_assert!(gradients(one) == gradients(&again), "the gradients with {} threads", threads.count());
        }
        Ok(())
    }

    /// Whether output and all gradients equal the float64 ones; cases on a kink are left out.
    fn check(&self) -> Result<(), TestCaseError> {
        let back = self.run(&ONE);
        self.same_with_more_threads(&back)?;
        near("output", &back.output, &self.wide().output())?;
        let slopes = (0..self.input.len()).map(|at| self.slope(|r, step| r.input[at] += step));
        let Some(slopes) = slopes.collect::<Option<Vec<f64>>>() else { return Err(TestCaseError::reject("a kink")) };
        near("gradient by the input", &back.input_gradient, &slopes)?;
        prop_assert_eq!(back.emitted.keys().copied().collect::<Vec<_>>(), (0..self.variables.len()).collect::<Vec<_>>());
        for (place, variable) in self.variables.iter().enumerate().filter(|(_, v)| v.group == Group::Train) {
            let slopes = (0..self.parameters.values(place).len()).map(|at| self.slope(|r, step| r.parameters[place][at] += step));
            let Some(slopes) = slopes.collect::<Option<Vec<f64>>>() else { return Err(TestCaseError::reject("a kink")) };
            near(&variable.name, &back.emitted[&place], &slopes)?;
        }
        Ok(())
    }
}

// Of 2, 3 and 4 threads.
fn pools() -> &'static [Threads; 3] {
    static POOLS: OnceLock<[Threads; 3]> = OnceLock::new();
    POOLS.get_or_init(|| [2, 3, 4].map(|count| Threads::new(count).unwrap()))
}

fn near(what: &str, values: &[f32], exact: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(values.len(), exact.len());
    let largest = exact.iter().fold(1e-2, |largest: f64, v| largest.max(v.abs()));
    for (at, (value, exact)) in values.iter().zip(exact).enumerate() {
        prop_assert!((f64::from(*value) - exact).abs() <= 1e-4 * largest, "{} [{}] is {}, not {}", what, at, value, exact);
    }
    Ok(())
}

fn draw(len: usize, keys: &[u64]) -> Vec<f32> {
    let mut stream = Stream::new("layer test", keys);
    (0..len).map(|_| 2.0 * stream.unit() - 1.0).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn check(spec: &job::Layer, input: &[u32], records: usize, seed: u64) -> Result<(), TestCaseError> {
    match Case::new(spec, input, records, seed) {
        Some(case) => case.check(),
        None => Err(TestCaseError::reject("does not take such records")),
    }
}

// The same cases every time: a gradient near a kink, or of a deviation near 0, is out of bounds in f32 now and then.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(7),
        max_global_rejects: 100_000,
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

fn activations() -> impl Strategy<Value = Option<Activation>> {
    let all = [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Gelu];
    proptest::option::of(proptest::sample::select(all.to_vec()))
}

fn pair(most: u32) -> impl Strategy<Value = Pair> {
    (1..=most, 1..=most).prop_map(|(height, width)| Pair::Each([height, width]))
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn dense(inputs in 1u32..9, units in 1u32..9, records in 1usize..6, bias: bool, activation in activations(), seed: u64) {
        check(&job::Layer::Dense { units, activation, bias, init: job::Init::Glorot }, &[inputs], records, seed)?;
    }

    #[test]
    fn conv2d(
        filters in 1u32..4, channels in 1u32..4, groups in prop_oneof![Just(1u32), 2u32..5], sides in (1u32..7, 1u32..7),
        kernel in pair(4), stride in pair(3), same: bool, bias: bool, activation in activations(), records in 1usize..4, seed: u64,
    ) {
        // Of a group, where there are several: not seldom one of each.
        let (filters, channels) = if groups == 1 { (filters, channels) } else { (filters.div_ceil(2) * groups, channels.div_ceil(2) * groups) };
        let padding = if same { Padding::Same } else { Padding::Valid };
        let layer = job::Layer::Conv2d { filters, kernel, stride, padding, groups, activation, bias, init: job::Init::Glorot };
        check(&layer, &[channels, sides.0, sides.1], records, seed)?;
    }

    #[test]
    fn embeddings(
        dim in 1u32..20, values in 1u32..6, vocabulary in 1u32..9, categories in proptest::collection::vec(1u32..7, 1..6),
        mean: bool, records in 1usize..6, seed: u64,
    ) {
        let (init, mode) = (job::Init::Normal, if mean { job::BagMode::Mean } else { job::BagMode::Sum });
        check(&job::Layer::Embedding { dim, vocabulary: Some(vocabulary), init }, &[values], records, seed)?;
        check(&job::Layer::EmbeddingBag { dim, vocabulary: Some(vocabulary), mode, init }, &[values], records, seed)?;
        let own = [job::Layer::Embedding { dim, vocabulary: None, init }, job::Layer::EmbeddingBag { dim, vocabulary: None, mode, init }];
        for layer in own {
            Case::of_columns(&layer, &categories, records, seed).unwrap().check()?;
        }
    }

    #[test]
    fn pooling(channels in 1u32..3, sides in (1u32..8, 1u32..8), size in pair(3), stride in proptest::option::of(pair(3)), records in 1usize..3, seed: u64) {
        check(&job::Layer::MaxPool2d { size, stride }, &[channels, sides.0, sides.1], records, seed)?;
        check(&job::Layer::AveragePool2d { size, stride }, &[channels, sides.0, sides.1], records, seed)?;
    }

    #[test]
    fn activation_layers(function in activations(), features in 1u32..20, records in 1usize..4, seed: u64) {
        if let Some(function) = function {
            check(&job::Layer::Activation(function), &[features], records, seed)?;
        }
    }

    // Its mask is no matter of the reference: number i of the stream is for value i.
    #[test]
    fn dropout(features in 1u32..60, records in 1usize..6, rate in 0f32..0.9, seed: u64) {
        let case = Case::new(&job::Layer::Dropout { rate }, &[features], records, seed).expect("takes all records");
        let one = case.run(&ONE);
        case.same_with_more_threads(&one)?;
        let mut stream = Stream::new("dropout", &[KEY.seed, KEY.epoch.into(), KEY.step, KEY.lane.into(), 0]);
        let factors = case.input.iter().map(|x| x * if stream.unit() >= rate { 1.0 / (1.0 - rate) } else { 0.0 });
        prop_assert_eq!(bits(&one.output), bits(&factors.collect::<Vec<_>>()));
    }

    #[test]
    fn norms(pictures: bool, features in 2u32..6, sides in (1u32..4, 2u32..4), records in 1usize..6, seed: u64) {
        let input = if pictures { vec![features, sides.0, sides.1] } else { vec![features] };
        check(&job::Layer::LayerNorm { epsilon: 1e-3 }, &input, records, seed)?;
        check(&job::Layer::BatchNorm { epsilon: 1e-3, momentum: 0.9 }, &input, records, seed)?;
    }

    #[test]
    fn recurrent(steps in 1u32..6, features in 1u32..5, units in 1u32..6, sequences: bool, records in 1usize..4, seed: u64) {
        check(&job::Layer::Lstm { units, sequences, init: job::Init::Glorot }, &[steps, features], records, seed)?;
        check(&job::Layer::Gru { units, sequences, init: job::Init::Glorot }, &[steps, features], records, seed)?;
    }
}

// More records than a block, more units than a line.
#[test]
fn recurrent_layers_of_several_blocks() {
    for (records, units) in [(16, 3), (17, 1), (35, 18)] {
        for sequences in [false, true] {
            check(&job::Layer::Lstm { units, sequences, init: job::Init::Glorot }, &[3, 2], records, 1).unwrap();
            check(&job::Layer::Gru { units, sequences, init: job::Init::Glorot }, &[3, 2], records, 1).unwrap();
        }
    }
}

fn spec(json: &str) -> job::Layer {
    serde_json::from_str(json).unwrap()
}

// Larger than the random cases: parts of more than a vector, several pictures a thread and fewer than threads.
#[test]
fn bits_are_the_same_with_more_threads() {
    for (json, input) in [
        (r#"{"dense": {"units": 130, "activation": "gelu"}}"#, &[900][..]),
        (r#"{"dense": {"units": 300, "activation": "tanh"}}"#, &[40]),
        (r#"{"conv2d": {"filters": 20, "kernel": 3, "activation": "relu"}}"#, &[10, 20, 20]),
        (r#"{"conv2d": {"filters": 20, "kernel": 3, "groups": 5}}"#, &[10, 20, 20]),
        (r#"{"conv2d": {"filters": 10, "kernel": 3, "groups": 10}}"#, &[10, 20, 20]),
        (r#"{"embedding": {"dim": 400, "vocabulary": 50}}"#, &[40]),
        (r#"{"embedding_bag": {"dim": 400, "vocabulary": 50, "mode": "mean"}}"#, &[40]),
        (r#"{"conv2d": {"filters": 50, "kernel": [3, 2], "stride": [2, 1], "padding": "same", "activation": "gelu"}}"#, &[2, 20, 19]),
        (r#"{"conv2d": {"filters": 20, "kernel": 1, "bias": false}}"#, &[10, 20, 20]),
        (r#"{"batch_norm": {}}"#, &[50, 10, 9]),
        (r#"{"batch_norm": {}}"#, &[700]),
        (r#"{"layer_norm": {}}"#, &[10, 20, 20]),
        (r#"{"max_pool2d": {"size": 3, "stride": 2}}"#, &[10, 20, 20]),
        (r#"{"average_pool2d": {"size": 2}}"#, &[10, 20, 20]),
        (r#"{"dropout": {"rate": 0.3}}"#, &[10, 20, 20]),
        (r#"{"activation": "gelu"}"#, &[10, 20, 20]),
        (r#"{"lstm": {"units": 70}}"#, &[9, 30]),
        (r#"{"gru": {"units": 70, "sequences": true}}"#, &[9, 30]),
    ] {
        for records in [1, 2, 7, 19, 50] {
            let case = Case::new(&spec(json), input, records, 5).unwrap();
            case.same_with_more_threads(&case.run(&ONE)).unwrap_or_else(|error| panic!("{json}, {records} records: {error}"));
        }
    }
}

#[test]
fn turned_pictures_are_the_same_with_more_threads() {
    for to in [Order::Places, Order::Channels] {
        let (turn, values) = (Turn::new(&[9, 10, 11], to).unwrap(), draw(7 * 990, &[1]));
        let parameters = Parameters::new(&[]).unwrap();
        let turned = |threads: &Threads| {
            let pass = Pass { parameters: &parameters, threads, isa: Isa::detect(), mode: Mode::Evaluate };
            let (mut output, mut back) = (vec![f32::NAN; values.len()], vec![f32::NAN; values.len()]);
            let mut kept = Kept::default();
            turn.forward(&pass, Forward { input: &values, output: &mut output, kept: &mut kept, scratch: &mut [] });
            let output_gradient = &mut output.clone()[..];
            let input_gradient = Some(&mut back[..]);
            let buffers = Backward { input: &values, output: &output, kept: &mut kept, output_gradient, input_gradient, scratch: &mut [] };
            turn.backward(&pass, buffers, &mut |_, _| ());
            assert_eq!(back, values);
            output
        };
        let one = turned(&ONE);
        pools().iter().for_each(|threads| assert_eq!(turned(threads), one));
    }
}

#[test]
fn all_processors_agree() {
    for (json, input) in [
        (r#"{"dense": {"units": 37, "activation": "gelu"}}"#, &[90][..]),
        (r#"{"dense": {"units": 1, "activation": "sigmoid"}}"#, &[9]),
        (r#"{"conv2d": {"filters": 5, "kernel": 3, "activation": "relu"}}"#, &[2, 11, 13]),
        (r#"{"conv2d": {"filters": 5, "kernel": 3, "padding": "same", "activation": "tanh"}}"#, &[2, 11, 13]),
        (r#"{"conv2d": {"filters": 37, "kernel": 3, "padding": "same", "activation": "relu"}}"#, &[19, 11, 13]),
        (r#"{"conv2d": {"filters": 5, "kernel": [2, 3], "stride": 2}}"#, &[2, 11, 13]),
        (r#"{"conv2d": {"filters": 6, "kernel": 3, "padding": "same", "groups": 2}}"#, &[4, 11, 13]),
        (r#"{"conv2d": {"filters": 37, "kernel": [3, 2], "stride": 2, "padding": "same", "groups": 37}}"#, &[37, 11, 13]),
        (r#"{"embedding": {"dim": 37, "vocabulary": 9}}"#, &[11]),
        (r#"{"embedding_bag": {"dim": 37, "vocabulary": 9, "mode": "mean"}}"#, &[11]),
        (r#"{"batch_norm": {}}"#, &[3, 10, 7]),
        (r#"{"layer_norm": {}}"#, &[3, 10, 7]),
        (r#"{"max_pool2d": {"size": 3, "stride": 2}}"#, &[3, 10, 7]),
        (r#"{"average_pool2d": {"size": 2}}"#, &[3, 10, 7]),
        (r#"{"dropout": {"rate": 0.3}}"#, &[3, 10, 7]),
        (r#"{"lstm": {"units": 37, "sequences": true}}"#, &[6, 7]),
        (r#"{"gru": {"units": 37}}"#, &[6, 7]),
    ] {
        let case = Case::new(&spec(json), input, 5, 5).unwrap();
        let best = case.run(&ONE);
        for isa in Isa::all() {
            let other = case.run_with(&ONE, isa);
            let all = [(&best.output, &other.output), (&best.input_gradient, &other.input_gradient)];
            let emitted = best.emitted.values().zip(other.emitted.values());
            for (a, b) in all.into_iter().chain(emitted) {
                assert!(bits(a) == bits(b), "{json} with {}", isa.name());
            }
        }
    }
}

#[test]
fn dropout_draws_from_the_step_and_scales() {
    let rate = 0.25;
    let mut case = Case::new(&job::Layer::Dropout { rate }, &[100, 10], 20, 1).unwrap();
    let mut forward = |mode: Mode, index: usize| {
        case.layer = Box::new(super::Dropout::new(index, rate, &case.shape));
        case.forward(mode)
    };
    let one = forward(Mode::Train(KEY), 0);
    assert_eq!(one, forward(Mode::Train(KEY), 0));
    for (key, index) in [
        (StepKey { seed: 9, ..KEY }, 0),
        (StepKey { epoch: 9, ..KEY }, 0),
        (StepKey { step: 9, ..KEY }, 0),
        (StepKey { lane: 9, ..KEY }, 0),
        (KEY, 9),
    ] {
        assert_ne!(one, forward(Mode::Train(key), index));
    }
    let evaluated = forward(Mode::Evaluate, 0);
    assert_eq!(evaluated, case.input);
    let dropped = one.iter().filter(|v| **v == 0.0).count() as f64 / one.len() as f64;
    assert!((dropped - f64::from(rate)).abs() < 0.02, "{dropped}");
    let scale = 1.0 / (1.0 - rate);
    assert!(one.iter().zip(&case.input).all(|(y, x)| *y == 0.0 || *y == x * scale));
    // The gradient goes through the same mask.
    case.layer = Box::new(super::Dropout::new(0, rate, &case.shape));
    let back = case.run(&ONE);
    for (at, gradient) in back.input_gradient.iter().enumerate() {
        assert_eq!(*gradient, if back.output[at] == 0.0 { 0.0 } else { case.gradient[at] * scale });
    }
}

#[test]
fn batch_norm_emits_weighted_statistics_and_evaluates_with_moving_ones() {
    let mut case = Case::new(&spec(r#"{"batch_norm": {"epsilon": 0.001}}"#), &[3, 4, 5], 7, 1).unwrap();
    let back = case.run(&ONE);
    for channel in 0..3 {
        let values: Vec<f64> = (0..7).flat_map(|r| &case.input[(r * 3 + channel) * 20..][..20]).map(|v| f64::from(*v)).collect();
        let mean = values.iter().sum::<f64>() / 140.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 140.0;
        assert!((f64::from(back.emitted[&2][channel]) - 7.0 * mean).abs() < 1e-5);
        assert!((f64::from(back.emitted[&3][channel]) - 7.0 * variance).abs() < 1e-5);
    }
    case.parameters.values_mut(3).copy_from_slice(&[0.5, 1.0, 2.0]);
    for (at, value) in case.forward(Mode::Evaluate).iter().enumerate() {
        let [scale, shift, mean, variance] = [0, 1, 2, 3].map(|v| f64::from(case.parameters.values(v)[at / 20 % 3]));
        let expected = (f64::from(case.input[at]) - mean) / (variance + 0.001).sqrt() * scale + shift;
        assert!((f64::from(*value) - expected).abs() < 1e-5);
    }
    assert_eq!(case.variables[2].group, Group::Average { momentum: 0.9 });
}

// The values of some planes of each record.
fn planes(values: &[f32], of: usize, places: usize, some: Range<usize>) -> Vec<f32> {
    values.chunks(of * places).flat_map(|record| &record[some.start * places..some.end * places]).copied().collect()
}

#[test]
fn groups_have_the_bits_of_convolutions_beside_each_other() {
    for (groups, channels, filters, rest) in [
        (3, 1, 1, r#""kernel": 3"#),
        (40, 1, 1, r#""kernel": [2, 3], "stride": [2, 1], "padding": "same", "activation": "relu""#),
        (5, 1, 1, r#""kernel": 9, "stride": 3, "padding": "same", "bias": false"#),
        (3, 2, 4, r#""kernel": 3, "stride": 2, "activation": "tanh""#),
        (2, 1, 3, r#""kernel": 2, "padding": "same""#),
        (4, 3, 1, r#""kernel": [1, 4]"#),
    ] {
        let json = |filters: usize, groups: usize| spec(&format!(r#"{{"conv2d": {{"filters": {filters}, "groups": {groups}, {rest}}}}}"#));
        let case = Case::new(&json(groups * filters, groups), &[(groups * channels) as u32, 8, 7], 3, 5).unwrap();
        let together = case.run(&ONE);
        let outputs = values_of(&case.shape.output[1..]);
        for group in 0..groups {
            let mut alone = Case::new(&json(filters, 1), &[channels as u32, 8, 7], 3, 5).unwrap();
            let (ins, outs) = (group * channels..(group + 1) * channels, group * filters..(group + 1) * filters);
            alone.input = planes(&case.input, groups * channels, 56, ins.clone());
            alone.gradient = planes(&case.gradient, groups * filters, outputs, outs.clone());
            let part = |values: &[f32]| values[values.len() / groups * group..][..values.len() / groups].to_vec();
            for variable in 0..case.variables.len() {
                alone.parameters.values_mut(variable).copy_from_slice(&part(case.parameters.values(variable)));
            }
            let apart = alone.run(&ONE);
            assert_eq!(bits(&apart.output), bits(&planes(&together.output, groups * filters, outputs, outs)), "{rest}");
            assert_eq!(bits(&apart.input_gradient), bits(&planes(&together.input_gradient, groups * channels, 56, ins)), "{rest}");
            for (variable, gradient) in &apart.emitted {
                assert_eq!(bits(gradient), bits(&part(&together.emitted[variable])), "{rest}, variable {variable}");
            }
        }
    }
}

#[test]
fn values_that_name_no_row_are_refused() {
    let bag = spec(r#"{"embedding_bag": {"dim": 2}}"#);
    let shared = Case::new(&spec(r#"{"embedding": {"dim": 2, "vocabulary": 16777216}}"#), &[3], 2, 1).unwrap();
    let own = Case::of_columns(&bag, &[4, 1, 6], 2, 1).unwrap();
    assert!(shared.layer.check(Isa::detect(), &[0.0, 16_777_215.0, -0.0]).is_ok());
    for (case, value, place, last) in [
        (&shared, 16_777_216.0, 1, 16_777_215),
        (&shared, -1.0, 2, 16_777_215),
        (&own, 1.0, 1, 0),
        (&own, 5.5, 2, 5),
        (&own, f32::NAN, 0, 3),
    ] {
        let mut input = vec![0.0; 6];
        input[3 + place] = value;
        let error = case.layer.check(Isa::detect(), &input).unwrap_err().to_string();
        let has = format!("record 1 of the batch has {value} at place {place}");
        assert!(error.contains(&has) && error.contains(&format!("from 0 to {last} ")), "{error}");
    }
}

#[test]
fn weights_begin_as_they_are_told() {
    use tfcoord_types::variable::Initializer::{Normal, Uniform, Zeros};
    let normal = |deviation: f64| Normal { deviation: deviation as f32 };
    let uniform = |limit: f64| Uniform { limit: limit as f32 };
    for (json, input, fan_in, fan_out) in [
        (r#"{"dense": {"units": 20, "init": "INIT"}}"#, &[30][..], 30.0, 20.0),
        (r#"{"conv2d": {"filters": 4, "kernel": [3, 2], "init": "INIT"}}"#, &[5, 9, 9], 30.0, 24.0),
        (r#"{"conv2d": {"filters": 4, "kernel": 3, "groups": 2, "init": "INIT"}}"#, &[6, 9, 9], 27.0, 18.0),
        (r#"{"embedding": {"dim": 8, "vocabulary": 100, "init": "INIT"}}"#, &[3], 8.0, 100.0),
        (r#"{"embedding_bag": {"dim": 8, "vocabulary": 100, "init": "INIT"}}"#, &[3], 8.0, 100.0),
    ] {
        let first = |json: &str| Case::new(&spec(json), input, 1, 1).unwrap().variables[0].initializer;
        for (name, expected) in [
            ("glorot", uniform((6.0f64 / (fan_in + fan_out)).sqrt())),
            ("he", normal((2.0f64 / fan_in).sqrt())),
            ("normal", normal((1.0f64 / fan_in).sqrt())),
            ("uniform", uniform((1.0f64 / fan_in).sqrt())),
            ("zeros", Zeros),
        ] {
            assert_eq!(first(&json.replace("INIT", name)), expected, "{json}, {name}");
        }
        let default = if json.contains("embedding") { "normal" } else { "glorot" };
        assert_eq!(first(&json.replace(r#", "init": "INIT""#, "")), first(&json.replace("INIT", default)));
    }
}

#[test]
fn not_a_number_goes_through() {
    for (json, input) in [
        (r#"{"max_pool2d": {"size": 2}}"#, &[1, 2, 2][..]),
        (r#"{"activation": "relu"}"#, &[4]),
        (r#"{"average_pool2d": {"size": 2}}"#, &[1, 2, 2]),
        (r#"{"lstm": {"units": 1}}"#, &[2, 2]),
        (r#"{"gru": {"units": 1}}"#, &[2, 2]),
    ] {
        for at in 0..4 {
            let mut case = Case::new(&spec(json), input, 1, 1).unwrap();
            case.input[at] = f32::NAN;
            assert!(case.forward(Mode::Train(KEY)).iter().any(|v| v.is_nan()), "{json}");
        }
    }
}
