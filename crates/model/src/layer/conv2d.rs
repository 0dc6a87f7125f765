//! Cross-correlation over height and width: im2col and one matrix product a picture, so that the gathered
//! matrix stays in the cache.

use super::activation::{finish, pull_into};
use super::window::Window;
use super::{Emit, Layer, Pass, Saved, glorot, len, variable, with_records};
use crate::error::Error;
use crate::gemm::{Matrix, multiply};
use crate::sum::{add, sum};
use crate::tensor::{tensor, values};
use crate::threads::ONE;
use candle_core::Tensor;
use tfcoord_types::job::{Activation, LayerShape, Padding, Pair};
use tfcoord_types::variable::{Group, Initializer, Variable};

/// The gradients of a micro-batch are added in at most this many runs of pictures, then the runs' in order: so
/// threads can share them and the bits follow from the number of records alone.
const RUNS: usize = 8;

/// Cross-correlation over height and width; the kernel is \[out channels, in channels, height, width\].
pub struct Conv2d {
    window: Window,
    filters: usize,
    kernel: usize,
    bias: Option<usize>,
    activation: Option<Activation>,
    output: Vec<u32>,
    input: Vec<u32>,
}

// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    columns: Vec<f32>,
    gradient: Vec<f32>,
    columns_gradient: Vec<f32>,
}

// A run of pictures on its way back.
struct Run<'a> {
    inputs: &'a [f32],
    kept: Option<&'a [f32]>,
    gradients: &'a [f32],
    input_gradients: &'a mut [f32],
}

impl Conv2d {
    /// For records of `shape`; adds its variables to the model's.
    ///
    /// # Errors
    /// If the gathered matrix of one picture would be larger than memory.
    pub fn new(
        shape: &LayerShape,
        kernel: Pair,
        stride: Pair,
        padding: Padding,
        bias: bool,
        activation: Option<Activation>,
        variables: &mut Vec<Variable>,
    ) -> Result<Self, Error> {
        let (filters, channels, (height, width)) = (shape.output[0], shape.input[0], kernel.get());
        let dimensions = [channels, height, width, shape.output[1], shape.output[2]];
        let gathered = dimensions.iter().try_fold(4usize, |n, d| n.checked_mul(len(*d)));
        if gathered.is_none_or(|bytes| bytes > isize::MAX.cast_unsigned()) {
            return Err(Error::Spec { problem: format!("{} is larger than memory", shape.name) });
        }
        let area = f64::from(height) * f64::from(width);
        let limit = glorot(f64::from(channels) * area, f64::from(filters) * area);
        let kernel_shape = [filters, channels, height, width];
        let kernel_variable = variable(variables, &shape.name, "kernel", &kernel_shape, limit, Group::Train);
        let bias = bias.then(|| variable(variables, &shape.name, "bias", &[filters], Initializer::Zeros, Group::Train));
        Ok(Self {
            window: Window::new(shape, kernel, stride, padding),
            filters: len(filters),
            kernel: kernel_variable,
            bias,
            activation,
            output: shape.output.clone(),
            input: shape.input.clone(),
        })
    }

    fn input_len(&self) -> usize {
        self.window.channels * self.window.input_plane()
    }

    fn output_len(&self) -> usize {
        self.filters * self.window.output_plane()
    }

