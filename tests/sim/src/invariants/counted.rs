//! In `bsp` a cursor goes on by one step, when every lane of it was taken, and each record of it counts once: of the counting
//! model every chunk at every version is what arithmetic says.

use super::{Taken, Who, ensure};
use crate::model::{count, to_values};
use crate::session::Session;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_ps_core::{Effect, Server};
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::Generation;
use tfcoord_types::layout::Layout;
use tfcoord_types::variable::Group;
use tfcoord_types::view::TaskView;

#[derive(Debug, Default)]
pub struct Counted {
    chunks: BTreeMap<(crate::nature::Node, Generation, u32), Chunk>,
}

#[derive(Debug, Default)]
struct Chunk {
    // The step that is being summed, and the lanes of it that were taken.
    step: u64,
    lanes: BTreeSet<u32>,
    // What its values must be, of a chunk of counts.
    counts: Option<Vec<f32>>,
}

impl Counted {
    /// A server has taken an input.
    pub fn check(&mut self, session: &Session, who: &Who, core: &Server, effects: &[Effect]) {
        let Some(view) = session.view() else { return };
        for effect in effects {
            match effect {
                Effect::Answer { generation, chunk, step, block, answer: Answer::Held, .. } => {
                    let counted = self.chunks.entry((who.node, *generation, *chunk)).or_default();
                    let cursor = cursor(&who.cursors, *chunk);
                    ensure(
                        cursor == Some(*step),
                        format_args!("{} chunk {chunk} step {step}", who.node),
                        "only the cursor's step is taken",
                    );
                    counted.step = *step;
                    counted.lanes.extend(block.lanes());
                }
                Effect::Updated { generation, chunk, version, values } => {
                    let counted = self.chunks.entry((who.node, *generation, *chunk)).or_default();
                    if let Taken::Push(push) = &who.input
                        && push.chunk == *chunk
                    {
                        counted.step = push.step;
                        counted.lanes.extend(push.block.lanes());
                    }
                    let before = if who.generation == *generation { cursor(&who.cursors, *chunk) } else { None };
                    counted.update(view, *chunk, before, *version, &format!("{} chunk {chunk} version {version}", who.node));
                    counted.check_values(view, *chunk, *version, values);
                    ensure(cursor(&core.cursors(), *chunk) == Some(*version), who.node, "a version is its cursor");
                }
                _ => {}
            }
        }
    }
}

fn cursor(cursors: &[(u32, u64)], chunk: u32) -> Option<u64> {
    cursors.iter().find(|(id, _)| *id == chunk).map(|(_, step)| *step)
}

impl Chunk {
    fn update(&mut self, view: &TaskView, chunk: u32, before: Option<u64>, version: u64, place: &str) {
        ensure(before == Some(version - 1), place, "a cursor goes on by one step");
        ensure(self.step == version - 1, place, "the lanes were of the cursor's step");
        let lanes = 0..view.plan.micro_batches;
        let missing = lanes.into_iter().find(|lane| view.plan.records_in(self.step, *lane..*lane + 1) > 0 && !self.lanes.contains(lane));
        ensure(missing.is_none(), format_args!("{place}, chunk {chunk} lane {missing:?}"), "a step is done when every lane is in");
        self.lanes.clear();
        self.step = version;
    }

    fn check_values(&mut self, view: &TaskView, chunk: u32, version: u64, values: &[u8]) {
        let Some(placement) = &view.placement else { return };
        if !placement.variables.iter().any(|variable| variable.group == Group::Add) {
            return;
        }
        let layout = Layout::new(&placement.variables, placement.chunk_elements).expect("it was laid out before");
        if layout.group(chunk) != Group::Add {
            return;
        }
        let place = layout.chunks[chunk as usize];
        let first = usize::try_from(place.offset).expect("small");
        let known = self.counts.is_some();
        let counts = self.counts.get_or_insert_with(|| vec![0.0; usize::try_from(place.len).expect("small")]);
        let from = if known { version - 1 } else { 0 };
        (from..version).for_each(|step| count(&view.plan, step, first, counts));
        let wrong = to_values(values).iter().zip(counts).position(|(value, count)| value != count);
        let at = wrong.map(|at| first + at);
        ensure(wrong.is_none(), format_args!("chunk {chunk} version {version}: record {at:?}"), "each record counts once");
    }
}
