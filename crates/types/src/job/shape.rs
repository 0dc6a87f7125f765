//! Whether a model's layers chain: shapes without values.

use super::input::Input;
use super::model::{Layer, Loss, Padding, Pair};
use std::fmt::Display;

/// A layer's name and shapes; a record at a time, channels first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerShape {
    /// Its kind and place: `dense_3`.
    pub name: String,
    /// What goes in.
    pub input: Vec<u32>,
    /// What comes out.
    pub output: Vec<u32>,
    /// For each value of the input, of how many categories it is the number; empty where values are just numbers.
    pub categories: Vec<u32>,
}

/// A field of a layer that is wrong whatever comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) field: &'static str,
    pub(super) value: String,
    pub(super) expected: &'static str,
}

impl LayerShape {
    /// The shapes of a layer called `name` that sees `input`, whose values are numbers of so many `categories` each.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn new(layer: &Layer, name: &str, input: &[u32], categories: &[u32]) -> Result<Self, String> {
        let output = layer.output(input, categories)?;
        Ok(Self { name: name.to_owned(), input: input.to_vec(), output, categories: categories.to_vec() })
    }
}

/// The longest side of a window, and the longest step of one.
const WINDOW_MAX: u32 = 4096;
/// The longest side of a picture that windows slide over: what they meet is listed place by place.
const SIDE_MAX: u32 = 1 << 20;

/// The most rows that an embedding's value can name: larger whole numbers are not exact in 32 bits.
const VOCABULARY_MAX: u32 = 1 << 24;

