//! A model as a graph: every layer with its shapes and what it sees, in the order of computing.

mod builder;
mod rows;
#[cfg(test)]
mod tests;

use super::input::Input;
use super::model::{Layer, Model};
use super::shape::LayerShape;
use crate::variable::Group;
use builder::Builder;
use std::ops::Range;

/// A model's nodes, each after those that it sees. The last one's output is the model's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// One step of computing.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What is computed.
    pub operation: Operation,
    /// Of what: one source, but for [`Operation::Add`] and [`Operation::Concatenate`].
    pub sources: Vec<Source>,
    /// Name and shapes. The input's is that of one source, or of all of them concatenated.
    pub shape: LayerShape,
}

/// What a node computes.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// A layer that sees one source.
    Layer(Layer),
    /// Some of a table's features, run by run.
    Select(Vec<Range<u32>>),
    /// The sum of sources of one shape.
    Add,
    /// Sources one behind the other: the only dimension of vectors, the features of sequences, the channels of pictures.
    Concatenate,
}

/// What a node sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The record's features.
    Features,
    /// The output of an earlier node.
    Node(usize),
}

/// A layer that does not fit what it sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {problem}{}", seen(input))]
pub struct GraphError {
    /// Where it stands in the job file: `model.layers[3]`.
    pub path: String,
    /// The layer's kind, as in the job file.
    pub kind: &'static str,
    /// The shape of what comes to it, where it is known.
    pub input: Option<Vec<u32>>,
    /// What is wrong, and behind the first colon what would be right.
    pub problem: String,
}

fn seen(input: &Option<Vec<u32>>) -> String {
    input.as_ref().map(|input| format!("; its input is {input:?}")).unwrap_or_default()
}

impl GraphError {
    /// What is wrong, and what would be right; the latter may be empty.
    pub fn parts(&self) -> (String, &str) {
        let (problem, remedy) = self.problem.split_once(": ").unwrap_or((&self.problem, ""));
        (format!("{} {problem}{}", self.kind, seen(&self.input)), remedy)
    }
}

impl Graph {
    /// The graph of `model` on records as `input` has them. A model without layers has no nodes.
    ///
    /// # Errors
    /// The first layer that does not fit.
    pub fn new(model: &Model, input: &Input) -> Result<Self, GraphError> {
        let mut builder = Builder::new(input)?;
        match &model.preset {
            Some(preset) => {
                let path = format!("model.preset.{}", preset.kind());
                let problem = preset
                    .faults()
                    .first()
                    .map(|fault| format!("has a {} of {}, which is not {}", fault.field, fault.value, fault.expected));
                if let Some(problem) = problem.or_else(|| preset.misfit(input)) {
                    return Err(GraphError { path, kind: preset.kind(), input: Some(input.shape.clone()), problem });
                }
                let layers = preset.layers(model.loss, input);
                layers.iter().enumerate().try_for_each(|(index, entry)| builder.entry(entry, index, &path))?;
            }
            None => {
                let mut layers = model.layers.iter().enumerate();
                layers.try_for_each(|(index, entry)| builder.entry(entry, index, &format!("model.layers[{index}]")))?;
            }
        }
        builder.end()
    }

    /// The shape of what comes out; nothing if there are no nodes.
    pub fn output(&self) -> Option<&[u32]> {
        self.nodes.last().map(|node| &node.shape.output[..])
    }

    /// The names of the layers, as the job file has them: what is inside of a residual block counts for the block.
    pub fn layers(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.nodes.iter().filter_map(|node| node.shape.name.split('.').next()) {
            if names.last().is_none_or(|last| last != name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Name, shape and group of each variable, in the model's order.
    pub fn variables(&self) -> impl Iterator<Item = (String, Vec<u32>, Group)> {
        self.nodes.iter().flat_map(|node| match &node.operation {
            Operation::Layer(layer) => layer.variables(&node.shape),
            Operation::Select(_) | Operation::Add | Operation::Concatenate => Vec::new(),
        })
    }
}
