//! The rows of an embedding's table: which of them values name, and their gradient by row.

use super::{Kept, Pass, len, values_of};
use crate::error::Error;
use crate::kernel::vectorized;
use crate::sum::add;
use tfcoord_types::job::LayerShape;

/// Additions below which they stay on the calling thread.
const SMALL: usize = 1 << 16;

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
    first: usize,
    count: u32,
}

impl Block {
    fn has(self, value: f32) -> bool {
        let row = value as u32;
        row as f32 == value && row < self.count
    }
}

impl Rows {
    /// Of a table of rows of `dim` values: one table of `vocabulary` rows for all values, or the rows of all values' categories
    /// one behind the other.
    pub fn new(shape: &LayerShape, dim: u32, vocabulary: Option<u32>) -> Self {
        let blocks: Vec<Block> = match vocabulary {
            Some(count) => vec![Block { first: 0, count }],
            None => {
                let before = shape.categories.iter().scan(0, |before, count| Some(std::mem::replace(before, *before + len(*count))));
                before.zip(&shape.categories).map(|(first, count)| Block { first, count: *count }).collect()
            }
        };
        let count = blocks.last().map_or(0, |last| last.first + len(last.count));
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
    pub fn check(&self, input: &[f32]) -> Result<(), Error> {
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

    fn named<'a>(&'a self, input: &'a [f32]) -> Named<'a> {
        Named { input, blocks: &self.blocks, dim: self.dim }
    }

    /// Copies each value's row to its place in `output`.
    pub fn copy(&self, table: &[f32], input: &[f32], output: &mut [f32]) {
        for (first, output) in self.named(input).firsts().zip(output.chunks_exact_mut(self.dim)) {
            output.copy_from_slice(&table[first..][..self.dim]);
        }
    }

    /// Adds the rows of each record, in the order of its values, to one that begins with 0, and multiplies it by `factor`.
    pub fn add_up(&self, pass: &Pass<'_>, table: &[f32], input: &[f32], factor: f32, output: &mut [f32]) {
        add_up(pass.isa, table, self.named(input), self.values, factor, output);
    }

    /// Emits the gradient by the table. Each of the rows that `gradients` consists of is added to the rows that the next
    /// `each` values name, value by value; rows that no value names are not touched: they are zero in `kept`.
    pub fn backward(&self, pass: &Pass<'_>, input: &[f32], (gradients, each): (&[f32], usize), kept: &mut Kept, emit: impl FnOnce(&[f32])) {
        let sums = &mut kept.zeros[..self.table()];
        let named = self.named(input);
        self.share(pass, named, sums, |sums, from| add_by_row(pass.isa, gradients, each, named, from, sums));
        emit(sums);
        self.share(pass, named, sums, |sums, from| clear_by_row(pass.isa, named, from, sums));
    }

    // Threads share the rows: each looks at all values, and works on its own rows, from place `from` of the table on.
    fn share(&self, pass: &Pass<'_>, named: Named<'_>, sums: &mut [f32], work: impl Fn(&mut [f32], usize) + Sync) {
        let threads = if named.input.len().saturating_mul(self.dim) < SMALL { 1 } else { pass.threads.count() };
        let part = self.count.div_ceil(threads) * self.dim;
        let parts = sums.chunks_mut(part).zip((0..).step_by(part));
        pass.threads.each(parts, |(sums, from)| work(sums, from));
    }
}

/// Values that name rows.
#[derive(Clone, Copy)]
struct Named<'a> {
    input: &'a [f32],
    blocks: &'a [Block],
    dim: usize,
}

impl<'a> Named<'a> {
    // Where the rows begin in the table.
    #[inline(always)]
    fn firsts(self) -> impl Iterator<Item = usize> + use<'a> {
        let named = self.input.iter().zip(self.blocks.iter().cycle());
        // The values were checked.
        named.map(move |(value, block)| (block.first + *value as usize) * self.dim)
    }
}

vectorized! {
    fn add_up(table: &[f32], named: Named<'_>, each: usize, factor: f32, output: &mut [f32]) {
        let mut firsts = named.firsts();
        for output in output.chunks_exact_mut(named.dim) {
            output.fill(0.0);
            firsts.by_ref().take(each).for_each(|first| add(output, &table[first..][..named.dim]));
            output.iter_mut().for_each(|sum| *sum *= factor);
        }
    }

    fn add_by_row(gradients: &[f32], each: usize, named: Named<'_>, from: usize, sums: &mut [f32]) {
        let mut firsts = named.firsts();
        for gradient in gradients.chunks_exact(named.dim) {
            for first in firsts.by_ref().take(each) {
                if let Some(sums) = within(sums, first, from, named.dim) {
                    add(sums, gradient);
                }
            }
        }
    }

    fn clear_by_row(named: Named<'_>, from: usize, sums: &mut [f32]) {
        for first in named.firsts() {
            if let Some(sums) = within(sums, first, from, named.dim) {
                sums.fill(0.0);
            }
        }
    }
}

// The row that begins at place `first` of the table, if it is among those from place `from` on.
#[inline(always)]
fn within(sums: &mut [f32], first: usize, from: usize, dim: usize) -> Option<&mut [f32]> {
    let first = first.checked_sub(from)?;
    sums.get_mut(first..first + dim)
}
