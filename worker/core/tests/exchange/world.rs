//! Servers, workers and a coordinator on a wire that delays, reorders, doubles, replays and loses what it
//! carries. Everything that happens is one small step chosen by chance; the seed tells it all.

use crate::chance::Chance;
use crate::coordinator::{Coordinator, Fact};
use crate::model::{Model, to_values};
use crate::process::Process;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_ps_core as ps;
use tfcoord_types::checkpoint::{CutOutcome, CutReport};
use tfcoord_types::exchange::Answer;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{CheckpointId, Generation, Incarnation};
use tfcoord_types::view::TaskView;
use tfcoord_worker_core::{Effect, Input};

const EVENTS_MAX: usize = 400_000;

/// What a run is like.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    pub workers: usize,
    pub servers: u32,
    /// How many things go wrong; 0: a quiet run.
    pub faults: usize,
    /// Whether also the order of one stream's messages to a worker is lost.
    pub wild: bool,
    pub seed: u64,
}

/// What remains of a run: bits.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub parameters: Vec<Vec<u32>>,
    pub curve: Vec<CurvePoint>,
    /// Digests of all parameters, by (evaluation, shard), and at last those exported.
    pub digests: BTreeMap<(u32, u32), BTreeSet<u64>>,
}

#[derive(Debug)]
enum Flight {
    ViewToServer { slot: u32, view: Box<TaskView> },
    ViewToWorker { worker: Incarnation, view: Box<TaskView> },
    Open { slot: u32, stream: u64 },
    ToServer { slot: u32, stream: Option<u64>, input: ps::Input },
    Pull { slot: u32, stream: u64, generation: Generation, chunks: Vec<u32>, version: u64 },
    ToWorker { stream: u64, input: Input, values: Option<Bytes> },
    Broken { stream: u64 },
    // Of which generation.
    Told(Generation, Fact),
}

#[derive(Debug)]
pub struct World<'a> {
    model: &'a Model,
    conditions: Conditions,
    chance: Chance,
    coordinator: Coordinator,
    servers: Vec<ps::Server>,
    workers: BTreeMap<Incarnation, Process>,
    // Every stream ever: its server and its worker; and those that servers know.
    streams: Vec<(u32, Incarnation)>,
    open: BTreeSet<u64>,
    wire: Vec<Flight>,
    // Every push ever sent.
    sent: Vec<(u32, ps::Push)>,
    lost: BTreeSet<Incarnation>,
    // What servers have written of checkpoints, by chunk; chunks that are to come of a part, and points of its curve.
    saved: BTreeMap<CheckpointId, BTreeMap<u32, ps::Content>>,
    begun: BTreeMap<(CheckpointId, u32), (BTreeSet<u32>, u64)>,
    faults_left: usize,
}

impl<'a> World<'a> {
    pub fn run(model: &'a Model, conditions: Conditions) -> Outcome {
        let mut chance = Chance::new(conditions.seed);
        let coordinator = Coordinator::new(model, conditions.servers, conditions.workers, &mut chance);
        let server = |slot| ps::Server::new(ps::Config { slot, train: model.train.clone() });
        let mut world = World {
            model,
            conditions,
            chance,
            coordinator,
            servers: (0..conditions.servers).map(server).collect(),
            workers: BTreeMap::new(),
            streams: Vec::new(),
            open: BTreeSet::new(),
            wire: Vec::new(),
            sent: Vec::new(),
            lost: BTreeSet::new(),
            saved: BTreeMap::new(),
            begun: BTreeMap::new(),
            faults_left: conditions.faults,
        };
        for _ in 0..EVENTS_MAX {
            if world.coordinator.done() && world.workers.keys().all(|worker| world.lost.contains(worker)) {
                return world.outcome();
            }
            world.happen();
        }
        panic!("no end after {EVENTS_MAX} events: {conditions:?}\n{:#?}", world.coordinator);
    }

    fn happen(&mut self) {
        match self.chance.below(100) {
            0..60 => self.deliver(),
            60..85 => self.progress(),
            85..88 => self.retry(),
            88..98 => self.coordinate(),
            _ => self.fault(),
        }
    }

    fn coordinate(&mut self) {
        let new = if self.chance.percent(50) { self.coordinator.register(&mut self.chance) } else { None };
        if let Some(worker) = new {
            self.workers.insert(worker, Process::new(worker, self.model));
        }
        if self.coordinator.go_on(&mut self.chance) || new.is_some() {
            self.send_views();
        }
    }

