//! Chance from a seed: a small generator, since it is asked for every message (splitmix64, Steele et al. 2014).

/// All that happens by chance comes from here.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Different purposes of one seed have streams of their own.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut chance = Self(seed ^ purpose.wrapping_mul(0xd134_2543_de82_ef95));
        chance.word();
        chance
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which must not be 0. The bias is of no account here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.index(from.len())])
    }

    /// Below the length of something, which must not be 0.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a length")
    }

    /// One of the entries by its weight; `None` if all weights are 0.
    pub fn weighted<T: Copy>(&mut self, table: &[(T, u64)]) -> Option<T> {
        let sum: u64 = table.iter().map(|(_, weight)| weight).sum();
        let mut at = (sum > 0).then(|| self.below(sum))?;
        let hit = |(_, weight): &&(T, u64)| {
            let hit = at < *weight;
            at = at.saturating_sub(*weight);
            hit
        };
        table.iter().find(hit).map(|(entry, _)| *entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_count() {
        let mut chance = Chance::new(1, 2);
        let mut hits = [0; 3];
        (0..1000).for_each(|_| hits[chance.weighted(&[(0, 1), (1, 0), (2, 9)]).unwrap()] += 1);
        assert!(hits[0] > 50 && hits[1] == 0 && hits[2] > 800, "{hits:?}");
        assert_eq!(chance.weighted(&[(0, 0)]), None);
    }
}
