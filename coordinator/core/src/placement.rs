//! Which server holds which chunk: a pure planner.

use std::collections::BTreeSet;
use tfcoord_types::layout::Layout;
use tfcoord_types::variable::Group;

/// The server slot (0..`servers`) of each chunk of `layout`.
///
/// The curve lies on slot 0, where views say so. The others go, the largest first, to the slot with the fewest
/// elements so far; of equal chunks the one with the lower id first, of equal slots the lower one.
pub fn place(layout: &Layout, servers: u32) -> Vec<u32> {
    let mut slots = vec![0u32; layout.chunks.len()];
    let is_curve = |slab: u32| layout.slabs.get(slab as usize).is_some_and(|s| s.group == Group::Curve);
    let curve: u64 = layout.chunks.iter().filter(|c| is_curve(c.slab)).map(|c| c.len).sum();
    let mut loads: BTreeSet<(u64, u32)> = (0..servers.max(1)).map(|slot| (if slot == 0 { curve } else { 0 }, slot)).collect();
    let mut others: Vec<_> = layout.chunks.iter().zip(&mut slots).filter(|(chunk, _)| !is_curve(chunk.slab)).collect();
    others.sort_by_key(|(chunk, _)| std::cmp::Reverse(chunk.len));
    for (chunk, place) in others {
        let (load, slot) = loads.pop_first().expect("there is at least one slot");
        loads.insert((load + chunk.len, slot));
        *place = slot;
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfcoord_types::layout::SEGMENT;
    use tfcoord_types::variable::{Initializer, Variable};

    fn layout(curve: bool, lens: &[u32]) -> Layout {
        let variable = |name: String, len, group| Variable { name, shape: vec![len], initializer: Initializer::Zeros, group, sync: None };
        let mut variables: Vec<_> = lens.iter().enumerate().map(|(n, len)| variable(n.to_string(), *len, Group::Train)).collect();
        if curve {
            variables.push(variable("curve".into(), 3, Group::Curve));
        }
        Layout::new(&variables, SEGMENT).unwrap()
    }

    #[test]
    fn the_largest_go_first_to_the_least_loaded() {
        // Chunks of 4096, 4096, 4096, 100 elements and the curve: slot 0 is a little heavier from the beginning.
        assert_eq!(place(&layout(true, &[3 * 4096 + 100]), 3), [1, 2, 0, 1, 0]);
        assert_eq!(place(&layout(true, &[10]), 1), [0, 0]);
        assert_eq!(place(&layout(false, &[4096, 4096]), 3), [0, 1]);
    }

    proptest! {
        #[test]
        fn no_slot_is_a_chunk_heavier_than_another(lens in proptest::collection::vec(1u32..40_000, 1..6), servers in 1u32..6) {
            let layout = layout(true, &lens);
            let slots = place(&layout, servers);
            let load = |slot| layout.chunks.iter().zip(&slots).filter(|(_, s)| **s == slot).map(|(c, _)| c.len).sum::<u64>();
            let loads: Vec<u64> = (0..servers).map(load).collect();
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= SEGMENT);
            prop_assert_eq!(slots.last(), Some(&0));
        }
    }
}
