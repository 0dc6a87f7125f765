//! Batch normalization: Ioffe and Szegedy 2015, over micro-batches.
//!
//! In training a micro-batch is normalized with its own mean and variance (of the population: divided by the
//! number of values, not by one less), so that no lane waits for another. What is emitted for the moving mean
//! and variance is the number of records times the statistic; the server adds the lanes', divides by the step's
//! records, and mixes in the result. Evaluation uses the moving ones.

use super::{Backward, Emit, Forward, Layer, Mode, Needs, Pass, len, take, values_of, variable};
use crate::kernel::vectorized;
use crate::sum::{dot, sum, sum_of_squares};
use tfcoord_types::job::LayerShape;
use tfcoord_types::variable::{Group, Initializer, Variable};

/// Mean 0 and deviation 1 by channel of pictures, or by feature of other records, then scale and shift.
pub struct BatchNorm {
    channels: usize,
    // Values of one channel that lie together.
    run: usize,
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
        let run = if pictures { len(shape.input[1]) * len(shape.input[2]) } else { 1 };
        let mut add = |name: &str, initializer, group| variable(variables, &shape.name, name, dimensions, initializer, group);
        let average = Group::Average { momentum };
        Self {
            channels: values_of(dimensions),
            run,
            epsilon,
            scale: add("scale", Initializer::Ones, Group::Train),
            shift: add("shift", Initializer::Zeros, Group::Train),
            moving_mean: add("moving_mean", Initializer::Zeros, average),
            moving_variance: add("moving_variance", Initializer::Ones, average),
        }
    }

    fn features(&self) -> usize {
        self.channels * self.run
    }

    // A channel's values of each record.
    #[inline(always)]
    fn runs<'a>(&self, values: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let (run, features) = (self.run, self.features());
        values.chunks_exact(features).map(move |record| &record[channel * run..][..run])
    }

    #[inline(always)]
    fn runs_mut<'a>(&self, values: &'a mut [f32], channel: usize) -> impl Iterator<Item = &'a mut [f32]> + use<'a> {
        let (run, features) = (self.run, self.features());
        values.chunks_exact_mut(features).map(move |record| &mut record[channel * run..][..run])
    }

    // Mean and variance of a channel in a micro-batch.
    #[inline(always)]
    fn of_batch(&self, inputs: &[f32], channel: usize) -> (f32, f32) {
        let count = (inputs.len() / self.channels) as f64;
        let mean = (self.runs(inputs, channel).map(sum).sum::<f64>() / count) as f32;
        let squares: f64 = self.runs(inputs, channel).map(|run| sum_of_squares(run, mean)).sum();
        (mean, (squares / count) as f32)
    }

    #[inline(always)]
    fn inverse(&self, variance: f32) -> f32 {
        (1.0 / (f64::from(variance) + f64::from(self.epsilon)).sqrt()) as f32
    }

    // What is kept: the normalized values, then mean, variance and 1 / deviation of each channel.
    fn split<'a>(&self, kept: &'a mut [f32], values: usize) -> (&'a mut [f32], [&'a mut [f32]; 3]) {
        let mut rest = kept;
        let normal = take(&mut rest, values);
        (normal, std::array::from_fn(|_| take(&mut rest, self.channels)))
    }
}

