//! `model`: what is trained. Data only; the layers themselves are in `crates/model`.

use serde::{Deserialize, Serialize};

/// What is trained: layers one behind the other, a loss, metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What kind of model it is.
    #[serde(default)]
    pub kind: ModelKind,
    /// The layers, the one that sees the features first.
    #[serde(default)]
    pub layers: Vec<Layer>,
    /// What is made small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// What is reported besides the loss.
    #[serde(default)]
    pub metrics: Vec<Metric>,
}

/// What kind of model it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// `layers` and a `loss`.
    #[default]
    Layers,
    /// Counts how often each training record was used; checks the system itself. No layers, no loss;
    /// the optimizer must be `add`.
    Counting,
}

/// One layer. Feature maps are channels, height, width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// All dimensions become one.
    Flatten {},
    /// `y = activation(x W + b)` on the last of one dimension.
    Dense {
        /// Outputs.
        units: u32,
        /// Applied to the output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Activation>,
        /// Whether there is a b.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// Cross-correlation over height and width.
    Conv2d {
        /// Output channels.
        filters: u32,
        /// Height and width of the kernel.
        kernel: Pair,
        /// Step in height and width.
        #[serde(default = "one")]
        stride: Pair,
        /// What is added around the input.
        #[serde(default)]
        padding: Padding,
        /// Applied to the output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Activation>,
        /// Whether a number is added to each output channel.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// The largest value of each window; windows that do not fit are left out.
    MaxPool2d {
        /// Height and width of a window.
        size: Pair,
        /// Step; as large as the window if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<Pair>,
    },
    /// The mean of each window; windows that do not fit are left out.
    AveragePool2d {
        /// Height and width of a window.
        size: Pair,
        /// Step; as large as the window if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<Pair>,
    },
    /// In training, sets a share of the values to 0 and divides the others by what remains.
    Dropout {
        /// The share, from 0 to below 1.
        rate: f32,
    },
    /// A function of each value.
    Activation(Activation),
    /// Mean 0 and deviation 1 over all features of a record, then scale and shift by feature.
    LayerNorm {
        /// Added to the variance.
        #[serde(default = "small")]
        epsilon: f32,
    },
    /// Mean 0 and deviation 1 by channel (or by feature) over the records of a micro-batch, then scale and
    /// shift; moving averages stand in when the model is used.
    BatchNorm {
        /// Weight of the old moving average.
        #[serde(default = "slow")]
        momentum: f32,
        /// Added to the variance.
        #[serde(default = "small")]
        epsilon: f32,
    },
    /// Long short-term memory over the steps of \[steps, features\].
    Lstm {
        /// Outputs of a step.
        units: u32,
        /// Whether every step's output is given, or the last one's.
        #[serde(default)]
        sequences: bool,
    },
    /// Gated recurrent units over the steps of \[steps, features\].
    Gru {
        /// Outputs of a step.
        units: u32,
        /// Whether every step's output is given, or the last one's.
        #[serde(default)]
        sequences: bool,
    },
}

/// A function of each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// x Φ(x), with the error function.
    Gelu,
}

/// What is made small. The mean over a step's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Of as many outputs as classes, against the class.
    SoftmaxCrossEntropy,
    /// Of one output (a logit), against class 0 or 1.
    BinaryCrossEntropy,
    /// Mean squared error of one output, against a number.
    Mse,
}

/// What is reported besides the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of records whose class was predicted.
    Accuracy,
    /// Records by class and prediction.
    ConfusionMatrix,
    /// Area under the ROC curve, over 4,096 bins of the score; needs `binary_cross_entropy`.
    Auc,
}

/// Height and width; one number stands for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number or [height, width]")]
pub enum Pair {
    /// Both.
    Both(u32),
    /// Height, width.
    Each([u32; 2]),
}

impl Pair {
    /// Height and width.
    pub fn get(self) -> (u32, u32) {
        match self {
            Pair::Both(n) => (n, n),
            Pair::Each([height, width]) => (height, width),
        }
    }
}

/// What is added around a convolution's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Nothing.
    #[default]
    Valid,
    /// Zeros, so that the output is ceil(input / stride) long; the odd one below and to the right.
    Same,
}

fn yes() -> bool {
    true
}

fn one() -> Pair {
    Pair::Both(1)
}

fn small() -> f32 {
    1e-5
}

fn slow() -> f32 {
    0.9
}
