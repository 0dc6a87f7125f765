//! Whether a model's layers chain: shapes without values.

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
}

/// A layer that does not fit what comes before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layer {index} ({kind}) {problem}; its input is {input:?}")]
pub struct ShapeError {
    /// The layer's place; as many as there are layers where the loss does not fit.
    pub index: usize,
    /// The layer's kind, as in the job file.
    pub kind: &'static str,
    /// What comes to it.
    pub input: Vec<u32>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// A field of a layer that is wrong whatever comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) field: &'static str,
    pub(super) value: String,
    pub(super) expected: &'static str,
}

impl Layer {
    /// Its kind, as in the job file.
    pub fn kind(&self) -> &'static str {
        match self {
            Layer::Flatten {} => "flatten",
            Layer::Dense { .. } => "dense",
            Layer::Conv2d { .. } => "conv2d",
            Layer::MaxPool2d { .. } => "max_pool2d",
            Layer::AveragePool2d { .. } => "average_pool2d",
            Layer::Dropout { .. } => "dropout",
            Layer::Activation(_) => "activation",
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
        let pair = |field, pair: Pair| match pair {
            Pair::Both(n) => least(field, n),
            Pair::Each([height, width]) => {
                (height == 0 || width == 0).then(|| fault(field, &format_args!("[{height}, {width}]"), "at least 1 in both directions"))
            }
        };
        let share = |field, x: f32| (!(0.0..1.0).contains(&x)).then(|| fault(field, &x, "from 0 to below 1"));
        let above = |field, x: f32| {
            let fine = (f32::MIN_POSITIVE..=f32::MAX).contains(&x);
            (!fine).then(|| fault(field, &x, "above 0 and within 32 bits: 1.2e-38 to 3.4e38"))
        };
        let all = match *self {
            Layer::Flatten {} | Layer::Activation(_) => [None, None, None],
            Layer::Dense { units, .. } => [least("units", units), None, None],
            Layer::Conv2d { filters, kernel, stride, .. } => [least("filters", filters), pair("kernel", kernel), pair("stride", stride)],
            Layer::MaxPool2d { size, stride } | Layer::AveragePool2d { size, stride } => {
                [pair("size", size), stride.and_then(|stride| pair("stride", stride)), None]
            }
            Layer::Dropout { rate } => [share("rate", rate), None, None],
            Layer::LayerNorm { epsilon } => [above("epsilon", epsilon), None, None],
            Layer::BatchNorm { momentum, epsilon } => [share("momentum", momentum), above("epsilon", epsilon), None],
            // The gates lie side by side.
            Layer::Lstm { units, .. } => [most("units", units, 4, "from 1 to 1,073,741,823"), None, None],
            Layer::Gru { units, .. } => [most("units", units, 3, "from 1 to 1,431,655,765"), None, None],
        };
        all.into_iter().flatten().collect()
    }

    /// The shape of what comes out for one record of shape `input`.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn output(&self, input: &[u32]) -> Result<Vec<u32>, String> {
        if let Some(Fault { field, value, expected }) = self.faults().first() {
            return Err(format!("has a {field} of {value}, which is not {expected}"));
        }
        match *self {
            Layer::Flatten {} => {
                let all = input.iter().try_fold(1u32, |n, d| n.checked_mul(*d));
                Ok(vec![all.ok_or("makes more than 4,294,967,295 values")?])
            }
            Layer::Dense { units, .. } => match input {
                [_] => Ok(vec![units]),
                _ => Err("takes one dimension: put a flatten layer before it".into()),
            },
            Layer::Conv2d { filters, kernel, stride, padding, .. } => {
                let (_, height, width) = picture(input)?;
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
            Layer::Dropout { .. } | Layer::Activation(_) | Layer::LayerNorm { .. } | Layer::BatchNorm { .. } => Ok(input.to_vec()),
            Layer::Lstm { units, sequences } | Layer::Gru { units, sequences } => match *input {
                [steps, _] if sequences => Ok(vec![steps, units]),
                [_, _] => Ok(vec![units]),
                _ => Err("takes two dimensions (steps, features)".into()),
            },
        }
    }
}