    fn send_views(&mut self) {
        for slot in 0..self.conditions.servers {
            let view = Box::new(self.coordinator.view(Incarnation(u64::from(slot) + 1)));
            self.wire.push(Flight::ViewToServer { slot, view });
        }
        for worker in self.workers.keys().filter(|worker| !self.lost.contains(worker)) {
            let view = Box::new(self.coordinator.view(*worker));
            self.wire.push(Flight::ViewToWorker { worker: *worker, view });
        }
    }

    fn deliver(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let mut at = self.chance.below(self.wire.len());
        if let Flight::ToWorker { stream, .. } = &self.wire[at]
            && !self.conditions.wild
        {
            let first = |flight: &Flight| matches!(flight, Flight::ToWorker { stream: other, .. } if other == stream);
            at = self.wire.iter().position(first).unwrap();
        }
        match self.wire.remove(at) {
            Flight::ViewToServer { slot, view } => self.server(slot, ps::Input::View(view)),
            Flight::ViewToWorker { worker, view } => self.worker(worker, Input::View(view), None),
            Flight::Open { slot, stream } => {
                self.open.insert(stream);
                let server = &self.servers[slot as usize];
                let (generation, cursors) = (server.generation(), server.cursors());
                let incarnation = Incarnation(u64::from(slot) + 1);
                let input = Input::Connected { slot, incarnation, generation, cursors };
                self.wire.push(Flight::ToWorker { stream, input, values: None });
            }
            Flight::ToServer { slot, input, .. } => self.server(slot, input),
            Flight::Pull { slot, stream, generation, chunks, version } => self.pull((slot, stream), generation, &chunks, version),
            Flight::ToWorker { stream, input, values } => {
                if let Some(worker) = self.reads(stream) {
                    self.worker(worker, input, values);
                }
            }
            Flight::Broken { stream } => {
                if let Some(worker) = self.reads(stream) {
                    let (slot, _) = self.streams[stream as usize];
                    self.workers.get_mut(&worker).unwrap().streams.remove(&slot);
                    self.worker(worker, Input::Disconnected { slot }, None);
                }
            }
            Flight::Told(generation, fact) => self.coordinator.hear(generation, fact),
        }
    }

    // The worker that has this stream as its present one.
    fn reads(&self, stream: u64) -> Option<Incarnation> {
        let (slot, worker) = self.streams[stream as usize];
        let process = self.workers.get(&worker)?;
        (process.streams.get(&slot) == Some(&stream)).then_some(worker)
    }

    fn progress(&mut self) {
        let busy: Vec<Incarnation> = self.workers.values().filter(|process| process.busy()).map(|process| process.incarnation).collect();
        if let Some(worker) = self.chance.pick(&busy) {
            let process = self.workers.get_mut(&worker).unwrap();
            let (generation, input) = (process.driver.generation(), process.progress());
            let fact = match input {
                Input::Evaluated { evaluation, shard } => process.digest().map(|digest| Fact::Evaluated { evaluation, shard, digest }),
                Input::Exported { .. } => process.digest().map(|digest| Fact::Exported { digest }),
                _ => None,
            };
            self.wire.extend(fact.map(|fact| Flight::Told(generation, fact)));
            self.worker(worker, input, None);
        }
    }

    fn retry(&mut self) {
        let waiting: Vec<Incarnation> = self.workers.values().filter(|process| process.timer).map(|process| process.incarnation).collect();
        if let Some(worker) = self.chance.pick(&waiting) {
            self.workers.get_mut(&worker).unwrap().timer = false;
            self.worker(worker, Input::Retry, None);
        }
    }

    fn worker(&mut self, worker: Incarnation, input: Input, values: Option<Bytes>) {
        let Some(process) = self.workers.get_mut(&worker) else { return };
        let mut effects = Vec::new();
        process.driver.apply(input, &mut effects);
        for effect in effects {
            let process = self.workers.get_mut(&worker).unwrap();
            if process.perform(self.model, &effect, values.as_ref()) {
                continue;
            }
            match effect {
                Effect::Connect { slot, .. } => self.connect(worker, slot),
                Effect::Disconnect { slot } => {
                    let stream = process.streams.remove(&slot).expect("only open streams are closed");
                    self.cut(stream);
                }
                Effect::Pull { slot, chunks, version } => {
                    let (stream, generation) = (process.streams[&slot], process.driver.generation());
                    self.wire.push(Flight::Pull { slot, stream, generation, chunks, version });
                }
                Effect::Push { slot, chunk, step, block, records, view_revision } => {
                    let payload = process.sums[&(chunk, step, block)].clone();
                    let from = process.streams[&slot];
                    let (incarnation, generation) = (worker, process.driver.generation());
                    let push = ps::Push { from, incarnation, view_revision, generation, step, chunk, block, records, payload };
                    self.push(slot, push);
                }
                Effect::Stop { .. } => {
                    let process = self.workers.remove(&worker).unwrap();
                    process.streams.into_values().for_each(|stream| self.cut(stream));
                    self.tell(Fact::Left { worker });
                    return;
                }
                Effect::Fenced => {
                    assert!(self.lost.contains(&worker), "{worker} was fenced alive");
                    self.workers.remove(&worker);
                    return;
                }
                Effect::Applied { .. } | Effect::ReportShard { .. } | Effect::ReportExport { .. } => {}
                other => panic!("{worker}: {other}"),
            }
        }
        self.workers[&worker].check_sums(self.model);
    }

