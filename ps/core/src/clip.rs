//! Clipping by global norm.
//!
//! Each server sends the squared norms of its chunks' segments (of fixed size, at fixed places) to the first
//! server. When every segment of the step is in, that one adds them in slab order, whoever sent them in
//! whatever order, and tells all the one scale of the step. A scale is kept until the next step's norms come:
//! no server can need an older one, as no chunk is two steps ahead of another.

use crate::input::SegmentNorm;
use tfcoord_types::layout::{Layout, SEGMENT};
use tfcoord_types::variable::Group;

/// Sum of squares in f64: eight partial sums, element i in the one with number i modulo 8, added in order.
pub(crate) fn squared(values: &[f32]) -> f64 {
    let square = |value: &f32| f64::from(*value) * f64::from(*value);
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, value)| *sum += square(value));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, value)| *sum += square(value));
    sums.iter().sum()
}

/// The norms of one step, on the first server.
#[derive(Debug)]
pub(crate) struct Gather {
    clip_norm: f64,
    step: u64,
    // By slab, then by segment; slabs that are not trained have none.
    squares: Vec<Vec<Option<f64>>>,
    missing: usize,
    scale: Option<f32>,
}

impl Gather {
    pub fn new(layout: &Layout, clip_norm: f64) -> Self {
        let segments = |len: u64| usize::try_from(len.div_ceil(SEGMENT)).expect("a layout has bounded slabs");
        let of_slab = |group: Group, len| if group == Group::Train { vec![None; segments(len)] } else { Vec::new() };
        let squares: Vec<_> = layout.slabs.iter().map(|slab| of_slab(slab.group, slab.len)).collect();
        Self { clip_norm, step: 0, missing: squares.iter().map(Vec::len).sum(), squares, scale: None }
    }

    /// Takes norms of `step`; the step's scale if all of them are in by now.
    pub fn add(&mut self, step: u64, segments: &[SegmentNorm]) -> Option<f32> {
        if step > self.step {
            self.begin(step);
        }
        if step < self.step {
            return None;
        }
        for norm in segments {
            let slab = self.squares.get_mut(norm.slab as usize);
            let place = slab.and_then(|slab| slab.get_mut(usize::try_from(norm.segment).ok()?));
            if let Some(place @ None) = place {
                *place = Some(norm.squared);
                self.missing -= 1;
            }
        }
        if self.missing == 0 && self.scale.is_none() {
            let norm = self.squares.iter().flatten().flatten().sum::<f64>().sqrt();
            self.scale = Some(if norm > self.clip_norm { (self.clip_norm / norm) as f32 } else { 1.0 });
        }
        self.scale
    }

    /// The scale of `step`, if it is known here.
    pub fn scale(&self, step: u64) -> Option<f32> {
        self.scale.filter(|_| step == self.step)
    }

    fn begin(&mut self, step: u64) {
        (self.step, self.scale) = (step, None);
        self.squares.iter_mut().flatten().for_each(|square| *square = None);
        self.missing = self.squares.iter().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_types::variable::{Initializer, Variable};

    fn norm(segment: u64, squared: f64) -> SegmentNorm {
        SegmentNorm { slab: 0, segment, squared }
    }

    #[test]
    fn the_scale_is_known_when_every_segment_is_in_once() {
        let variable = Variable { name: "a".into(), shape: vec![10_000], initializer: Initializer::Zeros, group: Group::Train, sync: None };
        let mut gather = Gather::new(&Layout::new(&[variable], SEGMENT).unwrap(), 1.0);
        assert_eq!(gather.add(0, &[norm(2, 4.0), norm(2, 99.0), norm(77, 1.0), SegmentNorm { slab: 9, ..norm(0, 1.0) }]), None);
        assert_eq!(gather.add(0, &[norm(0, 8.0), norm(2, 50.0)]), None);
        assert_eq!(gather.add(0, &[norm(1, 4.0)]), Some(0.25));
        assert_eq!(gather.add(0, &[]), Some(0.25), "asked again, told again");
        assert_eq!(gather.add(1, &[norm(0, 0.1), norm(1, 0.1)]), None);
        assert_eq!(gather.add(0, &[norm(0, 0.1), norm(1, 0.1), norm(2, 0.1)]), None);
        assert_eq!(gather.add(1, &[norm(2, 0.1)]), Some(1.0), "a small gradient stays as it is");
    }

    #[test]
    fn squares_are_added_in_f64() {
        assert_eq!(squared(&[3.0; 19]), 171.0);
    }
}
