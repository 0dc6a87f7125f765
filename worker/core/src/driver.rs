//! The worker's driver: from inputs to effects.

use crate::compute::{Compute, Thread};
use crate::effect::Effect;
use crate::input::Input;
use crate::link::Links;
use crate::outbox::Outbox;
use crate::parameters::Parameters;
use std::collections::BTreeSet;
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::Layout;
use tfcoord_types::view::{Directive, TaskView};

#[cfg(test)]
mod tests;

/// A tick: what waits is looked at again after this time.
const TICK_MS: u64 = 20;

/// A worker's driver.
#[derive(Debug)]
pub struct Driver {
    incarnation: Incarnation,
    view: Option<TaskView>,
    // Lanes that this worker owns, ascending.
    owned: Vec<u32>,
    links: Links,
    parameters: Parameters,
    step: Option<u64>,
    compute: Compute,
    outbox: Outbox,
    // (evaluation, shard)
    evaluated: BTreeSet<(u32, u32)>,
    // The newest attempt that is in its place.
    exported: Option<u64>,
    timer: bool,
    ended: bool,
}

impl Driver {
    /// The driver of the worker with this incarnation, without a view.
    pub fn new(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            view: None,
            owned: Vec::new(),
            links: Links::default(),
            parameters: Parameters::default(),
            step: None,
            compute: Compute::default(),
            outbox: Outbox::default(),
            evaluated: BTreeSet::new(),
            exported: None,
            timer: false,
            ended: false,
        }
    }

    /// Takes `input` and adds what follows from it to `effects`. After `Stop`, `Fenced` or `Fail` nothing follows.
    pub fn apply(&mut self, input: Input, effects: &mut Vec<Effect>) {
        if self.ended {
            return;
        }
        self.note(input, effects);
        self.go_on(effects);
    }

    /// The step that it works on; 0 before it knows.
    pub fn step(&self) -> u64 {
        self.step.unwrap_or(0)
    }

    /// The newest view's revision; 0 before the first one.
    pub fn revision(&self) -> Revision {
        self.view.as_ref().map(|view| view.revision).unwrap_or_default()
    }

    /// The newest view's generation; 0 before the first one.
    pub fn generation(&self) -> Generation {
        self.view.as_ref().map(|view| view.generation).unwrap_or_default()
    }

    // Notes a fact.
    fn note(&mut self, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::View(view) => self.note_view(*view, effects),
            Input::Connected { slot, incarnation, generation, cursors } => {
                self.note_connected(slot, (incarnation, generation), &cursors, effects);
            }
            Input::Disconnected { slot } => {
                self.links.closed(slot);
                self.note_lost(slot);
            }
            Input::Chunk { generation, chunk, version } if generation == self.generation() => {
                if self.parameters.came(chunk, version) {
                    effects.push(Effect::Keep { chunk, version });
                }
                self.settle(chunk, effects);
            }
            Input::Gone { generation, chunk, version } if generation == self.generation() => self.parameters.gone(chunk, version),
            Input::Answer { generation, chunk, step, block, answer } => {
                self.note_answer(generation, (chunk, step, block), answer, effects);
            }
            Input::Computed { step, block, chunk } => {
                let wanted = self.compute.wanted(step, block) && !self.parameters.beyond(chunk, step);
                match self.parameters.servers().get(chunk as usize).filter(|_| wanted) {
                    Some(server) => self.outbox.add(*server, chunk, block),
                    None => effects.push(Effect::Forget { chunk, step, block }),
                }
            }
            Input::StepComputed { .. } => self.compute.thread = Thread::Idle,
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
            Some(placement) if self.parameters.servers().is_empty() => {
                let chunks = Layout::new(&placement.variables, placement.chunk_elements).map(|layout| layout.chunks.len());
                if chunks != Ok(placement.servers.len()) {
                    let message = format!("revision {}: {} servers for chunks {chunks:?}", view.revision, placement.servers.len());
                    return self.end(Effect::Fail { message }, effects);
                }
                self.parameters = Parameters::new(placement.servers.clone());
            }
            Some(_) => {}
        }
        if view.directive == Directive::Run {
            let holders = BTreeSet::from_iter(self.parameters.servers());
            self.links.want((0u32..).zip(&view.servers).filter(|(slot, _)| holders.contains(slot)), effects);
        }
        let newer = view.revision > self.revision();
        let owners = (0u32..).zip(&view.owners);
        self.owned = owners.filter(|(_, owner)| **owner == Some(self.incarnation)).map(|(lane, _)| lane).collect();
        effects.push(Effect::Applied { revision: view.revision });
        self.view = Some(view);
        self.note_owned(newer, effects);
    }

    // Lanes were lost or gained.
    fn note_owned(&mut self, newer: bool, effects: &mut Vec<Effect>) {
        let Self { owned, outbox, compute, step, .. } = self;
        let owns = |block: Block| block.lanes().all(|lane| owned.binary_search(&lane).is_ok());
        outbox.forget(|_| step.unwrap_or(0), |block| !owns(block), effects);
        if compute.retain(owns) {
            effects.push(Effect::AbandonCompute);
        }
        if newer {
            outbox.wake();
        }
    }

    fn begin_generation(&mut self, effects: &mut Vec<Effect>) {
        self.links.want(std::iter::empty(), effects);
        if self.compute.begin_generation() {
            effects.push(Effect::AbandonCompute);
        }
        effects.push(Effect::ForgetAll);
        self.step = None;
        self.evaluated.clear();
        self.exported = None;
        (self.parameters, self.outbox) = (Parameters::default(), Outbox::default());
    }

    fn note_connected(&mut self, slot: u32, who: (Incarnation, Generation), cursors: &[(u32, u64)], effects: &mut Vec<Effect>) {
        let told: BTreeSet<u32> = cursors.iter().map(|(chunk, _)| *chunk).collect();
        let complete = (0u32..).zip(self.parameters.servers()).all(|(chunk, server)| *server != slot || told.contains(&chunk));
        if who.1 != self.generation() || !complete || !self.links.opened(slot, who.0) {
            return self.links.refuse(slot, effects);
        }
        for (chunk, next_step) in cursors {
            if self.parameters.servers().get(*chunk as usize) == Some(&slot) {
                self.parameters.raise(*chunk, *next_step);
                self.settle(*chunk, effects);
            }
        }
        // Whatever was sent before is to be sent again on this stream.
        self.note_lost(slot);
    }

    fn note_lost(&mut self, slot: u32) {
        self.parameters.lost(slot);
        self.outbox.lost(slot);
    }

    fn note_answer(&mut self, generation: Generation, (chunk, step, block): (u32, u64, Block), answer: Answer, effects: &mut Vec<Effect>) {
        if answer == Answer::Fenced {
            return self.end(Effect::Fenced, effects);
        }
        if generation != self.generation() {
            return;
        }
        if answer == Answer::Duplicate {
            self.parameters.raise(chunk, step + 1);
            return self.settle(chunk, effects);
        }
        if self.step != Some(step) || !self.outbox.answered(chunk, block, &answer, self.revision()) {
            return;
        }
        if let Answer::Refused { reason } = answer {
            let message = format!("the push of step {step}, chunk {chunk}, lanes {block} was refused: {reason}");
            self.end(Effect::Fail { message }, effects);
        }
    }

    // Forgets the chunk's sums if its cursor is beyond them.
    fn settle(&mut self, chunk: u32, effects: &mut Vec<Effect>) {
        if let Some(step) = self.step.filter(|step| self.parameters.beyond(chunk, *step)) {
            self.outbox.settle(step, chunk, effects);
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
        self.parameters.discard_old(effects);
        if let Some(step) = self.parameters.step() {
            self.begin_step(step, effects);
            self.work(step, effects);
            self.send(step, effects);
        }
        if !self.timer && (self.links.waiting() || self.outbox.waiting()) {
            self.timer = true;
            effects.push(Effect::RetryAfter { ms: TICK_MS });
        }
    }

    fn begin_step(&mut self, step: u64, effects: &mut Vec<Effect>) {
        if let Some(old) = self.step.replace(step).filter(|old| *old != step) {
            // All chunks are beyond it, so its sums are settled.
            self.outbox.forget(|_| old, |_| true, effects);
            if self.compute.begin() {
                effects.push(Effect::AbandonCompute);
            }
        }
    }

    // Gives the compute thread what is next, once the parameters are there.
    fn work(&mut self, step: u64, effects: &mut Vec<Effect>) {
        let Some(next) = self.next(step) else { return };
        if !self.parameters.used(step) {
            let Self { links, parameters, .. } = self;
            let asked = parameters.ask(step, |slot| links.up(slot));
            effects.extend(asked.into_iter().map(|(slot, chunks)| Effect::Pull { slot, chunks, version: step }));
        }
        if !self.compute.idle() {
            return;
        }
        if self.parameters.complete(step) {
            self.parameters.use_up(step);
            effects.push(Effect::Use { version: step });
        }
        if self.parameters.used(step) {
            match &next {
                Effect::Compute { step, blocks } => self.compute.start(*step, blocks.clone()),
                Effect::Evaluate { evaluation, shard, .. } => {
                    self.compute.thread = Thread::Evaluating { evaluation: *evaluation, shard: *shard };
                }
                Effect::Export(export) => self.compute.thread = Thread::Exporting { attempt: export.attempt },
                _ => unreachable!("nothing else is next"),
            }
            effects.push(next);
        }
    }

    // What the compute thread should do with the parameters of `step`, before they change.
    fn next(&self, step: u64) -> Option<Effect> {
        let view = self.view.as_ref().filter(|view| view.directive == Directive::Run)?;
        let Thread::Idle = self.compute.thread else {
            // Still worth pulling for.
            return self.compute_next(view, step);
        };
        self.evaluate_next(view, step).or_else(|| self.export_next(view, step)).or_else(|| self.compute_next(view, step))
    }

    fn evaluate_next(&self, view: &TaskView, step: u64) -> Option<Effect> {
        let evaluate = view.evaluate.as_ref().filter(|evaluate| evaluate.step == step)?;
        let evaluation = evaluate.evaluation;
        let (shard, records) = evaluate.shards.iter().find(|(shard, _)| !self.evaluated.contains(&(evaluation, *shard)))?;
        Some(Effect::Evaluate { evaluation, step, shard: *shard, records: records.clone() })
    }

    fn export_next(&self, view: &TaskView, step: u64) -> Option<Effect> {
        let export = view.export.as_ref().filter(|export| export.step == step && self.exported != Some(export.attempt))?;
        Some(Effect::Export(Box::new(export.clone())))
    }

    fn compute_next(&self, view: &TaskView, step: u64) -> Option<Effect> {
        if step >= view.run_until.min(view.plan.steps()) {
            return None;
        }
        let blocks = self.compute.needed(&view.plan, step, &self.owned);
        (!blocks.is_empty()).then_some(Effect::Compute { step, blocks })
    }

    fn send(&mut self, step: u64, effects: &mut Vec<Effect>) {
        let Self { links, outbox, view, .. } = self;
        let Some(view) = view else { return };
        for (slot, chunk, block) in outbox.send(view.revision, |slot| links.up(slot)) {
            let records = u32::try_from(view.plan.records_in(step, block.lanes())).expect("at most a batch");
            effects.push(Effect::Push { slot, chunk, step, block, records, view_revision: view.revision });
        }
    }
}
