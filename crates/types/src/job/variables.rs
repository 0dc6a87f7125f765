//! The variables that layers have, as far as their sizes go: known before anything is launched.

use super::model::Layer;
use super::shape::{LayerShape, rows};
use crate::variable::Group;

impl Layer {
    /// Name, shape and group of each of its variables, in the model's order, where it has the shapes `shape`.
    pub fn variables(&self, shape: &LayerShape) -> Vec<(String, Vec<u32>, Group)> {
        let input = &shape.input;
        let named = |name: &str, dimensions: &[u32], group| (format!("{}/{name}", shape.name), dimensions.to_vec(), group);
        let with_bias = |kernel: &[u32], units: u32, bias: bool| {
            let bias = bias.then(|| named("bias", &[units], Group::Train));
            std::iter::once(named("kernel", kernel, Group::Train)).chain(bias).collect()
        };
        // The gates lie side by side.
        let recurrent = |units: u32, gates: u32, biases: &[&str]| {
            let (features, width) = (input.last().copied().unwrap_or(1), units.saturating_mul(gates));
            let kernels = [("kernel", features), ("recurrent", units)].map(|(name, rows)| named(name, &[rows, width], Group::Train));
            kernels.into_iter().chain(biases.iter().map(|name| named(name, &[width], Group::Train))).collect()
        };
        match *self {
            Layer::Dense { units, bias, .. } => with_bias(&[input, &[units][..]].concat(), units, bias),
            Layer::Conv2d { filters, kernel, groups, bias, .. } => {
                let (height, width) = kernel.get();
                let channels = input.first().copied().unwrap_or(1);
                with_bias(&[filters, channels / groups.max(1), height, width], filters, bias)
            }
            Layer::Embedding { dim, vocabulary, .. } | Layer::EmbeddingBag { dim, vocabulary, .. } => {
                // The shapes are there, so the rows are known.
                let values = input.first().copied().unwrap_or_default();
                rows(vocabulary, values, &shape.categories).map(|rows| named("table", &[rows, dim], Group::Train)).into_iter().collect()
            }
            Layer::LayerNorm { .. } => ["scale", "shift"].map(|name| named(name, input, Group::Train)).into(),
            Layer::BatchNorm { momentum, .. } => {
                // One value a channel of a picture.
                let one = if input.len() == 3 { &input[..1] } else { input };
                let average = Group::Average { momentum };
                let all = [("scale", Group::Train), ("shift", Group::Train), ("moving_mean", average), ("moving_variance", average)];
                all.map(|(name, group)| named(name, one, group)).into()
            }
            Layer::Lstm { units, .. } => recurrent(units, 4, &["bias"]),
            Layer::Gru { units, .. } => recurrent(units, 3, &["bias", "recurrent_bias"]),
            Layer::Flatten {}
            | Layer::Reshape { .. }
            | Layer::MaxPool2d { .. }
            | Layer::AveragePool2d { .. }
            | Layer::Dropout { .. }
            | Layer::Activation(_)
            | Layer::Residual { .. }
            | Layer::Add {}
            | Layer::Concatenate {} => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::job::{Graph, Input, Layer, LayerShape, Model};
    use crate::variable::Group;

    #[test]
    fn sizes_are_those_of_the_layers() {
        let model: Model = serde_json::from_str(
            r#"{"layers": [{"conv2d": {"filters": 8, "kernel": [3, 2], "bias": false}}, {"batch_norm": {}}, {"flatten": {}}, {"dense": {"units": 10}}, {"layer_norm": {}}]}"#,
        )
        .unwrap();
        let all: Vec<_> = Graph::new(&model, &Input::plain(&[3, 5, 5], 0)).unwrap().variables().collect();
        let names: Vec<&str> = all.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!((names[0], names[4], names[6]), ("conv2d_0/kernel", "batch_norm_1/moving_variance", "dense_3/bias"));
        let sizes: Vec<_> = all.into_iter().map(|(_, shape, _)| shape).collect();
        let one = vec![8];
        let expected = [vec![8, 3, 3, 2], one.clone(), one.clone(), one.clone(), one, vec![96, 10], vec![10], vec![10], vec![10]];
        assert_eq!(sizes, expected);
        let bag: Layer = serde_json::from_str(r#"{"embedding_bag": {"dim": 4}}"#).unwrap();
        let shape = LayerShape::new(&bag, "bag", &[2], &[7, 3]).unwrap();
        let grouped: Layer = serde_json::from_str(r#"{"conv2d": {"filters": 8, "kernel": [3, 2], "bias": false, "groups": 4}}"#).unwrap();
        assert_eq!(grouped.variables(&LayerShape::new(&grouped, "conv", &[12, 5, 5], &[]).unwrap())[0].1, [8, 3, 3, 2]);
        assert_eq!(bag.variables(&shape), [("bag/table".to_owned(), vec![10, 4], Group::Train)]);
    }

    #[test]
    fn gates_lie_side_by_side() {
        let layers = r#"{"layers": [{"lstm": {"units": 5, "sequences": true}}, {"gru": {"units": 2}}]}"#;
        let model: Model = serde_json::from_str(layers).unwrap();
        let all: Vec<_> = Graph::new(&model, &Input::plain(&[7, 3], 0)).unwrap().variables().collect();
        let all: Vec<_> = all.iter().map(|(name, shape, _)| (name.as_str(), &shape[..])).collect();
        let lstm = [("lstm_0/kernel", &[3, 20][..]), ("lstm_0/recurrent", &[5, 20]), ("lstm_0/bias", &[20])];
        let gru = [("gru_1/kernel", &[5, 6][..]), ("gru_1/recurrent", &[2, 6]), ("gru_1/bias", &[6]), ("gru_1/recurrent_bias", &[6])];
        assert_eq!(all, [&lstm[..], &gru].concat());
    }
}
