//! The sum or the mean of the rows that a record's values name.

use super::embedding::table;
use super::rows::Rows;
use super::{Backward, Emit, Forward, Kept, Layer, Needs, Pass};
use crate::error::Error;
use crate::kernel::{Isa, vectorized};
use tfcoord_types::job::{BagMode, Init, LayerShape};
use tfcoord_types::variable::Variable;

/// As [`super::Embedding`], but a record's rows become one: \[n\] becomes \[dim\].
pub struct EmbeddingBag {
    rows: Rows,
    table: usize,
    // What their sum is multiplied by.
    factor: f32,
}

impl EmbeddingBag {
    /// As [`super::Embedding::new`].
    pub fn new(shape: &LayerShape, dim: u32, vocabulary: Option<u32>, mode: BagMode, init: Init, variables: &mut Vec<Variable>) -> Self {
        let (rows, table) = table(shape, dim, vocabulary, init, variables);
        let factor = if mode == BagMode::Mean { 1.0 / rows.values as f32 } else { 1.0 };
        Self { rows, table, factor }
    }
}

impl Layer for EmbeddingBag {
    fn needs(&self, records: usize) -> Needs {
        Needs { places: records * self.rows.values, zeros: self.rows.table(), ..Needs::default() }
    }

    fn check(&self, isa: Isa, input: &[f32]) -> Result<(), Error> {
        self.rows.check(isa, input)
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        let found = self.rows.find(pass, buffers.input, &mut buffers.kept.places);
        self.rows.add_up(pass, pass.parameters.values(self.table), found, self.factor, buffers.output);
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, emit: &mut Emit<'_>) {
        let Backward { input, kept: Kept { places, zeros, .. }, output_gradient, input_gradient, .. } = buffers;
        let found = self.rows.found(&places[..input.len()]);
        scale(pass.isa, output_gradient, self.factor);
        self.rows
            .backward(pass, found, (output_gradient, self.rows.values), &mut zeros[..self.rows.table()], |sums| emit(self.table, sums));
        // A name has no slope.
        if let Some(input_gradient) = input_gradient {
            input_gradient.fill(0.0);
        }
    }
}

vectorized! {
    fn scale(values: &mut [f32], factor: f32) {
        values.iter_mut().for_each(|value| *value *= factor);
    }
}