/// The shapes of all layers for records of shape `input`.
///
/// # Errors
/// The first layer that does not fit.
pub fn shapes(layers: &[Layer], input: &[u32]) -> Result<Vec<LayerShape>, ShapeError> {
    let mut input = input.to_vec();
    let mut all = Vec::with_capacity(layers.len());
    for (index, layer) in layers.iter().enumerate() {
        let output = layer.output(&input).map_err(|problem| ShapeError { index, kind: layer.kind(), input: input.clone(), problem })?;
        all.push(LayerShape { name: format!("{}_{index}", layer.kind()), input, output: output.clone() });
        input = output;
    }
    Ok(all)
}

/// Whether the last layer's `output` fits `loss` with this many `classes` (0: the label is a number).
///
/// # Errors
/// What is wrong, and what would be right.
pub fn fits_loss(loss: Loss, output: &[u32], classes: u32) -> Result<(), String> {
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

fn picture(input: &[u32]) -> Result<(u32, u32, u32), String> {
    match *input {
        [channels, height, width] => Ok((channels, height, width)),
        _ => Err("takes pictures: three dimensions (channels, height, width)".into()),
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
    fn a_small_cnn_chains() {
        let layers = [
            layer(r#"{"conv2d": {"filters": 32, "kernel": 3, "activation": "relu"}}"#),
            layer(r#"{"conv2d": {"filters": 64, "kernel": [3, 3], "stride": 2, "padding": "same"}}"#),
            layer(r#"{"max_pool2d": {"size": 2}}"#),
            layer(r#"{"flatten": {}}"#),
            layer(r#"{"dense": {"units": 10}}"#),
        ];
        let shapes = shapes(&layers, &[1, 28, 28]).unwrap();
        let outputs: Vec<_> = shapes.iter().map(|s| s.output.clone()).collect();
        assert_eq!(outputs, [vec![32, 26, 26], vec![64, 13, 13], vec![64, 6, 6], vec![2304], vec![10]]);
        assert_eq!(shapes[4].name, "dense_4");
    }

    #[test]
    fn steps_stay_where_sequences_are_asked_for() {
        let layers = [layer(r#"{"lstm": {"units": 7, "sequences": true}}"#), layer(r#"{"gru": {"units": 5}}"#)];
        let shapes = shapes(&layers, &[9, 4]).unwrap();
        assert_eq!((&shapes[0].output, &shapes[1].output), (&vec![9, 7], &vec![5]));
        for layer in
            [layer(r#"{"lstm": {"units": 0}}"#), layer(r#"{"lstm": {"units": 1073741824}}"#), layer(r#"{"gru": {"units": 1431655766}}"#)]
        {
            assert!(layer.output(&[9, 4]).unwrap_err().contains("has a units of"), "{layer:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = shapes(&[layer(r#"{"dense": {"units": 10}}"#)], &[1, 28, 28]).unwrap_err();
        assert!(error.to_string().contains("flatten"), "{error}");
        let error = shapes(&[layer(r#"{"max_pool2d": {"size": 9}}"#)], &[1, 8, 8]).unwrap_err();
        assert!(error.to_string().contains("larger than its input"), "{error}");
        let error = shapes(&[layer(r#"{"gru": {"units": 3}}"#)], &[8]).unwrap_err();
        assert!(error.to_string().contains("two dimensions"), "{error}");
        assert!(fits_loss(Loss::SoftmaxCrossEntropy, &[9], 10).is_err());
        assert!(fits_loss(Loss::BinaryCrossEntropy, &[1], 10).is_err());
        assert!(fits_loss(Loss::Mse, &[1], 0).is_ok());
    }
}
