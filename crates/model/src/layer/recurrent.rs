//! Layers that carry a state from step to step: forward through the steps, and back.
//!
//! A record's steps hang on each other, records do not: so they are computed in blocks, each by one thread through all
//! steps. What a block keeps lies step by step, the records of a step side by side: the rows of one product.
//!
//! | product | once for | rows | right matrix |
//! |---|---|---|---|
//! | x W + b | a block | records and steps | the kernel |
//! | + h U | a step of a block | records | the recurrent kernel |
//! | gradient by h | a step of a block | records | the recurrent kernel, turned |
//! | gradient by x | a block | records and steps | the kernel, turned |
//! | gradients by W and U | all | features or units | the gradients by the gates, of all steps and records |
//!
//! **Bits.** The last ones are sums over blocks, steps and records in this order: a block has the same records whatever the
//! number of threads.

mod block;
mod gru;
mod lanes;
mod lstm;

pub use gru::Gru;
pub use lstm::Lstm;

use super::{Backward, Emit, Forward, Layer, Needs, Pass, SMALL, initializer, len, room, take, variable};
use crate::kernel::{Grid, Isa, Left, Out, Right, Start, product, transpose};
use crate::threads::{ONE, Threads};
use block::{Block, RECORDS, Sizes, Step, groups};
use std::marker::PhantomData;
use tfcoord_types::job::{Init, LayerShape};
use tfcoord_types::variable::{Group, Initializer, Variable};

/// What happens to the values of a step, when the products are made.
pub trait Cell: Send + Sync {
    /// Gates, side by side.
    const GATES: usize;
    /// Of these, the last ones whose recurrent part h U + d is kept apart, with a bias d of its own: 0 or 1.
    const APART: usize;
    /// Whether there is a second state, c.
    const C: bool;

    /// From the gates' sums to h, and c. The gates become their values; `recurrent_bias` is empty if nothing is apart.
    fn forward(isa: Isa, recurrent_bias: &[f32], step: Step<'_>);

    /// From the gradients by h and c after the step to those before it, but for what goes through h U. The gates become
    /// the gradients by their sums, and what is apart that by itself.
    fn backward(isa: Isa, step: Step<'_>, h_gradient: &mut [f32], c_gradient: &mut [f32]);
}

/// A cell's steps, on records \[steps, features\].
pub struct Recurrent<C> {
    sizes: Sizes,
    sequences: bool,
    kernel: usize,
    recurrent: usize,
    bias: usize,
    recurrent_bias: Option<usize>,
    cell: PhantomData<C>,
}

impl<C: Cell> Recurrent<C> {
    /// For records of `shape`, with every step's output or the last one's; adds its variables to the model's.
    pub fn new(shape: &LayerShape, units: u32, sequences: bool, init: Init, variables: &mut Vec<Variable>) -> Self {
        let [steps, features] = [0, 1].map(|dimension| shape.input[dimension]);
        let gates = units * C::GATES as u32;
        let mut add =
            |name: &str, dimensions: &[u32], initializer| variable(variables, &shape.name, name, dimensions, initializer, Group::Train);
        Self {
            sizes: Sizes {
                steps: len(steps),
                features: len(features),
                units: len(units),
                gates: len(gates),
                apart: C::APART * len(units),
                c: if C::C { len(units) } else { 0 },
            },
            sequences,
            kernel: add("kernel", &[features, gates], initializer(init, features.into(), units.into())),
            recurrent: add("recurrent", &[units, gates], initializer(init, units.into(), units.into())),
            bias: add("bias", &[gates], Initializer::Zeros),
            recurrent_bias: (C::APART > 0).then(|| add("recurrent_bias", &[gates], Initializer::Zeros)),
            cell: PhantomData,
        }
    }

    // Values of a record that come out.
    fn outputs(&self) -> usize {
        if self.sequences { self.sizes.steps * self.sizes.units } else { self.sizes.units }
    }

    // A step's output of a record, within the record's; nothing if it does not come out.
    fn output(&self, step: usize) -> Option<usize> {
        if self.sequences { Some(step * self.sizes.units) } else { (step + 1 == self.sizes.steps).then_some(0) }
    }

    fn recurrent_bias<'a>(&self, pass: &Pass<'a>) -> &'a [f32] {
        self.recurrent_bias.map_or(&[], |bias| pass.parameters.values(bias))
    }

