//! How far each chunk is, and which of its versions are here.

use crate::Effect;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the chunks of one generation.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    // The lowest cursor that each chunk can have, and how many chunks have which; `None`: nothing known.
    known: Vec<Option<u64>>,
    cursors: BTreeMap<u64, usize>,
    unknown: usize,
    // Kept values: chunks by version.
    here: BTreeMap<u64, BTreeSet<u32>>,
    // (chunk, version) asked for.
    pulling: BTreeSet<(u32, u64)>,
    // The version that the model has.
    used: Option<u64>,
}

impl Parameters {
    /// Of `chunks` chunks nothing is known.
    pub fn new(chunks: usize) -> Self {
        Self { known: vec![None; chunks], unknown: chunks, ..Self::default() }
    }

    /// The chunk's cursor is at least `version`. Chunks that there are not are ignored.
    pub fn raise(&mut self, chunk: u32, version: u64) {
        let Some(known) = self.known.get_mut(chunk as usize) else { return };
        match *known {
            Some(old) if old >= version => return,
            Some(old) => self.release(old),
            None => self.unknown -= 1,
        }
        self.known[chunk as usize] = Some(version);
        *self.cursors.entry(version).or_default() += 1;
    }

    fn release(&mut self, version: u64) {
        if let Some(count) = self.cursors.get_mut(&version) {
            *count -= 1;
            if *count == 0 {
                self.cursors.remove(&version);
            }
        }
    }

    /// Whether the chunk is known to be beyond `step`.
    pub fn beyond(&self, chunk: u32, step: u64) -> bool {
        self.known.get(chunk as usize).copied().flatten() > Some(step)
    }

    // Below it no version is of use: no chunk is two steps ahead of another.
    fn floor(&self) -> u64 {
        self.cursors.last_key_value().map_or(0, |(highest, _)| highest.saturating_sub(1))
    }

    /// The step that can be worked on; `None` while a chunk's cursor is unknown.
    pub fn step(&self) -> Option<u64> {
        let lowest = self.cursors.first_key_value().filter(|_| self.unknown == 0)?;
        Some(self.floor().max(*lowest.0))
    }

    /// A chunk's values came: whether to keep them.
    pub fn came(&mut self, chunk: u32, version: u64) -> bool {
        self.raise(chunk, version);
        self.pulling.remove(&(chunk, version));
        let wanted = (chunk as usize) < self.known.len() && version >= self.step().unwrap_or(self.floor()) && self.used != Some(version);
        wanted && self.here.entry(version).or_default().insert(chunk)
    }

    /// A pulled version is gone: its chunk is at least two steps on.
    pub fn gone(&mut self, chunk: u32, version: u64) {
        if self.pulling.remove(&(chunk, version)) {
            self.raise(chunk, version + 2);
        }
    }

    /// A stream is gone, and with it what was asked for on it.
    pub fn lost(&mut self, on_stream: impl Fn(u32) -> bool) {
        self.pulling.retain(|(chunk, _)| !on_stream(*chunk));
    }

    /// Discards versions that are of no use any more.
    pub fn discard_old(&mut self, effects: &mut Vec<Effect>) {
        let from = self.step().unwrap_or(self.floor());
        self.pulling.retain(|(_, version)| *version >= from);
        while let Some(oldest) = self.here.first_entry().filter(|oldest| *oldest.key() < from) {
            let (version, chunks) = oldest.remove_entry();
            effects.extend(chunks.into_iter().map(|chunk| Effect::Discard { chunk, version }));
        }
    }

    /// Whether the model has this version.
    pub fn used(&self, version: u64) -> bool {
        self.used == Some(version)
    }

    /// Whether every chunk of this version is kept.
    pub fn complete(&self, version: u64) -> bool {
        self.here.get(&version).is_some_and(|chunks| chunks.len() == self.known.len())
    }

    /// Every chunk of this version becomes the model's.
    pub fn use_up(&mut self, version: u64) {
        self.used = Some(version);
        self.here.remove(&version);
    }

    /// Chunks of this version that are neither here nor asked for, and can be asked for; from now on they are.
    pub fn ask(&mut self, version: u64, can_ask: impl Fn(u32) -> bool) -> Vec<u32> {
        let here = self.here.get(&version);
        let missing = (0u32..).zip(&self.known).map(|(chunk, _)| chunk).filter(|chunk| !here.is_some_and(|here| here.contains(chunk)));
        let asked: Vec<u32> = missing.filter(|chunk| can_ask(*chunk) && !self.pulling.contains(&(*chunk, version))).collect();
        self.pulling.extend(asked.iter().map(|chunk| (*chunk, version)));
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_the_lowest_that_can_still_be_pulled_everywhere() {
        let mut parameters = Parameters::new(3);
        parameters.raise(0, 4);
        parameters.raise(1, 3);
        assert_eq!(parameters.step(), None);
        parameters.raise(2, 3);
        assert_eq!(parameters.step(), Some(3));
        parameters.raise(0, 5);
        assert_eq!(parameters.step(), Some(4), "a chunk at 5 means that all are at 4 or more");
        parameters.raise(0, 1);
        assert_eq!(parameters.step(), Some(4));
        parameters.raise(99, 9);
        assert!(parameters.beyond(0, 4) && !parameters.beyond(1, 4));
    }

    #[test]
    fn only_versions_of_use_are_kept() {
        let mut parameters = Parameters::new(2);
        let mut effects = Vec::new();
        assert!(parameters.came(0, 3), "wanted, as far as is known");
        assert!(parameters.came(0, 5));
        parameters.discard_old(&mut effects);
        assert_eq!(effects, [Effect::Discard { chunk: 0, version: 3 }]);
        assert!(!parameters.came(1, 3) && !parameters.came(0, 5));
        assert_eq!(parameters.step(), Some(4));
        assert_eq!(parameters.ask(4, |_| true), [0, 1]);
        assert!(parameters.ask(4, |_| true).is_empty());
        parameters.lost(|chunk| chunk == 1);
        assert_eq!(parameters.ask(4, |_| true), [1]);
        assert!(parameters.came(0, 4) && parameters.came(1, 4) && parameters.complete(4));
        parameters.use_up(4);
        assert!(parameters.used(4) && !parameters.came(1, 4), "the model has it");
    }

    #[test]
    fn a_version_that_is_gone_tells_how_far_its_chunk_is() {
        let mut parameters = Parameters::new(2);
        parameters.raise(0, 3);
        parameters.raise(1, 3);
        parameters.ask(3, |_| true);
        parameters.gone(0, 3);
        parameters.gone(0, 3);
        assert_eq!(parameters.step(), Some(4));
    }
}
