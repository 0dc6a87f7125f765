//! `local`: rounds trained alone. For what is `local` the job's optimizer runs here, on a copy of the parameters, and what is
//! pushed is what a round has changed. What the optimizer keeps stays with the worker from round to round, and is lost with it.

use crate::trainer::ChunkSum;
use bytes::{Bytes, BytesMut};
use tfcoord_optimizer::{Kernel, Slots, mean, schedule};
use tfcoord_types::job::Train;
use tfcoord_types::layout::Layout;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::shard::Shards;
use tfcoord_types::variable::Group;

/// What a worker trains alone.
pub struct Local {
    train: Train,
    plan: TrainPlan,
    shards: Shards,
    // By chunk: those that are `local`.
    chunks: Vec<Option<Chunk>>,
    // The first step since the parameters were those that came, and the one after the last.
    ran: Option<(u64, u64)>,
    // Batches that its optimizer has seen.
    batches: u64,
}

struct Chunk {
    group: Group,
    // What came and is not begun with.
    came: Option<Bytes>,
    // As it was begun with, of what is trained.
    base: Vec<f32>,
    // Of what is trained: as it is now. Of what is not: the sums of the round.
    now: Vec<f32>,
    slots: Slots,
    // The sums of the batch that is computed.
    batch: Vec<f32>,
}

impl Local {
    /// For a job in which something is `local`, else nothing.
    pub fn new(train: &Train, plan: TrainPlan, layout: &Layout) -> Option<Self> {
        let shards = Shards::new(&plan, train)?;
        let chunk = |id: u32| {
            let (group, len) = (layout.group(id), usize::try_from(layout.chunks[id as usize].len).expect("a chunk fits memory"));
            let trained = group == Group::Train;
            let slots = if trained { Slots::new(&train.optimizer, len) } else { Slots::default() };
            let base = if trained { vec![0.0; len] } else { Vec::new() };
            let is_local = train.mode(layout.sync(id)).is_local();
            is_local.then(|| Chunk { group, came: None, base, now: vec![0.0; len], slots, batch: vec![0.0; len] })
        };
        let chunks = 0..u32::try_from(layout.chunks.len()).expect("a layout has fewer than 2^32 chunks");
        let chunks: Vec<Option<Chunk>> = chunks.map(chunk).collect();
        let some = chunks.iter().any(Option::is_some);
        some.then(|| Self { train: train.clone(), plan, shards, chunks, ran: None, batches: 0 })
    }

    /// Whether a chunk is trained alone.
    pub fn holds(&self, chunk: u32) -> bool {
        self.chunks.get(chunk as usize).is_some_and(Option::is_some)
    }

    /// One of its chunks came: nothing is changed by that before a round begins.
    pub fn install(&mut self, chunk: u32, values: Bytes) {
        if let Some(Some(chunk)) = self.chunks.get_mut(chunk as usize) {
            chunk.came = Some(values);
        }
    }

    /// Whether a step is to be computed with the parameters as they came, and not as a round has left them so far.
    pub fn begins(&self, step: u64) -> bool {
        self.shards.round(step).start == step || self.ran.is_none_or(|(_, next)| next != step)
    }

    /// Begins with what came, whatever was trained since: what is otherwise by that, by chunk.
    pub fn begin(&mut self) -> Vec<(u32, Bytes)> {
        let trained_since = self.ran.take().is_some();
        let begin = |(id, chunk): (u32, &mut Chunk)| {
            let came = chunk.came.take();
            if chunk.group == Group::Train {
                came.iter().for_each(|values| read(&mut chunk.base, values));
                chunk.now.copy_from_slice(&chunk.base);
                came.or_else(|| trained_since.then(|| bytes(&chunk.base))).map(|values| (id, values))
            } else {
                chunk.now.fill(0.0);
                came.map(|values| (id, values))
            }
        };
        mine(&mut self.chunks).filter_map(begin).collect()
    }

    /// A chunk's sum of the present batch.
    pub fn add(&mut self, sum: &ChunkSum) {
        if let Some(Some(chunk)) = self.chunks.get_mut(sum.chunk as usize) {
            read(&mut chunk.batch, &sum.payload);
        }
    }

    /// All sums of the batch of `step` are in, of so many records: the changed values, by chunk.
    pub fn step(&mut self, step: u64, records: f32) -> impl Iterator<Item = (u32, Bytes)> {
        let kernel = Kernel::new(&self.train.optimizer, self.batches, schedule::factor(&self.train, step, self.plan.steps()));
        self.batches += 1;
        self.ran = Some((self.ran.map_or(step, |(first, _)| first), step + 1));
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
        mine(&mut self.chunks).filter_map(apply)
    }

    /// Once the last step of a round is trained, and all before it were: its first step, and what it has changed, or summed.
    pub fn changes(&self) -> Option<(u64, impl Iterator<Item = ChunkSum>)> {
        let (first, next) = self.ran?;
        let round = self.shards.round(first);
        let change = |(id, chunk): (u32, &Option<Chunk>)| {
            let chunk = chunk.as_ref()?;
            let change: Vec<f32> = if chunk.group == Group::Train {
                chunk.now.iter().zip(&chunk.base).map(|(now, base)| now - base).collect()
            } else {
                chunk.now.clone()
            };
            Some(ChunkSum { chunk: id, payload: bytes(&change) })
        };
        (round == (first..next)).then(|| (first, (0u32..).zip(&self.chunks).filter_map(change)))
    }
}

