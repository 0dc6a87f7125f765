//! Long runs under chaos, measured: a job that is struck by `tfcoord submit --chaos`, beside the same job in peace.

mod figure;
mod recovery;
mod watched;

pub use figure::{Figure, Ledger};
pub use recovery::Recovery;
pub use watched::{Run, watch};

use crate::Lab;
use crate::{idx, job};
use anyhow::Context;
use serde_json::{Value, json};

/// Steps of an epoch of [`file`].
const STEPS_PER_EPOCH: f64 = 63.0;
const TRAIN: u32 = 8_000;
const EVAL: u32 = 1_000;

/// A job of so many epochs with two workers and two servers, on pictures of the size of MNIST's.
pub fn file(epochs: u32, checkpoint_every_s: u64) -> Value {
    let mut job = job::pictures("chaos", job::mlp_layers(), TRAIN.into(), EVAL.into());
    (job["train"]["batch_size"], job["train"]["epochs"]) = (json!(128), json!(epochs));
    (job["worker"]["count"], job["parameter_server"]["count"]) = (json!(2), json!(2));
    // What is measured is how well it gets on, not whether it gives up.
    (job["worker"]["max_restarts"], job["parameter_server"]["max_restarts"]) = (json!(1000), json!(1000));
    job["checkpoint"] = json!({"every_seconds": checkpoint_every_s});
    job
}

/// An empty laboratory with the job's data.
pub fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.set("TFCOORD_METRICS_LISTEN", "127.0.0.1:0");
    idx::write_pictures(lab.path(), TRAIN + EVAL, 28, 4, 1);
    lab
}

/// Epochs that take about so long on this machine as it is now.
///
/// # Errors
/// A short job fails.
pub fn epochs_of(seconds: f64) -> anyhow::Result<u32> {
    const TRIED: u32 = 10;
    let lab = lab();
    let took = watch(&lab, &file(TRIED, 60), None)?.training_s().context("it trained")?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of epochs")]
    let epochs = (seconds * f64::from(TRIED) / took).ceil() as u32;
    Ok(epochs.max(TRIED))
}

/// Steps that so many epochs have.
pub fn steps(epochs: u32) -> f64 {
    f64::from(epochs) * STEPS_PER_EPOCH
}
