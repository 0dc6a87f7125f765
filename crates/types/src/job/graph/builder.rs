//! From entries to nodes.

use super::{Graph, GraphError, Node, Operation, Source};
use crate::job::entry::LayerEntry;
use crate::job::input::{Input, InputColumn};
use crate::job::model::Layer;
use crate::job::shape::LayerShape;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// All features of a record.
const FEATURES: &str = "features";
/// The columns whose features are numbers.
const NUMBERS: &str = "numbers";
/// The columns whose feature is a category's number.
const CATEGORIES: &str = "categories";

/// What is wrong where numbers are expected.
const CATEGORIES_SEEN: &str =
    "takes numbers, but sees columns of categories: put an embedding before it, or use {\"category\": …} for the columns";
/// The most values of which each may be a category's number: they are kept one by one.
const CATEGORIES_MAX: u32 = 1 << 22;

pub(super) struct Builder<'a> {
    input: &'a Input,
    nodes: Vec<Node>,
    // Where each node comes from.
    entries: Vec<(String, &'static str)>,
    names: BTreeMap<String, Seen>,
    // What an entry sees that names nothing.
    previous: Seen,
}

// Something that a layer may see.
#[derive(Debug, Clone)]
struct Seen {
    source: Source,
    shape: Vec<u32>,
    // As in `LayerShape`.
    categories: Arc<[u32]>,
    // Whether its values are features, however they lie.
    of_features: bool,
}

impl Seen {
    fn has_categories(&self) -> bool {
        self.categories.iter().any(|n| *n > 0)
    }
}

// The entry that is added: where problems are, and what it is.
struct At<'a> {
    path: &'a str,
    kind: &'static str,
}

impl At<'_> {
    fn problem(&self, input: Option<&[u32]>, problem: impl Into<String>) -> GraphError {
        GraphError { path: self.path.to_owned(), kind: self.kind, input: input.map(<[u32]>::to_vec), problem: problem.into() }
    }
}

impl<'a> Builder<'a> {
    /// For records as `input` has them.
    ///
    /// # Errors
    /// Its parts do not fit each other: it comes from a foreign file.
    pub fn new(input: &'a Input) -> Result<Self, GraphError> {
        let (columns, all) = (&input.columns, values(&input.shape));
        let features = columns.iter().try_fold(0u32, |sum, column| sum.checked_add(column.features));
        let fits = columns.is_empty() || features == all && columns.iter().all(|column| column.categories == 0 || column.features == 1);
        let countable = columns.is_empty() || features.is_some_and(|n| n <= CATEGORIES_MAX);
        if all.is_none() || !fits || !countable {
            let problem = "sees features that cannot be, or columns that do not make them: use the model.json that the training job wrote";
            return Err(At { path: "model", kind: "the first layer" }.problem(Some(&input.shape), problem));
        }
        let previous = all_features(input);
        Ok(Self { input, nodes: Vec::new(), entries: Vec::new(), names: BTreeMap::new(), previous })
    }

    /// Adds an entry, which stands at `path` as number `index` of its list.
    pub fn entry(&mut self, entry: &LayerEntry, index: usize, path: &str) -> Result<(), GraphError> {
        let at = At { path, kind: entry.layer.kind() };
        let name = entry.name.clone().unwrap_or_else(|| format!("{}_{index}", at.kind));
        let seen = match &entry.input {
            None => vec![self.previous.clone()],
            Some(names) => self.named(&names.iter().map(String::as_str).collect::<Vec<_>>(), &name, &at)?,
        };
        self.layer(&entry.layer, &name, seen, &at)?;
        if self.names.insert(name.clone(), self.previous.clone()).is_some() {
            return Err(at.problem(None, format!("is called {name:?}, as another layer is: use another name")));
        }
        Ok(())
    }

