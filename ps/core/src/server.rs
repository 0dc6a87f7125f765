//! A parameter server: from inputs to effects.

use crate::clip::Gather;
use crate::cursor::{Held, Within};
use crate::curve::Curve;
use crate::cut::Cut;
use crate::effect::Effect;
use crate::fence::Fence;
use crate::input::{Input, Push, SegmentNorm};
use crate::mode::bsp::{self, Update};
use crate::mode::local;
use crate::mode::ssp::Gate;
use crate::reduce::Bench;
use crate::table::{Content, Part, Table};
use std::collections::BTreeMap;
use std::ops::Range;
use tfcoord_optimizer::Kernel;
use tfcoord_optimizer::schedule;
use tfcoord_types::checkpoint::{Checkpoint, RestoreFault};
use tfcoord_types::exchange::{Answer, NEWEST};
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{CheckpointId, Generation, Revision};
use tfcoord_types::job::{Optimizer, Sync, Train};
use tfcoord_types::lane::Block;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::{Fault, FaultKind, ServerReport};
use tfcoord_types::shard::Shards;
use tfcoord_types::variable::Group;
use tfcoord_types::view::{Placement, TaskView};

mod arrive;
#[cfg(test)]
mod tests;

/// What a server knows from the start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its place among the job's servers, from 0.
    pub slot: u32,
    /// How the job is trained, from the job file.
    pub train: Train,
}

/// A parameter server of one job.
#[derive(Debug)]
pub struct Server {
    config: Config,
    fence: Fence,
    held: Option<Generated>,
    restoring: Option<Restoring>,
    restore_fault: Option<RestoreFault>,
    // What the newest view names, and what was begun of it.
    wanted_cut: Option<Checkpoint>,
    cut: Option<Cut>,
}

// What is needed once a checkpoint is read.
#[derive(Debug)]
struct Restoring {
    checkpoint: Checkpoint,
    plan: TrainPlan,
    placement: Placement,
}

// All that belongs to one generation of the parameters.
#[derive(Debug)]
struct Generated {
    plan: TrainPlan,
    root: Block,
    table: Table,
    curve: Curve,
    // On the first server, where gradients are clipped.
    gather: Option<Gather>,
    bench: Bench,
    // How many are held of all chunks: asked for after every push.
    blocks: usize,
    // Outside of `bsp`.
    shards: Option<Shards>,
    // Where workers' clocks are kept, with the chunk that says when a batch counts.
    gate: Option<(Gate, u32)>,
    finished: Finished,
}

// How many chunks have done which shards of an epoch.
#[derive(Debug, Default)]
struct Finished {
    epoch: u32,
    chunks: BTreeMap<u32, usize>,
}

impl Finished {
    // What chunks had done when the checkpoint was cut that they begin from.
    fn of(within: Within, table: &Table) -> Self {
        let mut chunks = BTreeMap::new();
        for shard in table.parts().flat_map(|(_, part)| within.done(part)) {
            *chunks.entry(shard).or_default() += 1;
        }
        Self { epoch: within.epoch(), chunks }
    }
}

impl Server {
    /// A server that knows no view yet: it takes nothing.
    pub fn new(config: Config) -> Self {
        Self { config, fence: Fence::default(), held: None, restoring: None, restore_fault: None, wanted_cut: None, cut: None }
    }

