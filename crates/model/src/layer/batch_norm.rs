//! Batch normalization: Ioffe and Szegedy 2015, over micro-batches.
//!
//! In training a micro-batch is normalized with its own mean and variance (of the population: divided by the
//! number of values, not by one less), so that no lane waits for another. What is emitted for the moving mean
//! and variance is the number of records times the statistic; the server adds the lanes', divides by the step's
//! records, and mixes in the result. Evaluation uses the moving ones.

use super::{BLOCK, Backward, Emit, Forward, Layer, Mode, Needs, Pass, SMALL, len, room, take, together, values_of, variable};
use crate::kernel::vectorized;
use tfcoord_types::job::LayerShape;
use tfcoord_types::variable::{Group, Initializer, Variable};

/// Channels that are summed together: as many as fill two vectors of f64.
const CHANNELS: usize = 16;

/// Mean 0 and deviation 1 by channel of pictures, or by feature of other records, then scale and shift. Values lie in
/// rows of one value a channel: a place of a picture, or a record.
pub struct BatchNorm {
    channels: usize,
    // Rows of one record.
    rows: usize,
    epsilon: f32,
    scale: usize,
    shift: usize,
    moving_mean: usize,
    moving_variance: usize,
}

impl BatchNorm {
    /// For records of `shape`; adds its variables to the model's.
    pub fn new(shape: &LayerShape, momentum: f32, epsilon: f32, variables: &mut Vec<Variable>) -> Self {
        let pictures = shape.input.len() == 3;
        let dimensions = if pictures { &shape.input[..1] } else { &shape.input[..] };
        let rows = if pictures { len(shape.input[1]) * len(shape.input[2]) } else { 1 };
        let mut add = |name: &str, initializer, group| variable(variables, &shape.name, name, dimensions, initializer, group);
        let average = Group::Average { momentum };
        Self {
            channels: values_of(dimensions),
            rows,
            epsilon,
            scale: add("scale", Initializer::Ones, Group::Train),
            shift: add("shift", Initializer::Zeros, Group::Train),
            moving_mean: add("moving_mean", Initializer::Zeros, average),
            moving_variance: add("moving_variance", Initializer::Ones, average),
        }
    }

    // What is kept: the normalized values, then mean, variance and 1 / deviation of each channel.
    fn split<'a>(&self, kept: &'a mut [f32], values: usize) -> (&'a mut [f32], [&'a mut [f32]; 3]) {
        let mut rest = kept;
        let normal = take(&mut rest, values);
        (normal, std::array::from_fn(|_| take(&mut rest, self.channels)))
    }
}

impl Layer for BatchNorm {
    fn needs(&self, records: usize) -> Needs {
        let kept = room(records * self.rows * self.channels) + 3 * room(self.channels);
        Needs { kept, scratch: 2 * room(self.channels), ..Needs::default() }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let Forward { input, output, kept, scratch } = buffers;
        let variables = (pass.parameters.values(self.scale), pass.parameters.values(self.shift));
        let part = together(self.channels) * self.channels;
        if pass.mode == Mode::Evaluate {
            let inverses = &mut scratch[..self.channels];
            invert(pass.parameters.values(self.moving_variance), self.epsilon, inverses);
            let inverses = &*inverses;
            let means = pass.parameters.values(self.moving_mean);
            return pass.threads.each(output.chunks_mut(part).zip(input.chunks(part)), |(output, input)| {
                output.copy_from_slice(input);
                normalize(pass.isa, means, inverses, output);
                scale(pass.isa, variables, output);
            });
        }
        let (normal, [means, variances, inverses]) = self.split(&mut kept.values, input.len());
        let share = 1.0 / (input.len() / self.channels) as f64;
        sums(pass, input, None, share, means);
        sums(pass, input, Some(Term::Deviation(means)), share, variances);
        invert(variances, self.epsilon, inverses);
        let (means, inverses) = (&*means, &*inverses);
        let parts = normal.chunks_mut(part).zip(output.chunks_mut(part)).zip(input.chunks(part));
        pass.threads.each(parts, |((normal, output), input)| {
            normal.copy_from_slice(input);
            normalize(pass.isa, means, inverses, normal);
            output.copy_from_slice(normal);
            scale(pass.isa, variables, output);
        });
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { kept, output_gradient: gradients, input_gradient, mut scratch, .. } = buffers;
        let (scale_gradient, shift_gradient) = (take(&mut scratch, self.channels), take(&mut scratch, self.channels));
        let (normal, [means, variances, inverses]) = self.split(&mut kept.values, gradients.len());
        sums(pass, gradients, Some(Term::Times(normal)), 1.0, scale_gradient);
        sums(pass, gradients, None, 1.0, shift_gradient);
        emit(self.scale, scale_gradient);
        emit(self.shift, shift_gradient);
        let records = (gradients.len() / (self.rows * self.channels)) as f32;
        for (variable, statistics) in [(self.moving_mean, means), (self.moving_variance, variances)] {
            statistics.iter_mut().for_each(|value| *value *= records);
            emit(variable, statistics);
        }
        let Some(input_gradient) = input_gradient else { return };
        let share = 1.0 / (gradients.len() / self.channels) as f32;
        // From now on means, slopes and factors.
        scale_gradient.iter_mut().chain(&mut *shift_gradient).for_each(|sum| *sum *= share);
        let scale = pass.parameters.values(self.scale);
        inverses.iter_mut().zip(scale).for_each(|(inverse, scale)| *inverse *= scale);
        let (factors, statistics) = (&*inverses, (&*shift_gradient, &*scale_gradient));
        let part = together(self.channels) * self.channels;
        let sources = gradients.chunks(part).zip(normal.chunks(part));
        pass.threads.each(input_gradient.chunks_mut(part).zip(sources), |(targets, sources)| {
            of_input(pass.isa, factors, statistics, sources, targets);
        });
    }
}

