//! The driver of a worker that does not go together with the others: `ssp`, `async` and `local`.
//!
//! Everything follows from two facts, compared again after every input:
//!
//! 1. **The newest view**: which shards this worker holds, what to evaluate or export.
//! 2. **The step that it is at**: the first one of a shard that may not count everywhere yet. It is computed with the newest
//!    values that are here, and pushed to every chunk that lacks it. Each answers with its values and with the step of the
//!    shard that counts next for it. When all have answered, the least of these is the next step. What is `local` is pushed
//!    with the last step of a round, and until then its next step is the one after (`round`).
//!
//! So nothing has to be asked when a shard changes hands: the first push of whoever holds it now tells how far each chunk is,
//! and what some chunks lack is computed again, for these alone. That `ssp` holds a worker back is an answer that does not
//! come yet; that `local` trains alone is a matter of what computes its steps.

mod round;
mod values;

use crate::compute::{Compute, Thread};
use crate::effect::Effect;
use crate::input::Input;
use crate::link::Links;
use crate::outbox::Outbox;
use round::Round;
use std::collections::BTreeSet;
use std::sync::Arc;
use tfcoord_types::exchange::{Answer, NEWEST};
use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::job::Train;
use tfcoord_types::lane::Block;
use tfcoord_types::layout::Layout;
use tfcoord_types::shard::Shards;
use tfcoord_types::view::{Directive, TaskView};
use values::Values;

#[cfg(test)]
mod tests;

/// A tick: what waits is looked at again after this time.
const TICK_MS: u64 = 20;

/// The driver of a worker that does not go together with the others.
#[derive(Debug)]
pub struct Arrival {
    incarnation: Incarnation,
    train: Train,
    view: Option<TaskView>,
    links: Links,
    values: Values,
    // Which chunks are `local`.
    local: Arc<[bool]>,
    // What was asked for is asked for again after a tick.
    gone: bool,
    round: Option<Round>,
    // Shards of the present epoch that are done everywhere.
    finished: BTreeSet<u32>,
    compute: Compute,
    outbox: Outbox,
    // (evaluation, shard)
    evaluated: BTreeSet<(u32, u32)>,
    // The newest attempt that is in its place.
    exported: Option<u64>,
    timer: bool,
    ended: bool,
}

impl Arrival {
    /// The driver of the worker with this incarnation in a job that is trained so, without a view.
    pub fn new(incarnation: Incarnation, train: Train) -> Self {
        Self {
            incarnation,
            train,
            view: None,
            links: Links::default(),
            values: Values::default(),
            local: Arc::default(),
            gone: false,
            round: None,
            finished: BTreeSet::new(),
            compute: Compute::default(),
            outbox: Outbox::default(),
            evaluated: BTreeSet::new(),
            exported: None,
            timer: false,
            ended: false,
        }
    }

    /// As [`crate::Driver::apply`].
    pub fn apply(&mut self, input: Input, effects: &mut Vec<Effect>) {
        if self.ended {
            return;
        }
        self.note(input, effects);
        self.go_on(effects);
    }

    /// The step that it works on; 0 before it has worked.
    pub fn step(&self) -> u64 {
        self.round.as_ref().map_or(0, |round| round.step)
    }

    /// The newest view's revision; 0 before the first one.
    pub fn revision(&self) -> Revision {
        self.view.as_ref().map(|view| view.revision).unwrap_or_default()
    }

    /// The newest view's generation; 0 before the first one.
    pub fn generation(&self) -> Generation {
        self.view.as_ref().map(|view| view.generation).unwrap_or_default()
    }

    fn shards(&self) -> Option<Shards> {
        self.view.as_ref().and_then(|view| Shards::new(&view.plan, &self.train))
    }