impl Layer {
    /// Its kind, as in the job file.
    pub fn kind(&self) -> &'static str {
        match self {
            Layer::Flatten {} => "flatten",
            Layer::Reshape { .. } => "reshape",
            Layer::Embedding { .. } => "embedding",
            Layer::EmbeddingBag { .. } => "embedding_bag",
            Layer::Dense { .. } => "dense",
            Layer::Conv2d { .. } => "conv2d",
            Layer::MaxPool2d { .. } => "max_pool2d",
            Layer::AveragePool2d { .. } => "average_pool2d",
            Layer::Dropout { .. } => "dropout",
            Layer::Activation(_) => "activation",
            Layer::Residual { .. } => "residual",
            Layer::Add {} => "add",
            Layer::Concatenate {} => "concatenate",
            Layer::LayerNorm { .. } => "layer_norm",
            Layer::BatchNorm { .. } => "batch_norm",
            Layer::Lstm { .. } => "lstm",
            Layer::Gru { .. } => "gru",
        }
    }

    /// What is wrong with it whatever comes in.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let fault = |field, value: &dyn Display, expected| Fault { field, value: value.to_string(), expected };
        let least = |field, n: u32| (n == 0).then(|| fault(field, &n, "at least 1"));
        let most = |field, n: u32, times: u32, expected| (n == 0 || n.checked_mul(times).is_none()).then(|| fault(field, &n, expected));
        let pair = |field, pair: Pair| {
            let (height, width) = pair.get();
            let fine = [height, width].iter().all(|n| (1..=WINDOW_MAX).contains(n));
            let value = match pair {
                Pair::Both(n) => n.to_string(),
                Pair::Each(_) => format!("[{height}, {width}]"),
            };
            (!fine).then(|| fault(field, &value, "from 1 to 4096 in both directions"))
        };
        let share = |field, x: f32| (!(0.0..1.0).contains(&x)).then(|| fault(field, &x, "from 0 to below 1"));
        let above = |field, x: f32| {
            let fine = (f32::MIN_POSITIVE..=f32::MAX).contains(&x);
            (!fine).then(|| fault(field, &x, "above 0 and within 32 bits: 1.2e-38 to 3.4e38"))
        };
        let rows = |vocabulary: Option<u32>| {
            let vocabulary = vocabulary.filter(|rows| !(1..=VOCABULARY_MAX).contains(rows))?;
            Some(fault("vocabulary", &vocabulary, "from 1 to 16777216, the largest whole numbers that 32 bits hold exactly"))
        };
        let all = match *self {
            Layer::Flatten {} | Layer::Activation(_) | Layer::Add {} | Layer::Concatenate {} => vec![],
            Layer::Residual { ref layers } => {
                vec![layers.is_empty().then(|| fault("layers", &"[]", "a list with at least one layer"))]
            }
            Layer::Reshape { ref shape } => {
                let bad = shape.is_empty() || shape.contains(&0);
                vec![bad.then(|| fault("shape", &format_args!("{shape:?}"), "a list of dimensions of at least 1"))]
            }
            Layer::Embedding { dim, vocabulary, .. } | Layer::EmbeddingBag { dim, vocabulary, .. } => {
                vec![least("dim", dim), rows(vocabulary)]
            }
            Layer::Dense { units, .. } => vec![least("units", units)],
            Layer::Conv2d { filters, kernel, stride, groups, .. } => {
                let parts = (groups == 0 || !filters.is_multiple_of(groups)).then(|| fault("groups", &groups, "a divisor of the filters"));
                vec![least("filters", filters), pair("kernel", kernel), pair("stride", stride), parts]
            }
            Layer::MaxPool2d { size, stride } | Layer::AveragePool2d { size, stride } => {
                vec![pair("size", size), stride.and_then(|stride| pair("stride", stride))]
            }
            Layer::Dropout { rate } => vec![share("rate", rate)],
            Layer::LayerNorm { epsilon } => vec![above("epsilon", epsilon)],
            Layer::BatchNorm { momentum, epsilon } => vec![share("momentum", momentum), above("epsilon", epsilon)],
            // The gates lie side by side.
            Layer::Lstm { units, .. } => vec![most("units", units, 4, "from 1 to 1,073,741,823")],
            Layer::Gru { units, .. } => vec![most("units", units, 3, "from 1 to 1,431,655,765")],
        };
        all.into_iter().flatten().collect()
    }

    /// The shape of what comes out for one record of shape `input`, whose values are numbers of so many `categories` each
    /// (empty: just numbers).
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn output(&self, input: &[u32], categories: &[u32]) -> Result<Vec<u32>, String> {
        if let Some(Fault { field, value, expected }) = self.faults().first() {
            return Err(format!("has a {field} of {value}, which is not {expected}"));
        }
        match *self {
            Layer::Flatten {} => {
                let all = input.iter().try_fold(1u32, |n, d| n.checked_mul(*d));
                Ok(vec![all.ok_or("makes more than 4,294,967,295 values")?])
            }
            Layer::Reshape { ref shape } => {
                let values = |shape: &[u32]| shape.iter().try_fold(1u128, |n, d| n.checked_mul(u128::from(*d)));
                match (values(input), values(shape)) {
                    (Some(have), Some(values)) if have == values => Ok(shape.clone()),
                    (Some(have), Some(values)) => {
                        Err(format!("makes {values} values of {have}: choose dimensions whose product is {have}"))
                    }
                    _ => Err("has more values than can be counted".into()),
                }
            }
            Layer::Embedding { dim, vocabulary, .. } => {
                let values = named(input)?;
                rows(vocabulary, values, categories)?;
                Ok(vec![values, dim])
            }
            Layer::EmbeddingBag { dim, vocabulary, .. } => {
                rows(vocabulary, named(input)?, categories)?;
                Ok(vec![dim])
            }
            Layer::Dense { units, .. } => match input {
                [_] => Ok(vec![units]),
                _ => Err("takes one dimension: put a flatten layer before it".into()),
            },
            Layer::Conv2d { filters, kernel, stride, padding, groups, .. } => {
                let (channels, height, width) = picture(input)?;
                if !channels.is_multiple_of(groups) {
                    return Err(format!("has {groups} groups, which do not divide its {channels} channels: choose one of their divisors"));
                }
                let (kernel, stride) = (kernel.get(), stride.get());
                let side = |input: u32, kernel: u32, stride: u32| match padding {
                    Padding::Same => Ok(input.div_ceil(stride)),
                    Padding::Valid => window(input, kernel, stride),
                };
                Ok(vec![filters, side(height, kernel.0, stride.0)?, side(width, kernel.1, stride.1)?])
            }
            Layer::MaxPool2d { size, stride } | Layer::AveragePool2d { size, stride } => {
                let (channels, height, width) = picture(input)?;
                let (size, stride) = (size.get(), stride.unwrap_or(size).get());
                Ok(vec![channels, window(height, size.0, stride.0)?, window(width, size.1, stride.1)?])
            }
            Layer::Dropout { .. }
            | Layer::Activation(_)
            | Layer::LayerNorm { .. }
            | Layer::BatchNorm { .. }
            | Layer::Residual { .. }
            | Layer::Add {}
            | Layer::Concatenate {} => Ok(input.to_vec()),
            Layer::Lstm { units, sequences, .. } | Layer::Gru { units, sequences, .. } => match *input {
                [steps, _] if sequences => Ok(vec![steps, units]),
                [_, _] => Ok(vec![units]),
                _ => Err("takes two dimensions (steps, features): put a reshape before it".into()),
            },
        }
    }
}

