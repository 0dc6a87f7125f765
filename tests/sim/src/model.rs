//! What is trained: the counting model, and one whose gradients depend on the parameters of every chunk. Both are small,
//! so that thousands of runs take seconds.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use tfcoord_types::figures::{CURVE_LEN, CURVE_VARIABLE, Counts, CurvePoint};
use tfcoord_types::holders::{Holders, Run};
use tfcoord_types::job::{self, Input, JobFile, ModelKind};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::{Layout, SEGMENT};
use tfcoord_types::manifest::{Beside, ManifestSummary};
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::shard::Shards;
use tfcoord_types::variable::{Group, Initializer, Variable};

/// Numbers by chunk.
pub type ByChunk = Vec<Vec<f32>>;

/// Records of the counting model.
pub const COUNTED: u32 = 4200;
pub const EPOCHS: u32 = 3;
const FIT_RECORDS: u64 = 35;
/// Hosts that workers are on.
const HOSTS: u32 = 3;
/// Where data are whose hosts are known.
const HELD: &str = "hdfs://nn";
const EVAL_RECORDS: u64 = 2500;

/// How workers go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Bsp,
    Ssp { staleness: u32 },
    Async,
    Local { every: u32 },
}

impl Mode {
    fn json(self) -> String {
        match self {
            Mode::Bsp => r#""bsp""#.to_owned(),
            Mode::Ssp { staleness } => format!(r#"{{"ssp": {{"staleness": {staleness}}}}}"#),
            Mode::Async => r#"{"async": {}}"#.to_owned(),
            Mode::Local { every } => format!(r#"{{"local": {{"every": {every}}}}}"#),
        }
    }
}

/// What a job trains: whatever its workers and servers, its bits are the same in `bsp`, and its counts in every mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipe {
    pub mode: Mode,
    /// Of a part of the parameters: another one than all else has.
    pub own: Option<Mode>,
    pub counting: bool,
    pub clipped: bool,
    /// Half the batch: about twice as many steps.
    pub fine: bool,
    pub lanes: u32,
}

/// How a job is run: whatever it is, the bits are the same.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub workers: u32,
    pub servers: u32,
    pub lease_s: u32,
    pub grace_s: u32,
    pub checkpoints: Saved,
    /// Whether a straggler's lanes go to others.
    pub relieves: bool,
    /// Whether it is known which hosts hold the data.
    pub held: bool,
}

/// How often parameters are saved.
#[derive(Debug, Clone, Copy)]
pub enum Saved {
    /// As where the job file says nothing: seldom, and not in the end.
    ByDefault,
    Steps {
        every: u64,
        keep: u32,
    },
    Seconds {
        every: u64,
        keep: u32,
    },
}

