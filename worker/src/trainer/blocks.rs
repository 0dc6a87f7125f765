//! A block's gradient sum, variable by variable as the layers' gradients come.
//!
//! The lanes of a block are computed one after the other; their gradients are added over the fixed tree as a
//! binary counter adds ones: after lane j there is one partial sum for each bit of j + 1, level k being the sum of
//! an aligned run of 2^k lanes. Lanes without records are the last ones of a step and are no operands: the last
//! lane with records takes up all levels that are left, lowest first, which is what the tree does when its right
//! side is missing. During the last lane every chunk is complete, and can be sent, as soon as the last of its
//! variables is.

use bytes::{Bytes, BytesMut};
use tfcoord_types::layout::{Layout, Span};

/// The sums of the block that is being computed.
pub struct BlockSums {
    // For each variable, where its elements lie: (chunk, span).
    places: Vec<Vec<(u32, Span)>>,
    chunk_lens: Vec<usize>,
    // Partial sums by level, then by chunk.
    levels: Vec<Vec<Vec<f32>>>,
    // The block's sum by chunk while its last lane is computed.
    output: Vec<Output>,
    lane: u32,
    last: bool,
    // Buffers that were sent and came back.
    spare: Vec<Vec<BytesMut>>,
}

#[derive(Default)]
struct Output {
    bytes: BytesMut,
    missing: usize,
}

/// A complete sum of a block for a chunk.
pub struct ChunkSum {
    /// The chunk.
    pub chunk: u32,
    /// Its elements, little-endian f32.
    pub payload: Bytes,
}

impl BlockSums {
    /// For a model of `variables` variables.
    pub fn new(layout: &Layout, variables: usize) -> Self {
        let mut places = vec![Vec::new(); variables];
        for chunk in 0..u32::try_from(layout.chunks.len()).expect("a layout has fewer than 2^32 chunks") {
            for span in layout.spans(chunk) {
                places[span.variable as usize].push((chunk, span));
            }
        }
        let chunk_lens: Vec<usize> = layout.chunks.iter().map(|c| usize::try_from(c.len).expect("a chunk fits memory")).collect();
        let output = chunk_lens.iter().map(|_| Output::default()).collect();
        let spare = chunk_lens.iter().map(|_| Vec::new()).collect();
        Self { places, chunk_lens, levels: Vec::new(), output, lane: 0, last: false, spare }
    }

    /// Begins lane number `lane` of the block's lanes with records, counted from 0; `last` if it is the last one.
    pub fn begin_lane(&mut self, lane: u32, last: bool) {
        (self.lane, self.last) = (lane, last);
        if last {
            for ((output, len), spare) in self.output.iter_mut().zip(&self.chunk_lens).zip(&mut self.spare) {
                output.bytes = spare.pop().unwrap_or_else(|| BytesMut::zeroed(len * 4));
                output.missing = *len;
            }
        }
    }

    /// Adds a variable's gradient of the lane; every variable comes once a lane. `done` gets what is complete.
    pub fn add(&mut self, variable: usize, gradient: &[f32], mut done: impl FnMut(ChunkSum)) {
        let merged = if self.last { self.lane.count_ones() } else { self.lane.trailing_ones() };
        let into = (!self.last).then(|| self.level(self.lane.trailing_ones() as usize));
        for (chunk, span) in &self.places[variable] {
            let elements = index(span.elements.start)..index(span.elements.end);
            let at = index(span.at)..index(span.at) + elements.len();
            let gradient = &gradient[elements];
            let chunk_at = *chunk as usize;
            let set = |level: &usize| self.lane & (1 << level) != 0;
            let mut operands = (0..32).filter(set).take(merged as usize);
            match into {
                Some(level) => {
                    // The level is empty now: it takes the lane's gradient, then the sums to its left.
                    let (lower, upper) = self.levels.split_at_mut(level);
                    let target = &mut upper[0][chunk_at][at.clone()];
                    match operands.next() {
                        Some(l) => begin_left(&lower[l][chunk_at][at.clone()], gradient, target),
                        None => target.copy_from_slice(gradient),
                    }
                    operands.for_each(|l| add_left(&lower[l][chunk_at][at.clone()], target));
                }
                None => {
                    let output = &mut self.output[chunk_at];
                    let target = &mut output.bytes[at.start * 4..at.end * 4];
                    match operands.next() {
                        Some(l) => begin_left_bytes(&self.levels[l][chunk_at][at.clone()], gradient, target),
                        None => write(gradient, target),
                    }
                    operands.for_each(|l| add_left_bytes(&self.levels[l][chunk_at][at.clone()], target));
                    output.missing -= at.len();
                    if output.missing == 0 {
                        done(ChunkSum { chunk: *chunk, payload: std::mem::take(&mut output.bytes).freeze() });
                    }
                }
            }
        }
    }