/// Whether what the last layer gives, `output`, fits `loss` on records as `input` has them.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn fits_loss(loss: Loss, output: &[u32], input: &Input) -> Result<(), String> {
    if loss == Loss::Reconstruction {
        let values = |shape: &[u32]| shape.iter().map(|d| u64::from(*d)).product::<u64>();
        return match (values(output), values(&input.shape)) {
            (outputs, features) if outputs != features => {
                Err(format!("needs as many outputs as there are features: {features}, but the last layer gives {outputs}"))
            }
            _ if input.columns.iter().any(|column| column.categories > 0) => {
                Err("takes features that are numbers, but there are columns of categories: take {\"category\": …} for them".into())
            }
            _ => Ok(()),
        };
    }
    let classes = input.classes;
    let [units] = *output else {
        return Err(format!("takes one dimension, but the last layer gives {output:?}: put a flatten layer before it"));
    };
    match (loss, classes) {
        (Loss::SoftmaxCrossEntropy | Loss::BinaryCrossEntropy, 0) => {
            Err("needs a label that is a class, but the label is a number: use mse".into())
        }
        (Loss::SoftmaxCrossEntropy, _) if units != classes => {
            Err(format!("needs one output a class: {classes}, but the last layer gives {units}"))
        }
        (Loss::BinaryCrossEntropy, _) if classes != 2 => {
            Err(format!("needs two classes, but the data have {classes}: use softmax_cross_entropy"))
        }
        (Loss::BinaryCrossEntropy | Loss::Mse, _) if units != 1 => Err(format!("needs one output, but the last layer gives {units}")),
        _ => Ok(()),
    }
}

/// The rows of an embedding's table for `values` values: the `vocabulary`, or those of all `categories`.
pub(super) fn rows(vocabulary: Option<u32>, values: u32, categories: &[u32]) -> Result<u32, String> {
    if let Some(rows) = vocabulary {
        return match categories.iter().max() {
            Some(most) if *most > rows => {
                Err(format!("has a vocabulary of {rows}, but a column of {most} categories: name at least {most}"))
            }
            _ => Ok(rows),
        };
    }
    if categories.len() as u64 != u64::from(values) || categories.contains(&0) {
        return Err(
            "does not know how many rows its table has: name a vocabulary, or give it columns of categories ({\"index\": …})".into()
        );
    }
    let all = categories.iter().try_fold(0u32, |all, rows| all.checked_add(*rows));
    all.ok_or_else(|| "would have a table of more than 4,294,967,295 rows".into())
}

// How many values name rows.
fn named(input: &[u32]) -> Result<u32, String> {
    match *input {
        [values] => Ok(values),
        _ => Err("takes one dimension: put a flatten layer before it".into()),
    }
}