    fn connect(&mut self, worker: Incarnation, slot: u32) {
        let stream = self.streams.len() as u64;
        self.streams.push((slot, worker));
        self.workers.get_mut(&worker).unwrap().streams.insert(slot, stream);
        self.wire.push(Flight::Open { slot, stream });
    }

    fn push(&mut self, slot: u32, push: ps::Push) {
        let copies = if self.conditions.faults > 0 && self.chance.percent(15) { 2 } else { 1 };
        for _ in 0..copies {
            self.wire.push(Flight::ToServer { slot, stream: Some(push.from), input: ps::Input::Push(push.clone()) });
        }
        self.sent.push((slot, push));
    }

    // As a server's shell answers one call: the first chunk that is gone ends it.
    fn pull(&mut self, (slot, from): (u32, u64), generation: Generation, chunks: &[u32], step: u64) {
        for &chunk in chunks {
            let mut effects = Vec::new();
            self.servers[slot as usize].apply(ps::Input::Pull { from, generation, chunk, step }, &mut effects);
            let gone = matches!(effects[..], [ps::Effect::Gone { .. }]);
            self.perform(slot, effects);
            if gone {
                return;
            }
        }
    }

    fn server(&mut self, slot: u32, input: ps::Input) {
        let mut effects = Vec::new();
        let pushed = if let ps::Input::Push(push) = &input { Some((push.incarnation, push.block, push.step)) } else { None };
        let counted = |server: &ps::Server| server.cursors().iter().map(|(_, step)| step).sum::<u64>();
        let before = counted(&self.servers[slot as usize]);
        let seen = matches!(input, ps::Input::View(_));
        self.servers[slot as usize].apply(input, &mut effects);
        let server = &self.servers[slot as usize];
        if let Some(CutReport { id, outcome: CutOutcome::Missed }) = server.report().cut.filter(|_| seen) {
            self.wire.push(Flight::Told(server.generation(), Fact::Missed { id }));
        }
        // What one counts that does not know yet that the parameters have gone back is lost.
        let present = self.servers[slot as usize].generation() == self.coordinator.generation();
        if let Some((worker, block, step)) = pushed.filter(|_| present) {
            if !self.model.train.is_bsp() {
                if counted(&self.servers[slot as usize]) > before {
                    self.coordinator.check_counted(worker, step);
                }
            } else if taken(&effects) {
                self.coordinator.check_taken(worker, block);
            }
        }
        self.check_clocks();
        self.perform(slot, effects);
    }

    // In ssp no worker is further ahead of the slowest than it may be.
    fn check_clocks(&self) {
        let Some(staleness) = self.model.train.staleness() else { return };
        for clocks in self.servers.iter().map(ps::Server::clocks).filter(|clocks| !clocks.is_empty()) {
            let (least, most) = (clocks.iter().map(|(_, clock)| clock).min(), clocks.iter().map(|(_, clock)| clock).max());
            let (least, most) = least.zip(most).expect("there are some");
            assert!(most - least <= u64::from(staleness), "{clocks:?}");
        }
    }

    fn tell(&mut self, fact: Fact) {
        self.wire.push(Flight::Told(self.coordinator.generation(), fact));
    }

