//! Layers: an explicit forward and backward each, one file a layer.

mod activation;
mod average_pool2d;
mod batch_norm;
mod conv2d;
mod dense;
mod dropout;
mod embedding;
mod embedding_bag;
mod layer_norm;
mod max_pool2d;
mod recurrent;
mod rows;
#[cfg(test)]
mod tests;
mod turn;
mod window;

pub use activation::Activation;
pub use average_pool2d::AveragePool2d;
pub use batch_norm::BatchNorm;
pub use conv2d::{Conv2d, Convolution};
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use embedding_bag::EmbeddingBag;
pub use layer_norm::LayerNorm;
pub use max_pool2d::MaxPool2d;
pub use recurrent::{Gru, Lstm, Recurrent};
pub(crate) use turn::{Order, Turn};

use crate::error::Error;
use crate::kernel::{Buffer, Grid, Isa, LINE, Left, Out, Right, Start, product, transpose};
use crate::parameters::Parameters;
use crate::threads::{ONE, Threads};
use tfcoord_types::job::{self, Init, LayerShape};
use tfcoord_types::variable::{Group, Initializer, Variable};

/// Which micro-batch is computed: what random numbers come from, beside the layer's place in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepKey {
    /// The job's seed.
    pub seed: u64,
    /// The epoch, from 0.
    pub epoch: u32,
    /// The step, from 0.
    pub step: u64,
    /// The lane.
    pub lane: u32,
}

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Training.
    Train(StepKey),
    /// Evaluation or prediction.
    Evaluate,
}

/// What all layers of one pass share.
pub struct Pass<'a> {
    /// The model's parameters.
    pub parameters: &'a Parameters,
    /// The model's threads.
    pub threads: &'a Threads,
    /// The vector instructions.
    pub isa: Isa,
    /// What the pass is for.
    pub mode: Mode,
}

/// Multiply-adds below which a product stays on the calling thread: waking others costs more. Less in tests, so that
/// random cases, which are small, are shared among threads.
const SMALL: usize = if cfg!(test) { 1 << 5 } else { 1 << 20 };

/// Values that are worked on together where each is computed alone: fewer stay on the calling thread.
pub(crate) const BLOCK: usize = if cfg!(test) { 1 << 4 } else { 1 << 14 };

/// Columns of a product's row that are computed together.
const COLUMNS: usize = if cfg!(test) { 1 } else { 64 };

impl Pass<'_> {
    /// [`product`] into `out`, whose rows are `stride` apart, shared among the threads.
    fn product(&self, left: Left<'_>, right: Right<'_>, out: &mut [f32], stride: usize, start: Start<'_>) {
        let rows = left.rows.count();
        let threads = self.threads(rows.saturating_mul(right.columns).saturating_mul(left.steps.count()));
        if rows == 1 {
            return self.row(threads, left, right, out, start);
        }
        let part = rows.div_ceil(threads.count()).max(1);
        let parts = out.chunks_mut(part * stride).zip((0..rows).step_by(part));
        threads.each(parts, |(values, from)| {
            let count = part.min(rows - from);
            let (left, rows) = (Left { rows: left.rows.part(from, count), ..left }, Grid::every(stride, count));
            product(self.isa, left, right, Out { values, rows }, start);
        });
    }

    // A product of one row, shared by columns.
    fn row(&self, threads: &Threads, left: Left<'_>, right: Right<'_>, out: &mut [f32], start: Start<'_>) {
        let part = right.columns.div_ceil(threads.count()).next_multiple_of(COLUMNS);
        let parts = out[..right.columns].chunks_mut(part).zip((0..right.columns).step_by(part));
        threads.each(parts, |(values, from)| {
            let columns = values.len();
            let right = Right { values: right.values.get(from..).unwrap_or_default(), columns, ..right };
            let start = if let Start::Row(row) = start { Start::Row(&row[from..][..columns]) } else { start };
            product(self.isa, left, right, Out { values, rows: Grid::every(0, 1) }, start);
        });
    }

    /// `sums` become `start` plus the sums of the rows that `values` consists of, each value added to those before it.
    fn add_rows(&self, values: &[f32], sums: &mut [f32], start: Start<'_>) {
        let (rows, columns) = (values.len() / sums.len(), sums.len());
        // A multiple of 1 is the value itself: the product's chain is the sum.
        let ones = Left { values: &[1.0], rows: Grid::every(0, 1), steps: Grid::every(0, rows) };
        self.product(ones, Right { values, steps: Grid::every(columns, rows), columns }, sums, columns, start);
    }

    /// [`transpose`], shared among the threads.
    fn transpose(&self, from: &[f32], (rows, columns): (usize, usize), to: &mut [f32]) {
        let part = together(rows).next_multiple_of(LINE);
        self.threads.each(to.chunks_mut(part * rows).zip((0..columns).step_by(part)), |(to, first)| {
            transpose(self.isa, &from[first..], (rows, part.min(columns - first)), columns, to, rows);
        });
    }

    /// The threads for so many multiply-adds.
    fn threads(&self, work: usize) -> &Threads {
        if work < SMALL { &ONE } else { self.threads }
    }
}

