//! `train`: how a model is trained.

mod modes;

use serde::{Deserialize, Serialize};

/// How a model is trained: in `bsp`, the default, deterministically.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Records of a step: all workers share them in `bsp`, one takes them in the other modes.
    pub batch_size: u32,
    /// Parts that a step is computed in, a power of two that divides the batch size: at most so many workers
    /// can take part, and the same number gives the same bits. Chosen from the batch size if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batches: Option<u32>,
    /// Passes over the training records.
    pub epochs: u32,
    /// What all random numbers come from.
    #[serde(default)]
    pub seed: u64,
    /// How workers go together.
    #[serde(default, skip_serializing_if = "Sync::is_bsp")]
    pub sync: Sync,
    /// Layers for which they go together in another way: see [`Train::sync_of`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<LayerGroup>,
    /// How parameters follow gradients.
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// Steps over which the learning rate rises from 0 before the schedule begins.
    #[serde(default)]
    pub warm_up_steps: u64,
    /// The largest global norm of a step's gradient; larger ones are scaled down to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

/// How workers go together. In all modes but `bsp` a step is a batch that one worker computes, and it counts for each chunk
/// as it arrives there.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sync {
    /// A step is shared by all workers, and all have its parameters: the same bits for any number of them.
    #[default]
    Bsp,
    /// Applied on arrival; a worker runs at most so many batches ahead of the slowest one.
    Ssp {
        /// Batches; at least 1.
        staleness: u32,
    },
    /// Applied on arrival.
    Async {},
    /// Workers train alone and exchange what has changed.
    Local {
        /// Batches from one exchange to the next; at least 1.
        every: u32,
        /// Weight of the old changes in those to come, from 0 to below 1.
        #[serde(default)]
        momentum: f64,
    },
}

/// Layers that have a mode of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerGroup {
    /// Their names.
    pub layers: Vec<String>,
    /// Their mode.
    pub sync: Sync,
}

impl Sync {
    /// Whether it is `bsp`.
    pub fn is_bsp(&self) -> bool {
        matches!(self, Sync::Bsp)
    }

    /// Whether workers train rounds alone.
    pub fn is_local(&self) -> bool {
        matches!(self, Sync::Local { .. })
    }

    /// Its name, as in the job file.
    pub fn name(&self) -> &'static str {
        match self {
            Sync::Bsp => "bsp",
            Sync::Ssp { .. } => "ssp",
            Sync::Async {} => "async",
            Sync::Local { .. } => "local",
        }
    }
}

/// How parameters follow gradients. Formulas: `ps/core/src/optimizer.rs`. `weight_decay` is an L2 term added to
/// the gradient, but for `adam_w`, where it is decoupled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// p -= rate g
    Sgd {
        /// The rate.
        learning_rate: f64,
        /// L2 term.
        #[serde(default)]
        weight_decay: f64,
    },
    /// v = momentum v + g; p -= rate v (with `nesterov`: p -= rate (g + momentum v))
    Momentum {
        /// The rate.
        learning_rate: f64,
        /// Weight of the old v.
        #[serde(default = "nine_tenths")]
        momentum: f64,
        /// Whether to look ahead.
        #[serde(default)]
        nesterov: bool,
        /// L2 term.
        #[serde(default)]
        weight_decay: f64,
    },
    /// a += g²; p -= rate g / (√a + epsilon)
    Adagrad {
        /// The rate.
        learning_rate: f64,
        /// First value of a.
        #[serde(default)]
        initial_accumulator: f64,
        /// Added to the root.
        #[serde(default = "tiny")]
        epsilon: f64,
        /// L2 term.
        #[serde(default)]
        weight_decay: f64,
    },
    /// a = rho a + (1 - rho) g²; p -= rate g / (√a + epsilon)
    Rmsprop {
        /// The rate.
        learning_rate: f64,
        /// Weight of the old a.
        #[serde(default = "nine_tenths")]
        rho: f64,
        /// Added to the root.
        #[serde(default = "tiny")]
        epsilon: f64,
        /// L2 term.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Kingma and Ba 2015, algorithm 1.
    Adam {
        /// The rate.
        learning_rate: f64,
        /// Weight of the old mean.
        #[serde(default = "nine_tenths")]
        beta_1: f64,
        /// Weight of the old mean square.
        #[serde(default = "beta_2")]
        beta_2: f64,
        /// Added to the root.
        #[serde(default = "tiny")]
        epsilon: f64,
        /// L2 term.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Loshchilov and Hutter 2019: Adam, and p -= rate weight_decay p.
    AdamW {
        /// The rate.
        learning_rate: f64,
        /// Weight of the old mean.
        #[serde(default = "nine_tenths")]
        beta_1: f64,
        /// Weight of the old mean square.
        #[serde(default = "beta_2")]
        beta_2: f64,
        /// Added to the root.
        #[serde(default = "tiny")]
        epsilon: f64,
        /// Decoupled decay.
        #[serde(default = "hundredth")]
        weight_decay: f64,
    },
    /// p += g, the sum and not the mean: for the counting model only.
    Add {},
}

/// How the learning rate changes: a factor on it, by step (counted after the warm-up).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// 1.
    #[default]
    Constant,
    /// `factor` to the power of the whole part of step / `every_steps`.
    Step {
        /// Steps at one factor.
        every_steps: u64,
        /// What each next one is multiplied by.
        factor: f64,
    },
    /// From 1 down to `floor` on half a cosine over `steps`, then `floor`.
    Cosine {
        /// Length; the rest of the training if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        steps: Option<u64>,
        /// Where it ends.
        #[serde(default)]
        floor: f64,
    },
}

fn nine_tenths() -> f64 {
    0.9
}

fn beta_2() -> f64 {
    0.999
}

fn tiny() -> f64 {
    1e-7
}

fn hundredth() -> f64 {
    0.01
}

impl Optimizer {
    /// Its kind, as in the job file.
    pub fn kind(&self) -> &'static str {
        match self {
            Optimizer::Sgd { .. } => "sgd",
            Optimizer::Momentum { .. } => "momentum",
            Optimizer::Adagrad { .. } => "adagrad",
            Optimizer::Rmsprop { .. } => "rmsprop",
            Optimizer::Adam { .. } => "adam",
            Optimizer::AdamW { .. } => "adam_w",
            Optimizer::Add {} => "add",
        }
    }
}