    /// The graph, if every node's output is used.
    pub fn end(self) -> Result<Graph, GraphError> {
        let mut used = vec![false; self.nodes.len()];
        used.last_mut().into_iter().for_each(|last| *last = true);
        for source in self.nodes.iter().flat_map(|node| &node.sources) {
            if let Source::Node(at) = source {
                used[*at] = true;
            }
        }
        match used.iter().position(|used| !used) {
            None => Ok(Graph { nodes: self.nodes }),
            Some(node) => {
                let (path, kind) = &self.entries[node];
                let problem =
                    format!("({:?}) gives what nothing sees: name it in the input of a layer after it", self.nodes[node].shape.name);
                Err(At { path, kind }.problem(None, problem))
            }
        }
    }

    fn layer(&mut self, layer: &Layer, name: &str, mut seen: Vec<Seen>, at: &At<'_>) -> Result<(), GraphError> {
        if let Layer::Add {} = layer {
            return self.add(name, &seen, at);
        }
        if let Layer::Concatenate {} = layer {
            if seen.len() < 2 {
                let problem = "needs several inputs: name them, as in {\"input\": [\"a\", \"b\"], \"concatenate\": {}}";
                return Err(at.problem(Some(&seen[0].shape), problem));
            }
            return self.concatenate(name, &seen, at);
        }
        if seen.len() > 1 {
            self.concatenate(&format!("{name}.input"), &seen, at)?;
            seen = vec![self.previous.clone()];
        }
        let seen = seen.remove(0);
        match layer {
            Layer::Residual { layers } => self.residual(layers, name, seen, at),
            _ => self.plain(layer, name, seen, at),
        }
    }

    fn plain(&mut self, layer: &Layer, name: &str, seen: Seen, at: &At<'_>) -> Result<(), GraphError> {
        let passes = matches!(layer, Layer::Flatten {} | Layer::Reshape { .. });
        let embeds = matches!(layer, Layer::Embedding { .. } | Layer::EmbeddingBag { .. });
        if !passes && !embeds && seen.has_categories() {
            return Err(at.problem(Some(&seen.shape), CATEGORIES_SEEN));
        }
        if embeds && !seen.of_features {
            let problem = "takes features as they come: put nothing but flatten and reshape before it";
            return Err(at.problem(Some(&seen.shape), problem));
        }
        let shape = LayerShape::new(layer, name, &seen.shape, if embeds { &seen.categories } else { &[] });
        let shape = shape.map_err(|problem| at.problem(Some(&seen.shape), problem))?;
        let categories = if passes { seen.categories } else { Arc::default() };
        let node = Node { operation: Operation::Layer(layer.clone()), sources: vec![seen.source], shape };
        self.push(node, (categories, seen.of_features && passes), at)
    }

    // Places within a record are u32.
    fn push(&mut self, node: Node, (categories, of_features): (Arc<[u32]>, bool), at: &At<'_>) -> Result<(), GraphError> {
        let shape = node.shape.output.clone();
        if values(&shape).is_none() {
            let problem = format!("gives {shape:?}, which is not from 1 to {} values a record: choose other sizes", u32::MAX);
            return Err(at.problem(None, problem));
        }
        self.entries.push((at.path.to_owned(), at.kind));
        self.previous = Seen { source: Source::Node(self.nodes.len()), shape, categories, of_features };
        self.nodes.push(node);
        Ok(())
    }

    fn add(&mut self, name: &str, seen: &[Seen], at: &At<'_>) -> Result<(), GraphError> {
        let shape = seen[0].shape.clone();
        if seen.len() < 2 {
            let problem = "needs several inputs: name them, as in {\"input\": [\"a\", \"b\"], \"add\": {}}";
            return Err(at.problem(Some(&shape), problem));
        }
        if let Some(other) = seen.iter().find(|other| other.shape != shape) {
            return Err(at.problem(None, format!("needs inputs of one shape, but sees {shape:?} and {:?}", other.shape)));
        }
        if seen.iter().any(Seen::has_categories) {
            return Err(at.problem(Some(&shape), CATEGORIES_SEEN));
        }
        let sources = seen.iter().map(|seen| seen.source).collect();
        self.push(Node { operation: Operation::Add, sources, shape: same(name, &shape) }, (Arc::default(), false), at)
    }