    /// Takes back what was sent, to be used again, unless somebody still reads it.
    pub fn give_back(&mut self, chunk: u32, payload: Bytes) {
        if let Ok(bytes) = payload.try_into_mut()
            && bytes.len() == self.chunk_lens[chunk as usize] * 4
        {
            self.spare[chunk as usize].push(bytes);
        }
    }

    fn level(&mut self, level: usize) -> usize {
        while self.levels.len() <= level {
            self.levels.push(self.chunk_lens.iter().map(|len| vec![0.0; *len]).collect());
        }
        level
    }
}

fn index(n: u64) -> usize {
    usize::try_from(n).expect("a chunk fits memory")
}

fn begin_left(left: &[f32], gradient: &[f32], target: &mut [f32]) {
    for (t, (l, g)) in target.iter_mut().zip(left.iter().zip(gradient)) {
        *t = l + g;
    }
}

fn begin_left_bytes(left: &[f32], gradient: &[f32], target: &mut [u8]) {
    for (t, (l, g)) in target.as_chunks_mut::<4>().0.iter_mut().zip(left.iter().zip(gradient)) {
        *t = (l + g).to_le_bytes();
    }
}

fn add_left(left: &[f32], target: &mut [f32]) {
    for (t, l) in target.iter_mut().zip(left) {
        *t += l;
    }
}

fn write(from: &[f32], target: &mut [u8]) {
    for (t, f) in target.as_chunks_mut::<4>().0.iter_mut().zip(from) {
        *t = f.to_le_bytes();
    }
}

fn add_left_bytes(left: &[f32], target: &mut [u8]) {
    for (t, l) in target.as_chunks_mut::<4>().0.iter_mut().zip(left) {
        *t = (l + f32::from_le_bytes(*t)).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_types::layout::SEGMENT;
    use tfcoord_types::variable::{Group, Initializer, Variable};

    fn layout() -> Layout {
        let variable = |name: &str, len| Variable {
            name: name.into(),
            shape: vec![len],
            initializer: Initializer::Zeros,
            group: Group::Train,
            sync: None,
        };
        Layout::new(&[variable("a", 5000), variable("b", 3)], SEGMENT).unwrap()
    }

    // The tree, as it is defined: a missing right side passes the left one on.
    fn tree(values: &[f32], from: usize, len: usize) -> Option<f32> {
        if len == 1 {
            return values.get(from).copied();
        }
        let (left, right) = (tree(values, from, len / 2)?, tree(values, from + len / 2, len / 2));
        Some(right.map_or(left, |right| left + right))
    }

    #[test]
    fn sums_are_those_of_the_tree_for_any_number_of_lanes_with_records() {
        for lanes in 1..=16u32 {
            let mut sums = BlockSums::new(&layout(), 2);
            for round in 0..2 {
                let values: Vec<f32> = (0..lanes).map(|l| 1.0 / (l as f32 + 1.3 + round as f32)).collect();
                let mut done = Vec::new();
                for (lane, value) in (0..lanes).zip(&values) {
                    sums.begin_lane(lane, lane + 1 == lanes);
                    sums.add(1, &[*value; 3], |sum| done.push(sum));
                    assert!(done.is_empty(), "the second chunk needs both variables");
                    sums.add(0, &[*value; 5000], |sum| done.push(sum));
                }
                assert_eq!(done.iter().map(|d| (d.chunk, d.payload.len())).collect::<Vec<_>>(), [(0, 4096 * 4), (1, 907 * 4)]);
                let expected = tree(&values, 0, lanes.next_power_of_two() as usize).unwrap();
                for sum in done {
                    assert!(
                        sum.payload.as_chunks::<4>().0.iter().all(|b| f32::from_le_bytes(*b).to_bits() == expected.to_bits()),
                        "{lanes}"
                    );
                    sums.give_back(sum.chunk, sum.payload);
                }
            }
        }
    }

    #[test]
    fn buffers_are_used_again_once_nobody_reads_them() {
        let mut sums = BlockSums::new(&layout(), 2);
        let once = |sums: &mut BlockSums| {
            let mut done = Vec::new();
            sums.begin_lane(0, true);
            sums.add(0, &[1.0; 5000], |sum| done.push(sum));
            sums.add(1, &[1.0; 3], |sum| done.push(sum));
            done.remove(0)
        };
        let first = once(&mut sums);
        let place = first.payload.as_ptr();
        let reader = first.payload.clone();
        sums.give_back(0, first.payload);
        let second = once(&mut sums);
        assert_ne!(second.payload.as_ptr(), place, "still read");
        drop(reader);
        let place = second.payload.as_ptr();
        sums.give_back(0, second.payload);
        assert_eq!(once(&mut sums).payload.as_ptr(), place);
    }
}
