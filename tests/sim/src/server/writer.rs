//! The thread that writes a server's parts of checkpoints, one thing after the other and each in its time.

use crate::nature::{Nature, Node, Timer};
use crate::queue::Us;
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tfcoord_checkpoint::PartName;
use tfcoord_ps_core::{Content, Effect, Head, Input};
use tfcoord_types::checkpoint::{Checkpoint, CutOutcome};
use tfcoord_types::id::{CheckpointId, Incarnation};

/// The thread, and those that read.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    node: Node,
    slot: u32,
    // How long one thing takes at most.
    pace: Us,
    orders: VecDeque<Order>,
    busy: bool,
    present: Option<Part>,
    reads: BTreeMap<u32, (Checkpoint, Vec<Head>)>,
    reads_begun: u32,
}

#[derive(Debug)]
enum Order {
    Begin { checkpoint: Checkpoint, chunks: BTreeSet<u32> },
    Chunk { id: CheckpointId, chunk: u32, content: Content },
    Drop { id: CheckpointId },
    Finish { id: CheckpointId },
}

#[derive(Debug)]
struct Part {
    id: CheckpointId,
    dir: String,
    file: String,
    waiting: BTreeSet<u32>,
}

impl Writer {
    pub fn new(store: Store, node: Node, slot: u32, pace: Us) -> Self {
        let (orders, reads) = (VecDeque::new(), BTreeMap::new());
        Self { store, node, slot, pace, orders, busy: false, present: None, reads, reads_begun: 0 }
    }

    /// Takes an effect that is about checkpoints; gives back any other one.
    pub fn carry_out(&mut self, nature: &mut Nature, effect: Effect) -> Option<Effect> {
        let order = match effect {
            Effect::BeginCut { checkpoint, parts, .. } => Order::Begin { checkpoint, chunks: parts.iter().map(|head| head.id).collect() },
            Effect::CutChunk { id, chunk, values, slots, curve, counted } => {
                Order::Chunk { id, chunk, content: Content { values, slots, curve, counted } }
            }
            Effect::DropCut { id } => Order::Drop { id },
            Effect::Restore { checkpoint, parts } => {
                self.reads_begun += 1;
                self.reads.insert(self.reads_begun, (checkpoint, parts));
                let most = if nature.chance.percent(20) { 40 } else { 4 };
                let after = nature.chance.between(self.pace / 10, self.pace * most);
                nature.timer(self.node, 0, after, Timer::Read { number: self.reads_begun });
                return None;
            }
            other => return Some(other),
        };
        self.orders.push_back(order);
        self.work(nature);
        None
    }

    fn work(&mut self, nature: &mut Nature) {
        if !self.orders.is_empty() && !std::mem::replace(&mut self.busy, true) {
            let after = nature.chance.between(self.pace / 50, self.pace / 2);
            nature.timer(self.node, 0, after, Timer::Written);
        }
    }

    /// A checkpoint is read, or cannot be.
    pub fn read(&mut self, nature: &mut Nature, number: u32) -> Input {
        let (checkpoint, heads) = self.reads.remove(&number).expect("it was begun");
        let id = checkpoint.id;
        match self.store.read(&checkpoint, &heads) {
            Ok(contents) => {
                nature.tally.add("checkpoint read");
                Input::Restored { id, contents }
            }
            Err(reason) => {
                nature.note(format_args!("{}: checkpoint {id} cannot be read: {reason}", self.node));
                nature.tally.add("checkpoint not read");
                nature.laws.checkpoints.unreadable(&nature.laws.history, &checkpoint, &self.store, &reason);
                Input::RestoreFailed { id, reason }
            }
        }
    }

    /// The next thing is done: what there is to tell the core.
    pub fn written(&mut self, nature: &mut Nature, incarnation: Incarnation) -> Option<Input> {
        self.busy = false;
        let order = self.orders.pop_front().expect("it was busy with it");
        let input = match order {
            Order::Begin { checkpoint: Checkpoint { id, dir }, chunks } => {
                let file = PartName { id, slot: self.slot, incarnation }.to_string();
                let created = self.store.create(&dir, &file);
                self.present = created.is_ok().then_some(Part { id, dir, file, waiting: chunks });
                created.err().map(|reason| self.failed(nature, id, reason))
            }
            Order::Chunk { id, chunk, content } => self.write(nature, id, chunk, content),
            Order::Finish { id } => self.finish(nature, id),
            Order::Drop { id } => {
                self.remove(id);
                None
            }
        };
        self.work(nature);
        input
    }

    fn write(&mut self, nature: &mut Nature, id: CheckpointId, chunk: u32, content: Content) -> Option<Input> {
        let part = self.present.as_mut().filter(|part| part.id == id)?;
        if !part.waiting.remove(&chunk) {
            return None;
        }
        if let Err(reason) = self.store.write(&part.dir, &part.file, chunk, content) {
            self.remove(id);
            return Some(self.failed(nature, id, reason));
        }
        if part.waiting.is_empty() {
            self.orders.push_front(Order::Finish { id });
        }
        None
    }

    fn finish(&mut self, nature: &mut Nature, id: CheckpointId) -> Option<Input> {
        let part = self.present.take_if(|part| part.id == id)?;
        match self.store.finish(&part.dir, &part.file) {
            Ok(file) => {
                nature.tally.add("part written");
                Some(Input::CutDone { id, outcome: CutOutcome::Written(file) })
            }
            Err(reason) => Some(self.failed(nature, id, reason)),
        }
    }

    fn remove(&mut self, id: CheckpointId) {
        if let Some(part) = self.present.take_if(|part| part.id == id) {
            self.store.remove(&part.dir, &part.file);
        }
    }

    fn failed(&self, nature: &mut Nature, id: CheckpointId, reason: String) -> Input {
        nature.note(format_args!("{}: checkpoint {id} is not written: {reason}", self.node));
        nature.tally.add("part not written");
        Input::CutDone { id, outcome: CutOutcome::Failed { reason } }
    }
}
