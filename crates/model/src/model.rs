//! Models: a network of layers and a loss, or the counting model.

mod check;
mod counting;
mod evaluate;
mod judge;
mod network;
mod train;

pub use evaluate::{PIECE, Prediction};
pub(crate) use network::{Network, Placed, Step};
pub use train::TrainFigures;

use crate::error::Error;
use crate::kernel::Isa;
use crate::layer::values_of;
use crate::threads::Threads;
use tfcoord_types::figures::{CURVE_LEN, CURVE_VARIABLE};
use tfcoord_types::job::{self, Graph, Input, Loss, ModelKind, fits_loss};
use tfcoord_types::layout::ELEMENTS_MAX;
use tfcoord_types::variable::{Group, Initializer, Variable};

/// What a model needs to know besides its specification.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Threads that compute; the bits do not depend on it.
    pub threads: usize,
    /// Vector instructions to compute with; the bits do not depend on them either.
    pub isa: Isa,
    /// Records of the training set; only the counting model reads it.
    pub train_records: u64,
}

/// A model, without its parameters.
pub struct Model {
    spec: job::Model,
    input: Input,
    variables: Vec<Variable>,
    body: Body,
    threads: Threads,
    isa: Isa,
}

enum Body {
    Layers { network: Network, loss: Loss },
    Counting,
}

impl Model {
    /// The model that `spec` describes, for records as `input` has them.
    ///
    /// # Errors
    /// If a layer or the loss does not fit, or the model is too large.
    pub fn new(spec: &job::Model, input: &Input, options: Options) -> Result<Self, Error> {
        let mut variables = Vec::new();
        let body = match spec.kind {
            ModelKind::Layers => layers(spec, input, &mut variables)?,
            ModelKind::Counting => {
                let refused = || Error::Spec { problem: format!("cannot count {} records", options.train_records) };
                let records = u32::try_from(options.train_records).ok().filter(|n| *n > 0).ok_or_else(refused)?;
                variables.push(counting::variable(records));
                Body::Counting
            }
        };
        let curve = Variable {
            name: CURVE_VARIABLE.into(),
            shape: vec![CURVE_LEN],
            initializer: Initializer::Zeros,
            group: Group::Curve,
            sync: None,
        };
        variables.push(curve);
        let total = variables.iter().try_fold(0u64, |n, v| n.checked_add(v.elements()?)).filter(|n| *n <= ELEMENTS_MAX);
        if total.is_none() {
            return Err(Error::Spec { problem: format!("has more than {ELEMENTS_MAX} parameters: use smaller layers") });
        }
        let threads = Threads::new(options.threads)?;
        Ok(Self { spec: spec.clone(), input: input.clone(), variables, body, threads, isa: options.isa })
    }

    /// What it computes with: the thread that trains is one of them, and may be kept on a cpu of its own with
    /// [`Threads::pin_caller`].
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Its variables: layer by layer from the features on, and last the curve.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// What it was made of.
    pub fn spec(&self) -> &job::Model {
        &self.spec
    }

    /// The records that it takes.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// Classes that it tells apart; 0 where it predicts none.
    pub fn classes(&self) -> u32 {
        match self.body {
            Body::Layers { loss, .. } if loss.predicts_classes() => self.input.classes,
            _ => 0,
        }
    }

    // What computes; nothing where there are no layers.
    pub(crate) fn layers(&self) -> Option<&Network> {
        match &self.body {
            Body::Layers { network, .. } => Some(network),
            Body::Counting => None,
        }
    }

    // Values of a record.
    fn features(&self) -> usize {
        values_of(&self.input.shape)
    }

    // Where the curve stands in the list.
    fn curve(&self) -> usize {
        self.variables.len() - 1
    }
}

fn layers(spec: &job::Model, input: &Input, variables: &mut Vec<Variable>) -> Result<Body, Error> {
    let graph = Graph::new(spec, input)?;
    let refused = |problem: String| Error::Spec { problem };
    let output = graph.output().ok_or_else(|| refused("there are no layers: name at least one".into()))?;
    let loss = spec.loss.ok_or_else(|| refused("there is no loss: name one".into()))?;
    fits_loss(loss, output, input).map_err(|problem| refused(format!("the loss {problem}")))?;
    Ok(Body::Layers { network: Network::new(&graph, &input.shape, variables)?, loss })
}
