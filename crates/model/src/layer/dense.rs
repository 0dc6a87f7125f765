//! `y = activation(x W + b)`.

use super::activation::{finish_all, kept, pull};
use super::{Backward, Emit, Forward, Layer, Needs, Pass, initializer, len, room, take, variable};
use crate::kernel::{Grid, Left, Right, Start};
use tfcoord_types::job::{Activation, Init, LayerShape};
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
    pub fn new(shape: &LayerShape, bias: bool, activation: Option<Activation>, init: Init, variables: &mut Vec<Variable>) -> Self {
        let (inputs, units) = (shape.input[0], shape.output[0]);
        let first = initializer(init, inputs.into(), units.into());
        let kernel = variable(variables, &shape.name, "kernel", &[inputs, units], first, Group::Train);
        let bias = bias.then(|| variable(variables, &shape.name, "bias", &[units], Initializer::Zeros, Group::Train));
        Self { inputs: len(inputs), units: len(units), kernel, bias, activation }
    }

    fn kernel<'a>(&self, pass: &Pass<'a>) -> &'a [f32] {
        pass.parameters.values(self.kernel)
    }

    // [inputs, units], summed over the records.
    fn kernel_gradient(&self, pass: &Pass<'_>, inputs: &[f32], gradients: &[f32], out: &mut [f32]) {
        let records = inputs.len() / self.inputs;
        let left = Left { values: inputs, rows: Grid::every(1, self.inputs), steps: Grid::every(self.inputs, records) };
        let right = Right { values: gradients, steps: Grid::every(self.units, records), columns: self.units };
        pass.product(left, right, out, self.units, Start::Zero);
    }

    // Both sides are turned, since the kernel is the largest of the three: it is read as it lies.
    fn input_gradient(&self, pass: &Pass<'_>, gradients: &[f32], mut scratch: &mut [f32], out: &mut [f32]) {
        let records = gradients.len() / self.units;
        let (turned, product) = (take(&mut scratch, gradients.len()), take(&mut scratch, out.len()));
        pass.transpose(gradients, (records, self.units), turned);
        let left = Left { values: self.kernel(pass), rows: Grid::every(self.units, self.inputs), steps: Grid::every(1, self.units) };
        let right = Right { values: turned, steps: Grid::every(records, self.units), columns: records };
        pass.product(left, right, product, records, Start::Zero);
        pass.transpose(product, (self.inputs, records), out);
    }
}

impl Layer for Dense {
    fn needs(&self, records: usize) -> Needs {
        let variables = room(self.inputs * self.units) + room(self.units);
        let turned = room(records * self.units) + room(records * self.inputs);
        Needs { kept: kept(self.activation, records * self.units), scratch: variables.max(turned), ..Needs::default() }
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let start = self.bias.map_or(Start::Zero, |bias| Start::Row(pass.parameters.values(bias)));
        let records = buffers.input.len() / self.inputs;
        let left = Left { values: buffers.input, rows: Grid::every(self.inputs, records), steps: Grid::every(1, self.inputs) };
        let right = Right { values: self.kernel(pass), steps: Grid::every(self.units, self.inputs), columns: self.units };
        pass.product(left, right, buffers.output, self.units, start);
        finish_all(self.activation, pass, buffers.output, &mut buffers.kept.values);
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { input, output, kept, output_gradient, input_gradient, scratch } = buffers;
        pull(pass, self.activation, output, &kept.values, output_gradient);
        let mut rest = &mut *scratch;
        let kernel_gradient = take(&mut rest, self.inputs * self.units);
        self.kernel_gradient(pass, input, output_gradient, kernel_gradient);
        emit(self.kernel, kernel_gradient);
        if let Some(bias) = self.bias {
            let bias_gradient = take(&mut rest, self.units);
            pass.add_rows(output_gradient, bias_gradient, Start::Zero);
            emit(bias, bias_gradient);
        }
        if let Some(input_gradient) = input_gradient {
            self.input_gradient(pass, output_gradient, scratch, input_gradient);
        }
    }
}