/// How many records of so many values are worked on together.
pub(crate) fn together(values: usize) -> usize {
    (BLOCK / values.max(1)).max(1)
}

/// Values that a layer needs beside its output, for so many records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// [`Kept::values`].
    pub kept: usize,
    /// [`Kept::places`].
    pub places: usize,
    /// [`Kept::zeros`].
    pub zeros: usize,
    /// Scratch, whose content is lost between calls.
    pub scratch: usize,
    /// More scratch for each thread.
    pub scratch_each: usize,
}

impl Needs {
    /// All scratch with so many threads.
    pub fn scratch(&self, threads: usize) -> usize {
        self.scratch + threads * self.scratch_each
    }
}

/// What a layer keeps between forward and backward, at least as long as it said it [`Needs`].
#[derive(Debug, Default)]
pub struct Kept {
    /// Values, as the layer has them.
    pub values: Buffer,
    /// Places of values, as the layer has them.
    pub places: Vec<u32>,
    /// Zeros between calls, whichever layer had them: one that makes some of them another value makes those zero again
    /// before it returns, so that sums over few places of many cost what the few do.
    pub zeros: Buffer,
}

/// What a forward pass works on; records outermost.
pub struct Forward<'a> {
    /// What comes in.
    pub input: &'a [f32],
    /// What goes out; holds anything before.
    pub output: &'a mut [f32],
    /// Kept for [`Backward`].
    pub kept: &'a mut Kept,
    /// Scratch.
    pub scratch: &'a mut [f32],
}

/// What a backward pass works on; records outermost.
pub struct Backward<'a> {
    /// What came in.
    pub input: &'a [f32],
    /// What went out.
    pub output: &'a [f32],
    /// What the forward pass kept.
    pub kept: &'a mut Kept,
    /// The gradient of the loss sum by the output; may be overwritten.
    pub output_gradient: &'a mut [f32],
    /// Room for that by the input, where it is wanted; holds anything before.
    pub input_gradient: Option<&'a mut [f32]>,
    /// Scratch.
    pub scratch: &'a mut [f32],
}

/// Takes a variable's place in the model's list and its gradient: the sum over the micro-batch's records.
pub type Emit<'a> = dyn FnMut(usize, &[f32]) + 'a;

/// A layer of a model. All lengths are those of the shape that it was made for, times the records; other ones panic, and so
/// do inputs that [`Layer::check`] refuses.
pub trait Layer: Send + Sync {
    /// What it needs for so many records.
    fn needs(&self, records: usize) -> Needs;

    /// Whether it can compute with an input; asked before anything is computed with it.
    ///
    /// # Errors
    /// The first value that it cannot take.
    fn check(&self, _isa: Isa, _input: &[f32]) -> Result<(), Error> {
        Ok(())
    }

    /// Computes the output of an input.
    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>);

    /// From the gradient by the output: emits that by each of the layer's variables once (for moving averages: records
    /// times the statistic), as early as it is ready, and computes that by the input where it is wanted.
    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>);
}