fn picture(input: &[u32]) -> Result<(u32, u32, u32), String> {
    match *input {
        [_, height, width] if height.max(width) > SIDE_MAX => {
            Err(format!("takes pictures of at most {SIDE_MAX} places on each side: choose a smaller shape"))
        }
        [channels, height, width] => Ok((channels, height, width)),
        _ => Err("takes pictures of three dimensions (channels, height, width): see what the layer before it gives".into()),
    }
}

fn window(input: u32, size: u32, stride: u32) -> Result<u32, String> {
    let room = input.checked_sub(size).ok_or_else(|| format!("has a window of {size}, larger than its input of {input}"))?;
    Ok(room / stride + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(json: &str) -> Layer {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn losses_take_their_shape() {
        let classes = |n| Input::plain(&[1, 28, 28], n);
        assert!(fits_loss(Loss::SoftmaxCrossEntropy, &[9], &classes(10)).is_err());
        assert!(fits_loss(Loss::BinaryCrossEntropy, &[1], &classes(10)).is_err());
        assert!(fits_loss(Loss::Mse, &[1], &classes(0)).is_ok());
        assert!(fits_loss(Loss::Reconstruction, &[784], &classes(10)).is_ok());
        assert!(fits_loss(Loss::Reconstruction, &[783], &classes(10)).is_err());
    }

    #[test]
    fn embeddings_have_the_rows_of_a_vocabulary_or_of_the_columns() {
        let [shared, own, bag] = [
            r#"{"embedding": {"dim": 8, "vocabulary": 1000}}"#,
            r#"{"embedding": {"dim": 8}}"#,
            r#"{"embedding_bag": {"dim": 8, "mode": "mean"}}"#,
        ]
        .map(layer);
        assert_eq!(shared.output(&[5], &[]), Ok(vec![5, 8]));
        assert_eq!(own.output(&[3], &[10, 2, 5]), Ok(vec![3, 8]));
        assert_eq!(bag.output(&[3], &[10, 2, 5]), Ok(vec![8]));
        assert_eq!(rows(None, 3, &[10, 2, 5]), Ok(17));
        assert_eq!((rows(Some(7), 3, &[]), rows(Some(7), 2, &[7, 2])), (Ok(7), Ok(7)));
        for (layer, input, categories, has) in [
            (&own, &[3][..], &[][..], "name a vocabulary"),
            (&own, &[3], &[10, 2], "name a vocabulary"),
            (&own, &[2], &[u32::MAX, 1], "more than"),
            (&shared, &[2], &[1000, 1001], "at least 1001"),
            (&shared, &[3, 5], &[], "flatten"),
            (&bag, &[3, 5, 5], &[], "flatten"),
            (
                &layer(r#"{"conv2d": {"filters": 8, "kernel": 1, "groups": 4}}"#),
                &[6, 8, 8],
                &[],
                "has 4 groups, which do not divide its 6 channels",
            ),
            (&layer(r#"{"reshape": {"shape": [4, 5]}}"#), &[3, 7], &[], "makes 20 values of 21"),
        ] {
            let error = layer.output(input, categories).unwrap_err();
            assert!(error.contains(has), "{error}");
        }
    }

    #[test]
    fn steps_stay_where_sequences_are_asked_for() {
        let (all, last) = (layer(r#"{"lstm": {"units": 7, "sequences": true}}"#), layer(r#"{"gru": {"units": 5}}"#));
        assert_eq!((all.output(&[9, 4], &[]), last.output(&[9, 4], &[])), (Ok(vec![9, 7]), Ok(vec![5])));
        assert!(last.output(&[8], &[]).unwrap_err().contains("two dimensions"));
        for layer in
            [layer(r#"{"lstm": {"units": 0}}"#), layer(r#"{"lstm": {"units": 1073741824}}"#), layer(r#"{"gru": {"units": 1431655766}}"#)]
        {
            assert!(layer.output(&[9, 4], &[]).unwrap_err().contains("has a units of"), "{layer:?}");
        }
    }
}