    fn threads<'a>(&self, pass: &Pass<'a>, records: usize) -> &'a Threads {
        let Sizes { steps, features, units, gates, .. } = self.sizes;
        let work = [steps, gates, features + units].into_iter().fold(records, usize::saturating_mul);
        if work < SMALL { &ONE } else { pass.threads }
    }

    fn block_forward(&self, pass: &Pass<'_>, input: &[f32], mut block: Block<'_>, output: &mut [f32]) {
        let Sizes { steps, features, units, gates, apart, .. } = self.sizes;
        let (records, together) = (block.records, gates - apart);
        let left = Left { values: input, rows: steps_of(steps, records, features), steps: Grid::every(1, features) };
        let right = Right { values: pass.parameters.values(self.kernel), steps: Grid::every(gates, features), columns: gates };
        let out = Out { values: block.gates, rows: Grid::every(gates, steps * records) };
        product(pass.isa, left, right, out, Start::Row(pass.parameters.values(self.bias)));
        block.begin();
        let (recurrent, recurrent_bias) = (pass.parameters.values(self.recurrent), self.recurrent_bias(pass));
        for at in 0..steps {
            let step = block.step(at);
            // Before the first step h is 0.
            let k = if at == 0 { 0 } else { units };
            let left = Left { values: step.h.0, rows: Grid::every(units, records), steps: Grid::every(1, k) };
            let right = |from: usize, columns| Right { values: &recurrent[from..], steps: Grid::every(gates, k), columns };
            let out = Out { values: step.gates, rows: Grid::every(gates, records) };
            product(pass.isa, left, right(0, together), out, Start::Output);
            if apart > 0 {
                let out = Out { values: step.more, rows: Grid::every(units, records) };
                product(pass.isa, left, right(together, apart), out, Start::Row(&recurrent_bias[together..]));
            }
            C::forward(pass.isa, recurrent_bias, step);
            if let Some(place) = self.output(at) {
                let rows = output.chunks_exact_mut(self.outputs()).zip(block.step(at).h.1.chunks_exact(units));
                rows.for_each(|(output, h)| output[place..][..units].copy_from_slice(h));
            }
        }
    }

    fn block_backward(&self, pass: &Pass<'_>, turned: &Turned<'_>, mut block: Block<'_>, gradient: Gradient<'_>) {
        let Sizes { steps, features, units, gates, apart, .. } = self.sizes;
        let (records, together) = (block.records, gates - apart);
        let (h_gradient, c_gradient) = gradient.state.split_at_mut(records * units);
        h_gradient.fill(0.0);
        c_gradient.fill(0.0);
        for at in (0..steps).rev() {
            if let Some(place) = self.output(at) {
                let rows = h_gradient.chunks_exact_mut(units).zip(gradient.output.chunks_exact(self.outputs()));
                rows.for_each(|(sums, more)| crate::sum::add(sums, &more[place..][..units]));
            }
            C::backward(pass.isa, block.step(at), h_gradient, c_gradient);
            if at == 0 {
                break;
            }
            let step = block.step(at);
            let mut through = |values: &[f32], stride, from: usize, k| {
                let left = Left { values, rows: Grid::every(stride, records), steps: Grid::every(1, k) };
                let right = Right { values: &turned.recurrent[from * units..], steps: Grid::every(units, k), columns: units };
                let out = Out { values: &mut *h_gradient, rows: Grid::every(units, records) };
                product(pass.isa, left, right, out, Start::Output);
            };
            through(step.gates, gates, 0, together);
            if apart > 0 {
                through(step.more, units, together, apart);
            }
        }
        if let Some(input) = gradient.input {
            let left = Left { values: block.gates, rows: Grid::every(gates, steps * records), steps: Grid::every(1, gates) };
            let right = Right { values: turned.kernel, steps: Grid::every(features, gates), columns: features };
            let out = Out { values: input, rows: steps_of(steps, records, features) };
            product(pass.isa, left, right, out, Start::Zero);
        }
    }

    // All blocks: what was kept of the gates becomes the gradients by their sums.
    fn through_steps(
        &self,
        pass: &Pass<'_>,
        kept: &mut [f32],
        output_gradient: &[f32],
        input_gradient: Option<&mut [f32]>,
        mut scratch: &mut [f32],
    ) {
        let Sizes { steps, features, units, gates, .. } = self.sizes;
        let records = kept.len() / self.sizes.kept();
        let states = take(&mut scratch, records * self.sizes.state());
        let recurrent = take(&mut scratch, units * gates);
        transpose(pass.isa, pass.parameters.values(self.recurrent), (units, gates), gates, recurrent, units);
        let kernel = take(&mut scratch, if input_gradient.is_some() { features * gates } else { 0 });
        if input_gradient.is_some() {
            transpose(pass.isa, pass.parameters.values(self.kernel), (features, gates), gates, kernel, features);
        }
        let turned = Turned { recurrent, kernel };
        let mut inputs = input_gradient.map(|values| values.chunks_mut(RECORDS * steps * features));
        let gradients = output_gradient.chunks(RECORDS * self.outputs()).zip(states.chunks_mut(RECORDS * self.sizes.state()));
        let gradients = gradients.map(|(output, state)| Gradient { output, state, input: inputs.as_mut().and_then(Iterator::next) });
        let blocks = kept.chunks_mut(RECORDS * self.sizes.kept());
        self.threads(pass, records).each(blocks.zip(gradients), |(kept, gradient)| {
            self.block_backward(pass, &turned, Block::new(self.sizes, kept), gradient);
        });
    }

    // Emits the gradients by the variables from those by the gates' sums.
    fn of_variables(&self, pass: &Pass<'_>, input: &[f32], kept: &mut [f32], mut scratch: &mut [f32], emit: &mut Emit<'_>) {
        let Sizes { features, units, gates, apart, .. } = self.sizes;
        let records = kept.len() / self.sizes.kept();
        let kernel = take(&mut scratch, features * gates);
        self.kernel_gradient(pass, input, kept, records, kernel);
        emit(self.kernel, kernel);
        let recurrent = take(&mut scratch, units * gates);
        self.recurrent_gradient(pass, kept, records, recurrent);
        emit(self.recurrent, recurrent);
        let (bias, of_apart) = (take(&mut scratch, gates), take(&mut scratch, apart));
        let mut start = Start::Zero;
        for kept in kept.chunks_mut(RECORDS * self.sizes.kept()) {
            let block = Block::new(self.sizes, kept);
            pass.add_rows(block.gates, bias, start);
            if apart > 0 {
                pass.add_rows(block.more, of_apart, start);
            }
            start = Start::Output;
        }
        emit(self.bias, bias);
        if let Some(recurrent_bias) = self.recurrent_bias {
            // Where nothing is apart, the sums are the same.
            bias[gates - apart..].copy_from_slice(of_apart);
            emit(recurrent_bias, bias);
        }
    }

    // [features, gates], summed over all steps.
    fn kernel_gradient(&self, pass: &Pass<'_>, input: &[f32], kept: &[f32], records: usize, out: &mut [f32]) {
        let sizes @ Sizes { steps, features, gates, .. } = self.sizes;
        let mut start = Start::Zero;
        for group in groups(records) {
            let runs = [(group.blocks, RECORDS * steps * features), (steps, features), (group.records, steps * features)];
            let places = Grid::new(group.first * steps * features, runs);
            let left = Left { values: input, rows: Grid::every(1, features), steps: places };
            let right = Right { values: kept, steps: sizes.rows(group, 0, 0, gates), columns: gates };
            pass.product(left, right, out, gates, start);
            start = Start::Output;
        }
    }

    // [units, gates], summed over all steps but the first one, before which h is 0.
    fn recurrent_gradient(&self, pass: &Pass<'_>, kept: &[f32], records: usize, out: &mut [f32]) {
        let sizes @ Sizes { units, gates, apart, .. } = self.sizes;
        let mut start = Start::Zero;
        for group in groups(records) {
            let [h, more] = [sizes.h(group.records), sizes.more(group.records)];
            let left = Left { values: kept, rows: Grid::every(1, units), steps: sizes.rows(group, h, 1, units) };
            let right = Right { values: kept, steps: sizes.rows(group, 0, 1, gates), columns: gates - apart };
            pass.product(left, right, out, gates, start);
            if apart > 0 {
                let right = Right { values: kept, steps: sizes.rows(group, more, 1, units), columns: apart };
                pass.product(left, right, &mut out[gates - apart..], gates, start);
            }
            start = Start::Output;
        }
    }
}

