//! A graph made ready to be computed: layers in their orders of values, and where gradients lie.

mod join;
mod pass;

use crate::error::Error;
use crate::layer::{Layer, Order, Turn, build, order, values_of};
use join::Join;
use std::ops::Range;
use tfcoord_types::job::{Graph, LayerShape, NodeSource, Operation};
use tfcoord_types::variable::Variable;

/// What is computed for a batch, one after the other. The last one's output is the model's.
pub(crate) struct Network {
    placed: Vec<Placed>,
    /// Values of a record in each buffer of gradients.
    gradients: Vec<usize>,
    /// The buffer that takes the gradient by the model's output.
    first_gradient: usize,
    /// Values of one record, before and after.
    features: usize,
    outputs: usize,
}

/// A step of computing with its name and its variables' places. A layer that leaves all values as they are is none.
pub(crate) struct Placed {
    pub name: String,
    pub step: Step,
    sources: Vec<NodeSource>,
    pub variables: Range<usize>,
    /// Values of one record that come out.
    pub outputs: usize,
    // Nothing where nobody needs the gradient by the output.
    backward: Option<Back>,
}

pub(crate) enum Step {
    Layer(Box<dyn Layer>),
    Join(Join),
}

// Where the gradient by the output lies, and where those by the inputs go that are needed.
struct Back {
    own: usize,
    targets: Vec<Target>,
}

struct Target {
    source: usize,
    // Values of a record.
    values: usize,
    buffer: usize,
    // The buffer that it is added to, where another gradient by the same output is there already.
    sum: Option<usize>,
}

// Where a node's output is to be found.
#[derive(Clone, Copy)]
struct Wire {
    source: NodeSource,
    order: Order,
}

const FEATURES: Wire = Wire { source: NodeSource::Features, order: Order::Channels };

impl Network {
    /// The network of `graph` on records of shape `input`; adds its variables to the model's.
    ///
    /// # Errors
    /// If a layer cannot be.
    pub fn new(graph: &Graph, input: &[u32], variables: &mut Vec<Variable>) -> Result<Self, Error> {
        let mut network = Self { placed: Vec::new(), gradients: Vec::new(), first_gradient: 0, features: values_of(input), outputs: 0 };
        let mut wires: Vec<Wire> = Vec::with_capacity(graph.nodes.len());
        for (index, node) in graph.nodes.iter().enumerate() {
            let from = variables.len();
            // As each source lies, with its shape.
            let sources = node.sources.iter().map(|source| match source {
                NodeSource::Features => (FEATURES, input),
                NodeSource::Node(at) => (wires[*at], &graph.nodes[*at].shape.output[..]),
            });
            let sources: Vec<(Wire, &[u32])> = sources.collect();
            let shape = &node.shape;
            let (step, seen) = match &node.operation {
                Operation::Layer(layer) => {
                    let seen = network.turned(sources[0], order(layer), &shape.name);
                    let Some(built) = build(layer, index, shape, variables)? else {
                        wires.push(seen);
                        continue;
                    };
                    // The coordinator reckons with these.
                    debug_assert!(
                        variables[from..].iter().map(|v| (v.name.clone(), v.shape.clone(), v.group)).eq(layer.variables(shape)),
                        "{}",
                        shape.name
                    );
                    (Step::Layer(built), vec![seen])
                }
                Operation::Select(runs) => (Step::Join(Join::select(runs, network.features)), vec![sources[0].0]),
                Operation::Add => {
                    let first = sources[0].0.order;
                    (Step::Join(Join::Add), sources.iter().map(|source| network.turned(*source, Some(first), &shape.name)).collect())
                }
                Operation::Concatenate => {
                    let join = Join::concatenate(sources.iter().map(|(_, shape)| *shape));
                    let side_by_side = (shape.output.len() == 3).then_some(Order::Places);
                    (Step::Join(join), sources.iter().map(|source| network.turned(*source, side_by_side, &shape.name)).collect())
                }
            };
            wires.push(Wire { order: seen[0].order, ..network.place(shape, step, &seen, from..variables.len()) });
        }
        // The loss sees values as they come.
        if let (Some(wire), Some(shape)) = (wires.last(), graph.output()) {
            network.turned((*wire, shape), Some(Order::Channels), "output");
            network.outputs = values_of(shape);
        }
        network.plan_gradients();
        Ok(network)
    }

