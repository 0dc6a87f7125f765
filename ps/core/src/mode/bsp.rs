//! What a complete step does to a chunk: sum, mean, update, in one pass over pieces that stay in the cache, out
//! of place into the chunk's other buffer.

use crate::clip;
use crate::input::SegmentNorm;
use crate::reduce::{Bench, PIECE, pieces, read, write};
use crate::table::Part;
use tfcoord_optimizer::{Kernel, mean};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::SEGMENT;

/// What a complete step does to a chunk.
#[derive(Debug)]
pub(crate) enum Update {
    /// The mean, scaled, goes through the optimizer.
    Train { kernel: Kernel, scale: f32 },
    /// What is held is a change, and not divided: of `local`.
    Change { kernel: Kernel },
    /// The mean is mixed in.
    Average { momentum: f32 },
    /// The sum is added.
    Add,
    /// The values stay.
    Keep,
}

/// Makes the chunk's next version of what is held, the sum of so many steps (in `bsp` of one). All lanes with records must
/// be in; `root` is the whole tree.
pub(crate) fn update(part: &mut Part, root: Block, update: &Update, steps: u64, bench: &mut Bench) {
    if matches!(update, Update::Keep) {
        let same = part.values().clone();
        part.advance(same, steps);
        return;
    }
    let records = part.cursor.records() as f32;
    let mut next = part.other_buffer();
    let (values, cursor, slots) = part.parts();
    let mut piece_values = [0.0; PIECE];
    for piece in pieces(values.len() / 4) {
        let bytes = piece.start * 4..piece.end * 4;
        let p = &mut piece_values[..piece.len()];
        read(p, &values[bytes.clone()]);
        let g = bench.sum(root, cursor.held(), piece.clone());
        match update {
            Update::Train { kernel, scale } => {
                mean(g, records, *scale);
                kernel.run(p, g, slots, piece);
            }
            Update::Change { kernel } => kernel.run(p, g, slots, piece),
            Update::Average { momentum } => {
                p.iter_mut().zip(g).for_each(|(p, g)| *p = momentum * *p + (1.0 - momentum) * (*g / records));
            }
            Update::Add => p.iter_mut().zip(g).for_each(|(p, g)| *p += *g),
            Update::Keep => {}
        }
        write(&mut next[bytes], p);
    }
    part.advance(next.freeze(), steps);
}

/// The squared norms of the mean gradient's segments. All lanes with records must be in.
pub(crate) fn norms(part: &Part, root: Block, bench: &mut Bench) -> Vec<SegmentNorm> {
    let records = part.cursor.records() as f32;
    let first = part.chunk.offset / SEGMENT;
    let segments = (first..).zip(pieces(part.len()));
    let norm = |(segment, piece)| {
        let g = bench.sum(root, part.cursor.held(), piece);
        mean(g, records, 1.0);
        SegmentNorm { slab: part.chunk.slab, segment, squared: clip::squared(g) }
    };
    segments.map(norm).collect()
}

/// The first three sums of a complete step: the curve's.
pub(crate) fn curve(part: &Part, root: Block, bench: &mut Bench) -> [f32; 3] {
    let sums = bench.sum(root, part.cursor.held(), 0..part.len().min(PIECE));
    [0, 1, 2].map(|i| sums.get(i).copied().unwrap_or_default())
}