impl Recipe {
    /// The job file.
    pub fn file(self, manner: Manner) -> JobFile {
        let Manner { workers, servers, lease_s, grace_s, checkpoints, relieves, held } = manner;
        let straggler = if relieves { r#", "straggler": "move""# } else { "" };
        let saved = match checkpoints {
            Saved::ByDefault => String::new(),
            Saved::Steps { every, keep } => format!(r#""checkpoint": {{"every_steps": {every}, "keep": {keep}}},"#),
            Saved::Seconds { every, keep } => format!(r#""checkpoint": {{"every_seconds": {every}, "keep": {keep}}},"#),
        };
        let Self { mode, own, counting, clipped, fine, lanes } = self;
        let layer = if counting { "count" } else { "dense_0" };
        let groups = own.map(|own| format!(r#""groups": [{{"layers": ["{layer}"], "sync": {}}}], "#, own.json())).unwrap_or_default();
        let sync = if mode == Mode::Bsp { groups } else { format!(r#""sync": {}, {groups}"#, mode.json()) };
        // Shards of two steps where they are fine, else of one; in `local` of a round.
        let batch = |together: u32, alone: u32| match (mode, fine) {
            (Mode::Bsp, true) => together / 2,
            (Mode::Bsp, false) => together,
            (_, true) => 64.min(alone / 2),
            (_, false) => alone,
        };
        let clip = if clipped { r#", "clip_norm": 3.0"# } else { "" };
        let (model, data, train) = if counting {
            let train = format!(r#""batch_size": {}, "optimizer": {{"add": {{}}}}"#, batch(1408, 320));
            (r#"{"kind": "counting"}"#.to_owned(), "", train)
        } else {
            let model = r#"{"layers": [{"dense": {"units": 4}}], "loss": "softmax_cross_entropy", "metrics": ["accuracy"]}"#;
            let optimizer = r#"{"adam": {"learning_rate": 0.05, "weight_decay": 0.01}}"#;
            let train = format!(r#""batch_size": {}, "warm_up_steps": 2, "optimizer": {optimizer}{clip}"#, batch(16, 16));
            (model.to_owned(), r#", "eval": {"files": "/d/eval.csv"}, "label": "y""#, train)
        };
        let root = if held { HELD } else { "" };
        let data = if counting {
            format!(r#"{{"format": "idx", "shuffle": {}, "train": {{"images": "{root}/d/i", "labels": "{root}/d/l"}}}}"#, !held)
        } else {
            format!(r#"{{"format": "csv", "shuffle": {}, "train": {{"files": "{root}/d/train.csv"}}{data}}}"#, !held)
        };
        let text = format!(
            r#"{{"name": "sim", "start_timeout": 600, "lease_seconds": {lease_s}, "orphan_grace_seconds": {grace_s}, {saved} "model": {model}, "data": {data},
                "train": {{{sync}{train}, "micro_batches": {lanes}, "epochs": {EPOCHS}, "seed": 5}},
                "worker": {{"count": {workers}, "max_restarts": 1000{straggler}}},
                "parameter_server": {{"count": {servers}, "max_restarts": 1000, "chunk_bytes": 16384}},
                "output": {{"dir": "/out"}}}}"#
        );
        job::parse("job.json", &text).unwrap_or_else(|problems| panic!("{problems}"))
    }
}

/// What preparation would find in a job's data.
pub fn manifest(file: &JobFile) -> ManifestSummary {
    let counting = file.model.kind == ModelKind::Counting;
    let train = &file.data.train;
    let is_held = train.files.iter().chain(&train.images).flat_map(|paths| paths.iter()).any(|path| path.starts_with(HELD));
    ManifestSummary {
        digest: "ab".repeat(32),
        records_digest: "cd".repeat(32),
        train_records: if counting { u64::from(COUNTED) } else { FIT_RECORDS },
        eval_records: if file.data.eval.is_some() { EVAL_RECORDS } else { 0 },
        input: Input::plain(&[8], 4),
        beside: Beside::default(),
        holders: is_held.then(|| Box::new(holders())),
    }
}

/// The host of a worker's attempt: a replacement may be elsewhere.
pub fn host(index: u32, attempt: u32) -> String {
    format!("host-{}", (2 * index + attempt) % HOSTS)
}

// The records lie on one host after the other, and a part of them on another one too.
fn holders() -> Holders {
    let run = |host: u32| Run { bytes: 1000, held: vec![(host, 1000), ((host + 1) % HOSTS, 400)] };
    Holders { hosts: (0..HOSTS).map(|number| format!("host-{number}")).collect(), runs: (0..9).map(|n| run(n / 3)).collect() }
}

/// A model as a worker has it.
#[derive(Debug)]
pub struct Model {
    pub variables: Vec<Variable>,
    pub layout: Layout,
    plan: TrainPlan,
    shards: Option<Shards>,
    // By chunk: whether what is pushed changes parameters as it is.
    local: Vec<bool>,
}

/// Sums of rounds that are not complete, with the next step of each, by chunk.
pub type Rounds = BTreeMap<u32, (u64, Vec<f32>)>;

impl Model {
    /// The model of a job file.
    pub fn new(file: &JobFile, plan: TrainPlan) -> Self {
        let grouped = !file.train.groups.is_empty();
        let counts = |name| variable(name, COUNTED, Initializer::Zeros, Group::Add);
        let variables = if file.model.kind == ModelKind::Counting {
            let own = grouped.then(|| counts("count"));
            std::iter::once(counts("counts")).chain(own).chain([curve()]).collect()
        } else {
            vec![
                variable(if grouped { "dense_0/a" } else { "a" }, 2000, Initializer::Normal { deviation: 0.5 }, Group::Train),
                variable("mean", 300, Initializer::Zeros, Group::Average { momentum: 0.7 }),
                variable("b", 2160, Initializer::Uniform { limit: 0.5 }, Group::Train),
                variable("slow", 200, Initializer::Zeros, Group::Average { momentum: 0.9 }),
                curve(),
            ]
        };
        let with_mode = |variable: Variable| Variable { sync: file.train.sync_of(&variable.name), ..variable };
        let variables: Vec<Variable> = variables.into_iter().map(with_mode).collect();
        let layout = Layout::new(&variables, SEGMENT).expect("the variables can be laid out");
        let shards = Shards::new(&plan, &file.train);
        let is_local = |(id, _)| file.train.mode(layout.sync(id)).is_local();
        let local = (0u32..).zip(&layout.chunks).map(is_local).collect();
        Self { variables, layout, plan, shards, local }
    }

    /// The chunk of the curve.
    pub fn curve_chunk(&self) -> u32 {
        let chunks = 0..u32::try_from(self.layout.chunks.len()).expect("few chunks");
        chunks.into_iter().find(|chunk| self.layout.group(*chunk) == Group::Curve).expect("there is a curve")
    }

    /// Whether its workers do not go together.
    pub fn is_alone(&self) -> bool {
        self.shards.is_some()
    }

    /// The steps that are pushed together with this one for a chunk.
    pub fn exchanged(&self, step: u64, chunk: u32) -> Range<u64> {
        let shards = self.shards.filter(|_| self.local[chunk as usize]);
        shards.map_or(step..step + 1, |shards| shards.round(step))
    }

    /// What is pushed of a block once a step is computed: (chunk, first step, sum). With the last step of a round the sum of
    /// all of it, where it was begun with its first one.
    pub fn sums(&self, parameters: &ByChunk, step: u64, block: Block, rounds: &mut Rounds) -> Vec<(u32, u64, Vec<f32>)> {
        let all = self.block(parameters, step, block).expect("a block has records");
        let sum = |(chunk, mut sum): (u32, Vec<f32>)| {
            let round = self.exchanged(step, chunk);
            if step > round.start {
                let (_, before) = rounds.remove(&chunk).filter(|(next, _)| *next == step)?;
                sum.iter_mut().zip(before).for_each(|(sum, before)| *sum += before);
            }
            if step + 1 < round.end {
                rounds.insert(chunk, (step + 1, sum));
                return None;
            }
            if self.local[chunk as usize] && self.layout.group(chunk) == Group::Train {
                // As if a worker had gone a little against the gradient.
                sum.iter_mut().for_each(|sum| *sum *= -0.01);
            }
            Some((chunk, round.start, sum))
        };
        (0u32..).zip(all).filter_map(sum).collect()
    }

    /// Of what a worker exports: what must be the same whatever happened. Outside of `bsp` steps come in any order: of the
    /// curve it is how many there are, and of how many records; of the parameters those that count.
    pub fn left(&self, parameters: &ByChunk, curve: &[CurvePoint]) -> (ByChunk, Vec<CurvePoint>) {
        if !self.is_alone() {
            return (parameters.clone(), curve.to_vec());
        }
        let counts = self.variables.iter().any(|variable| variable.group == Group::Add);
        let records = curve.iter().map(|point| point.records).sum();
        let all = CurvePoint { step: curve.len() as u64, loss_sum: 0.0, records, correct: 0.0 };
        (if counts { parameters.clone() } else { ByChunk::new() }, vec![all])
    }

    /// The gradient sums of a block, by chunk; `None` without records.
    fn block(&self, parameters: &ByChunk, step: u64, block: Block) -> Option<ByChunk> {
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
        let mut sums: ByChunk = self.layout.chunks.iter().map(|chunk| vec![0.0; index(chunk.len)]).collect();
        let trained: Vec<usize> = self.chunks(|group| group == Group::Train);
        let curve = self.chunks(|group| group == Group::Curve)[0];
        for place in places {
            let record = record(&self.plan, step, place);
            let mut loss = 0.0;
            for (id, chunk) in self.layout.chunks.iter().enumerate() {
                let sum = &mut sums[id];
                match self.layout.group(u32::try_from(id).expect("few chunks")) {
                    Group::Add => {
                        let first = index(chunk.offset);
                        if (first..first + sum.len()).contains(&record) {
                            sum[record - first] += 1.0;
                        }
                    }
                    Group::Train => loss += fit(sum, &parameters[id], other(parameters, &trained, id), record * 31 + id),
                    Group::Average { .. } => sum.iter_mut().zip(&parameters[trained[0]]).for_each(|(sum, p)| *sum += p * p),
                    Group::Curve => {}
                }
            }
            let correct = f32::from(u8::from(loss < 100.0));
            sums[curve].iter_mut().zip([loss, 1.0, correct]).for_each(|(sum, value)| *sum += value);
        }
        Some(sums)
    }

    fn chunks(&self, is: impl Fn(Group) -> bool) -> Vec<usize> {
        let group = |id: &usize| self.layout.group(u32::try_from(*id).expect("few chunks"));
        (0..self.layout.chunks.len()).filter(|id| is(group(id))).collect()
    }
}

/// What a worker counts of a shard: something that tells the bits of all parameters.
pub fn counts(parameters: &ByChunk, shard: u32, records: std::ops::Range<u64>) -> Counts {
    let digest = digest(parameters.iter().flatten().map(|value| value.to_bits()));
    let records = records.end - records.start;
    // Finite, and exact.
    let loss = ((digest >> 12) + u64::from(shard)) as f64;
    Counts { records, correct: digest % (records + 1), loss_sum_bits: loss.to_bits(), ..Counts::default() }
}

/// Adds the records of a step to the counts of a chunk that begins at this one.
pub fn count(plan: &TrainPlan, step: u64, first: usize, counts: &mut [f32]) {
    for place in (0..plan.micro_batches).flat_map(|lane| plan.micro_batch(step, lane)) {
        let count = record(plan, step, place).checked_sub(first).and_then(|at| counts.get_mut(at));
        count.into_iter().for_each(|count| *count += 1.0);
    }
}

// Another order in each epoch.
fn record(plan: &TrainPlan, step: u64, place: u64) -> usize {
    index((place + u64::from(plan.place(step).epoch) * 11) % plan.records)
}

/// A digest of words (FNV-1a, a word at a time).
pub fn digest(words: impl Iterator<Item = u32>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ u64::from(word)).wrapping_mul(0x100_0000_01b3))
}

// The next chunk that is trained.
fn other<'a>(parameters: &'a ByChunk, trained: &[usize], id: usize) -> &'a [f32] {
    let at = trained.iter().position(|chunk| *chunk == id).expect("it is trained");
    &parameters[trained[(at + 1) % trained.len()]]
}

// Adds one record's gradient; its loss. Of the other chunk the first elements count, again and again.
fn fit(sum: &mut [f32], own: &[f32], other: &[f32], key: usize) -> f32 {
    const FEW: usize = 64;
    let mut loss = 0.0;
    for (run, (sums, own)) in sum.chunks_mut(FEW).zip(own.chunks(FEW)).enumerate() {
        let target = (key + run * 17) % 97;
        for (j, ((sum, p), q)) in sums.iter_mut().zip(own).zip(other).enumerate() {
            let error = p - (target + j) as f32 / 160.0 + 0.25 * q;
            *sum += error;
            loss += error * error;
        }
    }
    loss
}

fn variable(name: &str, len: u32, initializer: Initializer, group: Group) -> Variable {
    Variable { name: name.into(), shape: vec![len], initializer, group, sync: None }
}

fn curve() -> Variable {
    variable(CURVE_VARIABLE, CURVE_LEN, Initializer::Zeros, Group::Curve)
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("small numbers")
}

pub fn to_bytes(values: &[f32]) -> Bytes {
    values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
}

pub fn to_values(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}
