//! Of a job in `bsp`, and of those that go on with it, every version of a chunk has the same bits, in whatever generation and
//! on whichever server it is made; so what a generation begins from is exactly what there was at the checkpoint's step, with
//! what the optimizer keeps, and the next step of every chunk is that one. It is the checkpoint that the server's view names,
//! and one that was committed.

use super::{Who, ensure};
use crate::model::digest;
use crate::session::Session;
use std::collections::BTreeMap;
use tfcoord_ps_core::{Content, Effect, Server};
use tfcoord_types::id::{CheckpointId, JobId};

#[derive(Debug, Default)]
pub struct Restored {
    // Of values, by the first job, chunk and version.
    values: BTreeMap<(JobId, u32, u64), u64>,
    // Of what the optimizer keeps.
    slots: BTreeMap<(JobId, u32, u64), u64>,
}

impl Restored {
    /// A server has taken an input.
    pub fn made(&mut self, root: &JobId, who: &Who, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Updated { chunk, version, values, .. } => self.values_are(root, who, *chunk, *version, values),
                Effect::CutChunk { id, chunk, values, slots, .. } => {
                    self.values_are(root, who, *chunk, id.step, values);
                    let slots = digest(slots.numbers().into_iter().flatten().map(|number| number.to_bits()));
                    same(&mut self.slots, root, who, (*chunk, id.step), slots);
                }
                _ => {}
            }
        }
    }

    fn values_are(&mut self, root: &JobId, who: &Who, chunk: u32, version: u64, values: &[u8]) {
        let words = values.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        same(&mut self.values, root, who, (chunk, version), digest(words));
    }

    /// A server has taken what it read of a checkpoint, if it wanted it.
    pub fn restored(
        &mut self,
        root: &JobId,
        who: &Who,
        (id, contents): (CheckpointId, &BTreeMap<u32, Content>),
        session: &Session,
        core: &Server,
        together: bool,
    ) {
        if who.restored_before || core.cursors().is_empty() {
            return;
        }
        let named = session.view().and_then(|view| view.restore.as_ref()).map(|restore| restore.id);
        ensure(named == Some(id), format_args!("{} {id}", who.node), "a generation begins from the checkpoint that its view names");
        if !together {
            return;
        }
        for (chunk, step) in core.cursors() {
            ensure(
                step == id.step,
                format_args!("{} chunk {chunk}: {step} after {id}", who.node),
                "a generation begins at its checkpoint's step",
            );
        }
        for (chunk, Content { values, slots, .. }) in contents {
            self.values_are(root, who, *chunk, id.step, values);
            let slots = digest(slots.numbers().into_iter().flatten().map(|number| number.to_bits()));
            same(&mut self.slots, root, who, (*chunk, id.step), slots);
        }
    }
}

fn same(known: &mut BTreeMap<(JobId, u32, u64), u64>, root: &JobId, who: &Who, (chunk, version): (u32, u64), digest: u64) {
    let first = *known.entry((root.clone(), chunk, version)).or_insert(digest);
    let place = format_args!("{} chunk {chunk} version {version}, at {}", who.job, who.node).to_string();
    ensure(first == digest, place, "a version of a chunk has the same bits whenever it is made");
}
