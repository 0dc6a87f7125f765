//! Kernels and models alone, case by case: what `benches/training` puts beside torch.

use anyhow::Context;
use clap::ValueEnum;
use std::hint::black_box;
use std::time::{Duration, Instant};
use tfcoord_model::batch::Buffers;
use tfcoord_model::kernel::{Buffer, Grid, Isa, Left, Out, Right, Start, product};
use tfcoord_model::layer::{Backward, Conv2d, Convolution, Dense, Forward, Kept, Layer, Mode, Pass};
use tfcoord_model::threads::Threads;
use tfcoord_model::{Batch, Labels, Model, Options, Parameters, StepKey, Workspace};
use tfcoord_ps_core::optimizer::{Kernel, Slots, mean};
use tfcoord_types::draw::Stream;
use tfcoord_types::job::{Init, Input, LayerShape, Optimizer, Padding, Pair};
use tfcoord_types::variable::{Initializer, Variable};

const MLP: &str = r#"{"layers": [{"flatten": {}}, {"dense": {"units": 256, "activation": "relu"}},
    {"dense": {"units": 128, "activation": "relu"}}, {"dense": {"units": 10}}], "loss": "softmax_cross_entropy"}"#;
const CNN: &str = r#"{"layers": [{"conv2d": {"filters": 32, "kernel": 3, "activation": "relu"}},
    {"conv2d": {"filters": 64, "kernel": 3, "activation": "relu"}}, {"max_pool2d": {"size": 2}}, {"flatten": {}},
    {"dense": {"units": 128, "activation": "relu"}}, {"dense": {"units": 10}}], "loss": "softmax_cross_entropy"}"#;
const BAG: &str = r#"{"layers": [{"embedding_bag": {"dim": 64, "vocabulary": 100000, "mode": "mean"}},
    {"dense": {"units": 64, "activation": "relu"}}, {"dense": {"units": 2}}], "loss": "softmax_cross_entropy"}"#;
const LSTM: &str = r#"{"layers": [{"lstm": {"units": 128}}, {"dense": {"units": 1}}], "loss": "mse"}"#;
const GRU: &str = r#"{"layers": [{"gru": {"units": 128}}, {"dense": {"units": 1}}], "loss": "mse"}"#;
const LOSS: &str = r#"{"layers": [{"flatten": {}}], "loss": "softmax_cross_entropy"}"#;
const KEY: StepKey = StepKey { seed: 1, epoch: 0, step: 0, lane: 0 };

/// What is timed; torch computes the same in `benches/training/torch_case.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// A step of the mlp 784-256-128-10, 64 records: gradients and Adam
    Mlp,
    /// A step of the cnn of full.json, 64 records: gradients and Adam
    Cnn,
    /// A prediction of that cnn for one record
    Predict,
    /// Convolution 32 -> 64, 3 x 3, on 26 x 26, 32 records, forward and backward
    Conv26,
    /// Convolution 64 -> 64, 3 x 3, on 56 x 56, 32 records, forward and backward
    Conv56,
    /// Softmax and cross-entropy of 4,096 x 1,024, forward and backward
    Softmax,
    /// Convolution of 64 channels, each with a filter of its own, 3 x 3, on 56 x 56, 32 records, forward and backward
    Depthwise,
    /// A step of the mean of 32 rows of 100,000 x 64, then 64-2, 256 records: gradients, and Adam on the whole table
    EmbeddingBag,
    /// The gradients of that step alone, which touch the rows that occur
    EmbeddingBagGradients,
    /// A step of an lstm of 128 units on 30 steps of 20 features, and a dense unit on its last output, 64 records
    Lstm,
    /// The same with a gru
    Gru,
    /// Dense layer 1,024 -> 1,024, 256 records, forward and backward
    Dense,
    /// A product of 512 x 512 x 512
    Product,
    /// 2^26 multiply-adds a thread that touch no memory: the processor's peak
    Peak,
}

/// The least milliseconds that `case` takes within `window`.
///
/// # Errors
/// If it cannot be computed.
pub fn least_ms(case: Case, threads: usize, window: Duration) -> anyhow::Result<f64> {
    match case {
        Case::Mlp => step(made(MLP, &[1, 28, 28], 10, 64, threads)?, window),
        Case::Cnn => step(made(CNN, &[1, 28, 28], 10, 64, threads)?, window),
        Case::EmbeddingBag => step(bag(threads)?, window),
        Case::EmbeddingBagGradients => gradients(bag(threads)?, window),
        Case::Lstm => step(made(LSTM, &[30, 20], 0, 64, threads)?, window),
        Case::Gru => step(made(GRU, &[30, 20], 0, 64, threads)?, window),
        Case::Softmax => gradients(made(LOSS, &[1024], 1024, 4096, threads)?, window),
        Case::Predict => predict(threads, window),
        Case::Conv26 => convolution((32, 64, 26), 1, threads, window),
        Case::Conv56 => convolution((64, 64, 56), 1, threads, window),
        Case::Depthwise => convolution((64, 64, 56), 64, threads, window),
        Case::Dense => dense(threads, window),
        Case::Product => multiply(threads, window),
        Case::Peak => peak(threads, window),
    }
}