    fn concatenate(&mut self, name: &str, seen: &[Seen], at: &At<'_>) -> Result<(), GraphError> {
        let shapes: Vec<&[u32]> = seen.iter().map(|seen| &seen.shape[..]).collect();
        let output = concatenated(&shapes).ok_or_else(|| {
            let problem = format!(
                "cannot see {shapes:?} one behind the other: vectors, sequences of as many steps, or pictures of one size can be joined"
            );
            at.problem(None, problem)
        })?;
        let has_categories = seen.iter().any(Seen::has_categories);
        // Of other shapes than vectors, values would have to be sorted by rows.
        if has_categories && !(seen.iter().all(|seen| seen.of_features) && output.len() == 1) {
            return Err(at.problem(None, CATEGORIES_SEEN));
        }
        let mut categories = Vec::new();
        if has_categories {
            countable(output[0], at)?;
            for seen in seen {
                match seen.categories.is_empty() {
                    true => categories.resize(categories.len() + seen.shape[0] as usize, 0),
                    false => categories.extend_from_slice(&seen.categories),
                }
            }
        }
        let sources = seen.iter().map(|seen| seen.source).collect();
        let of_features = seen.iter().all(|seen| seen.of_features);
        self.push(Node { operation: Operation::Concatenate, sources, shape: same(name, &output) }, (categories.into(), of_features), at)
    }

    // What comes in, and what becomes of it through the layers, are added.
    fn residual(&mut self, layers: &[Layer], name: &str, seen: Seen, at: &At<'_>) -> Result<(), GraphError> {
        let mut inner = seen.clone();
        for (index, layer) in layers.iter().enumerate() {
            let path = format!("{}.residual.layers[{index}]", at.path);
            let at = At { path: &path, kind: layer.kind() };
            self.layer(layer, &format!("{name}.{}_{index}", at.kind), vec![inner], &at)?;
            inner = self.previous.clone();
        }
        if inner.shape != seen.shape {
            let problem = format!("gives {:?}: its layers must give what comes in, so that both can be added", inner.shape);
            return Err(at.problem(Some(&seen.shape), problem));
        }
        self.add(name, &[seen, inner], at)
    }

    // What `names` stand for; neighbouring columns are taken together.
    fn named(&mut self, names: &[&str], layer: &str, at: &At<'_>) -> Result<Vec<Seen>, GraphError> {
        let mut all = Vec::new();
        let mut runs: Vec<Range<u32>> = Vec::new();
        for name in names {
            let is_column = self.input.columns.iter().any(|column| column.name == *name);
            let has_meaning = self.names.contains_key(*name) || [FEATURES, NUMBERS, CATEGORIES].contains(name);
            if is_column && has_meaning {
                let problem = format!("sees {name:?}, which is a column and something else as well: rename one of them");
                return Err(at.problem(None, problem));
            }
            if let Some(seen) = self.names.get(*name).cloned() {
                all.extend(self.select(std::mem::take(&mut runs), layer, at)?);
                all.push(seen);
                continue;
            }
            if *name == FEATURES && self.input.columns.is_empty() {
                all.push(all_features(self.input));
                continue;
            }
            let found = self.columns(name);
            if found.is_empty() {
                return Err(at.problem(None, self.unknown(name)));
            }
            runs.extend(found);
        }
        all.extend(self.select(runs, layer, at)?);
        if all.is_empty() { Err(at.problem(None, "has an empty list of inputs: name at least one, or leave it out")) } else { Ok(all) }
    }

    fn unknown(&self, name: &str) -> String {
        match name {
            NUMBERS | CATEGORIES if self.input.columns.is_empty() => {
                format!("sees {name:?}, but the data have no columns: use \"{FEATURES}\"")
            }
            NUMBERS => "sees \"numbers\", but no column holds any".into(),
            CATEGORIES => "sees \"categories\", but no column is an index: use {\"index\": …} in data.features".into(),
            _ => format!(
                "sees {name:?}, which is neither a layer before it nor a column: name one, or \"{FEATURES}\", \"{NUMBERS}\", \"{CATEGORIES}\""
            ),
        }
    }

