//! Models by name: each stands for a list of layers that could be written out.

use super::entry::LayerEntry;
use super::input::Input;
use super::model::{Activation, BagMode, Init, Layer, Loss, Padding, Pair};
use super::shape::Fault;
use serde::{Deserialize, Serialize};

/// A model by name. The last layer gives what the loss takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Preset {
    /// One dense layer.
    Softmax {},
    /// Dense layers.
    Mlp {
        /// Units of each layer before the last.
        #[serde(default = "hidden")]
        hidden: Vec<u32>,
        /// Applied to their outputs.
        #[serde(default = "relu")]
        activation: Activation,
        /// Dropped after each of them.
        #[serde(default)]
        dropout: f32,
    },
    /// Convolutions of 3 x 3, each with a pooling of 2 x 2 behind it, and dense layers.
    Cnn {
        /// Output channels of each convolution.
        #[serde(default = "filters")]
        filters: Vec<u32>,
        /// Units of each dense layer before the last.
        #[serde(default = "dense")]
        hidden: Vec<u32>,
        /// Dropped before the first dense layer.
        #[serde(default)]
        dropout: f32,
    },
    /// Dense layers down to a code and up again, for the loss `reconstruction`.
    Autoencoder {
        /// Units of each layer down to the code; up again in reverse.
        #[serde(default)]
        hidden: Vec<u32>,
        /// Units of the code.
        #[serde(default = "code")]
        code: u32,
        /// Applied to all outputs but the last layer's.
        #[serde(default = "relu")]
        activation: Activation,
        /// Applied to the last layer's output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Activation>,
    },
    /// One or more lstm layers, then a dense one.
    Lstm {
        /// Steps and features of a record that comes as one row of numbers; absent where it has that shape already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shape: Option<Vec<u32>>,
        /// Units of each lstm layer.
        #[serde(default = "units")]
        units: Vec<u32>,
        /// Dropped before the dense layer.
        #[serde(default)]
        dropout: f32,
    },
    /// Cheng et al. 2016: a linear model on numbers and categories (wide) beside dense layers on numbers and embedded
    /// categories (deep); their outputs are added.
    WideDeep {
        /// Numbers of each category's embedding.
        #[serde(default = "dim")]
        dim: u32,
        /// Units of each dense layer of the deep part.
        #[serde(default = "deep")]
        hidden: Vec<u32>,
        /// Dropped after each of them.
        #[serde(default)]
        dropout: f32,
    },
}

fn hidden() -> Vec<u32> {
    vec![128]
}

fn filters() -> Vec<u32> {
    vec![32, 64]
}

fn dense() -> Vec<u32> {
    vec![128]
}

fn deep() -> Vec<u32> {
    vec![64, 32]
}

fn units() -> Vec<u32> {
    vec![64]
}

fn code() -> u32 {
    32
}

fn dim() -> u32 {
    8
}

fn relu() -> Activation {
    Activation::Relu
}