impl Layer for BatchNorm {
    fn needs(&self, records: usize, _: usize) -> Needs {
        Needs { kept: records * self.features() + 3 * self.channels, scratch: 2 * self.channels, places: 0 }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let Forward { input, output, kept, .. } = buffers;
        let (scale, shift) = (pass.parameters.values(self.scale), pass.parameters.values(self.shift));
        if pass.mode == Mode::Evaluate {
            let moving = (pass.parameters.values(self.moving_mean), pass.parameters.values(self.moving_variance));
            return evaluate(pass.isa, self, (scale, shift), moving, input, output);
        }
        normalize(pass.isa, self, (scale, shift), input, output, &mut kept.values);
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { kept, output_gradient: gradients, input_gradient, mut scratch, .. } = buffers;
        let (scale_gradient, shift_gradient) = (take(&mut scratch, self.channels), take(&mut scratch, self.channels));
        let (normal, [means, variances, inverses]) = self.split(&mut kept.values, gradients.len());
        of_variables(pass.isa, self, gradients, normal, scale_gradient, shift_gradient);
        emit(self.scale, scale_gradient);
        emit(self.shift, shift_gradient);
        let records = (gradients.len() / self.features()) as f32;
        for (variable, statistics) in [(self.moving_mean, means), (self.moving_variance, variances)] {
            statistics.iter_mut().for_each(|value| *value *= records);
            emit(variable, statistics);
        }
        if let Some(input_gradient) = input_gradient {
            let factors = (pass.parameters.values(self.scale), &*inverses);
            of_input(pass.isa, self, factors, (scale_gradient, shift_gradient), (gradients, normal), input_gradient);
        }
    }
}

vectorized! {
    fn evaluate(
        layer: &BatchNorm, variables: (&[f32], &[f32]), moving: (&[f32], &[f32]), input: &[f32], output: &mut [f32],
    ) {
        let ((scale, shift), (means, variances)) = (variables, moving);
        for c in 0..layer.channels {
            let (mean, inverse) = (means[c], layer.inverse(variances[c]));
            for (run, target) in layer.runs(input, c).zip(layer.runs_mut(output, c)) {
                run.iter().zip(target).for_each(|(x, y)| *y = (x - mean) * inverse * scale[c] + shift[c]);
            }
        }
    }

    fn normalize(layer: &BatchNorm, variables: (&[f32], &[f32]), input: &[f32], output: &mut [f32], kept: &mut [f32]) {
        let (scale, shift) = variables;
        let (normal, [means, variances, inverses]) = layer.split(kept, input.len());
        for c in 0..layer.channels {
            let (mean, variance) = layer.of_batch(input, c);
            let inverse = layer.inverse(variance);
            (means[c], variances[c], inverses[c]) = (mean, variance, inverse);
            let targets = layer.runs_mut(normal, c).zip(layer.runs_mut(output, c));
            for (run, (normal, output)) in layer.runs(input, c).zip(targets) {
                for (x, (n, y)) in run.iter().zip(normal.iter_mut().zip(output)) {
                    *n = (x - mean) * inverse;
                    *y = *n * scale[c] + shift[c];
                }
            }
        }
    }

    fn of_variables(layer: &BatchNorm, gradients: &[f32], normal: &[f32], scale: &mut [f32], shift: &mut [f32]) {
        for c in 0..layer.channels {
            let pairs = layer.runs(gradients, c).zip(layer.runs(normal, c));
            scale[c] = pairs.map(|(gradient, normal)| dot(gradient, normal)).sum::<f64>() as f32;
            shift[c] = layer.runs(gradients, c).map(sum).sum::<f64>() as f32;
        }
    }

    fn of_input(
        layer: &BatchNorm, factors: (&[f32], &[f32]), sums: (&[f32], &[f32]), sources: (&[f32], &[f32]), targets: &mut [f32],
    ) {
        let ((scale, inverses), (scale_sums, shift_sums), (gradients, normal)) = (factors, sums, sources);
        let share = 1.0 / (gradients.len() / layer.channels) as f32;
        for c in 0..layer.channels {
            let (mean, slope, factor) = (shift_sums[c] * share, scale_sums[c] * share, scale[c] * inverses[c]);
            let sources = layer.runs(gradients, c).zip(layer.runs(normal, c));
            for (target, (gradient, normal)) in layer.runs_mut(targets, c).zip(sources) {
                let terms = gradient.iter().zip(normal);
                target.iter_mut().zip(terms).for_each(|(t, (g, n))| *t = factor * (g - mean - n * slope));
            }
        }
    }
}
