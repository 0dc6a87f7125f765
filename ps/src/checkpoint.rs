//! Checkpoints, on the disk or in HDFS: what the core cuts is written, and what it begins from is read, each on a thread of its own,
//! so that the holder never waits for a file.

mod read;
mod write;

use crate::ask::Ask;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use tfcoord_checkpoint::{Directory, Kind, TensorHead};
use tfcoord_fs::FileSystems;
use tfcoord_ps_core::{Content, Effect, Head};
use tfcoord_types::checkpoint::Checkpoint;
use tfcoord_types::id::Incarnation;
use tokio::sync::mpsc::WeakSender;

/// Carries out what the core decides about checkpoints; the answers come as asks.
pub struct Checkpoints {
    slot: u32,
    systems: FileSystems,
    asks: WeakSender<Ask>,
    orders: mpsc::Sender<write::Order>,
}

impl Checkpoints {
    /// Of the server `slot`, whose files carry its incarnation. What goes to HDFS is gathered in `scratch` before.
    ///
    /// # Panics
    /// If no thread can be started.
    pub fn new(slot: u32, incarnation: Incarnation, systems: FileSystems, scratch: PathBuf, asks: WeakSender<Ask>) -> Self {
        let (orders, receiver) = mpsc::channel();
        let writer = write::Writer::new(write::Place { slot, incarnation, systems: systems.clone(), scratch }, asks.clone());
        thread::Builder::new().name("checkpoint".into()).spawn(move || writer.run(&receiver)).expect("a thread can be started");
        Self { slot, systems, asks, orders }
    }

    /// Takes an effect that is about checkpoints; gives back any other one.
    pub fn carry_out(&self, effect: Effect) -> Option<Effect> {
        let order = match effect {
            Effect::BeginCut { checkpoint, parts, points } => write::Order::Begin { checkpoint, parts, points },
            Effect::CutChunk { id, chunk, values, slots, curve, counted } => {
                write::Order::Chunk { id, chunk, content: Content { values, slots, curve, counted } }
            }
            Effect::DropCut { id } => write::Order::Drop { id },
            Effect::Restore { checkpoint, parts } => {
                self.restore(checkpoint, parts);
                return None;
            }
            other => return Some(other),
        };
        // Without its thread the process is ending.
        let _ended = self.orders.send(order);
        None
    }

    fn restore(&self, checkpoint: Checkpoint, parts: Vec<Head>) {
        tracing::info!("ps-{} begins from checkpoint {} in {}", self.slot, checkpoint.id, checkpoint.dir);
        let (asks, systems) = (self.asks.clone(), self.systems.clone());
        let read = move || {
            let id = checkpoint.id;
            let answer = match Directory::open(&systems, &checkpoint.dir).and_then(|dir| read::read(&dir, id, &parts)) {
                Ok(contents) => Ask::Restored { id, contents },
                Err(error) => Ask::RestoreFailed { id, reason: error.to_string() },
            };
            tell(&asks, answer);
        };
        let started = thread::Builder::new().name("restore".into()).spawn(read);
        started.expect("a thread can be started");
    }
}

// Whoever is told may have ended.
fn tell(asks: &WeakSender<Ask>, ask: Ask) {
    if let Some(asks) = asks.upgrade() {
        let _ended = asks.blocking_send(ask);
    }
}

/// The tensors of a chunk, in the order in which they are written; the curve has so many points.
fn tensors(head: &Head, points: u64) -> Vec<TensorHead> {
    let tensor = |kind, bytes| TensorHead { slab: head.chunk.slab, kind, offset: head.chunk.offset, bytes };
    let kinds = [Kind::Values, Kind::First, Kind::Second];
    let kept = usize::try_from(head.slots).unwrap_or(usize::MAX).saturating_add(1);
    let mut tensors: Vec<_> = kinds.into_iter().take(kept).map(|kind| tensor(kind, head.chunk.len * 4)).collect();
    if head.curve {
        tensors.push(TensorHead { offset: 0, ..tensor(Kind::Curve, points * POINT_BYTES) });
    }
    if head.shards > 0 {
        tensors.push(tensor(Kind::Counted, u64::from(head.shards) * 4));
    }
    tensors
}

/// Bytes of a point of the curve: loss sum, records, correct ones.
const POINT_BYTES: u64 = 12;