    // Notes a fact.
    fn note(&mut self, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::View(view) => self.note_view(*view, effects),
            Input::Connected { slot, incarnation, generation, cursors } => {
                let told: BTreeSet<u32> = cursors.iter().map(|(chunk, _)| *chunk).collect();
                let complete = (0u32..).zip(self.values.servers()).all(|(chunk, server)| *server != slot || told.contains(&chunk));
                if generation != self.generation() || !complete || !self.links.opened(slot, incarnation) {
                    return self.links.refuse(slot, effects);
                }
                // Whatever was sent before is to be sent again on this stream.
                self.note_lost(slot);
            }
            Input::Disconnected { slot } => {
                self.links.closed(slot);
                self.note_lost(slot);
            }
            Input::Chunk { generation, chunk, version } if generation == self.generation() => self.values.came(chunk, version, effects),
            Input::Gone { generation, .. } if generation == self.generation() => self.gone = true,
            Input::Answer { generation, chunk, step, block, answer } => {
                self.note_answer(generation, (chunk, step, block), answer, effects);
            }
            Input::Computed { step, block, chunk } => self.note_computed(step, block, chunk, effects),
            Input::StepComputed { step } => {
                if let (Thread::Computing { abandoned: false, .. }, Some(round)) = (&self.compute.thread, &mut self.round) {
                    round.computed |= round.step == step;
                }
                self.compute.thread = Thread::Idle;
            }
            Input::Evaluated { evaluation, shard } => {
                if self.compute.finish() {
                    self.evaluated.insert((evaluation, shard));
                    effects.push(Effect::ReportShard { evaluation, shard });
                }
            }
            Input::Exported { attempt } => {
                if self.compute.finish() {
                    self.exported = Some(attempt);
                    effects.push(Effect::ReportExport { attempt });
                }
            }
            Input::Retry => {
                self.timer = false;
                self.links.tick();
                self.outbox.tick();
                if std::mem::take(&mut self.gone) {
                    self.values.forget_asked();
                }
            }
            Input::Chunk { .. } | Input::Gone { .. } => {}
        }
    }

    fn note_view(&mut self, view: TaskView, effects: &mut Vec<Effect>) {
        if view.revision < self.revision() || view.generation < self.generation() {
            return;
        }
        match &view.directive {
            Directive::Stop { reason } => return self.end(Effect::Stop { reason: reason.clone() }, effects),
            Directive::Fenced => return self.end(Effect::Fenced, effects),
            Directive::Wait | Directive::Run => {}
        }
        if self.view.is_some() && view.generation > self.generation() {
            self.begin_generation(effects);
        }
        match &view.placement {
            None => effects.push(Effect::ReportVariables),
            Some(placement) if self.values.servers().is_empty() => {
                let layout = Layout::new(&placement.variables, placement.chunk_elements);
                let chunks = layout.as_ref().map(|layout| layout.chunks.len());
                if chunks != Ok(placement.servers.len()) {
                    let message = format!("revision {}: {} servers for chunks {chunks:?}", view.revision, placement.servers.len());
                    return self.end(Effect::Fail { message }, effects);
                }
                self.values = Values::new(placement.servers.clone());
                let chunks = (0u32..).zip(&placement.servers).map(|(chunk, _)| chunk);
                self.local =
                    layout.iter().flat_map(|layout| chunks.clone().map(|chunk| self.train.mode(layout.sync(chunk)).is_local())).collect();
            }
            Some(_) => {}
        }
        if view.directive == Directive::Run {
            let holders = BTreeSet::from_iter(self.values.servers());
            self.links.want((0u32..).zip(&view.servers).filter(|(slot, _)| holders.contains(slot)), effects);
        }
        let epoch = self.view.as_ref().is_some_and(|old| old.run_until == view.run_until);
        if !epoch {
            self.finished.clear();
        }
        let newer = view.revision > self.revision();
        let holds = |shard: u32| epoch && view.leases.iter().any(|l| l.shard == shard && l.owner == Some(self.incarnation));
        let lost = self.round.as_ref().is_some_and(|round| !holds(round.shard));
        effects.push(Effect::Applied { revision: view.revision });
        self.view = Some(view);
        if lost {
            self.leave_round(effects);
        }
        if newer {
            self.outbox.wake();
        }
    }

    // The round is not this worker's any more, or done.
    fn leave_round(&mut self, effects: &mut Vec<Effect>) {
        let (Some(round), Some(shards)) = (self.round.take(), self.shards()) else { return };
        self.outbox.forget(|chunk| round.exchanged(&shards, chunk).start, |_| true, effects);
        if self.compute.begin() {
            effects.push(Effect::AbandonCompute);
        }
    }

    fn begin_generation(&mut self, effects: &mut Vec<Effect>) {
        self.links.want(std::iter::empty(), effects);
        if self.compute.begin_generation() {
            effects.push(Effect::AbandonCompute);
        }
        effects.push(Effect::ForgetAll);
        (self.round, self.exported) = (None, None);
        self.finished.clear();
        self.evaluated.clear();
        (self.values, self.outbox) = (Values::default(), Outbox::default());
    }

    fn note_lost(&mut self, slot: u32) {
        self.values.lost(slot);
        self.outbox.lost(slot);
    }

    fn note_computed(&mut self, step: u64, block: Block, chunk: u32, effects: &mut Vec<Effect>) {
        let here = self.shards().zip(self.round.as_ref().filter(|round| self.compute.wanted(round.step, block)));
        let lacks = here.is_some_and(|(shards, round)| round.exchanged(&shards, chunk).start == step && round.lacks(&shards, chunk));
        match self.values.servers().get(chunk as usize).filter(|_| lacks) {
            Some(server) => self.outbox.add(*server, chunk, block),
            None => effects.push(Effect::Forget { chunk, step, block }),
        }
    }

    fn note_answer(&mut self, generation: Generation, (chunk, step, block): (u32, u64, Block), answer: Answer, effects: &mut Vec<Effect>) {
        if answer == Answer::Fenced {
            return self.end(Effect::Fenced, effects);
        }
        let Some(shards) = self.shards().filter(|_| generation == self.generation()) else { return };
        let Some(round) = &mut self.round else { return };
        let same = |a: u64, b: u64| (shards.epoch(a), shards.shard(a)) == (shards.epoch(b), shards.shard(b));
        if let Answer::Counted { next } = answer {
            if same(step, round.step) && round.counts(&shards, chunk, next) {
                self.outbox.settle(round.exchanged(&shards, chunk).start, chunk, effects);
            }
            return;
        }
        if round.exchanged(&shards, chunk).start != step || !self.outbox.answered(chunk, block, &answer, self.revision()) {
            return;
        }
        if let Answer::Refused { reason } = answer {
            let message = format!("the push from step {step} on of chunk {chunk} was refused: {reason}");
            self.end(Effect::Fail { message }, effects);
        }
    }

    fn end(&mut self, last: Effect, effects: &mut Vec<Effect>) {
        if self.compute.begin() {
            effects.push(Effect::AbandonCompute);
        }
        effects.push(last);
        self.ended = true;
    }

    // Does what follows from the facts.
    fn go_on(&mut self, effects: &mut Vec<Effect>) {
        if self.ended {
            return;
        }
        self.links.open(self.generation(), effects);
        self.finish_round(effects);
        if self.compute.idle() && self.view.as_ref().is_some_and(|view| view.directive == Directive::Run) {
            match self.evaluate_next().or_else(|| self.export_next()) {
                Some((version, next)) => self.use_at(version, next, effects),
                None => self.train(effects),
            }
        }
        self.send(effects);
        if !self.timer && (self.links.waiting() || self.outbox.waiting() || self.gone) {
            self.timer = true;
            effects.push(Effect::RetryAfter { ms: TICK_MS });
        }
    }

    // All chunks have answered: on to the next step.
    fn finish_round(&mut self, effects: &mut Vec<Effect>) {
        let Some(shards) = self.shards() else { return };
        let Some(round) = self.round.as_mut().filter(|round| round.computed && self.outbox.is_empty()) else { return };
        // Of what was computed nothing is left to be sent, whoever counted it.
        let Some(next) = round.following(&shards) else { return };
        let end = shards.steps(shards.epoch(round.step), round.shard).end;
        if next >= end {
            self.finished.insert(round.shard);
            return self.leave_round(effects);
        }
        (round.step, round.computed) = (next, false);
        if self.compute.begin() {
            effects.push(Effect::AbandonCompute);
        }
    }

    fn evaluate_next(&self) -> Option<(u64, Effect)> {
        let evaluate = self.view.as_ref()?.evaluate.as_ref()?;
        let (evaluation, step) = (evaluate.evaluation, evaluate.step);
        let (shard, records) = evaluate.shards.iter().find(|(shard, _)| !self.evaluated.contains(&(evaluation, *shard)))?;
        Some((step, Effect::Evaluate { evaluation, step, shard: *shard, records: records.clone() }))
    }

    fn export_next(&self) -> Option<(u64, Effect)> {
        let export = self.view.as_ref()?.export.as_ref().filter(|export| self.exported != Some(export.attempt))?;
        Some((export.step, Effect::Export(Box::new(export.clone()))))
    }

    // Evaluates or exports with exactly these parameters: nobody trains then, so all chunks have them.
    fn use_at(&mut self, version: u64, next: Effect, effects: &mut Vec<Effect>) {
        if !self.values.all_at(version) {
            let Self { links, values, .. } = self;
            return effects.extend(values.ask(version, |slot| links.up(slot)));
        }
        self.use_kept(effects);
        match &next {
            Effect::Evaluate { evaluation, shard, .. } => {
                self.compute.thread = Thread::Evaluating { evaluation: *evaluation, shard: *shard };
            }
            Effect::Export(export) => self.compute.thread = Thread::Exporting { attempt: export.attempt },
            _ => unreachable!("nothing else needs one version"),
        }
        effects.push(next);
    }

    fn train(&mut self, effects: &mut Vec<Effect>) {
        let (Some(shards), Some(view)) = (self.shards(), &self.view) else { return };
        if self.round.is_none() {
            let mine = view.leases.iter().filter(|lease| lease.owner == Some(self.incarnation));
            let Some(shard) = mine.map(|lease| lease.shard).find(|shard| !self.finished.contains(shard)) else { return };
            let step = shards.steps(shards.epoch(view.run_until.saturating_sub(1)), shard).start;
            self.round = Some(Round::new(shard, step, &self.local));
        }
        if !self.values.complete() {
            let Self { links, values, .. } = self;
            return effects.extend(values.ask(NEWEST, |slot| links.up(slot)));
        }
        let Some(step) = self.round.as_ref().filter(|round| !round.computed).map(|round| round.step) else { return };
        let blocks = vec![Block::root(view.plan.micro_batches)];
        self.use_kept(effects);
        self.compute.start(step, blocks.clone());
        effects.push(Effect::Compute { step, blocks });
    }

    fn use_kept(&mut self, effects: &mut Vec<Effect>) {
        if self.values.use_kept() {
            effects.push(Effect::UseKept);
        }
    }

    fn send(&mut self, effects: &mut Vec<Effect>) {
        let (Some(shards), Some(view), Some(round)) = (self.shards(), &self.view, &self.round) else { return };
        let view_revision = view.revision;
        let links = &self.links;
        for (slot, chunk, block) in self.outbox.send(view_revision, |slot| links.up(slot)) {
            let steps = round.exchanged(&shards, chunk);
            let step = steps.start;
            let records = steps.map(|step| view.plan.records_in(step, block.lanes())).sum::<u64>();
            let records = u32::try_from(records).unwrap_or(u32::MAX);
            effects.push(Effect::Push { slot, chunk, step, block, records, view_revision });
        }
    }
}