impl Preset {
    /// Its name, as in the job file.
    pub fn kind(&self) -> &'static str {
        match self {
            Preset::Softmax {} => "softmax",
            Preset::Mlp { .. } => "mlp",
            Preset::Cnn { .. } => "cnn",
            Preset::Autoencoder { .. } => "autoencoder",
            Preset::Lstm { .. } => "lstm",
            Preset::WideDeep { .. } => "wide_deep",
        }
    }

    /// What is wrong with it whatever the data are.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let fault = |field, value: String, expected| Fault { field, value, expected };
        let each = |field, numbers: &[u32]| numbers.contains(&0).then(|| fault(field, format!("{numbers:?}"), "at least 1 in each place"));
        let some = |field, numbers: &[u32]| {
            each(field, numbers).or_else(|| numbers.is_empty().then(|| fault(field, "[]".into(), "a list with at least one number")))
        };
        let one = |field, number: u32| (number == 0).then(|| fault(field, "0".into(), "at least 1"));
        let share = |x: f32| (!(0.0..1.0).contains(&x)).then(|| fault("dropout", x.to_string(), "from 0 to below 1"));
        let all = match self {
            Preset::Softmax {} => [None, None, None],
            Preset::Mlp { hidden, dropout, .. } => [each("hidden", hidden), share(*dropout), None],
            Preset::Cnn { filters, hidden, dropout } => [some("filters", filters), each("hidden", hidden), share(*dropout)],
            Preset::Autoencoder { hidden, code, .. } => [each("hidden", hidden), one("code", *code), None],
            Preset::Lstm { shape, units, dropout } => {
                let wrong = shape.as_ref().filter(|shape| shape.len() != 2 || shape.contains(&0));
                let shape = wrong.map(|shape| fault("shape", format!("{shape:?}"), "[steps, features], each at least 1"));
                [shape, some("units", units), share(*dropout)]
            }
            Preset::WideDeep { dim, hidden, dropout } => [one("dim", *dim), some("hidden", hidden), share(*dropout)],
        };
        all.into_iter().flatten().collect()
    }

    /// Why it is not for records as `input` has them.
    pub(super) fn misfit(&self, input: &Input) -> Option<String> {
        let has_categories = input.columns.iter().any(|column| column.categories > 0);
        if let Preset::WideDeep { .. } = self {
            let problem = "is for tables with columns of categories: use {\"index\": …} for them in data.features, or another preset";
            return (!has_categories).then(|| problem.to_owned());
        }
        if has_categories {
            let problem =
                "takes numbers, but sees columns of categories: use {\"category\": …} for them in data.features, or the preset wide_deep";
            return Some(problem.to_owned());
        }
        let values = |shape: &[u32]| shape.iter().map(|d| u64::from(*d)).product::<u64>();
        match (self, &input.shape[..]) {
            (Preset::Cnn { filters, .. }, [_, height, width]) => {
                let most = height.min(width).checked_ilog2().unwrap_or_default() as usize;
                let problem = format!("has {} filters, each of which halves the picture: use {most} at most", filters.len());
                (filters.len() > most).then_some(problem)
            }
            (Preset::Cnn { .. }, _) => Some("takes pictures (channels, height, width): use mlp for other records".to_owned()),
            (Preset::Lstm { shape: Some(shape), .. }, input) if values(shape) != values(input) => Some(format!(
                "has a shape of {} values for records of {}: choose steps and features of that product",
                values(shape),
                values(input)
            )),
            (Preset::Lstm { shape: None, .. }, [_]) => Some("does not know a record's steps: add \"shape\": [steps, features]".to_owned()),
            (Preset::Lstm { shape: None, .. }, [_, _, _, ..]) => {
                Some("takes steps of features, not pictures: add \"shape\": [steps, features]".to_owned())
            }
            _ => None,
        }
    }

    /// The layers that it stands for.
    pub fn layers(&self, loss: Option<Loss>, input: &Input) -> Vec<LayerEntry> {
        let outputs = match loss {
            Some(Loss::SoftmaxCrossEntropy) => input.classes,
            Some(Loss::Reconstruction) => input.shape.iter().fold(1, |n: u32, d| n.saturating_mul(*d)),
            Some(Loss::BinaryCrossEntropy | Loss::Mse) | None => 1,
        };
        let last = dense_of(outputs, None);
        match self {
            Preset::Softmax {} => vec![flatten(), last],
            Preset::Mlp { hidden, activation, dropout } => {
                let middle = hidden.iter().flat_map(|units| with_dropout(dense_of(*units, Some(*activation)), *dropout));
                std::iter::once(flatten()).chain(middle).chain([last]).collect()
            }
            Preset::Cnn { filters, hidden, dropout } => {
                let pictures = filters.iter().flat_map(|filters| [convolution(*filters), pool()]);
                let dense = hidden.iter().map(|units| dense_of(*units, Some(Activation::Relu)));
                pictures.chain(with_dropout(flatten(), *dropout)).chain(dense).chain([last]).collect()
            }
            Preset::Autoencoder { hidden, code, activation, output } => {
                let down = hidden.iter().chain([code]);
                let middle = down.chain(hidden.iter().rev()).map(|units| dense_of(*units, Some(*activation)));
                std::iter::once(flatten()).chain(middle).chain([dense_of(outputs, *output)]).collect()
            }
            Preset::Lstm { shape, units, dropout } => {
                let shaped = shape.clone().map(|shape| Layer::Reshape { shape }.into());
                let layers = units.iter().enumerate().map(|(at, n)| lstm(*n, at + 1 < units.len()));
                let dropped = (*dropout > 0.0).then(|| Layer::Dropout { rate: *dropout }.into());
                shaped.into_iter().chain(layers).chain(dropped).chain([last]).collect()
            }
            Preset::WideDeep { dim, hidden, dropout } => {
                let has_numbers = input.columns.iter().any(|column| column.categories == 0);
                let deep = hidden.iter().flat_map(|units| with_dropout(dense_of(*units, Some(Activation::Relu)), *dropout));
                let mut layers = vec![
                    bag(outputs).named("wide").seeing(&["categories"]),
                    embedding(*dim).seeing(&["categories"]),
                    flatten().named("embedded"),
                ];
                let (mut parts, mut seen) = (vec!["wide"], vec!["embedded"]);
                if has_numbers {
                    layers.push(dense_of(outputs, None).named("linear").seeing(&["numbers"]));
                    parts.push("linear");
                    seen.insert(0, "numbers");
                }
                parts.push("deep");
                let first = layers.len();
                layers.extend(deep);
                layers[first] = layers[first].clone().seeing(&seen);
                layers.push(last.named("deep"));
                layers.push(LayerEntry::from(Layer::Add {}).seeing(&parts));
                layers
            }
        }
    }
}

fn flatten() -> LayerEntry {
    Layer::Flatten {}.into()
}

fn dense_of(units: u32, activation: Option<Activation>) -> LayerEntry {
    Layer::Dense { units, activation, bias: true, init: Init::default() }.into()
}

fn with_dropout(entry: LayerEntry, rate: f32) -> impl Iterator<Item = LayerEntry> {
    let dropout = (rate > 0.0).then(|| Layer::Dropout { rate }.into());
    std::iter::once(entry).chain(dropout)
}

fn convolution(filters: u32) -> LayerEntry {
    let (kernel, stride, padding) = (Pair::Both(3), Pair::Both(1), Padding::Same);
    Layer::Conv2d { filters, kernel, stride, padding, groups: 1, activation: Some(Activation::Relu), bias: true, init: Init::default() }
        .into()
}

fn pool() -> LayerEntry {
    Layer::MaxPool2d { size: Pair::Both(2), stride: None }.into()
}

// A weight for each category: a linear model begins with none.
fn bag(dim: u32) -> LayerEntry {
    Layer::EmbeddingBag { dim, vocabulary: None, mode: BagMode::Sum, init: Init::Zeros }.into()
}

fn embedding(dim: u32) -> LayerEntry {
    Layer::Embedding { dim, vocabulary: None, init: Init::Normal }.into()
}

fn lstm(units: u32, sequences: bool) -> LayerEntry {
    Layer::Lstm { units, sequences, init: Init::default() }.into()
}
