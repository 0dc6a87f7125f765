//! `y = activation(x W + b)`.

use super::activation::{finish, pull};
use super::{Emit, Layer, Pass, Saved, glorot, len, variable};
use crate::error::Error;
use crate::gemm::{Matrix, multiply};
use crate::sum::add;
use crate::tensor::{tensor, values};
use candle_core::Tensor;
use std::borrow::Cow;
use tfcoord_types::job::{Activation, LayerShape};
use tfcoord_types::variable::{Group, Initializer, Variable};

/// `y = activation(x W + b)` on records of one dimension; W is \[in, out\].
pub struct Dense {
    inputs: usize,
    units: usize,
    kernel: usize,
    bias: Option<usize>,
    activation: Option<Activation>,
}

impl Dense {
    /// For records of `shape`; adds its variables to the model's.
    pub fn new(shape: &LayerShape, bias: bool, activation: Option<Activation>, variables: &mut Vec<Variable>) -> Self {
        let (inputs, units) = (shape.input[0], shape.output[0]);
        let limit = glorot(inputs.into(), units.into());
        let kernel = variable(variables, &shape.name, "kernel", &[inputs, units], limit, Group::Train);
        let bias = bias.then(|| variable(variables, &shape.name, "bias", &[units], Initializer::Zeros, Group::Train));
        Self { inputs: len(inputs), units: len(units), kernel, bias, activation }
    }
}

impl Layer for Dense {
    fn forward(&self, pass: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        let x = values(input)?;
        let records = x.len() / self.inputs;
        let kernel = Matrix::new(pass.parameters.values(self.kernel), self.inputs, self.units);
        // The bias is what the product is added to.
        let mut outputs = match self.bias {
            Some(bias) => pass.parameters.values(bias).repeat(records),
            None => vec![0.0; records * self.units],
        };
        multiply(pass.threads, Matrix::new(&x, records, self.inputs), kernel, &mut outputs, self.bias.is_some());
        let (output, kept) = finish(self.activation, outputs, &[records, self.units], pass.mode)?;
        Ok((output, Saved::tensors(std::iter::once(input.clone()).chain(kept))))
    }

    fn backward(
        &self,
        pass: &Pass<'_>,
        saved: Saved,
        output_gradient: Tensor,
        wants: bool,
        emit: &mut Emit<'_>,
    ) -> Result<Option<Tensor>, Error> {
        let x = values(&saved.tensors[0])?;
        let records = x.len() / self.inputs;
        let gradient = values(&output_gradient)?;
        let gradient = match self.activation {
            Some(function) => Cow::Owned(pull(function, &values(&saved.tensors[1])?, &gradient)),
            None => Cow::Borrowed(&*gradient),
        };
        let gradient_matrix = Matrix::new(&gradient, records, self.units);
        let mut kernel_gradient = vec![0.0; self.inputs * self.units];
        multiply(pass.threads, Matrix::new(&x, records, self.inputs).transposed(), gradient_matrix, &mut kernel_gradient, false);
        emit(self.kernel, &kernel_gradient);
        if let Some(bias) = self.bias {
            let mut bias_gradient = vec![0.0; self.units];
            gradient.chunks_exact(self.units).for_each(|row| add(&mut bias_gradient, row));
            emit(bias, &bias_gradient);
        }
        if !wants {
            return Ok(None);
        }
        let kernel = Matrix::new(pass.parameters.values(self.kernel), self.inputs, self.units);
        let mut input_gradient = vec![0.0; records * self.inputs];
        multiply(pass.threads, gradient_matrix, kernel.transposed(), &mut input_gradient, false);
        Ok(Some(tensor(input_gradient, &[records, self.inputs])?))
    }
}
