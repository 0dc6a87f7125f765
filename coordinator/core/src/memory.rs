//! How much memory a job's parameters take, about: what it is while the slowest worker is waited for.
//!
//! In bytes, with 4 a number, for a model of P numbers of which a server holds the part E:
//!
//! ```text
//!   server   4 E (2 + slots + blocks)    the version and the one before; what the optimizer keeps; a sum for each
//!                                        block that workers push
//!   worker   4 P (3 + levels)            the model; the version that comes; the sum that is sent; a partial sum for
//!                                        each level of the tree below a worker's lanes
//! ```
//!
//! Records, activations, code and buffers of the network are not in it.

use crate::job::Job;
use crate::lane::deal;
use std::collections::BTreeMap;
use tfcoord_types::id::TaskId;
use tfcoord_types::job::Optimizer;
use tfcoord_types::layout::Layout;

const MB: u64 = 1 << 20;
const NUMBER_BYTES: u64 = 4;

/// What the parameters take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The server with the largest part.
    pub server: TaskId,
    /// Bytes of that server.
    pub server_bytes: u64,
    /// Bytes of all servers together.
    pub servers_bytes: u64,
    /// Bytes of each worker.
    pub worker_bytes: u64,
}

impl Need {
    /// That of a job whose chunks lie where `places` says: the server slot of each chunk of `layout`.
    pub fn new(job: &Job, layout: &Layout, places: &[u32]) -> Self {
        let mut parts: BTreeMap<u32, u64> = BTreeMap::new();
        for (chunk, slot) in layout.chunks.iter().zip(places) {
            *parts.entry(*slot).or_default() += chunk.len;
        }
        let (slot, part) = parts.iter().rev().max_by_key(|(_, part)| **part).map_or((0, 0), |(slot, part)| (*slot, *part));
        let all: u64 = parts.values().sum();
        let workers = job.file.worker.count;
        let mut lanes = vec![0u32; workers.max(1) as usize];
        for worker in deal(job.plan.micro_batches, workers) {
            lanes[worker as usize] += 1;
        }
        let blocks: u32 = lanes.iter().map(|lanes| lanes.count_ones()).sum();
        let levels = lanes.iter().max().map_or(0, |most| most.checked_ilog2().unwrap_or(0));
        let copies = 2 + slots(&job.file.train.optimizer) + u64::from(blocks);
        let bytes = |numbers: u64, copies: u64| numbers.saturating_mul(NUMBER_BYTES).saturating_mul(copies);
        Self {
            server: TaskId::server(slot),
            server_bytes: bytes(part, copies),
            servers_bytes: bytes(all, copies),
            worker_bytes: bytes(all, 3 + u64::from(levels)),
        }
    }

    /// Why there is not enough of it, if so: number, limit and remedy. `machine_bytes` is the memory of the machine that
    /// all tasks share, if they do and it is known.
    pub fn problem(&self, job: &Job, machine_bytes: Option<u64>) -> Option<String> {
        let (servers, workers) = (&job.file.parameter_server, u64::from(job.file.worker.count));
        if self.server_bytes > servers.mem.saturating_mul(MB) {
            let (server, need, mem) = (self.server, self.server_bytes.div_ceil(MB), servers.mem);
            return Some(format!(
                "{server} would need about {need} MB of memory for its part of the parameters, but parameter_server.mem is {mem}: \
                 raise it, raise parameter_server.count, or use a smaller model"
            ));
        }
        let together = self.servers_bytes.saturating_add(self.worker_bytes.saturating_mul(workers));
        let machine = machine_bytes.filter(|machine| together > *machine)?;
        let [together, servers, worker] = [together, self.servers_bytes, self.worker_bytes].map(|bytes| bytes.div_ceil(MB));
        Some(format!(
            "its tasks would need about {together} MB of memory for the parameters, {servers} MB of it on servers and {worker} MB in each of \
             {workers} workers, but the machine has {}: use fewer workers or a smaller model",
            machine / MB
        ))
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
