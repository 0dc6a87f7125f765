//! Random numbers that are pure functions of what they are for.
//!
//! A [`Stream`] is ChaCha8 (RFC 8439's permutation with 8 rounds) under a key that is the SHA-256 of a domain
//! and a list of numbers or texts, so that no two purposes share numbers, and element i of a stream can be had
//! without the ones before it. Nothing here may ever change: seeds in published models refer to it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of 32-bit words for one purpose.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `domain` (the purpose) and `keys` (what tells one use from the other).
    pub fn new(domain: &str, keys: &[u64]) -> Self {
        let mut hash = Sha256::new();
        hash.update((domain.len() as u64).to_le_bytes());
        hash.update(domain.as_bytes());
        for key in keys {
            hash.update(key.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// Goes to word `index`.
    pub fn seek(&mut self, index: u64) {
        self.0.set_word_pos(u128::from(index));
    }

    /// The next word.
    pub fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform in 0..1 with 24 bits; one word.
    pub fn unit(&mut self) -> f32 {
        to_unit(self.word())
    }

    /// As many numbers as [`Self::unit`] would give one by one, sooner.
    pub fn units(&mut self, units: &mut [f32]) {
        const TOGETHER: usize = 256;
        let mut bytes = [0; 4 * TOGETHER];
        for units in units.chunks_mut(TOGETHER) {
            let bytes = &mut bytes[..4 * units.len()];
            self.0.fill_bytes(bytes);
            let (words, _) = bytes.as_chunks();
            units.iter_mut().zip(words).for_each(|(unit, word)| *unit = to_unit(u32::from_le_bytes(*word)));
        }
    }

    /// Uniform in 0..`bound`, without bias; as many pairs of words as it takes. `bound` must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Words in the last, incomplete run of `bound` values would favour the low ones.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let low = u64::from(self.word());
            let value = low | u64::from(self.word()) << 32;
            if value < limit {
                return value % bound;
            }
        }
    }

    /// Fills `values` with the permutation of 0..n (Fisher-Yates from the end).
    pub fn permute(&mut self, values: &mut [u32]) {
        for (index, value) in (0u32..).zip(values.iter_mut()) {
            *value = index;
        }
        for last in (1..values.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).expect("below a length");
            values.swap(last, other);
        }
    }
}

fn to_unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A key for a text, to be given to [`Stream::new`]: the first 8 bytes of its SHA-256.
pub fn text_key(text: &str) -> u64 {
    let hash = Sha256::digest(text.as_bytes());
    u64::from_le_bytes(hash[..8].try_into().expect("a hash has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_never_change() {
        let mut stream = Stream::new("test", &[7, 1]);
        let words: Vec<u32> = (0..4).map(|_| stream.word()).collect();
        assert_eq!(words, EXPECTED, "a published seed would give another model");
    }

    const EXPECTED: [u32; 4] = [2_210_581_074, 3_974_944_792, 959_799_685, 189_061_045];

    #[test]
    fn seeking_gives_the_same_words() {
        let mut all = Stream::new("test", &[1]);
        let words: Vec<u32> = (0..100).map(|_| all.word()).collect();
        for at in [0u64, 1, 17, 63, 64, 99] {
            let mut one = Stream::new("test", &[1]);
            one.seek(at);
            assert_eq!(one.word(), words[usize::try_from(at).unwrap()]);
        }
    }

    #[test]
    fn many_numbers_are_those_that_come_one_by_one() {
        for (from, len) in [(0u64, 1usize), (3, 255), (17, 256), (1, 257), (5, 1000)] {
            let (mut one, mut all) = (Stream::new("test", &[2]), Stream::new("test", &[2]));
            one.seek(from);
            all.seek(from);
            let mut units = vec![0.0; len];
            all.units(&mut units);
            assert!(units.iter().all(|unit| unit.to_bits() == one.unit().to_bits()));
            assert_eq!(one.word(), all.word(), "both go on at the same place");
        }
    }

    #[test]
    fn purposes_and_keys_tell_streams_apart() {
        let first = |domain: &str, keys: &[u64]| Stream::new(domain, keys).word();
        let all = [first("a", &[1]), first("b", &[1]), first("a", &[2]), first("a", &[1, 0])];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_permutation_holds_every_number() {
        let mut order = vec![0; 1000];
        Stream::new("test", &[3]).permute(&mut order);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_ne!(order, sorted);
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
    }
}