fn least(window: Duration, mut once: impl FnMut()) -> f64 {
    // Memory is touched, caches fill.
    once();
    let (begun, mut least) = (Instant::now(), Duration::MAX);
    while begun.elapsed() < window || least == Duration::MAX {
        let from = Instant::now();
        once();
        least = least.min(from.elapsed());
    }
    least.as_secs_f64() * 1e3
}

fn draw(values: &mut [f32], key: u64, scale: f32) {
    let mut stream = Stream::new("bench", &[key]);
    values.fill_with(|| scale * (2.0 * stream.unit() - 1.0));
}

fn drawn(variables: &[Variable]) -> anyhow::Result<Parameters> {
    let mut parameters = Parameters::new(variables)?;
    for (place, variable) in variables.iter().enumerate() {
        if let Initializer::Uniform { limit: scale } | Initializer::Normal { deviation: scale } = variable.initializer {
            draw(parameters.values_mut(place), place as u64, scale);
        }
    }
    Ok(parameters)
}

// A model, its parameters and a batch.
type Made = (Model, Parameters, Batch);

fn made(json: &str, input: &[u32], classes: u32, records: usize, threads: usize) -> anyhow::Result<Made> {
    let options = Options { threads, train_records: 0, isa: Isa::detect() };
    let model = Model::new(&serde_json::from_str(json)?, &Input::plain(input, classes), options)?;
    let parameters = drawn(model.variables())?;
    let mut features = vec![0.0; records * input.iter().map(|d| *d as usize).product::<usize>()];
    draw(&mut features, 100, 1.0);
    let labels = match classes {
        0 => Labels::Numbers(vec![0.0; records]),
        _ => Labels::Classes((0..classes).cycle().take(records).collect()),
    };
    let batch = Batch::new(records, Buffers { features, labels, indices: Vec::new() })?;
    Ok((model, parameters, batch))
}

// The bag of rows, with rows to look up.
fn bag(threads: usize) -> anyhow::Result<Made> {
    const RECORDS: usize = 256;
    let (model, parameters, batch) = made(BAG, &[32], 2, RECORDS, threads)?;
    let mut stream = Stream::new("bench", &[400]);
    let mut buffers = batch.into_buffers();
    buffers.features.fill_with(|| stream.below(100_000) as f32);
    Ok((model, parameters, Batch::new(RECORDS, buffers)?))
}

fn gradients((model, parameters, batch): Made, window: Duration) -> anyhow::Result<f64> {
    let mut workspace = Workspace::default();
    let mut train = || model.train(&parameters, &batch, KEY, &mut workspace, &mut |_, _| ());
    train()?;
    Ok(least(window, || drop(train())))
}

