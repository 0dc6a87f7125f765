//! How much memory a job's tasks take at their peak, about: known from the job's file and data before anything is
//! launched, and looked at again once a worker has named the model's variables.
//!
//! In bytes, with 4 a number, for a model of P numbers of which a server holds the part E:
//!
//! ```text
//!   server   4 E (2 + slots + blocks)          the version and the one before; what the optimizer keeps; a sum for each
//!                                              block that workers push
//!   worker   4 P (2 + its blocks + levels)     the model; the version that comes; a sum that is sent for each of its
//!                                              blocks; a partial sum for each level of the tree below its largest block
//! ```
//!
//! Outside of `bsp` each worker has all blocks of its own steps, as one; for the L of P that are `local` it takes
//! 4 L (3 + slots) more.
//!
//! Messages take more than the numbers in them, of which a chunk has C bytes at most, but never more than a copy of all
//! that are sent or kept:
//!
//! ```text
//!   kept   by a worker: a frame for each chunk   a message lies in the buffer that it came in, with a part of the next one
//!   sent   1 MiB + 2 C a connection              encoded, and waiting for the connection
//! ```
//!
//! Beside it comes what the preparation has told: [`Beside`]. Jobs for which it told nothing are those in logs of earlier
//! versions: they are reckoned as they were then, by numbers and one block a worker, so that they are decided alike.

use crate::job::Job;
use crate::lane::deal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tfcoord_types::exchange::FRAME_BYTES;
use tfcoord_types::id::TaskId;
use tfcoord_types::job::Optimizer;
use tfcoord_types::layout::Layout;
use tfcoord_types::manifest::Beside;

const MB: u64 = 1 << 20;
const NUMBER_BYTES: u64 = 4;
/// What hyper takes of a stream before it waits for the connection: its default.
const SEND_BUFFER_BYTES: u64 = 1 << 20;

/// What a job's tasks take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The server with the largest part.
    pub server: TaskId,
    /// Bytes of that server.
    pub server_bytes: u64,
    /// Bytes of all servers together.
    pub servers_bytes: u64,
    /// Bytes of a worker: the one that takes most.
    pub worker_bytes: u64,
}

impl Need {
    /// That of a job with so many workers, whose chunks lie where `places` says: the server slot of each chunk of `layout`.
    pub fn new(job: &Job, workers: u32, layout: &Layout, places: &[u32]) -> Self {
        let mut parts: BTreeMap<u32, Part> = BTreeMap::new();
        for (chunk, slot) in layout.chunks.iter().zip(places) {
            parts.entry(*slot).or_default().add(chunk.len);
        }
        let (slot, part) =
            parts.iter().rev().max_by_key(|(_, part)| part.numbers).map_or_else(Default::default, |(slot, part)| (*slot, *part));
        let all = parts.values().fold(Part::default(), |all, part| all.and(*part));
        let mut lanes = vec![0u32; workers.max(1) as usize];
        match job.shards() {
            None => deal(job.plan.micro_batches, workers).into_iter().for_each(|worker| lanes[worker as usize] += 1),
            // Each of them computes whole steps.
            Some(_) => lanes.fill(job.plan.micro_batches),
        }
        let blocks: u32 = lanes.iter().map(|lanes| lanes.count_ones()).sum();
        let told = !job.manifest.beside.is_untold();
        let sums = |lanes: &u32| (if told { lanes.count_ones() } else { 1 }) + lanes.checked_ilog2().unwrap_or(0);
        let sums = lanes.iter().map(sums).max().unwrap_or(0);
        let sent = |part: &Part, connections: u32| if told { part.sent(connections) } else { 0 };
        let kept = if told { all.kept() } else { 0 };
        let copies = 2 + slots(&job.file.train.optimizer) + u64::from(blocks);
        let of_server = |part: Part| part.bytes(copies).saturating_add(sent(&part, workers));
        // Of what is `local` its parameters as they came and as it has trained them, what its optimizer keeps, and a batch's sums.
        let is_local = |id: u32| job.file.train.mode(layout.sync(id)).is_local();
        let local = (0u32..).zip(&layout.chunks).filter(|(id, _)| is_local(*id)).map(|(_, chunk)| chunk.len).sum();
        let alone = Part { numbers: local, ..all }.bytes(3 + slots(&job.file.train.optimizer));
        let of_worker = all.bytes(2 + u64::from(sums)).saturating_add(alone).saturating_add(kept);
        let Beside { worker, server } = job.manifest.beside;
        let servers = u64::from(job.file.parameter_server.count);
        Self {
            server: TaskId::server(slot),
            server_bytes: of_server(part).saturating_add(server),
            servers_bytes: parts.values().map(|part| of_server(*part)).fold(server.saturating_mul(servers), u64::saturating_add),
            worker_bytes: parts.values().map(|part| sent(part, 1)).fold(worker, u64::saturating_add).saturating_add(of_worker),
        }
    }