    // What a server wants done.
    fn perform(&mut self, slot: u32, effects: Vec<ps::Effect>) {
        let generation = self.servers[slot as usize].generation();
        let told = |fact| Flight::Told(generation, fact);
        for effect in effects {
            match effect {
                ps::Effect::Answer { to, generation, chunk, step, block, answer } => {
                    self.tell_worker(to, Input::Answer { generation, chunk, step, block, answer }, None);
                }
                ps::Effect::Updated { generation, chunk, version, values } => {
                    let streams: Vec<u64> = self.open.iter().copied().filter(|stream| self.streams[*stream as usize].0 == slot).collect();
                    for stream in streams {
                        self.tell_worker(stream, Input::Chunk { generation, chunk, version }, Some(values.clone()));
                    }
                }
                ps::Effect::Pulled { to, generation, chunk, version, values } => {
                    self.tell_worker(to, Input::Chunk { generation, chunk, version }, Some(values));
                }
                ps::Effect::Gone { to, generation, chunk, version } => {
                    self.tell_worker(to, Input::Gone { generation, chunk, version }, None);
                }
                ps::Effect::SendNorms { generation, step, segments } => {
                    self.link(0, ps::Input::Norms { from: slot, generation, step, segments });
                }
                ps::Effect::SendScale { to, generation, step, scale } => self.link(to, ps::Input::Scale { generation, step, scale }),
                ps::Effect::Reached { step } => self.wire.push(told(Fact::Reached { slot, step })),
                ps::Effect::Applied { revision } => {
                    self.wire.push(told(Fact::Applied { slot, revision }));
                    // As a report says it: shards may be done that a view has only just leased.
                    let report = self.servers[slot as usize].report();
                    self.wire.push(told(Fact::Done { slot, done: report.done }));
                    self.wire.extend(report.reached.map(|step| told(Fact::Reached { slot, step })));
                }
                ps::Effect::CurveGrew { .. } => {}
                ps::Effect::BeginCut { checkpoint, parts, points } => {
                    let chunks = parts.iter().map(|head| head.id).collect();
                    self.begun.insert((checkpoint.id, slot), (chunks, points));
                }
                ps::Effect::CutChunk { id, chunk, values, slots, curve, counted } => {
                    self.write((id, slot), chunk, ps::Content { values, slots, curve, counted })
                }
                ps::Effect::DropCut { id } => drop(self.begun.remove(&(id, slot))),
                ps::Effect::Restore { checkpoint, parts } => {
                    let (id, saved) = (checkpoint.id, &self.saved[&checkpoint.id]);
                    let contents: BTreeMap<u32, ps::Content> = parts.iter().map(|head| (head.id, saved[&head.id].clone())).collect();
                    assert!(parts.iter().all(|head| head.shards as usize == contents[&head.id].counted.len()), "{parts:?}");
                    self.wire.push(Flight::ToServer { slot, stream: None, input: ps::Input::Restored { id, contents } });
                }
                ps::Effect::Report => {
                    let done = self.servers[slot as usize].report().done;
                    self.wire.push(told(Fact::Done { slot, done }));
                }
                ps::Effect::Fail { fault } => panic!("{fault:?}"),
            }
        }
    }

    // As a server's shell does: a file has room for as many points as were foretold.
    fn write(&mut self, (id, slot): (CheckpointId, u32), chunk: u32, mut content: ps::Content) {
        let Some((waiting, points)) = self.begun.get_mut(&(id, slot)) else { return };
        let points = usize::try_from(*points).unwrap();
        assert!(content.curve.len() <= points, "{id}: {} points of {points}", content.curve.len());
        if !content.curve.is_empty() {
            content.curve.resize(points, CurvePoint { step: 0, loss_sum: 0.0, records: 0.0, correct: 0.0 });
        }
        assert!(waiting.remove(&chunk), "{id}: chunk {chunk} is written twice");
        let whole = waiting.is_empty();
        self.saved.entry(id).or_default().insert(chunk, content);
        if whole {
            self.wire.push(Flight::Told(id.generation, Fact::Part { slot, id }));
        }
    }

    // A server dies, and all parameters go back with it.
    fn lose_server(&mut self) {
        let slot = u32::try_from(self.chance.below(self.servers.len())).unwrap();
        let streams: Vec<u64> = self.workers.values().filter_map(|process| process.streams.get(&slot)).copied().collect();
        streams.into_iter().for_each(|stream| self.cut(stream));
        self.servers[slot as usize] = ps::Server::new(ps::Config { slot, train: self.model.train.clone() });
        self.begun.retain(|(_, of), _| *of != slot);
        self.wire.retain(|flight| match flight {
            Flight::ViewToServer { slot: of, .. } | Flight::ToServer { slot: of, .. } => *of != slot,
            Flight::Told(_, Fact::Applied { slot: of, .. }) => *of != slot,
            _ => true,
        });
        self.coordinator.fall_back(slot);
        self.send_views();
    }

    // A checkpoint at a step that servers are about to reach, or have reached.
    fn save(&mut self) {
        let reached = self.servers.iter().flat_map(ps::Server::cursors).map(|(_, step)| step).max().unwrap_or(0);
        let step = (reached + self.chance.below(6) as u64).saturating_sub(self.chance.below(4) as u64);
        if self.coordinator.cut(step) {
            self.send_views();
        }
    }

