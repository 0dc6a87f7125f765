//! The native trainer's models: layers and losses on candle tensors with kernels of our own, and the model
//! file in and out.
//!
//! A [`Model`] is a list of layers ([`layer::Layer`]), each with an explicit forward and backward: there is no
//! tape. [`Model::train`] computes the gradient **sums** of one micro-batch and emits each variable's as soon
//! as it is ready, the top layer's first, so that it can be sent while the layers below still compute.
//!
//! Invariants:
//! - The bits of every result follow from the parameters, the batch and the [`StepKey`] alone: not from the
//!   number of threads, not from the caches found (see [`gemm`]), not from the host's C library
//!   (see [`math`]). What the processor can do (FMA or not) still counts.
//! - Parameters and gradients are slices, activations are contiguous f32 tensors on the CPU, records outermost.
//! - There is no global state: threads belong to a model.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod batch;
mod error;
pub mod file;
pub mod gemm;
pub mod layer;
pub mod loss;
pub mod math;
pub mod model;
pub mod parameters;
pub mod sum;
pub mod tensor;
pub mod threads;

pub use batch::{Batch, Labels};
pub use error::Error;
pub use file::ModelFile;
pub use layer::{Emit, StepKey};
pub use model::{Model, Options, Prediction, TrainFigures};
pub use parameters::Parameters;