// The kernels with a row for each column.
struct Turned<'a> {
    recurrent: &'a [f32],
    // Empty if it is not needed.
    kernel: &'a [f32],
}

// A block's gradients.
struct Gradient<'a> {
    // By the output.
    output: &'a [f32],
    // Room for that by h and c.
    state: &'a mut [f32],
    // Room for that by the input, where it is wanted.
    input: Option<&'a mut [f32]>,
}

// The steps of each record, step by step, of records that lie one behind the other.
fn steps_of(steps: usize, records: usize, values: usize) -> Grid {
    Grid::new(0, [(1, 0), (steps, values), (records, steps * values)])
}

impl<C: Cell> Layer for Recurrent<C> {
    fn needs(&self, records: usize) -> Needs {
        let Sizes { features, units, gates, .. } = self.sizes;
        let (kernel, recurrent) = (room(features * gates), room(units * gates));
        let through_steps = room(records * self.sizes.state()) + recurrent + kernel;
        let of_variables = kernel + recurrent + 2 * room(gates);
        Needs { kept: records * self.sizes.kept(), scratch: through_steps.max(of_variables), ..Needs::default() }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let Sizes { steps, features, .. } = self.sizes;
        let inputs = buffers.input.chunks(RECORDS * steps * features);
        let records = buffers.input.len() / (steps * features);
        let kept = buffers.kept.values[..records * self.sizes.kept()].chunks_mut(RECORDS * self.sizes.kept());
        let outputs = buffers.output.chunks_mut(RECORDS * self.outputs());
        self.threads(pass, records).each(inputs.zip(kept).zip(outputs), |((input, kept), output)| {
            self.block_forward(pass, input, Block::new(self.sizes, kept), output);
        });
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Sizes { steps, features, .. } = self.sizes;
        let Backward { input, kept, output_gradient, input_gradient, scratch, .. } = buffers;
        let kept = &mut kept.values[..input.len() / (steps * features) * self.sizes.kept()];
        self.through_steps(pass, kept, output_gradient, input_gradient, scratch);
        self.of_variables(pass, input, kept, scratch, emit);
    }
}