/// Makes layer number `index` of a model and adds its variables to the model's; nothing where values stay as they are.
pub(crate) fn build(
    layer: &job::Layer,
    index: usize,
    shape: &LayerShape,
    variables: &mut Vec<Variable>,
) -> Result<Option<Box<dyn Layer>>, Error> {
    Ok(Some(match *layer {
        job::Layer::Flatten {} | job::Layer::Reshape { .. } => return Ok(None),
        job::Layer::Embedding { dim, vocabulary, init } => Box::new(Embedding::new(shape, dim, vocabulary, init, variables)),
        job::Layer::EmbeddingBag { dim, vocabulary, mode, init } => {
            Box::new(EmbeddingBag::new(shape, dim, vocabulary, mode, init, variables))
        }
        job::Layer::Dense { activation, bias, init, .. } => Box::new(Dense::new(shape, bias, activation, init, variables)),
        job::Layer::Conv2d { kernel, stride, padding, groups, activation, bias, init, .. } => {
            let convolution = Convolution { kernel, stride, padding, groups, bias, activation, init };
            Box::new(Conv2d::new(shape, convolution, variables)?)
        }
        job::Layer::MaxPool2d { size, stride } => Box::new(MaxPool2d::new(shape, size, stride)),
        job::Layer::AveragePool2d { size, stride } => Box::new(AveragePool2d::new(shape, size, stride)),
        job::Layer::Dropout { rate } => Box::new(Dropout::new(index, rate, shape)),
        job::Layer::Activation(function) => Box::new(Activation::new(function, shape)),
        job::Layer::LayerNorm { epsilon } => Box::new(LayerNorm::new(shape, epsilon, variables)),
        job::Layer::BatchNorm { momentum, epsilon } => Box::new(BatchNorm::new(shape, momentum, epsilon, variables)),
        job::Layer::Lstm { units, sequences, init } => Box::new(Recurrent::<Lstm>::new(shape, units, sequences, init, variables)),
        job::Layer::Gru { units, sequences, init } => Box::new(Recurrent::<Gru>::new(shape, units, sequences, init, variables)),
        job::Layer::Residual { .. } | job::Layer::Add {} | job::Layer::Concatenate {} => {
            return Err(Error::Spec { problem: format!("{} is no single layer", shape.name) });
        }
    }))
}

/// The order in which a layer takes pictures, and gives them; nothing if it takes them as they come.
pub(crate) fn order(layer: &job::Layer) -> Option<Order> {
    match layer {
        job::Layer::Conv2d { .. } | job::Layer::MaxPool2d { .. } | job::Layer::AveragePool2d { .. } | job::Layer::BatchNorm { .. } => {
            Some(Order::Places)
        }
        job::Layer::Flatten {}
        | job::Layer::Reshape { .. }
        | job::Layer::Embedding { .. }
        | job::Layer::EmbeddingBag { .. }
        | job::Layer::Dense { .. }
        | job::Layer::Lstm { .. }
        | job::Layer::Gru { .. }
        | job::Layer::LayerNorm { .. } => Some(Order::Channels),
        job::Layer::Dropout { .. }
        | job::Layer::Activation(_)
        | job::Layer::Residual { .. }
        | job::Layer::Add {}
        | job::Layer::Concatenate {} => None,
    }
}

/// Adds a variable of a layer; its place in the model's list.
fn variable(variables: &mut Vec<Variable>, layer: &str, name: &str, shape: &[u32], initializer: Initializer, group: Group) -> usize {
    variables.push(Variable { name: format!("{layer}/{name}"), shape: shape.to_vec(), initializer, group, sync: None });
    variables.len() - 1
}

/// The first values of weights by which so many inputs go into one output, and one input into so many outputs.
fn initializer(init: Init, fan_in: f64, fan_out: f64) -> Initializer {
    match init {
        Init::Glorot => Initializer::Uniform { limit: (6.0 / (fan_in + fan_out)).sqrt() as f32 },
        Init::He => Initializer::Normal { deviation: (2.0 / fan_in).sqrt() as f32 },
        Init::Normal => Initializer::Normal { deviation: (1.0 / fan_in).sqrt() as f32 },
        Init::Uniform => Initializer::Uniform { limit: (1.0 / fan_in).sqrt() as f32 },
        Init::Zeros => Initializer::Zeros,
    }
}

/// A dimension as a length; `u32` always fits.
fn len(dimension: u32) -> usize {
    dimension as usize
}

/// All values of one record.
pub(crate) fn values_of(shape: &[u32]) -> usize {
    shape.iter().map(|d| len(*d)).product()
}

/// Cuts a part of `len` values off the front of `scratch`; the rest begins where a line of the cache does, if it did.
fn take<'a>(scratch: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (part, rest) = std::mem::take(scratch).split_at_mut(room(len));
    *scratch = rest;
    &mut part[..len]
}

/// What [`take`] takes for `len` values.
fn room(len: usize) -> usize {
    len.next_multiple_of(LINE)
}