fn invert(variances: &[f32], epsilon: f32, inverses: &mut [f32]) {
    let inverse = |variance: f32| (1.0 / (f64::from(variance) + f64::from(epsilon)).sqrt()) as f32;
    inverses.iter_mut().zip(variances).for_each(|(i, variance)| *i = inverse(*variance));
}

// Sums by channel, times `share`. A channel's goes through all rows: threads share the channels.
fn sums(pass: &Pass<'_>, values: &[f32], of: Option<Term<'_>>, share: f64, results: &mut [f32]) {
    let channels = results.len();
    let threads = pass.threads(values.len() * (SMALL / BLOCK));
    threads.each(results.chunks_mut(CHANNELS).zip((0..).step_by(CHANNELS)), |(results, from)| {
        sums_from(pass.isa, values, channels, from, of, share, results);
    });
}

// What is summed instead of a value x.
#[derive(Clone, Copy)]
enum Term<'a> {
    // (x - mean)², the mean being the channel's.
    Deviation(&'a [f32]),
    // x times another value, row by row.
    Times(&'a [f32]),
}

// Sums by channel of some channels, over all rows, in f64.
#[inline(always)]
fn sums_of(values: &[f32], channels: usize, from: usize, sums: &mut [f64], term: impl Fn(usize, usize, f32) -> f64) {
    for (row, values) in values.chunks_exact(channels).enumerate() {
        for (at, (sum, value)) in sums.iter_mut().zip(&values[from..]).enumerate() {
            *sum += term(row * channels + from + at, from + at, *value);
        }
    }
}

vectorized! {
    // Of as many channels from `from` on as there is room for, at most [`CHANNELS`].
    fn sums_from(values: &[f32], channels: usize, from: usize, of: Option<Term<'_>>, share: f64, results: &mut [f32]) {
        let mut sums = [0.0; CHANNELS];
        let sums = &mut sums[..results.len()];
        match of {
            None => sums_of(values, channels, from, sums, |_, _, x| f64::from(x)),
            Some(Term::Deviation(means)) => sums_of(values, channels, from, sums, |_, c, x| f64::from(x - means[c]) * f64::from(x - means[c])),
            Some(Term::Times(others)) => sums_of(values, channels, from, sums, |at, _, x| f64::from(x) * f64::from(others[at])),
        }
        results.iter_mut().zip(sums).for_each(|(result, sum)| *result = (*sum * share) as f32);
    }

    fn normalize(means: &[f32], inverses: &[f32], values: &mut [f32]) {
        for row in values.chunks_exact_mut(means.len()) {
            row.iter_mut().zip(means.iter().zip(inverses)).for_each(|(x, (mean, inverse))| *x = (*x - mean) * inverse);
        }
    }

    fn scale(variables: (&[f32], &[f32]), values: &mut [f32]) {
        let (scale, shift) = variables;
        for row in values.chunks_exact_mut(scale.len()) {
            row.iter_mut().zip(scale.iter().zip(shift)).for_each(|(x, (scale, shift))| *x = *x * scale + shift);
        }
    }

    fn of_input(factors: &[f32], statistics: (&[f32], &[f32]), sources: (&[f32], &[f32]), targets: &mut [f32]) {
        let ((means, slopes), (gradients, normal), channels) = (statistics, sources, factors.len());
        let sources = gradients.chunks_exact(channels).zip(normal.chunks_exact(channels));
        for (targets, (gradients, normal)) in targets.chunks_exact_mut(channels).zip(sources) {
            let values = gradients.iter().zip(normal);
            let statistics = means.iter().zip(slopes).zip(factors);
            for (target, ((g, n), ((mean, slope), factor))) in targets.iter_mut().zip(values.zip(statistics)) {
                *target = factor * (g - mean - n * slope);
            }
        }
    }
}
