//! How far each chunk is, and which of its versions are here.
//!
//! Something comes for every chunk of every step: what is done then takes no longer for more chunks.

use crate::Effect;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the chunks of one generation.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    // The server of each chunk.
    servers: Vec<u32>,
    // The lowest cursor that each chunk can have, and how many chunks have which; `None`: nothing known.
    known: Vec<Option<u64>>,
    cursors: BTreeMap<u64, usize>,
    unknown: usize,
    // Kept values: chunks by version.
    here: BTreeMap<u64, BTreeSet<u32>>,
    // (version, chunk) asked for.
    pulling: BTreeSet<(u64, u32)>,
    missing: Missing,
    // The version that the model has.
    used: Option<u64>,
}

// Chunks of one version that are neither here nor asked for, by server.
#[derive(Debug, Default)]
struct Missing {
    version: Option<u64>,
    chunks: BTreeMap<u32, BTreeSet<u32>>,
}

impl Parameters {
    /// Of chunks that lie on these servers nothing more is known.
    pub fn new(servers: Vec<u32>) -> Self {
        Self { known: vec![None; servers.len()], unknown: servers.len(), servers, ..Self::default() }
    }

    /// The server of each chunk; nothing before there is a placement.
    pub fn servers(&self) -> &[u32] {
        &self.servers
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
        self.pulling.remove(&(version, chunk));
        let wanted = version >= self.step().unwrap_or(self.floor()) && self.used != Some(version);
        let Some(server) = self.servers.get(chunk as usize).filter(|_| wanted) else { return false };
        if self.missing.version == Some(version)
            && let Some(missing) = self.missing.chunks.get_mut(server)
        {
            missing.remove(&chunk);
        }
        self.here.entry(version).or_default().insert(chunk)
    }

    /// A pulled version is gone: its chunk is at least two steps on. So no version as old is of use any more, of any
    /// chunk: whatever was asked for together with this one is not missed.
    pub fn gone(&mut self, chunk: u32, version: u64) {
        if self.pulling.remove(&(version, chunk)) {
            self.raise(chunk, version + 2);
        }
    }

    /// The stream to `server` is gone, and with it what was asked for on it.
    pub fn lost(&mut self, server: u32) {
        let Self { servers, pulling, missing, .. } = self;
        pulling.retain(|(version, chunk)| {
            let lost = servers[*chunk as usize] == server;
            if lost && missing.version == Some(*version) {
                missing.chunks.entry(server).or_default().insert(*chunk);
            }
            !lost
        });
    }

    /// Discards versions that are of no use any more.
    pub fn discard_old(&mut self, effects: &mut Vec<Effect>) {
        let from = self.step().unwrap_or(self.floor());
        if self.pulling.first().is_some_and(|(version, _)| *version < from) {
            self.pulling = self.pulling.split_off(&(from, 0));
        }
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

    /// Chunks of this version that are neither here nor asked for, by server, of servers that can be asked; from now
    /// on they are asked for.
    pub fn ask(&mut self, version: u64, can_ask: impl Fn(u32) -> bool) -> Vec<(u32, Vec<u32>)> {
        if self.missing.version != Some(version) {
            self.look_for(version);
        }
        let asked = self.missing.chunks.extract_if(.., |server, _| can_ask(*server));
        let asked: Vec<_> =
            asked.map(|(server, chunks)| (server, Vec::from_iter(chunks))).filter(|(_, chunks)| !chunks.is_empty()).collect();
        self.pulling.extend(asked.iter().flat_map(|(_, chunks)| chunks).map(|chunk| (version, *chunk)));
        asked
    }

    // All chunks are looked at once a version.
    fn look_for(&mut self, version: u64) {
        self.missing = Missing { version: Some(version), chunks: BTreeMap::new() };
        let here = self.here.get(&version);
        let missing = |chunk: &u32| !here.is_some_and(|here| here.contains(chunk)) && !self.pulling.contains(&(version, *chunk));
        for (chunk, server) in (0u32..).zip(&self.servers).filter(|(chunk, _)| missing(chunk)) {
            self.missing.chunks.entry(*server).or_default().insert(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_the_lowest_that_can_still_be_pulled_everywhere() {
        let mut parameters = Parameters::new(vec![0; 3]);
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
        let mut parameters = Parameters::new(vec![0, 1]);
        let mut effects = Vec::new();
        assert!(parameters.came(0, 3), "wanted, as far as is known");
        assert!(parameters.came(0, 5));
        parameters.discard_old(&mut effects);
        assert_eq!(effects, [Effect::Discard { chunk: 0, version: 3 }]);
        assert!(!parameters.came(1, 3) && !parameters.came(0, 5));
        assert_eq!(parameters.step(), Some(4));
        assert_eq!(parameters.ask(4, |_| true), [(0, vec![0]), (1, vec![1])]);
        assert!(parameters.ask(4, |_| true).is_empty());
        parameters.lost(1);
        assert_eq!(parameters.ask(4, |_| true), [(1, vec![1])]);
        assert!(parameters.came(0, 4) && parameters.came(1, 4) && parameters.complete(4));
        parameters.use_up(4);
        assert!(parameters.used(4) && !parameters.came(1, 4), "the model has it");
    }

    #[test]
    fn a_version_that_is_gone_tells_how_far_its_chunk_is() {
        let mut parameters = Parameters::new(vec![0, 0]);
        parameters.raise(0, 3);
        parameters.raise(1, 3);
        parameters.ask(3, |_| true);
        parameters.gone(0, 3);
        parameters.gone(0, 3);
        assert_eq!(parameters.step(), Some(4));
    }

    #[test]
    fn what_is_missing_of_a_server_that_is_away_is_asked_for_once_it_is_back() {
        let mut parameters = Parameters::new(vec![0, 1, 0, 1]);
        (0..4).for_each(|chunk| parameters.raise(chunk, 3));
        assert_eq!(parameters.ask(3, |server| server == 0), [(0, vec![0, 2])]);
        assert!(parameters.came(1, 3) && parameters.came(2, 3));
        parameters.lost(0);
        assert_eq!(parameters.ask(3, |_| true), [(0, vec![0]), (1, vec![3])], "what is here is not asked for");
        assert!(parameters.ask(3, |_| true).is_empty());
    }

    #[test]
    fn a_chunk_that_comes_costs_no_look_at_the_others() {
        let looks = |chunks: u32| {
            let mut parameters = Parameters::new((0..chunks).map(|chunk| chunk % 2).collect());
            (0..chunks).for_each(|chunk| parameters.raise(chunk, 3));
            let (mut effects, looks) = (Vec::new(), std::cell::Cell::new(0));
            for chunk in (0..chunks).step_by(2) {
                parameters.ask(3, |server| {
                    looks.set(looks.get() + 1);
                    server == 0
                });
                parameters.came(chunk, 3);
                parameters.discard_old(&mut effects);
            }
            looks.get() / (chunks / 2)
        };
        assert_eq!(looks(40), looks(4000), "one server is away, and has half of the chunks");
    }
}