    fn tell_worker(&mut self, stream: u64, input: Input, values: Option<Bytes>) {
        if self.open.contains(&stream) {
            self.wire.push(Flight::ToWorker { stream, input, values });
        }
    }

    fn link(&mut self, slot: u32, input: ps::Input) {
        let copies = if self.conditions.faults > 0 && self.chance.percent(15) { 2 } else { 1 };
        for _ in 0..copies {
            self.wire.push(Flight::ToServer { slot, stream: None, input: input.clone() });
        }
    }

    // What the stream carries is lost, but for pushes that were nearly there.
    fn cut(&mut self, stream: u64) {
        self.open.remove(&stream);
        let chance = &mut self.chance;
        self.wire.retain(|flight| match flight {
            Flight::Open { stream: of, .. } | Flight::ToWorker { stream: of, .. } => *of != stream,
            Flight::ToServer { stream: of, .. } => *of != Some(stream) || chance.percent(50),
            Flight::Pull { stream: of, .. } => *of != stream || chance.percent(50),
            _ => true,
        });
        self.wire.push(Flight::Broken { stream });
    }

    fn fault(&mut self) {
        if self.faults_left == 0 {
            return;
        }
        self.faults_left -= 1;
        let live: Vec<Incarnation> = self.coordinator.workers.iter().copied().filter(|worker| self.workers.contains_key(worker)).collect();
        match self.chance.below(16) {
            // A stream breaks.
            0..3 => {
                let open: Vec<u64> = self.workers.values().flat_map(|process| process.streams.values().copied()).collect();
                if let Some(stream) = self.chance.pick(&open) {
                    self.cut(stream);
                }
            }
            // An old push comes again.
            3..6 if !self.sent.is_empty() => {
                for _ in 0..8 {
                    let (slot, push) = self.sent[self.chance.below(self.sent.len())].clone();
                    self.wire.push(Flight::ToServer { slot, stream: None, input: ps::Input::Push(push) });
                }
            }
            // A worker dies, or only seems to.
            6..8 => {
                if let Some(worker) = self.chance.pick(&live).filter(|_| !self.coordinator.done()) {
                    self.lost.insert(worker);
                    self.tell(Fact::Lost { worker });
                    if self.chance.percent(60) {
                        let process = self.workers.remove(&worker).unwrap();
                        process.streams.into_values().for_each(|stream| self.cut(stream));
                    }
                }
            }
            // A lane changes hands.
            8 => {
                self.coordinator.revoke_any(&mut self.chance);
                self.send_views();
            }
            // There are to be more workers, or fewer.
            9..11 => {
                let workers = 1 + self.chance.below(self.coordinator.lanes().min(4));
                self.coordinator.scale(workers, &mut self.chance);
                self.send_views();
            }
            11 if !self.coordinator.done() => self.lose_server(),
            12..15 => self.save(),
            // The stream between two servers breaks.
            _ => {
                let slot = u32::try_from(self.chance.below(self.servers.len())).unwrap();
                self.wire.retain(|flight| match flight {
                    Flight::ToServer { slot: to, input: ps::Input::Scale { .. }, .. } => *to != slot,
                    Flight::ToServer { input: ps::Input::Norms { from, .. }, .. } => *from != slot,
                    _ => true,
                });
                self.wire.push(Flight::ToServer { slot, stream: None, input: ps::Input::Linked });
            }
        }
    }

    fn outcome(mut self) -> Outcome {
        let last = self.model.plan.steps();
        let placed: Vec<(u32, u32)> = (0u32..).zip(self.coordinator.placement().servers.clone()).collect();
        let mut parameters = Vec::new();
        for (chunk, slot) in placed {
            let mut effects = Vec::new();
            let pull = ps::Input::Pull { from: 0, generation: self.coordinator.generation(), chunk, step: last };
            self.servers[slot as usize].apply(pull, &mut effects);
            let [ps::Effect::Pulled { values, .. }] = &effects[..] else { panic!("{effects:?}") };
            parameters.push(to_values(values).into_iter().map(f32::to_bits).collect());
        }
        let curve = self.servers.iter().flat_map(|server| server.curve(0).to_vec()).collect();
        Outcome { parameters, curve, digests: self.coordinator.digests }
    }
}

// Whether a push was taken: held, or the last one of its step.
fn taken(effects: &[ps::Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, ps::Effect::Answer { answer: Answer::Held, .. } | ps::Effect::Updated { .. }))
}
