//! A model's variables: what the parameter servers hold.

use crate::job::Sync;
use serde::{Deserialize, Serialize};

/// How a variable's first values come about; a pure function of (seed, name, initializer, element).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initializer {
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// Uniform in `-limit..limit`, with the limit in f32.
    Uniform {
        /// The bound.
        limit: f32,
    },
    /// Normal with mean 0.
    Normal {
        /// The standard deviation.
        deviation: f32,
    },
}

/// What the servers do with what is pushed for a variable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The summed gradient, divided by the step's records, goes through the job's optimizer.
    Train,
    /// Moving averages (batch norm): the record-weighted sum of the lanes' statistics, divided by the records,
    /// is mixed in: `value = momentum * value + (1 - momentum) * mean`.
    Average {
        /// The weight of the old value.
        momentum: f32,
    },
    /// The curve: the step's sums are kept by step and reported, no parameter is changed. See [`crate::figures`].
    Curve,
    /// The counting model: the sum is added as it is.
    Add,
}

/// One variable, all f32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Unique in its model: `dense_0/kernel`.
    pub name: String,
    /// Dimensions, outermost first. Empty for a scalar.
    pub shape: Vec<u32>,
    /// Its first values.
    pub initializer: Initializer,
    /// What a push does to it.
    pub group: Group,
    /// How workers go together for it, where that is not the job's `train.sync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<Sync>,
}

impl Variable {
    /// How many elements it has; `None` if that is more than `u64` holds.
    pub fn elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |n, d| n.checked_mul(u64::from(*d)))
    }
}
