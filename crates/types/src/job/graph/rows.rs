//! Which of a record's features name rows of a table that all of them share.

use super::{Graph, Operation, Source};
use crate::job::model::Layer;

impl Graph {
    /// For each of a record's `features`, how many rows the smallest table has that it names a row of by an embedding's
    /// `vocabulary`; nothing where there is none.
    pub fn vocabularies(&self, features: usize) -> Vec<Option<u32>> {
        let mut all = vec![None; features];
        for (at, node) in self.nodes.iter().enumerate() {
            let Operation::Layer(Layer::Embedding { vocabulary, .. } | Layer::EmbeddingBag { vocabulary, .. }) = &node.operation else {
                continue;
            };
            let Some(rows) = *vocabulary else { continue };
            for (rows_of, _) in all.iter_mut().zip(self.seen_by(at, features)).filter(|(_, seen)| *seen) {
                *rows_of = Some(rows_of.unwrap_or(rows).min(rows));
            }
        }
        all
    }

    // Whether each feature comes to a node. Each node is gone through once: a list of what comes through all ways could
    // double from node to node.
    fn seen_by(&self, node: usize, features: usize) -> Vec<bool> {
        let mut seen = vec![false; features];
        let mut wanted = vec![false; node + 1];
        wanted[node] = true;
        for at in (0..=node).rev() {
            if !wanted[at] {
                continue;
            }
            let node = &self.nodes[at];
            for source in &node.sources {
                match (source, &node.operation) {
                    (Source::Node(before), _) => wanted[*before] = true,
                    (Source::Features, Operation::Select(runs)) => {
                        runs.iter().for_each(|run| seen[run.start as usize..run.end as usize].fill(true));
                    }
                    (Source::Features, _) => seen.fill(true),
                }
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{model, table};
    use super::*;
    use crate::job::Input;

    fn vocabularies(layers: &str, input: &Input) -> Vec<u32> {
        let graph = Graph::new(&model(layers), input).unwrap();
        graph.vocabularies(input.shape.iter().product::<u32>() as usize).into_iter().map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn a_feature_has_the_rows_of_the_smallest_table_that_sees_it() {
        let layers = r#"[{"name": "a", "input": ["age", "job"], "embedding_bag": {"dim": 2, "vocabulary": 9}},
            {"name": "b", "input": ["hours", "age"], "embedding_bag": {"dim": 2, "vocabulary": 7}},
            {"name": "c", "input": "state", "embedding_bag": {"dim": 2}},
            {"input": ["a", "b", "c", "one_hot"], "dense": {"units": 1}}]"#;
        assert_eq!(vocabularies(layers, &table()), [7, 0, 0, 0, 9, 7, 0]);
        let layers = r#"[{"reshape": {"shape": [2, 2]}}, {"flatten": {}}, {"embedding": {"dim": 3, "vocabulary": 9}}]"#;
        assert_eq!(vocabularies(layers, &Input::plain(&[4], 2)), [9; 4]);
    }
}
