//! Chance from a seed.

use tfcoord_types::draw::Stream;

#[derive(Debug)]
pub struct Chance(Stream);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Stream::new("exchange", &[seed]))
    }

    /// Below `bound`, which must not be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(bound as u64)).unwrap()
    }

    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())])
    }
}