    fn place(&mut self, shape: &LayerShape, step: Step, seen: &[Wire], variables: Range<usize>) -> Wire {
        let sources = seen.iter().map(|wire| wire.source).collect();
        let outputs = values_of(&shape.output);
        self.placed.push(Placed { name: shape.name.clone(), step, sources, variables, outputs, backward: None });
        Wire { source: NodeSource::Node(self.placed.len() - 1), order: Order::Channels }
    }

    // What is seen, in the order that is wanted; `name` is who wants it.
    fn turned(&mut self, (wire, shape): (Wire, &[u32]), wanted: Option<Order>, name: &str) -> Wire {
        let order = wanted.unwrap_or(wire.order);
        if order == wire.order {
            return wire;
        }
        let Some(turn) = Turn::new(shape, order) else { return Wire { order, ..wire } };
        let variables = self.placed.last().map_or(0, |placed| placed.variables.end);
        let shape = LayerShape { name: name.to_owned(), input: shape.to_vec(), output: shape.to_vec(), categories: Vec::new() };
        Wire { order, ..self.place(&shape, Step::Layer(Box::new(turn)), &[wire], variables..variables) }
    }

    // Every gradient gets a buffer from when the first part of it is there until it has been passed on; buffers that are
    // free again are taken first. In a chain there are two.
    fn plan_gradients(&mut self) {
        // Nobody below the lowest layers with variables needs a gradient.
        let mut wanted: Vec<bool> = Vec::with_capacity(self.placed.len());
        for placed in &self.placed {
            let below = placed.sources.iter().any(|source| matches!(source, NodeSource::Node(at) if wanted[*at]));
            wanted.push(below || !placed.variables.is_empty());
        }
        let mut buffers = Buffers::default();
        let mut own: Vec<Option<usize>> = vec![None; self.placed.len()];
        self.first_gradient = buffers.take(self.outputs);
        own.last_mut().into_iter().for_each(|last| *last = Some(self.first_gradient));
        for at in (0..self.placed.len()).rev() {
            let (true, Some(buffer)) = (wanted[at], own[at]) else { continue };
            let mut targets = Vec::new();
            for (place, source) in self.placed[at].sources.iter().enumerate() {
                let &NodeSource::Node(below) = source else { continue };
                if !wanted[below] {
                    continue;
                }
                let values = self.placed[below].outputs;
                let taken = buffers.take(values);
                match own[below] {
                    None => own[below] = Some(taken),
                    Some(_) => buffers.release(taken),
                }
                let sum = own[below].filter(|sum| *sum != taken);
                targets.push(Target { source: place, values, buffer: taken, sum });
            }
            buffers.release(buffer);
            self.placed[at].backward = Some(Back { own: buffer, targets });
        }
        self.gradients = buffers.values;
    }

    /// What is computed, in order.
    pub fn placed(&self) -> &[Placed] {
        &self.placed
    }

    /// Values of one record that come out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The buffer that takes the gradient by the model's output.
    pub fn first_gradient(&self) -> usize {
        self.first_gradient
    }

    /// Values of one record in each buffer of gradients.
    pub fn gradients(&self) -> &[usize] {
        &self.gradients
    }
}

#[derive(Default)]
struct Buffers {
    values: Vec<usize>,
    free: Vec<usize>,
}

impl Buffers {
    // The largest free one, made larger where needed.
    fn take(&mut self, values: usize) -> usize {
        let largest = (0..self.free.len()).max_by_key(|at| self.values[self.free[*at]]);
        let buffer = match largest {
            Some(at) => self.free.swap_remove(at),
            None => {
                self.values.push(0);
                self.values.len() - 1
            }
        };
        self.values[buffer] = self.values[buffer].max(values);
        buffer
    }

    fn release(&mut self, buffer: usize) {
        self.free.push(buffer);
    }
}