    /// Takes `input` and adds what follows from it to `effects`.
    pub fn apply(&mut self, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::View(view) => self.view(&view, effects),
            Input::Push(push) => self.push(push, effects),
            Input::Pull { from, generation, chunk, step } => effects.push(self.pull(from, generation, chunk, step)),
            Input::Norms { from, generation, step, segments } if generation == self.fence.generation => {
                self.norms(from, step, &segments, effects);
            }
            Input::Scale { generation, step, scale } if generation == self.fence.generation => self.scale(step, scale, effects),
            Input::CutDone { id, outcome } => {
                if let Some(cut) = &mut self.cut {
                    cut.done(id, outcome);
                    effects.push(Effect::Report);
                }
            }
            Input::Restored { id, contents } => self.restored(id, contents, effects),
            Input::RestoreFailed { id, reason } => self.restore_failed(id, reason, effects),
            Input::Linked => self.linked(effects),
            Input::Norms { .. } | Input::Scale { .. } => {}
        }
    }

    /// The generation of the newest view.
    pub fn generation(&self) -> Generation {
        self.fence.generation
    }

    /// The newest view's revision; 0 before the first one.
    pub fn revision(&self) -> Revision {
        self.fence.revision()
    }

    /// The next step of each chunk held here, by chunk. Empty before the first placement.
    pub fn cursors(&self) -> Vec<(u32, u64)> {
        let parts = self.held.iter().flat_map(|held| held.table.parts());
        parts.map(|(id, part)| (id, part.cursor.step())).collect()
    }

    /// Blocks that are held for steps that are not complete.
    pub fn held_blocks(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.blocks)
    }

    /// The curve from step `from` on; empty on servers that do not hold it.
    pub fn curve(&self, from: u64) -> &[CurvePoint] {
        self.held.as_ref().map_or(&[], |held| held.curve.from(from))
    }

    /// What the server has to say. A server without chunks is always as far as it may be.
    pub fn report(&self) -> ServerReport {
        let restore_fault = self.restore_fault.clone();
        let Some(held) = &self.held else { return ServerReport { restore_fault, ..ServerReport::default() } };
        let reached = Some(held.table.floor().unwrap_or(self.fence.run_until));
        let (done, cut) = (self.shards_done(held), self.cut.as_ref().and_then(Cut::report));
        ServerReport { reached, done, curve: held.curve.report(), cut, restore_fault, late: None }
    }

    fn view(&mut self, view: &TaskView, effects: &mut Vec<Effect>) {
        let (generation, reached) = (self.fence.generation, self.report().reached);
        if !self.fence.apply(view) {
            return;
        }
        if generation != view.generation {
            (self.held, self.restoring, self.restore_fault) = (None, None, None);
        }
        let begins = self.held.is_none() && self.restoring.is_none() && self.restore_fault.is_none();
        if begins
            && let Some(placement) = &view.placement
            && let Err(message) = self.begin(view, placement, effects)
        {
            let message = format!("ps-{} cannot take revision {}: {message}", self.config.slot, view.revision);
            effects.push(Effect::Fail { fault: Fault { kind: FaultKind::Job, message } });
            return;
        }
        self.wanted_cut = view.cut.clone().filter(|wanted| wanted.id.generation == view.generation);
        self.follow_cut(effects);
        self.let_go(effects);
        // By its first chunks, or, without any, by how far it may be.
        let now = self.report().reached;
        effects.extend(now.filter(|_| now != reached).map(|step| Effect::Reached { step }));
        effects.push(Effect::Applied { revision: view.revision });
    }

    // From the seed at once, or once a checkpoint is read.
    fn begin(&mut self, view: &TaskView, placement: &Placement, effects: &mut Vec<Effect>) -> Result<(), String> {
        let Config { slot, train } = &self.config;
        let text = |error: crate::table::Error| error.to_string();
        match &view.restore {
            None => self.held = Some(Generated::new(&self.config, view.plan, Table::new(placement, *slot, train).map_err(text)?)?),
            Some(checkpoint) => {
                let within = Within::of(Shards::new(&view.plan, train), checkpoint.id.step);
                let parts = Table::heads(placement, *slot, train, within).map_err(text)?;
                let (checkpoint, placement) = (checkpoint.clone(), placement.clone());
                effects.push(Effect::Restore { checkpoint: checkpoint.clone(), parts });
                self.restoring = Some(Restoring { checkpoint, plan: view.plan, placement });
            }
        }
        Ok(())
    }

    fn restored(&mut self, id: CheckpointId, contents: BTreeMap<u32, Content>, effects: &mut Vec<Effect>) {
        let Some(Restoring { plan, placement, .. }) = self.restoring.take_if(|restoring| restoring.checkpoint.id == id) else { return };
        let within = Within::of(Shards::new(&plan, &self.config.train), id.step);
        let curve = contents.values().find(|content| !content.curve.is_empty()).map(|content| content.curve.clone()).unwrap_or_default();
        let table = Table::restored(&placement, self.config.slot, &self.config.train, id, within, contents);
        let held = table.map_err(|error| error.to_string()).and_then(|table| Generated::new(&self.config, plan, table));
        match held {
            Ok(held) => {
                let points = usize::try_from(held.table.summed()).map_or(curve.len(), |summed| summed.min(curve.len()));
                let finished = within.map(|within| Finished::of(within, &held.table)).unwrap_or_default();
                self.held = Some(Generated { curve: Curve::restored(&plan, &curve[..points]), finished, ..held });
            }
            Err(reason) => self.restore_fault = Some(RestoreFault { id, reason }),
        }
        self.follow_cut(effects);
        let reached = self.report().reached;
        effects.extend(reached.map(|step| Effect::Reached { step }));
        effects.push(Effect::Report);
    }

    fn restore_failed(&mut self, id: CheckpointId, reason: String, effects: &mut Vec<Effect>) {
        if self.restoring.take_if(|restoring| restoring.checkpoint.id == id).is_some() {
            self.restore_fault = Some(RestoreFault { id, reason });
            effects.push(Effect::Report);
        }
    }

    // Begins the cut that the view names, and drops another one.
    fn follow_cut(&mut self, effects: &mut Vec<Effect>) {
        let wanted = self.wanted_cut.as_ref();
        if self.cut.as_ref().map(Cut::id) == wanted.map(|wanted| wanted.id) {
            return;
        }
        effects.extend(self.cut.take().map(|cut| Effect::DropCut { id: cut.id() }));
        // Without chunks there is nothing to save.
        let held = self.held.as_ref().filter(|held| held.table.floor().is_some());
        let begin = |(held, wanted): (&Generated, &Checkpoint)| {
            Cut::begin(wanted, Within::of(held.shards, wanted.id.step), &held.table, &held.curve, effects)
        };
        self.cut = held.zip(wanted).map(begin);
    }

    fn pull(&self, to: u64, generation: Generation, chunk: u32, version: u64) -> Effect {
        let held = self.held.as_ref().filter(|_| generation == self.fence.generation);
        let part = held.and_then(|held| held.table.part(chunk));
        let version = part.filter(|_| version == NEWEST).map_or(version, |part| part.cursor.step());
        match part.and_then(|part| part.version(version)) {
            Some(values) => Effect::Pulled { to, generation, chunk, version, values: values.clone() },
            None => Effect::Gone { to, generation, chunk, version },
        }
    }

    fn push(&mut self, push: Push, effects: &mut Vec<Effect>) {
        if let Some(shards) = self.held.as_ref().and_then(|held| held.shards) {
            return self.arrive(push, &shards, effects);
        }
        let Push { from: to, generation, step, chunk, block, .. } = push;
        let mut answer = |answer| effects.push(Effect::Answer { to, generation, chunk, step, block, answer });
        if let Err(refusal) = self.check(&push) {
            return answer(refusal);
        }
        let held = self.held.as_mut().expect("checked");
        let part = held.table.part_mut(chunk).expect("checked");
        // While it waits for its scale the step is complete: whatever comes is inside what is held.
        if !part.measured {
            held.blocks -= part.cursor.held().len();
            part.cursor.take(Held { block, records: u64::from(push.records), payload: push.payload });
            held.blocks += part.cursor.held().len();
        }
        if part.measured || part.cursor.records() < held.plan.records_in(step, held.root.lanes()) {
            return answer(Answer::Held);
        }
        let clipped = part.group == Group::Train && self.config.train.clip_norm.is_some() && !adds(&self.config.train);
        if clipped {
            answer(Answer::Held);
            part.measured = true;
            let segments = bsp::norms(part, held.root, &mut held.bench);
            self.send_norms(step, segments, effects);
        } else {
            self.update(chunk, 1.0, step..step + 1, effects);
        }
    }

    /// Whether a push counts; if not, why.
    fn check(&self, push: &Push) -> Result<(), Answer> {
        let (held, part) = self.placed(push)?;
        let (fence, Push { step, block, .. }) = (&self.fence, push);
        let (step, block) = (*step, *block);
        let refused = |reason: String| Answer::Refused { reason };
        let not_yet = || Answer::NotYet { revision: fence.revision() };
        let records = held.plan.records_in(step, block.lanes());
        if records != u64::from(push.records) || records == 0 {
            return Err(refused(format!("lanes {block} have {records} records at step {step}, not {}", push.records)));
        }
        let newer = push.view_revision > fence.revision();
        if step < part.cursor.step() {
            Err(Answer::Duplicate)
        } else if !fence.owns(push.incarnation, block) {
            Err(if newer { not_yet() } else { Answer::NotOwner })
        } else if step > part.cursor.step() {
            Err(Answer::Ahead)
        } else if step >= fence.run_until {
            Err(if newer { not_yet() } else { Answer::Ahead })
        } else {
            Ok(())
        }
    }

    /// What a push is for, if its sender may push at all and it fits; if not, why.
    fn placed(&self, push: &Push) -> Result<(&Generated, &Part), Answer> {
        let fence = &self.fence;
        let not_yet = || Answer::NotYet { revision: fence.revision() };
        let refused = |reason: String| Answer::Refused { reason };
        if fence.retired(push.incarnation) {
            return Err(Answer::Fenced);
        }
        let Some(held) = self.held.as_ref().filter(|_| push.generation <= fence.generation) else { return Err(not_yet()) };
        if push.generation < fence.generation {
            // Its sender will hear of it: that is nobody's fault.
            return Err(Answer::NotOwner);
        }
        let Some(part) = held.table.part(push.chunk) else {
            return Err(refused(format!("chunk {} is not on ps-{}", push.chunk, self.config.slot)));
        };
        if !held.root.contains(push.block) {
            return Err(refused(format!("lanes {} are not among {}", push.block, held.root)));
        }
        if push.payload.len() != part.values().len() {
            return Err(refused(format!("chunk {} has {} bytes, not {}", push.chunk, part.values().len(), push.payload.len())));
        }
        Ok((held, part))
    }

    // Makes the next version of a chunk of what is held of it: the sum of these steps.
    fn update(&mut self, chunk: u32, scale: f32, steps: Range<u64>, effects: &mut Vec<Effect>) {
        let generation = self.fence.generation;
        let held = self.held.as_mut().expect("a chunk is held");
        let part = held.table.part_mut(chunk).expect("a chunk is held");
        let step = part.cursor.step();
        if part.group == Group::Curve {
            let points = held.curve.extend(&held.plan, steps.clone(), bsp::curve(part, held.root, &mut held.bench));
            effects.extend(points.iter().map(|point| Effect::CurveGrew { point: *point }));
        }
        held.blocks -= part.cursor.held().len();
        let steps = steps.end - steps.start;
        let update = match (part.group, part.mode) {
            (Group::Train, Sync::Local { momentum, .. }) => local::change(self.fence.workers(), momentum),
            (Group::Average { momentum }, Sync::Local { .. }) => Update::Average { momentum: local::over(momentum, steps) },
            _ => rule(part.group, &self.config.train, &held.plan, step, scale),
        };
        bsp::update(part, held.root, &update, steps, &mut held.bench);
        if held.shards.is_none() {
            effects.push(Effect::Updated { generation, chunk, version: step + 1, values: part.values().clone() });
        }
        if let Some(cut) = &mut self.cut {
            cut.take(chunk, held.table.part(chunk).expect("a chunk is held"), &held.curve, effects);
        }
        effects.extend(held.table.advanced(step).map(|step| Effect::Reached { step }));
    }

    fn send_norms(&mut self, step: u64, segments: Vec<SegmentNorm>, effects: &mut Vec<Effect>) {
        if self.config.slot == 0 {
            self.norms(0, step, &segments, effects);
        } else {
            effects.push(Effect::SendNorms { generation: self.fence.generation, step, segments });
        }
    }

    // On the first server: somebody's norms.
    fn norms(&mut self, from: u32, step: u64, segments: &[SegmentNorm], effects: &mut Vec<Effect>) {
        let generation = self.fence.generation;
        let Some(held) = &mut self.held else { return };
        let Some(gather) = &mut held.gather else { return };
        let known = gather.scale(step).is_some();
        let Some(scale) = gather.add(step, segments) else { return };
        // Known before: only the sender did not hear of it.
        let others = held.table.trainers().iter().copied().filter(|slot| *slot != 0 && (!known || *slot == from));
        effects.extend(others.map(|to| Effect::SendScale { to, generation, step, scale }));
        if !known {
            self.scale(step, scale, effects);
        }
    }

    fn scale(&mut self, step: u64, scale: f32, effects: &mut Vec<Effect>) {
        for chunk in self.measured(step) {
            self.update(chunk, scale, step..step + 1, effects);
        }
    }

    fn linked(&mut self, effects: &mut Vec<Effect>) {
        let Some(step) = self.held.as_ref().and_then(|held| held.table.floor()) else { return };
        for chunk in self.measured(step) {
            let held = self.held.as_mut().expect("a chunk is measured");
            let part = held.table.part(chunk).expect("a chunk is measured");
            let segments = bsp::norms(part, held.root, &mut held.bench);
            self.send_norms(step, segments, effects);
        }
    }

    // Chunks that wait for the scale of `step`.
    fn measured(&self, step: u64) -> Vec<u32> {
        let parts = self.held.iter().flat_map(|held| held.table.parts());
        parts.filter(|(_, part)| part.measured && part.cursor.step() == step).map(|(id, _)| id).collect()
    }
}