    // The features that a column, or a kind of columns, becomes.
    fn columns(&self, name: &str) -> Vec<Range<u32>> {
        let mut first = 0;
        let ranges = self.input.columns.iter().map(|column| {
            first += column.features;
            (column, first - column.features..first)
        });
        let is_named = |column: &InputColumn| match name {
            FEATURES => true,
            NUMBERS => column.categories == 0,
            CATEGORIES => column.categories > 0,
            _ => column.name == name,
        };
        ranges.filter(|(column, _)| is_named(column)).map(|(_, range)| range).collect()
    }

    // The features of some runs: a node of its own, unless they are all there are.
    fn select(&mut self, runs: Vec<Range<u32>>, layer: &str, at: &At<'_>) -> Result<Option<Seen>, GraphError> {
        let mut merged: Vec<Range<u32>> = Vec::new();
        let mut features = 0u32;
        for run in runs {
            features = features.saturating_add(run.end - run.start);
            match merged.last_mut() {
                Some(last) if last.end == run.start => last.end = run.end,
                _ => merged.push(run),
            }
        }
        let all = all_features(self.input);
        match &merged[..] {
            [] => return Ok(None),
            [run] if *run == (0..self.input.shape.iter().product()) => return Ok(Some(all)),
            _ => countable(features, at)?,
        }
        let of = |run: &Range<u32>| all.categories[run.start as usize..run.end as usize].iter().copied();
        let categories: Vec<u32> = if all.has_categories() { merged.iter().flat_map(of).collect() } else { Vec::new() };
        let categories = if categories.iter().all(|n| *n == 0) { Vec::new() } else { categories };
        let shape = LayerShape { input: self.input.shape.clone(), ..same(&format!("{layer}.input"), &[features]) };
        self.push(Node { operation: Operation::Select(merged), sources: vec![Source::Features], shape }, (categories.into(), true), at)?;
        Ok(Some(self.previous.clone()))
    }
}

// Whether so many values may be categories.
fn countable(values: u32, at: &At<'_>) -> Result<(), GraphError> {
    if values <= CATEGORIES_MAX {
        return Ok(());
    }
    Err(at.problem(None, format!("sees {values} values of columns: name fewer, at most {CATEGORIES_MAX} values can be joined")))
}

// The values of a shape; nothing if there are none, or more than can be counted.
fn values(shape: &[u32]) -> Option<u32> {
    shape.iter().try_fold(1u32, |n, d| n.checked_mul(*d)).filter(|n| *n > 0)
}

// All of a record.
fn all_features(input: &Input) -> Seen {
    let numbers = input.columns.iter().all(|column| column.categories == 0);
    let of = |column: &InputColumn| std::iter::repeat_n(column.categories, column.features as usize);
    let categories = if numbers { Arc::default() } else { input.columns.iter().flat_map(of).collect() };
    Seen { source: Source::Features, shape: input.shape.clone(), categories, of_features: true }
}

// The shape of what gives what it sees.
fn same(name: &str, shape: &[u32]) -> LayerShape {
    LayerShape { name: name.to_owned(), input: shape.to_vec(), output: shape.to_vec(), categories: Vec::new() }
}

// The dimension that grows is the only one of vectors, the last one of sequences, the first one of pictures.
fn concatenated(shapes: &[&[u32]]) -> Option<Vec<u32>> {
    let (first, rest) = shapes.split_first()?;
    let grows = match first.len() {
        1 => 0,
        2 => 1,
        3 => 0,
        _ => return None,
    };
    let mut all = first.to_vec();
    for shape in rest {
        let others_equal = shape.len() == all.len() && (0..all.len()).all(|d| d == grows || shape[d] == all[d]);
        if !others_equal {
            return None;
        }
        all[grows] = all[grows].checked_add(shape[grows])?;
    }
    Some(all)
}
