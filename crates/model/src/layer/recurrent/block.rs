//! What a block of records keeps for the way back, and where it lies.

use crate::kernel::Grid;

/// Records of a block; the last one may have fewer.
pub(super) const RECORDS: usize = 16;

/// How many values there are of what, for one record and step.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Steps of a record.
    pub steps: usize,
    /// Features.
    pub features: usize,
    /// h.
    pub units: usize,
    /// Of all gates.
    pub gates: usize,
    /// Of the gates whose recurrent part is apart.
    pub apart: usize,
    /// c; 0 if there is none.
    pub c: usize,
}

impl Sizes {
    /// Values that a record keeps.
    pub(super) fn kept(self) -> usize {
        self.steps * self.gates + (self.steps + 1) * self.state() + self.steps * self.units
    }

    /// Values of a record's state.
    pub(super) fn state(self) -> usize {
        self.units + self.c
    }

    /// Where h before the first step lies in a block of so many records.
    pub(super) fn h(self, records: usize) -> usize {
        records * self.steps * self.gates
    }

    /// Where [`Block::more`] lies.
    pub(super) fn more(self, records: usize) -> usize {
        self.h(records) + records * (self.steps + 1) * self.state()
    }

    /// The rows of `values` values of all blocks, steps from number `from` on, and records of a group, that begin at `first`
    /// in each block.
    pub(super) fn rows(self, group: BlockGroup, first: usize, from: usize, values: usize) -> Grid {
        let step = group.records * values;
        let runs = [(group.blocks, RECORDS * self.kept()), (self.steps - from, step), (group.records, values)];
        Grid::new(group.first * self.kept() + first + from * step, runs)
    }
}

/// Blocks of equally many records.
#[derive(Debug, Clone, Copy)]
pub struct BlockGroup {
    /// Records before them.
    pub(super) first: usize,
    /// How many there are.
    pub(super) blocks: usize,
    /// Records of each.
    pub(super) records: usize,
}

/// The blocks of so many records: the full ones, and what is left.
pub(super) fn groups(records: usize) -> impl Iterator<Item = BlockGroup> {
    let (blocks, rest) = (records / RECORDS, records % RECORDS);
    let full = BlockGroup { first: 0, blocks, records: RECORDS };
    let last = BlockGroup { first: blocks * RECORDS, blocks: 1, records: rest };
    [full, last].into_iter().filter(|group| group.blocks * group.records > 0)
}

/// What a block keeps: each of its parts step by step, and record by record within a step.
pub struct Block<'a> {
    sizes: Sizes,
    /// Records.
    pub(super) records: usize,
    /// The gates.
    pub(super) gates: &'a mut [f32],
    // Before the first step, and after each.
    h: &'a mut [f32],
    c: &'a mut [f32],
    /// What is apart of the gates, or else as the cell has it.
    pub(super) more: &'a mut [f32],
}

/// A step of a block, record by record.
pub struct Step<'a> {
    /// How many units there are.
    pub units: usize,
    /// The gates, side by side.
    pub gates: &'a mut [f32],
    /// h before and after the step.
    pub h: (&'a [f32], &'a mut [f32]),
    /// c before and after the step; empty if there is none.
    pub c: (&'a [f32], &'a mut [f32]),
    /// A value a unit: what is apart of the gates, or else as the cell has it.
    pub more: &'a mut [f32],
}

impl<'a> Block<'a> {
    /// From all that it keeps.
    pub(super) fn new(sizes: Sizes, kept: &'a mut [f32]) -> Self {
        let records = kept.len() / sizes.kept();
        let (gates, rest) = kept.split_at_mut(sizes.h(records));
        let (h, rest) = rest.split_at_mut(records * (sizes.steps + 1) * sizes.units);
        let (c, more) = rest.split_at_mut(records * (sizes.steps + 1) * sizes.c);
        Self { sizes, records, gates, h, c, more }
    }

    /// The state before the first step becomes 0.
    pub(super) fn begin(&mut self) {
        self.h[..self.records * self.sizes.units].fill(0.0);
        self.c[..self.records * self.sizes.c].fill(0.0);
    }

    /// Step number `at`.
    pub(super) fn step(&mut self, at: usize) -> Step<'_> {
        let Sizes { units, gates, c, .. } = self.sizes;
        let records = self.records;
        let part = |values: usize| at * records * values..(at + 1) * records * values;
        Step {
            units,
            gates: &mut self.gates[part(gates)],
            h: around(self.h, at, records * units),
            c: around(self.c, at, records * c),
            more: &mut self.more[part(units)],
        }
    }
}

// Parts number `at` and `at` + 1.
fn around(values: &mut [f32], at: usize, len: usize) -> (&[f32], &mut [f32]) {
    let (before, after) = values[at * len..][..2 * len].split_at_mut(len);
    (before, after)
}
