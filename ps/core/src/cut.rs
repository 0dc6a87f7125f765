//! A checkpoint's cut: every chunk as it is at one step, taken as each gets there, while training goes on. In the midst of an
//! epoch of a job that is not `bsp`: every chunk as it is when it has that many steps, with those of each shard that it has.
//!
//! Nothing is copied to cut: values are shared until the next version needs their buffer, and what the optimizer keeps
//! until it is changed; whoever is first to write then copies the one chunk.

use crate::cursor::Within;
use crate::curve::Curve;
use crate::effect::Effect;
use crate::table::{Head, Part, Table};
use std::collections::BTreeSet;
use tfcoord_types::checkpoint::{Checkpoint, CutOutcome, CutReport};
use tfcoord_types::id::CheckpointId;
use tfcoord_types::variable::Group;

/// The checkpoint that the newest view names.
#[derive(Debug)]
pub(crate) struct Cut {
    id: CheckpointId,
    within: Option<Within>,
    // Chunks that have not reached the step yet.
    waiting: BTreeSet<u32>,
    outcome: Option<CutOutcome>,
}

impl Cut {
    /// Begins with the chunks that are at the step already. Missed if one is beyond it, or beyond the epoch that it is within.
    pub fn begin(checkpoint: &Checkpoint, within: Option<Within>, table: &Table, curve: &Curve, effects: &mut Vec<Effect>) -> Self {
        let id = checkpoint.id;
        let most = within.map_or(id.step, |within| within.end());
        let beyond = table.parts().any(|(_, part)| part.cursor.step() > most);
        if beyond {
            return Self { id, within, waiting: BTreeSet::new(), outcome: Some(CutOutcome::Missed) };
        }
        let heads: Vec<Head> = table.parts().map(|(chunk, part)| Head::of(chunk, part, within)).collect();
        let points = within.map_or(id.step, |within| within.most(table.summed(), id.step));
        effects.push(Effect::BeginCut { checkpoint: checkpoint.clone(), parts: heads, points });
        let mut cut = Self { id, within, waiting: table.parts().map(|(chunk, _)| chunk).collect(), outcome: None };
        table.parts().for_each(|(chunk, part)| cut.take(chunk, part, curve, effects));
        cut
    }

    /// Which one.
    pub fn id(&self) -> CheckpointId {
        self.id
    }

    /// Takes a chunk that is at the step, once.
    pub fn take(&mut self, chunk: u32, part: &Part, curve: &Curve, effects: &mut Vec<Effect>) {
        if part.cursor.step() < self.id.step || !self.waiting.remove(&chunk) {
            return;
        }
        let counted = self.within.map(|within| within.counted(part)).unwrap_or_default();
        let curve = if part.group == Group::Curve { curve.from(0).to_vec() } else { Vec::new() };
        let (values, slots) = (part.values().clone(), part.slots().clone());
        effects.push(Effect::CutChunk { id: self.id, chunk, values, slots, curve, counted });
    }

    /// What became of the file.
    pub fn done(&mut self, id: CheckpointId, outcome: CutOutcome) {
        if id == self.id && self.outcome.is_none() {
            self.outcome = Some(outcome);
        }
    }

    /// What there is to say.
    pub fn report(&self) -> Option<CutReport> {
        self.outcome.clone().map(|outcome| CutReport { id: self.id, outcome })
    }
}
