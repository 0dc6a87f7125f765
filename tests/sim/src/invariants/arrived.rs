//! Outside of `bsp`: of every chunk each step of each shard counts once in what survives, whoever pushed it, in whatever
//! order and how often. A chunk's version is the number of its steps; of the counting model its values are what these steps
//! add up to; a checkpoint carries the steps of its chunks along, and whoever begins from it goes on from exactly these.

use super::{Taken, Who, ensure};
use crate::model::{count, to_values};
use crate::nature::Node;
use crate::session::Session;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tfcoord_coordinator_core::Job;
use tfcoord_ps_core::{Effect, Server};
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::{CheckpointId, Generation};
use tfcoord_types::job::Sync;
use tfcoord_types::layout::Layout;
use tfcoord_types::shard::Shards;
use tfcoord_types::variable::Group;

#[derive(Debug, Default)]
pub struct Arrived {
    chunks: BTreeMap<(Node, Generation, u32), Chunk>,
    // By directory: a job may go on from an earlier one's.
    cut: BTreeMap<(String, CheckpointId, u32), Chunk>,
}

#[derive(Debug, Default, Clone)]
struct Chunk {
    steps: BTreeSet<u64>,
    // What its values must be, of a chunk of counts.
    counts: Option<Vec<f32>>,
}

impl Arrived {
    /// A server has taken an input.
    pub fn check(&mut self, (job, shards): (&Job, &Shards), session: &Session, who: &Who, core: &Server, effects: &[Effect]) {
        if let Taken::Restored(id, _) = &who.input
            && !who.restored_before
            && !core.cursors().is_empty()
        {
            // The job may be further than this server.
            let dir = session.view().and_then(|view| view.restore.as_ref()).map(|restore| restore.dir.clone()).unwrap_or_default();
            for (chunk, _) in core.cursors() {
                let cut = self.cut.get(&(dir.clone(), *id, chunk)).cloned();
                ensure(cut.is_some(), format_args!("{} chunk {chunk} of {id}", who.node), "what a generation begins from was cut");
                self.chunks.insert((who.node, core.generation(), chunk), cut.unwrap_or_default());
            }
        }
        let grew = |chunk: u32, version: u64| {
            let before = who.cursors.iter().find(|(id, _)| who.generation == core.generation() && *id == chunk);
            before.is_some_and(|(_, before)| *before != version)
        };
        let mut fresh: BTreeMap<u32, VecDeque<u64>> = BTreeMap::new();
        for (chunk, version) in core.cursors() {
            let counts = grew(chunk, version);
            fresh.insert(chunk, firsts(who, chunk, effects).filter(|_| counts).collect());
        }
        // Several may count at once, and a cut may be between them.
        let mut early = BTreeSet::new();
        for effect in effects {
            let (chunk, cut) = match effect {
                Effect::Answer { chunk, answer: Answer::Held, .. } => (*chunk, None),
                Effect::CutChunk { id, chunk, values, .. } => (*chunk, Some((id, values))),
                _ => continue,
            };
            let known = self.chunks.entry((who.node, core.generation(), chunk)).or_default();
            let mut next = || fresh.get_mut(&chunk).and_then(VecDeque::pop_front);
            match cut {
                None if early.remove(&chunk) => {}
                None => known.take_round(job, next(), shards, (who, chunk)),
                Some((id, values)) => {
                    // It is of the step whose answer follows.
                    if (known.steps.len() as u64) < id.step {
                        known.take_round(job, next(), shards, (who, chunk));
                        early.insert(chunk);
                    }
                    known.check_values(values, format_args!("{} chunk {chunk} of {id}", who.node));
                    self.cut.insert((job.checkpoint_dir(), *id, chunk), known.clone());
                }
            }
        }
        for (chunk, version) in core.cursors() {
            let known = self.chunks.entry((who.node, core.generation(), chunk)).or_default();
            for first in fresh.remove(&chunk).into_iter().flatten() {
                known.take_round(job, Some(first), shards, (who, chunk));
            }
            let place = format_args!("{} chunk {chunk}: version {version} of {} steps", who.node, known.steps.len()).to_string();
            ensure(known.steps.len() as u64 == version, place, "a version counts its steps");
        }
        for effect in effects {
            if let Effect::Pulled { generation, chunk, version, values, .. } = effect {
                let known = &self.chunks[&(who.node, *generation, *chunk)];
                // Of several that count at once only the last values are these.
                if known.steps.len() as u64 == *version {
                    known.check_values(values, format_args!("{} chunk {chunk} version {version}", who.node));
                }
            }
        }
    }
}

/// Whether the server has counted the push that it has just taken.
pub fn counts_input(who: &Who, job: (&Job, &Shards), core: &Server, effects: &[Effect]) -> bool {
    let Taken::Push(push) = &who.input else { return false };
    let version = |cursors: &[(u32, u64)]| cursors.iter().find(|(id, _)| *id == push.chunk).map(|(_, version)| *version);
    version(&core.cursors()) > version(&who.cursors)
        && firsts(who, push.chunk, effects).any(|first| job.1.exchanged(first, &mode(job.0, push.chunk)).contains(&push.step))
}

// The first steps of the rounds that have just counted for a chunk whose version has grown: that of the push that came. Where
// clocks are kept a push may have waited and count only now: there each is answered with `Held` when it counts.
fn firsts(who: &Who, chunk: u32, effects: &[Effect]) -> impl Iterator<Item = u64> + use<> {
    let held = effects.iter().filter_map(move |effect| match effect {
        Effect::Answer { chunk: of, step, answer: Answer::Held, .. } if *of == chunk => Some(*step),
        _ => None,
    });
    let mut firsts: Vec<u64> = held.collect();
    if let (Taken::Push(push), true) = (&who.input, firsts.is_empty())
        && push.chunk == chunk
    {
        firsts.push(push.step);
    }
    firsts.into_iter()
}

fn mode(job: &Job, chunk: u32) -> Sync {
    let own = job.placement.as_ref().filter(|_| !job.file.train.groups.is_empty()).and_then(|placement| {
        let layout = Layout::new(&placement.variables, placement.chunk_elements).expect("it was laid out before");
        layout.sync(chunk)
    });
    job.file.train.mode(own)
}

impl Chunk {
    fn take_round(&mut self, job: &Job, first: Option<u64>, shards: &Shards, (who, chunk): (&Who, u32)) {
        let mode = mode(job, chunk);
        for step in first.into_iter().flat_map(|first| shards.exchanged(first, &mode)) {
            self.take(job, step, chunk, format_args!("{} chunk {chunk} step {step}", who.node));
        }
    }

    fn take(&mut self, job: &Job, step: u64, chunk: u32, place: impl std::fmt::Display) {
        ensure(self.steps.insert(step), place, "each step of each shard counts once");
        let Some(placement) = &job.placement else { return };
        let layout = Layout::new(&placement.variables, placement.chunk_elements).expect("it was laid out before");
        if layout.group(chunk) == Group::Add {
            let place = layout.chunks[chunk as usize];
            let counts = self.counts.get_or_insert_with(|| vec![0.0; usize::try_from(place.len).expect("small")]);
            count(&job.plan, step, usize::try_from(place.offset).expect("small"), counts);
        }
    }

    fn check_values(&self, values: &[u8], place: impl std::fmt::Display) {
        let Some(counts) = &self.counts else { return };
        let wrong = to_values(values).iter().zip(counts).position(|(value, count)| value != count);
        ensure(wrong.is_none(), format_args!("{place}: number {wrong:?}"), "each record of a step that counts counts once");
    }
}
