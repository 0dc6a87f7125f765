//! The loop that one would write with candle alone.

use super::adam::Adam;
use super::batches::Batches;
use anyhow::{Context, bail, ensure};
use candle_core::{D, DType, Device, Tensor, Var};
use tfcoord_data::RecordBatch;
use tfcoord_types::job::{Activation, Graph, Input, JobFile, Layer, Model, Padding, Pair};

/// The loop and its state.
pub struct Loop {
    layers: Vec<Layer>,
    variables: Vec<Var>,
    adam: Adam,
    // Features and classes of each lane of each step.
    steps: Vec<Vec<(Tensor, Tensor)>>,
}

impl Loop {
    /// For the model of `job`, with random parameters.
    ///
    /// # Errors
    /// If the model has a layer that this loop does not know.
    pub fn new(job: &JobFile, data: Batches) -> anyhow::Result<Self> {
        ensure!(!data.steps.is_empty(), "an epoch has no full step");
        let variables = variables(&job.model, &data.input)?;
        let adam = Adam::new(&job.train.optimizer, &variables)?;
        let lane = |batch: RecordBatch| {
            let records = batch.indices.len();
            let shape: Vec<usize> = std::iter::once(records).chain(data.input.shape.iter().map(|d| *d as usize)).collect();
            Ok((Tensor::from_vec(batch.features, shape, &Device::Cpu)?, Tensor::from_vec(batch.classes, records, &Device::Cpu)?))
        };
        let steps: anyhow::Result<Vec<Vec<_>>> = data.steps.into_iter().map(|lanes| lanes.into_iter().map(lane).collect()).collect();
        let layers = job.model.layers.iter().map(|entry| entry.layer.clone()).collect();
        Ok(Self { layers, variables, adam, steps: steps? })
    }

    /// Takes one step: gradients of all lanes, added, and the update.
    ///
    /// # Errors
    /// If candle refuses an operation.
    pub fn step(&mut self, step: usize) -> anyhow::Result<()> {
        let mut sums: Vec<Option<Tensor>> = vec![None; self.variables.len()];
        let lanes = &self.steps[step % self.steps.len()];
        for (features, classes) in lanes {
            let store = self.loss(features, classes)?.backward()?;
            for (sum, variable) in sums.iter_mut().zip(&self.variables) {
                let gradient = store.get(variable).context("every variable has a gradient")?;
                *sum = Some(match sum.take() {
                    None => gradient.clone(),
                    Some(sum) => (sum + gradient)?,
                });
            }
        }
        let share = 1.0 / lanes.len() as f64;
        let means: Vec<Tensor> = sums.into_iter().flatten().map(|sum| sum * share).collect::<candle_core::Result<_>>()?;
        self.adam.update(&self.variables, &means)
    }

    // The mean softmax cross-entropy of a lane.
    fn loss(&self, features: &Tensor, classes: &Tensor) -> anyhow::Result<Tensor> {
        let outputs = forward(&self.layers, &self.variables, features)?;
        let of_class = outputs.gather(&classes.unsqueeze(1)?, 1)?.squeeze(1)?;
        Ok((outputs.log_sum_exp(D::Minus1)? - of_class)?.mean_all()?)
    }
}

// Kernels and biases, layer by layer; Glorot and Bengio 2010.
fn variables(model: &Model, input: &Input) -> anyhow::Result<Vec<Var>> {
    let mut variables = Vec::new();
    for (entry, node) in model.layers.iter().zip(Graph::new(model, input)?.nodes) {
        let shape = node.shape;
        let (kernel, outputs) = match entry.layer {
            Layer::Dense { units, bias: true, .. } => (vec![shape.input[0] as usize, units as usize], units),
            Layer::Conv2d { filters, kernel: Pair::Both(side), groups: 1, bias: true, .. } => {
                (vec![filters as usize, shape.input[0] as usize, side as usize, side as usize], filters)
            }
            Layer::Flatten {} | Layer::MaxPool2d { .. } | Layer::Dropout { .. } => continue,
            _ => bail!("the bare loop has no {}", shape.name),
        };
        let limit = (6.0 / (fan(&shape.input, &kernel) + fan(&shape.output, &kernel))).sqrt() as f32;
        variables.push(Var::rand(-limit, limit, kernel, &Device::Cpu)?);
        variables.push(Var::zeros(outputs as usize, DType::F32, &Device::Cpu)?);
    }
    Ok(variables)
}

