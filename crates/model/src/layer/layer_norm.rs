//! Layer normalization: Ba, Kiros, Hinton 2016.

use super::{Backward, Emit, Forward, Layer, Needs, Pass, take, values_of, variable};
use crate::sum::{dot, sum, sum_of_squares};
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

    // The mean of a record and 1 / its deviation.
    fn statistics(&self, record: &[f32]) -> (f32, f32) {
        let mean = (sum(record) / self.features as f64) as f32;
        let variance = sum_of_squares(record, mean) / self.features as f64;
        (mean, (1.0 / (variance + f64::from(self.epsilon)).sqrt()) as f32)
    }
}

impl Layer for LayerNorm {
    // Keeps each record's 1 / deviation and normalized values.
    fn needs(&self, records: usize, _: usize) -> Needs {
        Needs { kept: records * (1 + self.features), scratch: 2 * self.features, places: 0 }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let (scale, shift) = (pass.parameters.values(self.scale), pass.parameters.values(self.shift));
        let records = buffers.input.chunks_exact(self.features).zip(buffers.output.chunks_exact_mut(self.features));
        let kept = buffers.kept.values.chunks_exact_mut(1 + self.features);
        pass.isa.run(|| {
            for ((input, output), kept) in records.zip(kept) {
                let (mean, inverse) = self.statistics(input);
                let (first, normal) = kept.split_at_mut(1);
                first[0] = inverse;
                normal.iter_mut().zip(input).for_each(|(n, x)| *n = (x - mean) * inverse);
                let terms = normal.iter().zip(scale.iter().zip(shift));
                output.iter_mut().zip(terms).for_each(|(y, (n, (scale, shift)))| *y = n * scale + shift);
            }
        });
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { kept, output_gradient, input_gradient, mut scratch, .. } = buffers;
        let (scale_gradient, shift_gradient) = (take(&mut scratch, self.features), take(&mut scratch, self.features));
        scale_gradient.fill(0.0);
        shift_gradient.fill(0.0);
        let records = || kept.values.chunks_exact(1 + self.features).zip(output_gradient.chunks_exact(self.features));
        pass.isa.run(|| {
            for (kept, gradient) in records() {
                let sums = scale_gradient.iter_mut().zip(&mut *shift_gradient);
                for ((scale, shift), (n, g)) in sums.zip(kept[1..].iter().zip(gradient)) {
                    *scale += n * g;
                    *shift += g;
                }
            }
        });
        emit(self.scale, scale_gradient);
        emit(self.shift, shift_gradient);
        let Some(input_gradient) = input_gradient else { return };
        let scale = pass.parameters.values(self.scale);
        pass.isa.run(|| {
            for ((kept, gradient), target) in records().zip(input_gradient.chunks_exact_mut(self.features)) {
                let (inverse, normal) = (kept[0], &kept[1..]);
                target.iter_mut().zip(gradient.iter().zip(scale)).for_each(|(t, (g, s))| *t = g * s);
                let mean = (sum(target) / self.features as f64) as f32;
                let slope = (dot(target, normal) / self.features as f64) as f32;
                target.iter_mut().zip(normal).for_each(|(g, n)| *g = inverse * (*g - mean - n * slope));
            }
        });
    }
}
