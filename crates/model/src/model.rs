//! Models: layers one behind the other and a loss, or the counting model.

mod check;
mod counting;
mod evaluate;
mod judge;
mod train;

pub use evaluate::Prediction;
pub use train::TrainFigures;

use crate::error::Error;
use crate::kernel::Isa;
use crate::layer::{Layer, Order, Turn, build, order, values_of};
use crate::threads::Threads;
use std::ops::Range;
use tfcoord_types::figures::{CURVE_LEN, CURVE_VARIABLE};
use tfcoord_types::job::{self, Loss, ModelKind, fits_loss, shapes};
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
    input: Vec<u32>,
    classes: u32,
    variables: Vec<Variable>,
    body: Body,
    threads: Threads,
    isa: Isa,
}

enum Body {
    Layers { layers: Vec<Placed>, loss: Loss },
    Counting,
}

/// A layer with its name and its variables' places. One that leaves all values as they are is none of them.
pub(crate) struct Placed {
    pub name: String,
    pub layer: Box<dyn Layer>,
    pub variables: Range<usize>,
    /// Values of one record that come in and go out.
    pub inputs: usize,
    pub outputs: usize,
}

impl Model {
    /// The model that `spec` describes, for records of shape `input` with labels of so many `classes` (0: numbers).
    ///
    /// # Errors
    /// If a layer or the loss does not fit, or the model is too large.
    pub fn new(spec: &job::Model, input: &[u32], classes: u32, options: Options) -> Result<Self, Error> {
        let mut variables = Vec::new();
        let body = match spec.kind {
            ModelKind::Layers => layers(spec, input, classes, &mut variables)?,
            ModelKind::Counting => {
                let refused = || Error::Spec { problem: format!("cannot count {} records", options.train_records) };
                let records = u32::try_from(options.train_records).ok().filter(|n| *n > 0).ok_or_else(refused)?;
                variables.push(counting::variable(records));
                Body::Counting
            }
        };
        let curve = Variable { name: CURVE_VARIABLE.into(), shape: vec![CURVE_LEN], initializer: Initializer::Zeros, group: Group::Curve };
        variables.push(curve);
        let total = variables.iter().try_fold(0u64, |n, v| n.checked_add(v.elements()?)).filter(|n| *n <= ELEMENTS_MAX);
        if total.is_none() {
            return Err(Error::Spec { problem: format!("has more than {ELEMENTS_MAX} parameters: use smaller layers") });
        }
        let threads = Threads::new(options.threads)?;
        Ok(Self { spec: spec.clone(), input: input.to_vec(), classes, variables, body, threads, isa: options.isa })
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

    /// Shape of one record's features.
    pub fn input(&self) -> &[u32] {
        &self.input
    }

    /// Classes of the label; 0 where it is a number.
    pub fn classes(&self) -> u32 {
        self.classes
    }

    // Values of one record that come out.
    fn outputs(&self) -> usize {
        match &self.body {
            Body::Layers { layers, .. } => layers.last().map_or_else(|| values_of(&self.input), |placed| placed.outputs),
            Body::Counting => 0,
        }
    }

    // Where the curve stands in the list.
    fn curve(&self) -> usize {
        self.variables.len() - 1
    }
}

fn layers(spec: &job::Model, input: &[u32], classes: u32, variables: &mut Vec<Variable>) -> Result<Body, Error> {
    let shapes = shapes(&spec.layers, input)?;
    let refused = |problem: String| Error::Spec { problem };
    let last = shapes.last().ok_or_else(|| refused("there are no layers: name at least one".into()))?;
    let loss = spec.loss.ok_or_else(|| refused("there is no loss: name one".into()))?;
    fits_loss(loss, &last.output, classes).map_err(|problem| refused(format!("the loss {problem}")))?;
    // Places within a record are u32; a dimension of 0 divides by zero.
    for shape in std::iter::once(input).chain(shapes.iter().map(|s| &s.output[..])) {
        let fits = shape.iter().try_fold(1u32, |n, d| n.checked_mul(*d)).is_some_and(|n| n > 0);
        if !fits {
            return Err(refused(format!("{shape:?} is no shape of 1 to {} values a record", u32::MAX)));
        }
    }
    let mut placed = Vec::with_capacity(shapes.len());
    let mut present = Order::Channels;
    for (index, (layer, shape)) in spec.layers.iter().zip(&shapes).enumerate() {
        if let Some(order) = order(layer)
            && std::mem::replace(&mut present, order) != order
            && let Some(turn) = Turn::new(&shape.input, order)
        {
            let (values, none) = (values_of(&shape.input), variables.len()..variables.len());
            placed.push(Placed { name: shape.name.clone(), layer: Box::new(turn), variables: none, inputs: values, outputs: values });
        }
        let from = variables.len();
        let Some(built) = build(layer, index, shape, variables)? else { continue };
        // The coordinator reckons with these.
        debug_assert!(
            variables[from..].iter().map(|v| (v.name.clone(), v.shape.clone(), v.group)).eq(layer.variables(shape)),
            "{}",
            shape.name
        );
        let (inputs, outputs) = (values_of(&shape.input), values_of(&shape.output));
        placed.push(Placed { name: shape.name.clone(), layer: built, variables: from..variables.len(), inputs, outputs });
    }
    Ok(Body::Layers { layers: placed, loss })
}
