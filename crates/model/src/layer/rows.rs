//! The rows of an embedding's table: which of them values name, and their gradient by row.

use super::{Pass, len, values_of};
use crate::error::Error;
use crate::kernel::{Isa, LINE, vectorized};
use crate::sum::add;
use tfcoord_types::job::LayerShape;

/// Additions below which they stay on the calling thread: waking others costs more.
const SMALL: usize = 1 << 18;

/// Values of a row that are added up together.
const RUN: usize = 4 * LINE;

/// Which rows of a table a record's values name.
pub(super) struct Rows {
    layer: String,
    /// Values of a record.
    pub values: usize,
    /// Rows of the table, and values of a row.
    pub count: usize,
    pub dim: usize,
    // For each value of a record, or the one for all of them.
    blocks: Vec<Block>,
}

/// The rows that a value can name: whole numbers from 0 on.
#[derive(Clone, Copy)]
struct Block {
    first: u32,
    count: u32,
}

impl Block {
    #[inline(always)]
    fn has(self, value: f32) -> bool {
        let row = value as u32;
        // Not &&: nothing is gained by asking one after the other.
        (row as f32 == value) & (row < self.count)
    }
}

impl Rows {
    /// Of a table of rows of `dim` values: one table of `vocabulary` rows for all values, or the rows of all values' categories
    /// one behind the other.
    pub fn new(shape: &LayerShape, dim: u32, vocabulary: Option<u32>) -> Self {
        let blocks: Vec<Block> = match vocabulary {
            Some(count) => vec![Block { first: 0, count }],
            None => {
                // Shapes with more rows than can be counted are refused.
                let add = |before: &mut u32, count: &u32| Some(std::mem::replace(before, before.saturating_add(*count)));
                let before = shape.categories.iter().scan(0, add);
                before.zip(&shape.categories).map(|(first, count)| Block { first, count: *count }).collect()
            }
        };
        let count = blocks.last().map_or(0, |last| len(last.first) + len(last.count));
        Self { layer: shape.name.clone(), values: values_of(&shape.input), count, dim: len(dim), blocks }
    }

    /// Values of the table.
    pub fn table(&self) -> usize {
        self.count * self.dim
    }

    /// Whether each value of the records names a row.
    ///
    /// # Errors
    /// The first one that does not.
    pub fn check(&self, isa: Isa, input: &[f32]) -> Result<(), Error> {
        if let [block] = self.blocks[..]
            && all_within(isa, input, block)
        {
            return Ok(());
        }
        match input.iter().zip(self.blocks.iter().cycle()).position(|(value, block)| !block.has(*value)) {
            None => Ok(()),
            Some(at) => Err(Error::Row {
                layer: self.layer.clone(),
                record: at / self.values,
                place: at % self.values,
                value: input[at],
                last: self.blocks[at % self.blocks.len()].count - 1,
            }),
        }
    }

    /// Finds the row of each value.
    pub fn find<'a>(&self, pass: &Pass<'_>, input: &[f32], found: &'a mut [u32]) -> Found<'a> {
        let found = &mut found[..input.len()];
        match self.blocks[..] {
            [_] => find(pass.isa, input, found),
            _ => {
                for ((value, block), row) in input.iter().zip(self.blocks.iter().cycle()).zip(&mut *found) {
                    *row = block.first + *value as u32;
                }
            }
        }
        self.found(found)
    }

