//! A row of a table for each value.

use super::rows::Rows;
use super::{Backward, Emit, Forward, Kept, Layer, Needs, Pass, initializer, variable};
use crate::error::Error;
use crate::kernel::Isa;
use tfcoord_types::job::{Init, LayerShape};
use tfcoord_types::variable::{Group, Variable};

/// The row of a table \[rows, dim\] that each value of a record names: \[n\] becomes \[n, dim\].
pub struct Embedding {
    rows: Rows,
    table: usize,
}

impl Embedding {
    /// For records of `shape`, in which values name rows of one table of `vocabulary` rows, or each one those of its own
    /// categories; adds its variable to the model's.
    pub fn new(shape: &LayerShape, dim: u32, vocabulary: Option<u32>, init: Init, variables: &mut Vec<Variable>) -> Self {
        let (rows, table) = table(shape, dim, vocabulary, init, variables);
        Self { rows, table }
    }
}

/// The rows of an embedding of `shape`, and the place of their variable, which is added to the model's.
pub(super) fn table(shape: &LayerShape, dim: u32, vocabulary: Option<u32>, init: Init, variables: &mut Vec<Variable>) -> (Rows, usize) {
    let rows = Rows::new(shape, dim, vocabulary);
    // A model of more rows than that is refused.
    let count = u32::try_from(rows.count).unwrap_or(u32::MAX);
    let first = initializer(init, dim.into(), count.into());
    (rows, variable(variables, &shape.name, "table", &[count, dim], first, Group::Train))
}

impl Layer for Embedding {
    fn needs(&self, records: usize) -> Needs {
        Needs { places: records * self.rows.values, zeros: self.rows.table(), ..Needs::default() }
    }

    fn check(&self, isa: Isa, input: &[f32]) -> Result<(), Error> {
        self.rows.check(isa, input)
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let found = self.rows.find(pass, buffers.input, &mut buffers.kept.places);
        self.rows.copy(pass.parameters.values(self.table), found, buffers.output);
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { input, kept: Kept { places, zeros, .. }, output_gradient, input_gradient, .. } = buffers;
        let found = self.rows.found(&places[..input.len()]);
        self.rows.backward(pass, found, (output_gradient, 1), &mut zeros[..self.rows.table()], |sums| emit(self.table, sums));
        // A name has no slope.
        if let Some(input_gradient) = input_gradient {
            input_gradient.fill(0.0);
        }
    }
}