// As a worker and a server do it: the gradient sums are taken out as they come, and their means go through the server's
// fused optimizer, piece by piece.
fn step((model, mut parameters, batch): Made, window: Duration) -> anyhow::Result<f64> {
    const PIECE: usize = 1 << 14;
    let records = batch.records() as f32;
    let (mut workspace, adam) = (Workspace::default(), serde_json::from_str::<Optimizer>(r#"{"adam": {"learning_rate": 0.001}}"#)?);
    let mut sums: Vec<Vec<f32>> = parameters.lengths().map(|len| vec![0.0; len]).collect();
    // Of each piece of each variable.
    let pieces = |sums: &Vec<f32>| sums.chunks(PIECE).map(|piece| Slots::new(&adam, piece.len())).collect();
    let mut slots: Vec<Vec<Slots>> = sums.iter().map(pieces).collect();
    let curve = sums.len() - 1;
    let mut step = 0;
    let mut once = || {
        model.train(&parameters, &batch, KEY, &mut workspace, &mut |variable, sum| sums[variable].copy_from_slice(sum))?;
        let kernel = Kernel::new(&adam, step, 1.0).context("it is a function of the mean")?;
        for (variable, (sums, slots)) in sums.iter_mut().zip(&mut slots).enumerate().take(curve) {
            let pieces = parameters.values_mut(variable).chunks_mut(PIECE).zip(sums.chunks_mut(PIECE)).zip(slots);
            model.threads().each(pieces, |((p, g), slots)| {
                mean(g, records, 1.0);
                kernel.run(p, g, slots, 0..g.len());
            });
        }
        step += 1;
        anyhow::Ok(())
    };
    once()?;
    Ok(least(window, || drop(once())))
}

fn predict(threads: usize, window: Duration) -> anyhow::Result<f64> {
    let (model, parameters, batch) = made(CNN, &[1, 28, 28], 10, 1, threads)?;
    let mut workspace = Workspace::default();
    model.predict(&parameters, &batch, &mut workspace)?;
    Ok(least(window, || drop(model.predict(&parameters, &batch, &mut workspace))))
}

fn convolution((channels, filters, side): (u32, u32, u32), groups: u32, threads: usize, window: Duration) -> anyhow::Result<f64> {
    let shape = shape(&[channels, side, side], &[filters, side - 2, side - 2]);
    let (kernel, stride, padding) = (Pair::Both(3), Pair::Both(1), Padding::Valid);
    let convolution = Convolution { kernel, stride, padding, groups, bias: true, activation: None, init: Init::Glorot };
    let mut variables = Vec::new();
    let layer = Conv2d::new(&shape, convolution, &mut variables)?;
    both_ways(&layer, &shape, &variables, 32, (threads, window))
}

fn shape(input: &[u32], output: &[u32]) -> LayerShape {
    LayerShape { name: "layer".into(), input: input.to_vec(), output: output.to_vec(), categories: Vec::new() }
}

fn dense(threads: usize, window: Duration) -> anyhow::Result<f64> {
    let shape = shape(&[1024], &[1024]);
    let mut variables = Vec::new();
    let layer = Dense::new(&shape, true, None, Init::Glorot, &mut variables);
    both_ways(&layer, &shape, &variables, 256, (threads, window))
}

// Forward and backward of a layer.
fn both_ways(
    layer: &dyn Layer,
    shape: &LayerShape,
    variables: &[Variable],
    records: usize,
    (threads, window): (usize, Duration),
) -> anyhow::Result<f64> {
    let (parameters, threads) = (drawn(variables)?, Threads::new(threads)?);
    let values = |shape: &[u32]| Buffer::new(records * shape.iter().map(|d| *d as usize).product::<usize>()).context("memory");
    let (mut input, mut output, mut gradient, mut back) =
        (values(&shape.input)?, values(&shape.output)?, values(&shape.output)?, values(&shape.input)?);
    draw(&mut input, 200, 1.0);
    draw(&mut gradient, 201, 1.0);
    let mut scratch = Buffer::new(layer.needs(records).scratch(threads.count()))?;
    let (pass, mut kept) =
        (Pass { parameters: &parameters, threads: &threads, isa: Isa::detect(), mode: Mode::Train(KEY) }, Kept::default());
    Ok(least(window, || {
        layer.forward(&pass, Forward { input: &input, output: &mut output, kept: &mut kept, scratch: &mut scratch });
        let input_gradient = Some(&mut back[..]);
        let (output_gradient, scratch) = (&mut gradient[..], &mut scratch[..]);
        let buffers = Backward { input: &input, output: &output, kept: &mut kept, output_gradient, input_gradient, scratch };
        layer.backward(&pass, buffers, &mut |_, _| ());
    }))
}

fn multiply(threads: usize, window: Duration) -> anyhow::Result<f64> {
    const SIDE: usize = 512;
    let (mut a, mut b, mut c) = (vec![0.0; SIDE * SIDE], vec![0.0; SIDE * SIDE], vec![0.0; SIDE * SIDE]);
    draw(&mut a, 300, 1.0);
    draw(&mut b, 301, 1.0);
    let (threads, isa) = (Threads::new(threads)?, Isa::detect());
    let part = SIDE.div_ceil(threads.count());
    Ok(least(window, || {
        threads.each(c.chunks_mut(part * SIDE).zip(a.chunks(part * SIDE)), |(values, a)| {
            let rows = Grid::every(SIDE, values.len() / SIDE);
            let left = Left { values: a, rows, steps: Grid::every(1, SIDE) };
            let right = Right { values: &b, steps: Grid::every(SIDE, SIDE), columns: SIDE };
            product(isa, left, right, Out { values, rows }, Start::Zero);
        });
    }))
}

fn peak(threads: usize, window: Duration) -> anyhow::Result<f64> {
    let threads = Threads::new(threads)?;
    Ok(least(window, || threads.each(0..threads.count(), |_| _ = black_box(pulp::Arch::new().dispatch(MultiplyAdds)))))
}

// 2^26 multiply-adds in as many chains as hide their latency, and as registers of any processor hold.
struct MultiplyAdds;

impl pulp::WithSimd for MultiplyAdds {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f32 {
        const CHAINS: usize = 12;
        let (a, b) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(1.0)));
        let mut sums = [b; CHAINS];
        for _ in 0..(1 << 26) / (CHAINS * S::F32_LANES) {
            sums.iter_mut().for_each(|sum| *sum = simd.mul_add_f32s(*sum, a, b));
        }
        sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum()
    }
}