    /// What [`Self::find`] has found.
    pub fn found<'a>(&self, rows: &'a [u32]) -> Found<'a> {
        Found { rows, dim: self.dim }
    }

    /// Copies each value's row to its place in `output`.
    pub fn copy(&self, table: &[f32], found: Found<'_>, output: &mut [f32]) {
        for (first, output) in found.firsts().zip(output.chunks_exact_mut(self.dim)) {
            output.copy_from_slice(&table[first..][..self.dim]);
        }
    }

    /// Adds the rows of each record, in the order of its values, to one that begins with 0, and multiplies it by `factor`.
    pub fn add_up(&self, pass: &Pass<'_>, table: &[f32], found: Found<'_>, factor: f32, output: &mut [f32]) {
        let part = (output.len() / self.dim).div_ceil(self.threads(pass, found));
        let parts = found.rows.chunks(part * self.values).zip(output.chunks_mut(part * self.dim));
        pass.threads.each(parts, |(rows, output)| add_up(pass.isa, table, self.found(rows), self.values, factor, output));
    }

    /// Emits the gradient by the table. Each of the rows that `gradients` consists of is added to the next `each` of those
    /// found, value by value; other rows are not touched: they are zero in `sums`, and in the end all are again.
    pub fn backward(
        &self,
        pass: &Pass<'_>,
        found: Found<'_>,
        (gradients, each): (&[f32], usize),
        sums: &mut [f32],
        emit: impl FnOnce(&[f32]),
    ) {
        self.share(pass, found, sums, |sums, from| add_by_row(pass.isa, gradients, each, found, from, sums));
        emit(sums);
        self.share(pass, found, sums, |sums, from| clear_by_row(pass.isa, found, from, sums));
    }

    // Threads that it pays to wake.
    fn threads(&self, pass: &Pass<'_>, found: Found<'_>) -> usize {
        if found.rows.len().saturating_mul(self.dim) < SMALL { 1 } else { pass.threads.count() }
    }

    // Threads share the rows: each looks at all that were found, and works on its own, from place `from` of the table on.
    fn share(&self, pass: &Pass<'_>, found: Found<'_>, sums: &mut [f32], work: impl Fn(&mut [f32], usize) + Sync) {
        let part = self.count.div_ceil(self.threads(pass, found)) * self.dim;
        let parts = sums.chunks_mut(part).zip((0..).step_by(part));
        pass.threads.each(parts, |(sums, from)| work(sums, from));
    }
}

/// The rows that values name, one a value.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    rows: &'a [u32],
    dim: usize,
}

impl<'a> Found<'a> {
    // Where they begin in the table.
    #[inline(always)]
    fn firsts(self) -> impl Iterator<Item = usize> + use<'a> {
        self.rows.iter().map(move |row| len(*row) * self.dim)
    }
}

vectorized! {
    fn all_within(input: &[f32], block: Block) -> bool {
        let mut all = true;
        for value in input {
            all &= block.has(*value);
        }
        all
    }

    fn find(input: &[f32], rows: &mut [u32]) {
        rows.iter_mut().zip(input).for_each(|(row, value)| *row = *value as u32);
    }

    fn add_up(table: &[f32], found: Found<'_>, each: usize, factor: f32, output: &mut [f32]) {
        for (rows, output) in found.rows.chunks_exact(each).zip(output.chunks_exact_mut(found.dim)) {
            let record = Found { rows, ..found };
            let (runs, rest) = output.as_chunks_mut::<RUN>();
            let whole = runs.len() * RUN;
            for (at, sums) in runs.iter_mut().enumerate() {
                // They stay in registers.
                let mut run = [0.0; RUN];
                for first in record.firsts() {
                    add(&mut run, &table[first + at * RUN..][..RUN]);
                }
                *sums = run;
            }
            if !rest.is_empty() {
                rest.fill(0.0);
                for first in record.firsts() {
                    add(rest, &table[first + whole..][..rest.len()]);
                }
            }
            for sum in output {
                *sum *= factor;
            }
        }
    }

    fn add_by_row(gradients: &[f32], each: usize, found: Found<'_>, from: usize, sums: &mut [f32]) {
        for (rows, gradient) in found.rows.chunks_exact(each).zip(gradients.chunks_exact(found.dim)) {
            for first in (Found { rows, ..found }).firsts() {
                if let Some(sums) = within(sums, first, from, found.dim) {
                    add_run_by_run(sums, gradient);
                }
            }
        }
    }

    fn clear_by_row(found: Found<'_>, from: usize, sums: &mut [f32]) {
        for first in found.firsts() {
            if let Some(sums) = within(sums, first, from, found.dim) {
                sums.fill(0.0);
            }
        }
    }
}

// [`add`], with little to ask before and after for rows of whole runs.
#[inline(always)]
fn add_run_by_run(sums: &mut [f32], more: &[f32]) {
    let ((sums, rest), (more, last)) = (sums.as_chunks_mut::<RUN>(), more.as_chunks::<RUN>());
    for (sums, more) in sums.iter_mut().zip(more) {
        add(sums, more);
    }
    if !rest.is_empty() {
        add(rest, last);
    }
}

// The row that begins at place `first` of the table, if it is among those from place `from` on.
#[inline(always)]
fn within(sums: &mut [f32], first: usize, from: usize, dim: usize) -> Option<&mut [f32]> {
    let first = first.checked_sub(from)?;
    sums.get_mut(first..first + dim)
}
