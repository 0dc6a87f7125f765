//! Batch normalization: Ioffe and Szegedy 2015, over micro-batches.
//!
//! In training a micro-batch is normalized with its own mean and variance (of the population: divided by the
//! number of values, not by one less), so that no lane waits for another. What is emitted for the moving mean
//! and variance is the number of records times the statistic; the server adds the lanes', divides by the step's
//! records, and mixes in the result. Evaluation uses the moving ones.

use super::{Emit, Layer, Mode, Pass, Saved, len, values_of, variable};
use crate::error::Error;
use crate::sum::{dot, sum, sum_of_squares};
use crate::tensor::{tensor, values};
use candle_core::Tensor;
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

// Mean, variance and 1 / deviation of each channel.
struct Statistics {
    mean: Vec<f32>,
    variance: Vec<f32>,
    inverse: Vec<f32>,
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

    // The runs of values of one channel, with their channel, in order.
    fn runs<'a>(&self, values: &'a [f32]) -> impl Iterator<Item = (usize, &'a [f32])> + use<'a> {
        (0..self.channels).cycle().zip(values.chunks_exact(self.run))
    }

    // Sums by channel of what `of` gives for each of its runs.
    fn sums(&self, values: &[f32], mut of: impl FnMut(usize, usize, &[f32]) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.channels];
        for (at, (channel, run)) in self.runs(values).enumerate() {
            sums[channel] += of(at, channel, run);
        }
        sums
    }

    fn of_batch(&self, inputs: &[f32]) -> Statistics {
        let count = (inputs.len() / self.channels) as f64;
        let mean: Vec<f32> = self.sums(inputs, |_, _, run| sum(run)).iter().map(|sum| (sum / count) as f32).collect();
        let squares = self.sums(inputs, |_, channel, run| sum_of_squares(run, mean[channel]));
        let variance: Vec<f32> = squares.iter().map(|sum| (sum / count) as f32).collect();
        let inverse = self.inverse(&variance);
        Statistics { mean, variance, inverse }
    }

    fn inverse(&self, variance: &[f32]) -> Vec<f32> {
        variance.iter().map(|v| (1.0 / (f64::from(*v) + f64::from(self.epsilon)).sqrt()) as f32).collect()
    }

    fn evaluate(&self, pass: &Pass<'_>, inputs: &[f32]) -> Vec<f32> {
        let [scale, shift, mean, variance] =
            [self.scale, self.shift, self.moving_mean, self.moving_variance].map(|variable| pass.parameters.values(variable));
        let inverse = self.inverse(variance);
        let mut outputs = Vec::with_capacity(inputs.len());
        for (c, run) in self.runs(inputs) {
            outputs.extend(run.iter().map(|x| (x - mean[c]) * inverse[c] * scale[c] + shift[c]));
        }
        outputs
    }
}

impl Layer for BatchNorm {
    // Saves the normalized values and the statistics.
    fn forward(&self, pass: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        let inputs = values(input)?;
        if pass.mode == Mode::Evaluate {
            return Ok((tensor(self.evaluate(pass, &inputs), input.dims())?, Saved::default()));
        }
        let (scale, shift) = (pass.parameters.values(self.scale), pass.parameters.values(self.shift));
        let Statistics { mean, variance, inverse } = self.of_batch(&inputs);
        let (mut outputs, mut normal) = (Vec::with_capacity(inputs.len()), Vec::with_capacity(inputs.len()));
        for (c, run) in self.runs(&inputs) {
            let from = normal.len();
            normal.extend(run.iter().map(|x| (x - mean[c]) * inverse[c]));
            outputs.extend(normal[from..].iter().map(|n| n * scale[c] + shift[c]));
        }
        let statistics = [mean, variance, inverse].map(|values| tensor(values, &[self.channels]));
        let mut saved = vec![tensor(normal, input.dims())?];
        for statistic in statistics {
            saved.push(statistic?);
        }
        Ok((tensor(outputs, input.dims())?, Saved::tensors(saved)))
    }

    fn backward(
        &self,
        pass: &Pass<'_>,
        saved: Saved,
        output_gradient: Tensor,
        wants: bool,
        emit: &mut Emit<'_>,
    ) -> Result<Option<Tensor>, Error> {
        let (normal, gradients) = (values(&saved.tensors[0])?, values(&output_gradient)?);
        let records = (gradients.len() / (self.channels * self.run)) as f32;
        let run_of = |at: usize| &normal[at * self.run..][..self.run];
        let narrow = |sums: Vec<f64>| sums.into_iter().map(|sum| sum as f32).collect::<Vec<f32>>();
        let scale_gradient = narrow(self.sums(&gradients, |at, _, run| dot(run, run_of(at))));
        let shift_gradient = narrow(self.sums(&gradients, |_, _, run| sum(run)));
        emit(self.scale, &scale_gradient);
        emit(self.shift, &shift_gradient);
        for (variable, statistic) in [(self.moving_mean, &saved.tensors[1]), (self.moving_variance, &saved.tensors[2])] {
            emit(variable, &values(statistic)?.iter().map(|value| value * records).collect::<Vec<f32>>());
        }
        if !wants {
            return Ok(None);
        }
        let (scale, inverse) = (pass.parameters.values(self.scale), values(&saved.tensors[3])?);
        let share = 1.0 / (gradients.len() / self.channels) as f32;
        let mut input_gradients = Vec::with_capacity(gradients.len());
        for (at, (c, run)) in self.runs(&gradients).enumerate() {
            let (mean, slope) = (shift_gradient[c] * share, scale_gradient[c] * share);
            let factor = scale[c] * inverse[c];
            input_gradients.extend(run.iter().zip(run_of(at)).map(|(g, n)| factor * (g - mean - n * slope)));
        }
        Ok(Some(tensor(input_gradients, output_gradient.dims())?))
    }
}
