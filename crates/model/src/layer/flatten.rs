//! All dimensions of a record become one.

use super::{Emit, Layer, Pass, Saved};
use crate::error::Error;
use candle_core::Tensor;

/// All dimensions of a record become one; nothing is moved.
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&self, _: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        // The input stands for its shape; its values are shared, not copied.
        Ok((input.flatten_from(1)?, Saved::tensors([input.clone()])))
    }

    fn backward(&self, _: &Pass<'_>, saved: Saved, output_gradient: Tensor, _: bool, _: &mut Emit<'_>) -> Result<Option<Tensor>, Error> {
        Ok(Some(output_gradient.reshape(saved.tensors[0].dims())?))
    }
}