    fn kernel<'a>(&self, pass: &Pass<'a>) -> Matrix<'a> {
        Matrix::new(pass.parameters.values(self.kernel), self.filters, self.window.covered())
    }

    // What the window sees of a picture, [covered, places].
    fn gathered<'a>(&self, picture: &'a [f32], columns: &'a mut Vec<f32>) -> Matrix<'a> {
        let (rows, places) = (self.window.covered(), self.window.output_plane());
        if self.window.is_identity() {
            return Matrix::new(picture, rows, places);
        }
        columns.resize(rows * places, 0.0);
        self.window.gather(picture, columns);
        Matrix::new(columns, rows, places)
    }

    // The gradients of a run's pictures by kernel and bias; fills in those by the inputs if there is room.
    fn run_back(&self, pass: &Pass<'_>, scratch: &mut Scratch, run: Run<'_>, kernel_gradient: &mut [f32], bias_gradient: &mut [f32]) {
        let Scratch { columns, gradient: pulled, columns_gradient } = scratch;
        let places = self.window.output_plane();
        let mut input_gradients = run.input_gradients.chunks_exact_mut(self.input_len());
        for (at, gradient) in run.gradients.chunks_exact(self.output_len()).enumerate() {
            let gradient = match (self.activation, run.kept) {
                (Some(function), Some(kept)) => {
                    pull_into(function, &kept[at * self.output_len()..][..self.output_len()], gradient, pulled);
                    &*pulled
                }
                _ => gradient,
            };
            for (sums, plane) in bias_gradient.iter_mut().zip(gradient.chunks_exact(places)) {
                *sums += sum(plane) as f32;
            }
            let gradient = Matrix::new(gradient, self.filters, places);
            let picture = &run.inputs[at * self.input_len()..][..self.input_len()];
            multiply(&ONE, gradient, self.gathered(picture, columns).transposed(), kernel_gradient, at > 0);
            if let Some(input_gradient) = input_gradients.next() {
                if self.window.is_identity() {
                    multiply(&ONE, self.kernel(pass).transposed(), gradient, input_gradient, false);
                } else {
                    columns_gradient.resize(self.window.covered() * places, 0.0);
                    multiply(&ONE, self.kernel(pass).transposed(), gradient, columns_gradient, false);
                    self.window.scatter(columns_gradient, input_gradient);
                }
            }
        }
    }

    // The gradients by kernel and bias: each run's, added in order.
    fn all_back(&self, pass: &Pass<'_>, runs: Vec<Run<'_>>) -> (Vec<f32>, Vec<f32>) {
        let zeros = || (vec![0.0; self.filters * self.window.covered()], vec![0.0; self.filters]);
        let (mut kernel, mut bias) = zeros();
        let add_run = |(kernel_part, bias_part): &(Vec<f32>, Vec<f32>), kernel: &mut [f32], bias: &mut [f32]| {
            add(kernel, kernel_part);
            add(bias, bias_part);
        };
        if pass.threads.count() == 1 {
            let (mut scratch, mut part) = (Scratch::default(), zeros());
            for run in runs {
                part.1.fill(0.0);
                self.run_back(pass, &mut scratch, run, &mut part.0, &mut part.1);
                add_run(&part, &mut kernel, &mut bias);
            }
        } else {
            let parts = pass.threads.map(runs, Scratch::default, |scratch, run| {
                let mut part = zeros();
                self.run_back(pass, scratch, run, &mut part.0, &mut part.1);
                part
            });
            parts.iter().for_each(|part| add_run(part, &mut kernel, &mut bias));
        }
        (kernel, bias)
    }
}

impl Layer for Conv2d {
    fn forward(&self, pass: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        let pictures = values(input)?;
        let records = pictures.len() / self.input_len();
        let mut outputs = vec![0.0; records * self.output_len()];
        let pairs = pictures.chunks_exact(self.input_len()).zip(outputs.chunks_exact_mut(self.output_len())).collect();
        pass.threads.map(pairs, Vec::new, |columns, (picture, output): (&[f32], &mut [f32])| {
            // The bias is what the product is added to.
            if let Some(bias) = self.bias {
                let biases = pass.parameters.values(bias);
                output.chunks_exact_mut(self.window.output_plane()).zip(biases).for_each(|(plane, bias)| plane.fill(*bias));
            }
            multiply(&ONE, self.kernel(pass), self.gathered(picture, columns), output, self.bias.is_some());
        });
        let (output, kept) = finish(self.activation, outputs, &with_records(records, &self.output), pass.mode)?;
        Ok((output, Saved::tensors(std::iter::once(input.clone()).chain(kept))))
    }

    fn backward(
        &self,
        pass: &Pass<'_>,
        saved: Saved,
        output_gradient: Tensor,
        wants: bool,
        emit: &mut Emit<'_>,
    ) -> Result<Option<Tensor>, Error> {
        let pictures = values(&saved.tensors[0])?;
        let records = pictures.len() / self.input_len();
        let kept = saved.tensors.get(1).map(values).transpose()?;
        let gradients = values(&output_gradient)?;
        let mut input_gradients = vec![0.0; if wants { pictures.len() } else { 0 }];
        let len = records.div_ceil(RUNS);
        let mut rooms = input_gradients.chunks_mut(len * self.input_len());
        let runs = (0..records).step_by(len).map(|from| {
            let to = records.min(from + len);
            let outputs = from * self.output_len()..to * self.output_len();
            Run {
                inputs: &pictures[from * self.input_len()..to * self.input_len()],
                kept: kept.as_ref().map(|kept| &kept[outputs.clone()]),
                gradients: &gradients[outputs],
                input_gradients: rooms.next().unwrap_or_default(),
            }
        });
        let (kernel_gradient, bias_gradient) = self.all_back(pass, runs.collect());
        emit(self.kernel, &kernel_gradient);
        if let Some(bias) = self.bias {
            emit(bias, &bias_gradient);
        }
        Ok(if wants { Some(tensor(input_gradients, &with_records(records, &self.input))?) } else { None })
    }
}