impl Generated {
    fn new(config: &Config, plan: TrainPlan, table: Table) -> Result<Self, String> {
        let lanes = plan.micro_batches;
        let sound = lanes.is_power_of_two() && plan.micro_batch_size() > 0 && plan.records > 0;
        if !sound {
            return Err(format!("{plan:?} is no plan"));
        }
        let root = Block::root(lanes);
        let shards = Shards::new(&plan, &config.train);
        let curve = table.parts().find(|(_, part)| part.group == Group::Curve).map(|(chunk, _)| chunk);
        let gate = config.train.staleness().map(Gate::new).zip(curve);
        let gather = config.train.clip_norm.filter(|_| config.slot == 0).map(|norm| Gather::new(&table.layout, norm));
        Ok(Self {
            plan,
            root,
            table,
            curve: Curve::default(),
            gather,
            bench: Bench::new(root),
            blocks: 0,
            shards,
            gate,
            finished: Finished::default(),
        })
    }
}

fn adds(train: &Train) -> bool {
    matches!(train.optimizer, Optimizer::Add {})
}

// What a step does to a chunk of this group.
fn rule(group: Group, train: &Train, plan: &TrainPlan, step: u64, scale: f32) -> Update {
    match group {
        Group::Train => match Kernel::new(&train.optimizer, step, schedule::factor(train, step, plan.steps())) {
            Some(kernel) => Update::Train { kernel, scale },
            None => Update::Add,
        },
        Group::Average { momentum } => Update::Average { momentum },
        Group::Add => Update::Add,
        Group::Curve => Update::Keep,
    }
}
