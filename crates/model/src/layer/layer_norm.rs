//! Layer normalization: Ba, Kiros, Hinton 2016.

use super::{BLOCK, Backward, Emit, Forward, Layer, Needs, Pass, room, take, together, values_of, variable};
use crate::kernel::{LINE, vectorized};
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
}

impl Layer for LayerNorm {
    // Keeps each record's 1 / deviation and normalized values.
    fn needs(&self, records: usize) -> Needs {
        Needs { kept: records * (1 + self.features), scratch: 2 * room(self.features), ..Needs::default() }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let variables = (pass.parameters.values(self.scale), pass.parameters.values(self.shift));
        let (features, records) = (self.features, together(self.features));
        let values = buffers.input.chunks(records * features).zip(buffers.output.chunks_mut(records * features));
        let parts = values.zip(buffers.kept.values.chunks_mut(records * (1 + features)));
        pass.threads.each(parts, |((input, output), kept)| normalize(pass.isa, self.epsilon, variables, input, output, kept));
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { kept, output_gradient, input_gradient, mut scratch, .. } = buffers;
        let (scale_gradient, shift_gradient) = (take(&mut scratch, self.features), take(&mut scratch, self.features));
        // A feature's sum goes through all records: threads share the features.
        let part = (BLOCK * self.features / output_gradient.len().max(1)).max(1).next_multiple_of(LINE);
        let parts = scale_gradient.chunks_mut(part).zip(shift_gradient.chunks_mut(part)).zip((0..).step_by(part));
        pass.threads.each(parts, |((scale, shift), first)| {
            of_variables(pass.isa, self.features, first, &kept.values, output_gradient, scale, shift);
        });
        emit(self.scale, scale_gradient);
        emit(self.shift, shift_gradient);
        if let Some(input_gradient) = input_gradient {
            let (scale, features, records) = (pass.parameters.values(self.scale), self.features, together(self.features));
            let sources = kept.values.chunks(records * (1 + features)).zip(output_gradient.chunks(records * features));
            let parts = input_gradient.chunks_mut(records * features).zip(sources);
            pass.threads.each(parts, |(targets, (kept, gradients))| of_input(pass.isa, kept, scale, gradients, targets));
        }
    }
}

vectorized! {
    // `kept` becomes, for each record, 1 / deviation and the normalized values.
    fn normalize(epsilon: f32, variables: (&[f32], &[f32]), input: &[f32], output: &mut [f32], kept: &mut [f32]) {
        let (scale, shift) = variables;
        let features = scale.len();
        let records = input.chunks_exact(features).zip(output.chunks_exact_mut(features));
        for ((input, output), kept) in records.zip(kept.chunks_exact_mut(1 + features)) {
            let mean = (sum(input) / features as f64) as f32;
            let variance = sum_of_squares(input, mean) / features as f64;
            let inverse = (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32;
            let (first, normal) = kept.split_at_mut(1);
            first[0] = inverse;
            normal.iter_mut().zip(input).for_each(|(n, x)| *n = (x - mean) * inverse);
            let terms = normal.iter().zip(scale.iter().zip(shift));
            output.iter_mut().zip(terms).for_each(|(y, (n, (scale, shift)))| *y = n * scale + shift);
        }
    }

    // Of as many features from `first` on as there is room for.
    fn of_variables(features: usize, first: usize, kept: &[f32], gradients: &[f32], scale_gradient: &mut [f32], shift_gradient: &mut [f32]) {
        scale_gradient.fill(0.0);
        shift_gradient.fill(0.0);
        for (kept, gradient) in kept.chunks_exact(1 + features).zip(gradients.chunks_exact(features)) {
            let sums = scale_gradient.iter_mut().zip(&mut *shift_gradient);
            for ((scale, shift), (n, g)) in sums.zip(kept[1 + first..].iter().zip(&gradient[first..])) {
                *scale += n * g;
                *shift += g;
            }
        }
    }

    fn of_input(kept: &[f32], scale: &[f32], gradients: &[f32], targets: &mut [f32]) {
        let features = scale.len();
        let records = kept.chunks_exact(1 + features).zip(gradients.chunks_exact(features));
        for ((kept, gradient), target) in records.zip(targets.chunks_exact_mut(features)) {
            let (inverse, normal) = (kept[0], &kept[1..]);
            target.iter_mut().zip(gradient.iter().zip(scale)).for_each(|(t, (g, s))| *t = g * s);
            let mean = (sum(target) / features as f64) as f32;
            let slope = (dot(target, normal) / features as f64) as f32;
            target.iter_mut().zip(normal).for_each(|(g, n)| *g = inverse * (*g - mean - n * slope));
        }
    }
}
