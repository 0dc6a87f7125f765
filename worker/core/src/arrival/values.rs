//! Which values of each chunk are here: the newest that came, each chunk at a version of its own.

use crate::Effect;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::exchange::NEWEST;

/// What is known of the chunks of one generation.
#[derive(Debug, Default)]
pub(crate) struct Values {
    // The server of each chunk.
    servers: Vec<u32>,
    // The newest version that came of each chunk, and how many have none.
    newest: Vec<Option<u64>>,
    unknown: usize,
    // Those that the model has not got yet.
    kept: BTreeSet<u32>,
    // Chunks that are asked for.
    pulling: BTreeSet<u32>,
}

impl Values {
    /// Of chunks that lie on these servers nothing is here.
    pub fn new(servers: Vec<u32>) -> Self {
        Self { newest: vec![None; servers.len()], unknown: servers.len(), servers, ..Self::default() }
    }

    /// The server of each chunk; nothing before there is a placement.
    pub fn servers(&self) -> &[u32] {
        &self.servers
    }

    /// A chunk's values came: kept if they are newer than what is here.
    pub fn came(&mut self, chunk: u32, version: u64, effects: &mut Vec<Effect>) {
        self.pulling.remove(&chunk);
        let Some(newest) = self.newest.get_mut(chunk as usize).filter(|newest| **newest < Some(version)) else { return };
        match newest.replace(version) {
            Some(old) if self.kept.contains(&chunk) => effects.push(Effect::Discard { chunk, version: old }),
            Some(_) => {}
            None => self.unknown -= 1,
        }
        self.kept.insert(chunk);
        effects.push(Effect::Keep { chunk, version });
    }

    /// Whether something of every chunk is here.
    pub fn complete(&self) -> bool {
        self.unknown == 0
    }

    /// Whether every chunk is here at this version.
    pub fn all_at(&self, version: u64) -> bool {
        self.newest.iter().all(|newest| *newest == Some(version))
    }

    /// What is kept becomes the model's; whether there is anything.
    pub fn use_kept(&mut self) -> bool {
        !std::mem::take(&mut self.kept).is_empty()
    }

    /// The stream to `server` is gone, and with it what was asked for on it.
    pub fn lost(&mut self, server: u32) {
        let servers = &self.servers;
        self.pulling.retain(|chunk| servers[*chunk as usize] != server);
    }

    /// What was asked for is not coming.
    pub fn forget_asked(&mut self) {
        self.pulling.clear();
    }

    /// Pulls of the chunks that are not here at this version, or not at all where it is [`NEWEST`], of servers that can be
    /// asked and were not yet.
    pub fn ask(&mut self, version: u64, can_ask: impl Fn(u32) -> bool) -> Vec<Effect> {
        let mut asked: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for ((chunk, server), newest) in (0u32..).zip(&self.servers).zip(&self.newest) {
            let missing = if version == NEWEST { newest.is_none() } else { *newest != Some(version) };
            if missing && can_ask(*server) && self.pulling.insert(chunk) {
                asked.entry(*server).or_default().push(chunk);
            }
        }
        asked.into_iter().map(|(slot, chunks)| Effect::Pull { slot, chunks, version }).collect()
    }
}
