//! `local`: a round trained alone. The job's optimizer runs here, on a copy of the parameters, and what is pushed is what
//! the round has changed. What the optimizer keeps stays with the worker from round to round, and is lost with it.

use crate::trainer::ChunkSum;
use bytes::{Bytes, BytesMut};
use std::ops::Range;
use tfcoord_optimizer::{Kernel, Slots, mean, schedule};
use tfcoord_types::job::Train;
use tfcoord_types::layout::Layout;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::shard::Shards;
use tfcoord_types::variable::Group;

/// The parameters of a worker that trains alone.
pub struct Local {
    train: Train,
    plan: TrainPlan,
    shards: Shards,
    chunks: Vec<Chunk>,
    // Batches that its optimizer has seen.
    batches: u64,
}

struct Chunk {
    group: Group,
    // As it came.
    base: Vec<f32>,
    // Of what is trained: as it is now. Of what is not: the sums of the round.
    now: Vec<f32>,
    slots: Slots,
    // The sums of the batch that is computed.
    batch: Vec<f32>,
}

impl Local {
    /// For a job in `local`, else nothing.
    pub fn new(train: &Train, plan: TrainPlan, layout: &Layout) -> Option<Self> {
        let shards = Shards::new(&plan, &train.sync).filter(|_| matches!(train.sync, tfcoord_types::job::Sync::Local { .. }))?;
        let chunk = |id: u32| {
            let (group, len) = (layout.group(id), usize::try_from(layout.chunks[id as usize].len).expect("a chunk fits memory"));
            let slots = if group == Group::Train { Slots::new(&train.optimizer, len) } else { Slots::default() };
            Chunk { group, base: vec![0.0; len], now: vec![0.0; len], slots, batch: vec![0.0; len] }
        };
        let chunks = 0..u32::try_from(layout.chunks.len()).expect("a layout has fewer than 2^32 chunks");
        Some(Self { train: train.clone(), plan, shards, chunks: chunks.map(chunk).collect(), batches: 0 })
    }

    /// The steps of the round that begins with `step`.
    pub fn round(&self, step: u64) -> Range<u64> {
        self.shards.round(step)
    }

    /// A chunk came; of the right length, as it was installed already.
    pub fn install(&mut self, chunk: u32, values: &[u8]) {
        if let Some(chunk) = self.chunks.get_mut(chunk as usize) {
            read(&mut chunk.base, values);
        }
    }

    /// Forgets what was trained since the chunks came: their values, by chunk.
    pub fn reset(&mut self) -> impl Iterator<Item = (u32, Bytes)> {
        let reset = |(id, chunk): (u32, &mut Chunk)| {
            let trained = chunk.group == Group::Train;
            if trained {
                chunk.now.copy_from_slice(&chunk.base)
            } else {
                chunk.now.fill(0.0)
            }
            trained.then(|| (id, bytes(&chunk.base)))
        };
        (0u32..).zip(&mut self.chunks).filter_map(reset)
    }

    /// A chunk's sum of the present batch.
    pub fn add(&mut self, sum: &ChunkSum) {
        read(&mut self.chunks[sum.chunk as usize].batch, &sum.payload);
    }

    /// All sums of the batch of `step` are in, of so many records: the changed values, by chunk.
    pub fn step(&mut self, step: u64, records: f32) -> impl Iterator<Item = (u32, Bytes)> {
        let kernel = Kernel::new(&self.train.optimizer, self.batches, schedule::factor(&self.train, step, self.plan.steps()));
        self.batches += 1;
        let apply = move |(id, chunk): (u32, &mut Chunk)| match &kernel {
            Some(kernel) if chunk.group == Group::Train => {
                mean(&mut chunk.batch, records, 1.0);
                kernel.run(&mut chunk.now, &chunk.batch, &mut chunk.slots, 0..chunk.base.len());
                Some((id, bytes(&chunk.now)))
            }
            _ => {
                chunk.now.iter_mut().zip(&chunk.batch).for_each(|(now, sum)| *now += sum);
                None
            }
        };
        (0u32..).zip(&mut self.chunks).filter_map(apply)
    }

    /// What the round has changed, or summed, by chunk.
    pub fn changes(&self) -> impl Iterator<Item = ChunkSum> {
        let change = |(id, chunk): (u32, &Chunk)| {
            let trained = chunk.group == Group::Train;
            let change: Vec<f32> = chunk.now.iter().zip(&chunk.base).map(|(now, base)| if trained { now - base } else { *now }).collect();
            ChunkSum { chunk: id, payload: bytes(&change) }
        };
        (0u32..).zip(&self.chunks).map(change)
    }
}

fn read(to: &mut [f32], from: &[u8]) {
    to.iter_mut().zip(from.as_chunks::<4>().0).for_each(|(to, from)| *to = f32::from_le_bytes(*from));
}

fn bytes(values: &[f32]) -> Bytes {
    let mut bytes = BytesMut::zeroed(values.len() * 4);
    bytes.as_chunks_mut::<4>().0.iter_mut().zip(values).for_each(|(to, from)| *to = from.to_le_bytes());
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_types::layout::SEGMENT;
    use tfcoord_types::variable::{Initializer, Variable};

    fn local() -> Local {
        let train = r#"{"batch_size": 2, "micro_batches": 1, "epochs": 1, "optimizer": {"momentum": {"learning_rate": 0.5, "momentum": 0.5}},
            "sync": {"local": {"every": 2}}}"#;
        let variable = |name: &str, group| Variable { name: name.into(), shape: vec![2], initializer: Initializer::Zeros, group };
        let layout = Layout::new(&[variable("w", Group::Train), variable("c", Group::Curve)], SEGMENT).unwrap();
        let plan = TrainPlan { records: 6, batch_size: 2, micro_batches: 1, epochs: 1 };
        Local::new(&serde_json::from_str(train).unwrap(), plan, &layout).unwrap()
    }

    fn floats(bytes: &[u8]) -> Vec<f32> {
        let mut values = vec![0.0; bytes.len() / 4];
        read(&mut values, bytes);
        values
    }

    fn sum(chunk: u32, value: f32) -> ChunkSum {
        ChunkSum { chunk, payload: bytes(&[value, 0.0]) }
    }

    #[test]
    fn a_round_is_trained_alone_and_gives_what_it_has_changed() {
        let mut local = local();
        assert_eq!((local.round(0), local.round(2)), (0..2, 2..3));
        local.install(0, &bytes(&[1.0, 7.0]));
        assert_eq!(local.reset().map(|(chunk, values)| (chunk, floats(&values))).collect::<Vec<_>>(), [(0, vec![1.0, 7.0])]);
        let mut seen = Vec::new();
        for step in 0..2 {
            local.add(&sum(0, 4.0));
            local.add(&sum(1, 3.0));
            seen.extend(local.step(step, 2.0).map(|(_, values)| floats(&values)[0]));
        }
        // v = 2, then 3; w -= 0.5 v.
        assert_eq!(seen, [0.0, -1.5]);
        let changes = |local: &Local| local.changes().map(|sum| floats(&sum.payload)[0]).collect::<Vec<_>>();
        assert_eq!(changes(&local), [-2.5, 6.0]);
        local.install(0, &bytes(&[2.0, 7.0]));
        assert_eq!(local.reset().count(), 1);
        local.add(&sum(0, 0.0));
        assert_eq!(local.step(2, 2.0).map(|(_, values)| floats(&values)[0]).collect::<Vec<_>>(), [1.25], "its velocity stays");
        assert_eq!(changes(&local)[0], -0.75);
    }
}