fn mine(chunks: &mut [Option<Chunk>]) -> impl Iterator<Item = (u32, &mut Chunk)> {
    (0u32..).zip(chunks).filter_map(|(id, chunk)| Some((id, chunk.as_mut()?)))
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

    /// Two variables and the curve, of which the second one is in a group of its own.
    fn local(sync: &str, group: &str) -> Local {
        let text = format!(
            r#"{{"batch_size": 2, "micro_batches": 1, "epochs": 1, "optimizer": {{"momentum": {{"learning_rate": 0.5, "momentum": 0.5}}}},
                "sync": {sync}, "groups": [{{"layers": ["v"], "sync": {group}}}]}}"#
        );
        let train: Train = serde_json::from_str(&text).unwrap();
        let variable = |name: &str, group| {
            let sync = train.sync_of(name);
            Variable { name: name.into(), shape: vec![2], initializer: Initializer::Zeros, group, sync }
        };
        let curve = variable(tfcoord_types::figures::CURVE_VARIABLE, Group::Curve);
        let layout = Layout::new(&[variable("w", Group::Train), variable("v", Group::Train), curve], SEGMENT).unwrap();
        let plan = TrainPlan { records: 6, batch_size: 2, micro_batches: 1, epochs: 1 };
        Local::new(&train, plan, &layout).unwrap()
    }

    const EVERY_2: &str = r#"{"local": {"every": 2}}"#;

    fn floats(bytes: &[u8]) -> Vec<f32> {
        let mut values = vec![0.0; bytes.len() / 4];
        read(&mut values, bytes);
        values
    }

    fn sum(chunk: u32, value: f32) -> ChunkSum {
        ChunkSum { chunk, payload: bytes(&[value, 0.0]) }
    }

    fn begun(local: &mut Local) -> Vec<(u32, f32)> {
        local.begin().iter().map(|(chunk, values)| (*chunk, floats(values)[0])).collect()
    }

    fn changes(local: &Local) -> Option<(u64, Vec<(u32, f32)>)> {
        let (first, changes) = local.changes()?;
        Some((first, changes.map(|sum| (sum.chunk, floats(&sum.payload)[0])).collect()))
    }

    #[test]
    fn a_round_is_trained_alone_and_gives_what_it_has_changed() {
        let mut local = local(EVERY_2, EVERY_2);
        local.install(0, bytes(&[1.0, 7.0, 0.0, 0.0]));
        assert!(local.begins(0) && begun(&mut local) == [(0, 1.0)]);
        let mut seen = Vec::new();
        for step in 0..2 {
            assert!(changes(&local).is_none(), "in the midst of the round");
            local.add(&ChunkSum { chunk: 0, payload: bytes(&[4.0, 0.0, 0.0, 0.0]) });
            local.add(&sum(1, 3.0));
            seen.extend(local.step(step, 2.0).map(|(_, values)| floats(&values)[0]));
        }
        // v = 2, then 3; w -= 0.5 v.
        assert_eq!(seen, [0.0, -1.5]);
        assert_eq!(changes(&local), Some((0, vec![(0, -2.5), (1, 6.0)])));
        local.install(0, bytes(&[2.0, 7.0, 0.0, 0.0]));
        assert!(local.begins(2) && begun(&mut local) == [(0, 2.0)]);
        local.add(&ChunkSum { chunk: 0, payload: bytes(&[0.0; 4]) });
        assert_eq!(local.step(2, 2.0).map(|(_, values)| floats(&values)[0]).collect::<Vec<_>>(), [1.25], "its velocity stays");
        assert_eq!(changes(&local).unwrap(), (2, vec![(0, -0.75), (1, 3.0)]));
    }

    #[test]
    fn what_comes_within_a_round_waits_for_the_next_one() {
        let mut local = local(r#"{"async": {}}"#, EVERY_2);
        assert_eq!([0, 1, 2].map(|chunk| local.holds(chunk)), [false, true, false]);
        local.install(1, bytes(&[1.0, 0.0]));
        assert_eq!(begun(&mut local), [(1, 1.0)]);
        local.add(&sum(1, 4.0));
        assert_eq!(local.step(0, 2.0).count(), 1);
        assert!(!local.begins(1) && local.begins(2), "a round, but not from its start");
        local.install(1, bytes(&[5.0, 0.0]));
        local.add(&sum(1, 0.0));
        assert_eq!(local.step(1, 2.0).map(|(_, values)| floats(&values)[0]).collect::<Vec<_>>(), [-0.5], "1 - 0.5 * (2 + 1)");
        assert_eq!(changes(&local), Some((0, vec![(1, -1.5)])));
        assert_eq!(begun(&mut local), [(1, 5.0)]);
        // A step that only others lack.
        local.add(&sum(1, 1.0));
        assert_eq!((local.step(1, 2.0).count(), changes(&local)), (1, None));
        assert_eq!(begun(&mut local), [(1, 5.0)]);
    }
}