// Units on one side of a dense layer; channels times window on one side of a convolution.
fn fan(side: &[u32], kernel: &[usize]) -> f64 {
    f64::from(side[0]) * kernel.iter().skip(2).map(|d| *d as f64).product::<f64>()
}

fn forward(layers: &[Layer], variables: &[Var], features: &Tensor) -> anyhow::Result<Tensor> {
    let mut tensor = features.clone();
    let mut variables = variables.iter();
    let mut next = || variables.next().context("every kernel and bias is there");
    for layer in layers {
        tensor = match *layer {
            Layer::Flatten {} => tensor.flatten_from(1)?,
            Layer::MaxPool2d { size: Pair::Both(size), stride: None } => tensor.max_pool2d(size as usize)?,
            Layer::Dropout { rate } => dropout(&tensor, rate)?,
            Layer::Dense { activation, .. } => activate(tensor.matmul(next()?)?.broadcast_add(next()?)?, activation)?,
            Layer::Conv2d { filters, stride: Pair::Both(stride), padding: Padding::Valid, groups: 1, activation, .. } => {
                let sums = tensor.conv2d(next()?, 0, stride as usize, 1, 1)?;
                activate(sums.broadcast_add(&next()?.reshape((1, filters as usize, 1, 1))?)?, activation)?
            }
            ref other => bail!("the bare loop has no {other:?}"),
        };
    }
    Ok(tensor)
}

fn dropout(tensor: &Tensor, rate: f32) -> candle_core::Result<Tensor> {
    let kept = Tensor::rand(0f32, 1f32, tensor.shape(), &Device::Cpu)?.ge(rate)?.to_dtype(DType::F32)?;
    tensor * (kept / f64::from(1.0 - rate))?
}

fn activate(tensor: Tensor, activation: Option<Activation>) -> anyhow::Result<Tensor> {
    match activation {
        None => Ok(tensor),
        Some(Activation::Relu) => Ok(tensor.relu()?),
        Some(other) => bail!("the bare loop has no {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::batches;
    use super::*;
    use crate::job::Example;

    // A loop that is not training would be fast for nothing.
    #[test]
    fn the_mlp_learns() {
        let dir = tempfile::tempdir().unwrap();
        let job = Example::Mlp.endless(dir.path(), 1).unwrap();
        let mut bare = Loop::new(&job, batches::read(&job, dir.path()).unwrap()).unwrap();
        let loss = |bare: &Loop| {
            let (features, classes) = &bare.steps[0][0];
            bare.loss(features, classes).unwrap().to_scalar::<f32>().unwrap()
        };
        let before = loss(&bare);
        (0..30).for_each(|step| bare.step(step).unwrap());
        assert!(loss(&bare) < 0.5 * before, "{} after {before}", loss(&bare));
    }

    #[test]
    fn the_cnn_has_the_variables_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        let job = Example::Cnn.job(dir.path()).unwrap();
        let shapes: Vec<Vec<usize>> =
            variables(&job.model, &Input::plain(&[1, 28, 28], 10)).unwrap().iter().map(|v| v.dims().to_vec()).collect();
        let expected: [&[usize]; 8] = [&[32, 1, 3, 3], &[32], &[64, 32, 3, 3], &[64], &[9216, 128], &[128], &[128, 10], &[10]];
        assert_eq!(shapes, expected);
    }
}
