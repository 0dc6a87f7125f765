//! A checkpoint's cut: every chunk as it is at one step, taken as each gets there, while training goes on.
//!
//! Nothing is copied to cut: values are shared until the next version needs their buffer, and what the optimizer keeps
//! until it is changed; whoever is first to write then copies the one chunk.

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
    // Chunks that have not reached the step yet.
    waiting: BTreeSet<u32>,
    outcome: Option<CutOutcome>,
}

impl Cut {
    /// Begins with the chunks that are at the step already. Missed if one is beyond it.
    pub fn begin(checkpoint: &Checkpoint, table: &Table, curve: &Curve, effects: &mut Vec<Effect>) -> Self {
        let id = checkpoint.id;
        let beyond = table.parts().any(|(_, part)| part.cursor.step() > id.step);
        if beyond {
            return Self { id, waiting: BTreeSet::new(), outcome: Some(CutOutcome::Missed) };
        }
        let heads: Vec<Head> = table.parts().map(|(chunk, part)| Head::of(chunk, part)).collect();
        effects.push(Effect::BeginCut { checkpoint: checkpoint.clone(), parts: heads });
        let mut cut = Self { id, waiting: table.parts().map(|(chunk, _)| chunk).collect(), outcome: None };
        table.parts().for_each(|(chunk, part)| cut.take(chunk, part, curve, effects));
        cut
    }

    /// Which one.
    pub fn id(&self) -> CheckpointId {
        self.id
    }

    /// Takes a chunk that is at the step, once.
    pub fn take(&mut self, chunk: u32, part: &Part, curve: &Curve, effects: &mut Vec<Effect>) {
        if part.cursor.step() != self.id.step || !self.waiting.remove(&chunk) {
            return;
        }
        let curve = if part.group == Group::Curve { curve.from(0).to_vec() } else { Vec::new() };
        effects.push(Effect::CutChunk { id: self.id, chunk, values: part.values().clone(), slots: part.slots().clone(), curve });
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
