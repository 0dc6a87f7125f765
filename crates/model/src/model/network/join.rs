//! Where values of several sources, or some of one, become one output.

use crate::kernel::{Isa, vectorized};
use crate::layer::values_of;
use std::ops::Range;

/// A step without variables that sees any number of sources.
pub(crate) enum Join {
    /// The sum of all.
    Add,
    /// All one behind the other within each row.
    Concatenate {
        /// Values of each source in a row.
        widths: Vec<usize>,
    },
    /// Some values of a record.
    Select {
        /// Values of a record before.
        features: usize,
        /// Those that are taken, one run behind the other.
        runs: Vec<Range<usize>>,
    },
}

impl Join {
    /// For [`tfcoord_types::job::Operation::Select`].
    pub fn select(runs: &[Range<u32>], features: usize) -> Self {
        Self::Select { features, runs: runs.iter().map(|run| run.start as usize..run.end as usize).collect() }
    }

    /// Of sources of these shapes: rows are records, steps of sequences, places of pictures (whose channels lie side by
    /// side).
    pub fn concatenate<'a>(shapes: impl Iterator<Item = &'a [u32]>) -> Self {
        let width = |shape: &[u32]| match shape {
            [_, features] => *features as usize,
            [channels, _, _] => *channels as usize,
            _ => values_of(shape),
        };
        Self::Concatenate { widths: shapes.map(width).collect() }
    }

    /// Fills `output` from the sources, which `source` gives by their number, `count` of them.
    pub fn forward<'a>(&self, isa: Isa, count: usize, source: impl Fn(usize) -> &'a [f32], output: &mut [f32]) {
        match self {
            Self::Add => {
                output.copy_from_slice(source(0));
                (1..count).for_each(|at| add(isa, source(at), output));
            }
            Self::Concatenate { widths } => {
                let row: usize = widths.iter().sum();
                let mut first = 0;
                for (at, width) in widths.iter().enumerate() {
                    for (to, from) in output.chunks_exact_mut(row).zip(source(at).chunks_exact(*width)) {
                        to[first..first + width].copy_from_slice(from);
                    }
                    first += width;
                }
            }
            Self::Select { features, runs } => {
                let row: usize = runs.iter().map(Range::len).sum();
                for (to, from) in output.chunks_exact_mut(row).zip(source(0).chunks_exact(*features)) {
                    let mut rest = to;
                    for run in runs {
                        let (to, after) = rest.split_at_mut(run.len());
                        to.copy_from_slice(&from[run.clone()]);
                        rest = after;
                    }
                }
            }
        }
    }

    /// Fills `target`, the gradient by source number `at`, from that by the output.
    pub fn backward(&self, at: usize, gradient: &[f32], target: &mut [f32]) {
        match self {
            Self::Add => target.copy_from_slice(gradient),
            Self::Concatenate { widths } => {
                let row: usize = widths.iter().sum();
                let (first, width) = (widths[..at].iter().sum::<usize>(), widths[at]);
                for (to, from) in target.chunks_exact_mut(width).zip(gradient.chunks_exact(row)) {
                    to.copy_from_slice(&from[first..first + width]);
                }
            }
            // It sees features, by which nobody needs a gradient.
            Self::Select { .. } => unreachable!("there is no gradient by features"),
        }
    }
}

vectorized! {
    /// Adds `values` to `sums`, one by one.
    pub fn add(values: &[f32], sums: &mut [f32]) {
        crate::sum::add(sums, values);
    }
}
