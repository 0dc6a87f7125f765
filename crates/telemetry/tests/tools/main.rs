//! What this crate writes, judged by the tools it is written for: `promtool` and TensorBoard's own reader.

mod promtool;
mod tensorboard;
