//! Layer normalization: Ba, Kiros, Hinton 2016.

use super::{Emit, Layer, Pass, Saved, values_of, variable};
use crate::error::Error;
use crate::sum::{dot, sum, sum_of_squares};
use crate::tensor::{tensor, values};
use candle_core::Tensor;
use tfcoord_types::job::LayerShape;
use tfcoord_types::variable::{Group, Initializer, Variable};

/// Mean 0 and deviation 1 over all features of a record, then scale and shift by feature.
pub struct LayerNorm {
    features: usize,
    epsilon: f32,
    scale: usize,
    shift: usize,
}

impl LayerNorm {
    /// For records of `shape`; adds its variables, of that shape, to the model's.
    pub fn new(shape: &LayerShape, epsilon: f32, variables: &mut Vec<Variable>) -> Self {
        let scale = variable(variables, &shape.name, "scale", &shape.input, Initializer::Ones, Group::Train);
        let shift = variable(variables, &shape.name, "shift", &shape.input, Initializer::Zeros, Group::Train);
        Self { features: values_of(&shape.input), epsilon, scale, shift }
    }
}

impl Layer for LayerNorm {
    // Saves the normalized values and each record's 1 / deviation.
    fn forward(&self, pass: &Pass<'_>, input: &Tensor) -> Result<(Tensor, Saved), Error> {
        let inputs = values(input)?;
        let (scale, shift) = (pass.parameters.values(self.scale), pass.parameters.values(self.shift));
        let (mut outputs, mut normal) = (Vec::with_capacity(inputs.len()), Vec::with_capacity(inputs.len()));
        let mut inverses = Vec::new();
        for record in inputs.chunks_exact(self.features) {
            let mean = (sum(record) / self.features as f64) as f32;
            let variance = sum_of_squares(record, mean) / self.features as f64;
            let inverse = (1.0 / (variance + f64::from(self.epsilon)).sqrt()) as f32;
            let from = normal.len();
            normal.extend(record.iter().map(|x| (x - mean) * inverse));
            outputs.extend(normal[from..].iter().zip(scale.iter().zip(shift)).map(|(n, (scale, shift))| n * scale + shift));
            inverses.push(inverse);
        }
        let records = inverses.len();
        let saved = Saved::tensors([tensor(normal, input.dims())?, tensor(inverses, &[records])?]);
        Ok((tensor(outputs, input.dims())?, saved))
    }

    fn backward(
        &self,
        pass: &Pass<'_>,
        saved: Saved,
        output_gradient: Tensor,
        wants: bool,
        emit: &mut Emit<'_>,
    ) -> Result<Option<Tensor>, Error> {
        let (normal, inverses, gradients) = (values(&saved.tensors[0])?, values(&saved.tensors[1])?, values(&output_gradient)?);
        let (mut scale_gradient, mut shift_gradient) = (vec![0.0; self.features], vec![0.0; self.features]);
        let records = || normal.chunks_exact(self.features).zip(gradients.chunks_exact(self.features));
        for (normal, gradient) in records() {
            let sums = scale_gradient.iter_mut().zip(&mut shift_gradient);
            for ((scale, shift), (n, g)) in sums.zip(normal.iter().zip(gradient)) {
                *scale += n * g;
                *shift += g;
            }
        }
        emit(self.scale, &scale_gradient);
        emit(self.shift, &shift_gradient);
        if !wants {
            return Ok(None);
        }
        let scale = pass.parameters.values(self.scale);
        let mut input_gradients = Vec::with_capacity(gradients.len());
        let mut scaled: Vec<f32> = Vec::with_capacity(self.features);
        for ((normal, gradient), inverse) in records().zip(inverses.iter()) {
            scaled.clear();
            scaled.extend(gradient.iter().zip(scale).map(|(g, s)| g * s));
            let mean = (sum(&scaled) / self.features as f64) as f32;
            let slope = (dot(&scaled, normal) / self.features as f64) as f32;
            input_gradients.extend(scaled.iter().zip(normal).map(|(g, n)| inverse * (g - mean - n * slope)));
        }
        Ok(Some(tensor(input_gradients, output_gradient.dims())?))
    }
}