    /// Why there is not enough of it for so many workers, if so: number, limit and remedy. `machine_bytes` is the memory of the machine that
    /// all tasks share, if they do and it is known.
    pub fn problem(&self, job: &Job, count: u32, machine_bytes: Option<u64>) -> Option<String> {
        let (servers, workers) = (&job.file.parameter_server, &job.file.worker);
        if self.server_bytes > servers.mem.saturating_mul(MB) {
            let (server, need, mem) = (self.server, self.server_bytes.div_ceil(MB), servers.mem);
            return Some(format!(
                "{server} would need about {need} MB of memory for its part of the parameters, but parameter_server.mem is {mem}: \
                 raise it, raise parameter_server.count, or use a smaller model"
            ));
        }
        // Jobs of earlier versions were not held to it.
        if !job.manifest.beside.is_untold() && self.worker_bytes > workers.mem.saturating_mul(MB) {
            let (need, mem) = (self.worker_bytes.div_ceil(MB), workers.mem);
            return Some(format!(
                "a worker would need about {need} MB of memory, but worker.mem is {mem}: raise it, use smaller micro-batches (a smaller \
                 train.batch_size or more train.micro_batches), or a smaller model"
            ));
        }
        let count = u64::from(count);
        let together = self.servers_bytes.saturating_add(self.worker_bytes.saturating_mul(count));
        let machine = machine_bytes.filter(|machine| together > *machine)?;
        let [together, servers, worker] = [together, self.servers_bytes, self.worker_bytes].map(|bytes| bytes.div_ceil(MB));
        Some(format!(
            "its tasks would need about {together} MB of memory, {servers} MB of it on servers and {worker} MB in each of {count} workers, \
             but the machine has {}: use fewer workers or a smaller model",
            machine / MB
        ))
    }
}

// Some of the chunks.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    numbers: u64,
    chunks: u64,
    longest: u64,
}

impl Part {
    fn add(&mut self, numbers: u64) {
        *self = self.and(Self { numbers, chunks: 1, longest: numbers });
    }

    fn and(self, Self { numbers, chunks, longest }: Self) -> Self {
        Self { numbers: self.numbers + numbers, chunks: self.chunks + chunks, longest: self.longest.max(longest) }
    }

    fn bytes(self, copies: u64) -> u64 {
        self.numbers.saturating_mul(NUMBER_BYTES).saturating_mul(copies)
    }

    // What is longer than the numbers in what came and is kept.
    fn kept(self) -> u64 {
        self.chunks.saturating_mul(FRAME_BYTES.into()).min(self.bytes(1))
    }

    // What is on its way over so many connections.
    fn sent(self, connections: u32) -> u64 {
        let one = SEND_BUFFER_BYTES.saturating_add(self.longest.saturating_mul(2 * NUMBER_BYTES));
        one.min(self.bytes(1)).saturating_mul(connections.into())
    }
}

// Numbers that an optimizer keeps for each parameter.
fn slots(optimizer: &Optimizer) -> u64 {
    match optimizer {
        Optimizer::Sgd { .. } | Optimizer::Add {} => 0,
        Optimizer::Momentum { .. } | Optimizer::Rmsprop { .. } | Optimizer::Adagrad { .. } => 1,
        Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
    }
}
