//! What is trained: the counting model, and one whose gradients depend on the parameters of every chunk.

use bytes::Bytes;
use std::ops::Range;
use tfcoord_types::figures::{CURVE_LEN, CURVE_VARIABLE};
use tfcoord_types::job::{LayerGroup, Sync, Train};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::{Layout, SEGMENT};
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::shard::Shards;
use tfcoord_types::variable::{Group, Initializer, Variable};

/// Numbers by chunk.
pub type ByChunk = Vec<Vec<f32>>;

#[derive(Debug, Clone)]
pub struct Model {
    pub variables: Vec<Variable>,
    pub layout: Layout,
    pub plan: TrainPlan,
    pub train: Train,
}

impl Model {
    /// The gradient of record i is 1 at coordinate i. In the last step of an epoch only lane 0 has records.
    pub fn counting(lanes: u32) -> Self {
        let plan = TrainPlan { records: 9001, batch_size: 3000, micro_batches: lanes, epochs: 2 };
        let variables = vec![variable("counts", 9001, Initializer::Zeros, Group::Add), curve()];
        Self::new(variables, plan, r#"{"batch_size": 3000, "epochs": 2, "optimizer": {"add": {}}}"#)
    }

    /// The counting model in other modes than `bsp`: shards of a few steps, where something is `local` of a few rounds. There are
    /// three counts, of which the second and the third may have modes of their own.
    pub fn alone([sync, second, third]: [Sync; 3]) -> Self {
        let plan = TrainPlan { records: 9001, batch_size: 100, micro_batches: 2, epochs: 2 };
        let group = |name: &str, sync| LayerGroup { layers: vec![name.to_owned()], sync };
        let train: Train = serde_json::from_str(r#"{"batch_size": 100, "epochs": 2, "optimizer": {"add": {}}}"#).unwrap();
        let train = Train { sync, groups: vec![group("second", second), group("third", third)], ..train };
        let counts = |name: &str| variable(name, 9001, Initializer::Zeros, Group::Add);
        let variables = [counts("counts"), counts("second"), counts("third"), curve()];
        let variables = variables.map(|variable| Variable { sync: train.sync_of(&variable.name), ..variable });
        let layout = Layout::new(&variables, SEGMENT).unwrap();
        Self { variables: variables.into(), layout, plan, train }
    }

    /// The steps that are pushed together with this one for a chunk.
    pub fn exchanged(&self, step: u64, chunk: u32) -> Range<u64> {
        let mode = self.train.mode(self.layout.sync(chunk));
        Shards::new(&self.plan, &self.train).map_or(step..step + 1, |shards| shards.exchanged(step, &mode))
    }

    /// Adam on a function of all parameters, and a moving average. In the last step of an epoch some lanes have
    /// no records.
    pub fn fit(lanes: u32, clipped: bool) -> Self {
        let plan = TrainPlan { records: 35, batch_size: 16, micro_batches: lanes, epochs: 2 };
        let average = Group::Average { momentum: 0.7 };
        let variables = vec![
            variable("a", 3000, Initializer::Normal { deviation: 0.5 }, Group::Train),
            variable("mean", 5000, Initializer::Zeros, average),
            variable("b", 6000, Initializer::Uniform { limit: 0.5 }, Group::Train),
            curve(),
        ];
        let clip = if clipped { r#", "clip_norm": 3.0"# } else { "" };
        let optimizer = r#"{"adam": {"learning_rate": 0.05, "weight_decay": 0.01}}"#;
        let train = format!(r#"{{"batch_size": 16, "epochs": 2, "seed": 5, "warm_up_steps": 2, "optimizer": {optimizer}{clip}}}"#);
        Self::new(variables, plan, &train)
    }

    fn new(variables: Vec<Variable>, plan: TrainPlan, train: &str) -> Self {
        let layout = Layout::new(&variables, SEGMENT).unwrap();
        Self { variables, layout, plan, train: serde_json::from_str(train).unwrap() }
    }

    /// The gradient sums of a block, by chunk; `None` without records.
    pub fn block(&self, parameters: &ByChunk, step: u64, block: Block) -> Option<ByChunk> {
        let Some((left, right)) = block.children() else { return self.lane(parameters, step, block.first()) };
        match (self.block(parameters, step, left), self.block(parameters, step, right)) {
            (Some(mut sum), Some(more)) => {
                let pairs = sum.iter_mut().flatten().zip(more.iter().flatten());
                pairs.for_each(|(a, b)| *a += b);
                Some(sum)
            }
            (left, right) => left.or(right),
        }
    }

    fn lane(&self, parameters: &ByChunk, step: u64, lane: u32) -> Option<ByChunk> {
        let places = self.plan.micro_batch(step, lane);
        if places.is_empty() {
            return None;
        }
        let mut sums: ByChunk = self.layout.chunks.iter().map(|chunk| vec![0.0; usize::try_from(chunk.len).unwrap()]).collect();
        let trained: Vec<usize> = self.chunks(|group| group == Group::Train);
        for place in places {
            // Another order in each epoch.
            let record = usize::try_from((place + u64::from(self.plan.place(step).epoch) * 11) % self.plan.records).unwrap();
            let mut loss = 0.0;
            for (id, chunk) in self.layout.chunks.iter().enumerate() {
                let sum = &mut sums[id];
                match self.layout.group(u32::try_from(id).unwrap()) {
                    Group::Add => {
                        // Of each count that lies in the slab.
                        let (first, all) = (usize::try_from(chunk.offset).unwrap(), usize::try_from(self.plan.records).unwrap());
                        let skipped = (record + all - first % all) % all;
                        sum.iter_mut().skip(skipped).step_by(all).for_each(|sum| *sum += 1.0);
                    }
                    Group::Train => loss += fit(sum, &parameters[id], other(parameters, &trained, id), record * 31 + id),
                    Group::Average { .. } => sum.iter_mut().zip(&parameters[trained[0]]).for_each(|(sum, p)| *sum += p * p),
                    Group::Curve => {}
                }
            }
            let curve = self.chunks(|group| group == Group::Curve)[0];
            let correct = f32::from(u8::from(loss < 100.0));
            sums[curve].iter_mut().zip([loss, 1.0, correct]).for_each(|(sum, value)| *sum += value);
        }
        Some(sums)
    }

    fn chunks(&self, is: impl Fn(Group) -> bool) -> Vec<usize> {
        (0..self.layout.chunks.len()).filter(|id| is(self.layout.group(u32::try_from(*id).unwrap()))).collect()
    }
}

// The next chunk that is trained.
fn other<'a>(parameters: &'a ByChunk, trained: &[usize], id: usize) -> &'a [f32] {
    let at = trained.iter().position(|chunk| *chunk == id).unwrap();
    &parameters[trained[(at + 1) % trained.len()]]
}

// Adds one record's gradient; its loss.
fn fit(sum: &mut [f32], own: &[f32], other: &[f32], key: usize) -> f32 {
    let mut loss = 0.0;
    for (j, ((sum, p), q)) in sum.iter_mut().zip(own).zip(other.iter().cycle()).enumerate() {
        let target = f32::from(u8::try_from((key + j * 17) % 97).unwrap()) / 97.0;
        let error = p - target + 0.25 * q;
        *sum += error;
        loss += error * error;
    }
    loss
}

fn variable(name: &str, len: u32, initializer: Initializer, group: Group) -> Variable {
    Variable { name: name.into(), shape: vec![len], initializer, group, sync: None }
}

fn curve() -> Variable {
    variable(CURVE_VARIABLE, CURVE_LEN, Initializer::Zeros, Group::Curve)
}

pub fn to_bytes(values: &[f32]) -> Bytes {
    values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
}

pub fn to_values(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}
