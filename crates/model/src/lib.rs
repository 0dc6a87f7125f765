//! The native trainer's models: layers and losses on slices with kernels of our own, and the model file in and out.
//!
//! A [`Model`] is a list of layers ([`layer::Layer`]), each with an explicit forward and backward: there is no
//! tape. [`Model::train`] computes the gradient **sums** of one micro-batch and emits each variable's as soon
//! as it is ready, the top layer's first, so that it can be sent while the layers below still compute. All memory of
//! a pass is a [`Workspace`]'s.
//!
//! Invariants:
//! - The bits of every result follow from the parameters, the batch and the [`StepKey`] alone: not from the
//!   number of threads, the processor (see [`kernel`]), or the host's C library (see [`math`]).
//! - Values are f32 in slices, records outermost.
//! - There is no global state: threads belong to a model.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod batch;
mod error;
pub mod file;
pub mod kernel;
pub mod layer;
pub mod loss;
pub mod math;
pub mod model;
pub mod parameters;
pub mod sum;
pub mod threads;
mod workspace;

pub use batch::{Batch, Labels};
pub use error::Error;
pub use file::ModelFile;
pub use kernel::Isa;
pub use layer::{Emit, StepKey};
pub use model::{Model, Options, Prediction, TrainFigures};
pub use parameters::Parameters;
pub use workspace::Workspace;
