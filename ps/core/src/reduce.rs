//! The sum over the fixed tree, piece by piece, so that a piece is summed, divided and given to the optimizer
//! while it lies in the cache.

use crate::cursor::Held;
use std::ops::Range;
use tfcoord_types::lane::Block;
use tfcoord_types::layout::SEGMENT;

/// Elements of a piece: 16 KiB of f32. A piece is also a norm segment, see `clip.rs`.
pub(crate) const PIECE: usize = SEGMENT as usize;

/// The pieces of a chunk of `len` elements, in order.
pub(crate) fn pieces(len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len.div_ceil(PIECE)).map(move |piece| piece * PIECE..(piece * PIECE + PIECE).min(len))
}

/// One buffer of a piece for each level of the tree: made once, used for every sum.
#[derive(Debug, Default)]
pub(crate) struct Bench {
    levels: Vec<Vec<f32>>,
}

impl Bench {
    /// A bench for a tree under `root`.
    pub fn new(root: Block) -> Self {
        Self { levels: (0..=root.len().ilog2()).map(|_| vec![0.0; PIECE]).collect() }
    }

    /// The sum of `piece` over the blocks `held` under `root`: a lane without records is no operand, its sibling
    /// passes unchanged. `held` must be by first lane, apart from each other, and not empty.
    pub fn sum(&mut self, root: Block, held: &[Held], piece: Range<usize>) -> &mut [f32] {
        let found = sum(root, held, &piece, &mut self.levels);
        debug_assert!(found, "a step has records");
        &mut self.levels[0][..piece.len()]
    }
}

// Leaves the sum of the node in the first level; `false` if nothing of it is held.
fn sum(node: Block, held: &[Held], piece: &Range<usize>, levels: &mut [Vec<f32>]) -> bool {
    let inside = held.partition_point(|h| h.block.first() < node.first())..held.partition_point(|h| h.block.first() < node.lanes().end);
    let held = &held[inside];
    let Some((one, more)) = held.split_first() else { return false };
    if more.is_empty() {
        load(&mut levels[0], &one.payload, piece);
        return true;
    }
    let (left, right) = node.children().expect("two blocks are held inside a node");
    if !sum(left, held, piece, levels) {
        return sum(right, held, piece, levels);
    }
    let [first, rest @ ..] = levels else { unreachable!("there is a level for each level of the tree") };
    match held.iter().filter(|h| right.contains(h.block)).count() {
        0 => {}
        1 => add(first, &held[held.len() - 1].payload, piece),
        _ => {
            sum(right, held, piece, rest);
            first.iter_mut().zip(&rest[0]).take(piece.len()).for_each(|(a, b)| *a += b);
        }
    }
    true
}

fn load(to: &mut [f32], from: &[u8], piece: &Range<usize>) {
    read(&mut to[..piece.len()], &from[piece.start * 4..piece.end * 4]);
}

fn add(to: &mut [f32], from: &[u8], piece: &Range<usize>) {
    let (from, _) = from[piece.start * 4..piece.end * 4].as_chunks::<4>();
    to.iter_mut().zip(from).for_each(|(a, b)| *a += f32::from_le_bytes(*b));
}

/// Reads little-endian f32; as many as `to` holds.
pub(crate) fn read(to: &mut [f32], from: &[u8]) {
    to.iter_mut().zip(from.as_chunks::<4>().0).for_each(|(a, b)| *a = f32::from_le_bytes(*b));
}

/// Writes little-endian f32; as many as `from` holds.
pub(crate) fn write(to: &mut [u8], from: &[f32]) {
    to.as_chunks_mut::<4>().0.iter_mut().zip(from).for_each(|(a, b)| *a = b.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEN: usize = PIECE + 3;

    fn held(block: Block, values: &[f32]) -> Held {
        let mut payload = vec![0; values.len() * 4];
        write(&mut payload, values);
        Held { block, records: 1, payload: payload.into() }
    }

    // The definition, one lane after the other.
    fn tree(node: Block, lanes: &[Option<Vec<f32>>]) -> Option<Vec<f32>> {
        let Some((left, right)) = node.children() else { return lanes[node.first() as usize].clone() };
        match (tree(left, lanes), tree(right, lanes)) {
            (Some(a), Some(b)) => Some(a.iter().zip(&b).map(|(a, b)| a + b).collect()),
            (a, b) => a.or(b),
        }
    }

    proptest! {
        #[test]
        fn any_cut_into_blocks_gives_the_tree_s_bits(log in 0u32..5, seed: u64, empty: u16, cuts: u32) {
            let root = Block::root(1 << log);
            let mut draw = tfcoord_types::draw::Stream::new("test", &[seed]);
            let lanes: Vec<Option<Vec<f32>>> = root.lanes().map(|lane| {
                let scale = f32::from(u16::try_from(draw.below(1000)).unwrap());
                let values = (0..LEN).map(|_| (draw.unit() - 0.5) * scale).collect();
                (empty >> lane & 1 == 0 || lane == 0).then_some(values)
            }).collect();
            // A random cut: split a block where the next bit says so.
            let (mut blocks, mut open, mut bits) = (Vec::new(), vec![root], cuts);
            while let Some(block) = open.pop() {
                match block.children() {
                    Some((left, right)) if bits & 1 == 1 => open.extend([right, left]),
                    _ => blocks.extend(tree(block, &lanes).map(|values| held(block, &values))),
                }
                bits >>= 1;
            }
            let mut bench = Bench::new(root);
            let expected = tree(root, &lanes).unwrap();
            for piece in pieces(LEN) {
                let sum = bench.sum(root, &blocks, piece.clone());
                prop_assert!(sum.iter().zip(&expected[piece]).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
    }
}
