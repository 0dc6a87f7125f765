//! `model`: what is trained. Data only; the layers themselves are in `crates/model`.

use super::entry::LayerEntry;
use super::preset::Preset;
use serde::{Deserialize, Serialize};

/// What is trained: layers, a loss, metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What kind of model it is.
    #[serde(default)]
    pub kind: ModelKind,
    /// A model by name, instead of `layers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The layers, in the order of computing.
    #[serde(default)]
    pub layers: Vec<LayerEntry>,
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
    /// The same values in other dimensions, counted with the last one fastest.
    Reshape {
        /// The dimensions of a record.
        shape: Vec<u32>,
    },
    /// A row of a table for each value: whole numbers name the rows, and each value's row stands beside the others'.
    Embedding {
        /// Values of a row.
        dim: u32,
        /// Rows of one table for all values; if absent, each value has rows of its own, one a category of its column.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vocabulary: Option<u32>,
        /// The table's first values.
        #[serde(default = "normal")]
        init: Init,
    },
    /// As `Embedding`, but the rows of a record become one.
    EmbeddingBag {
        /// Values of a row.
        dim: u32,
        /// As in `Embedding`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vocabulary: Option<u32>,
        /// How they become one.
        #[serde(default)]
        mode: BagMode,
        /// The table's first values.
        #[serde(default = "normal")]
        init: Init,
    },
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
        /// The first values of W.
        #[serde(default)]
        init: Init,
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
        /// Groups of neighbouring channels, in and out: an output channel sees the input channels of its group.
        #[serde(default = "whole")]
        groups: u32,
        /// Applied to the output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Activation>,
        /// Whether a number is added to each output channel.
        #[serde(default = "yes")]
        bias: bool,
        /// The kernel's first values.
        #[serde(default)]
        init: Init,
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
    /// The layers' output plus what comes in.
    Residual {
        /// One behind the other; the last one gives the shape that comes in.
        layers: Vec<Layer>,
    },
    /// The sum of several inputs of one shape.
    Add {},
    /// Several inputs one behind the other.
    Concatenate {},
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
        /// How the weights begin, of each gate by itself.
        #[serde(default)]
        init: Init,
    },
    /// Gated recurrent units over the steps of \[steps, features\].
    Gru {
        /// Outputs of a step.
        units: u32,
        /// Whether every step's output is given, or the last one's.
        #[serde(default)]
        sequences: bool,
        /// How the weights begin, of each gate by itself.
        #[serde(default)]
        init: Init,
    },
}

/// The first values of a layer's weights. Fan in is how many inputs go into one output, fan out how many outputs one input
/// goes into; of a table \[rows, dim\], dim and rows. A bias begins with 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Uniform in ±√(6 / (fan in + fan out)): Glorot and Bengio 2010.
    #[default]
    Glorot,
    /// Normal with deviation √(2 / fan in): He et al. 2015.
    He,
    /// Normal with deviation 1 / √(fan in): LeCun et al. 1998.
    Normal,
    /// Uniform in ±1 / √(fan in).
    Uniform,
    /// 0.
    Zeros,
}

/// How the rows of a record become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BagMode {
    /// Their sum.
    #[default]
    Sum,
    /// Their mean.
    Mean,
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
    /// Mean squared error of the outputs, against the features; as many as those.
    Reconstruction,
}

/// What labels are to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelUse {
    /// Classes.
    Class,
    /// Numbers.
    Number,
    /// 0 for what is usual and 1 for an anomaly: looked at by the metric `auc` alone.
    Anomaly,
    /// They are not looked at.
    None,
}

impl Model {
    /// What labels are to it.
    pub fn label_use(&self) -> LabelUse {
        match self.loss {
            Some(Loss::Mse) => LabelUse::Number,
            Some(Loss::Reconstruction) if self.metrics.contains(&Metric::Auc) => LabelUse::Anomaly,
            Some(Loss::Reconstruction) => LabelUse::None,
            Some(Loss::SoftmaxCrossEntropy | Loss::BinaryCrossEntropy) | None => LabelUse::Class,
        }
    }
}

impl Loss {
    /// Whether a model with it predicts classes.
    pub fn predicts_classes(self) -> bool {
        matches!(self, Loss::SoftmaxCrossEntropy | Loss::BinaryCrossEntropy)
    }
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

fn normal() -> Init {
    Init::Normal
}

fn whole() -> u32 {
    1
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
