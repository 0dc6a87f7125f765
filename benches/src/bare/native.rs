//! Our layers in a bare loop: what a worker computes, and nothing else that it does.

use super::batches::Batches;
use anyhow::ensure;
use tfcoord_data::RecordBatch;
use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Isa, Labels, Model, Options, Parameters, StepKey, Workspace, sum};
use tfcoord_types::draw::Stream;
use tfcoord_types::job::JobFile;
use tfcoord_types::variable::Initializer;

/// The loop and its state.
pub struct Loop {
    model: Model,
    parameters: Parameters,
    workspace: Workspace,
    // A sum for each variable.
    sums: Vec<Vec<f32>>,
    steps: Vec<Vec<Batch>>,
    seed: u64,
}

impl Loop {
    /// For the model of `job`, with random parameters.
    ///
    /// # Errors
    /// If the model does not fit the data.
    pub fn new(job: &JobFile, data: Batches) -> anyhow::Result<Self> {
        ensure!(!data.steps.is_empty(), "an epoch has no full step");
        let options = Options { threads: 1, train_records: 0, isa: Isa::detect() };
        let model = Model::new(&job.model, &data.input, options)?;
        let mut parameters = Parameters::new(model.variables())?;
        for (place, variable) in (0u64..).zip(model.variables()) {
            let values = parameters.values_mut(usize::try_from(place)?);
            match variable.initializer {
                Initializer::Zeros => {}
                Initializer::Ones => values.fill(1.0),
                Initializer::Uniform { limit: scale } | Initializer::Normal { deviation: scale } => {
                    let mut stream = Stream::new("bench", &[place]);
                    values.fill_with(|| scale * (2.0 * stream.unit() - 1.0));
                }
            }
        }
        let sums = parameters.lengths().map(|len| vec![0.0; len]).collect();
        let steps: anyhow::Result<Vec<Vec<Batch>>> = data.steps.into_iter().map(|lanes| lanes.into_iter().map(batch).collect()).collect();
        Ok(Self { model, parameters, workspace: Workspace::default(), sums, steps: steps?, seed: job.train.seed })
    }

    /// Computes the gradient sums of one step.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn step(&mut self, step: usize) -> anyhow::Result<()> {
        let lanes = &self.steps[step % self.steps.len()];
        for (lane, batch) in (0..).zip(lanes) {
            let key = StepKey { seed: self.seed, epoch: 0, step: step as u64, lane };
            let sums = &mut self.sums;
            let mut emit = |variable: usize, gradient: &[f32]| match lane {
                0 => sums[variable].copy_from_slice(gradient),
                _ => sum::add(&mut sums[variable], gradient),
            };
            self.model.train(&self.parameters, batch, key, &mut self.workspace, &mut emit)?;
        }
        Ok(())
    }
}

fn batch(record: RecordBatch) -> anyhow::Result<Batch> {
    let RecordBatch { features, classes, indices, .. } = record;
    Ok(Batch::new(indices.len(), Buffers { features, labels: Labels::Classes(classes), indices })?)
}
