//! A worker process: the driver, and a shell that keeps bytes for it and checks what it is asked for.

use crate::model::{ByChunk, Model, to_bytes, to_values};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use tfcoord_types::id::Incarnation;
use tfcoord_types::lane::Block;
use tfcoord_worker_core::{Effect, Input, Worker};

#[derive(Debug)]
pub struct Process {
    pub incarnation: Incarnation,
    pub driver: Worker,
    /// The open (or opening) stream to each server.
    pub streams: BTreeMap<u32, u64>,
    pub timer: bool,
    kept: BTreeMap<(u32, u64), Bytes>,
    pub sums: BTreeMap<(u32, u64, Block), Bytes>,
    // The versions and the values.
    parameters: Option<(Vec<u64>, ByChunk)>,
    // Sums of a round that are not complete, the next step of each.
    rounds: BTreeMap<u32, (u64, Vec<f32>)>,
    // Whether what is evaluated or exported is of an earlier generation.
    outdated: bool,
    work: Option<Work>,
}

#[derive(Debug)]
enum Work {
    // (block, chunk, step, sum): what is not told yet, in order; and whether it was abandoned.
    Compute { step: u64, sums: VecDeque<(Block, u32, u64, Bytes)>, abandoned: bool },
    Evaluate { evaluation: u32, shard: u32 },
    Export { attempt: u64 },
}

impl Process {
    pub fn new(incarnation: Incarnation, model: &Model) -> Self {
        Self {
            incarnation,
            driver: Worker::new(incarnation, &model.train),
            streams: BTreeMap::new(),
            timer: false,
            kept: BTreeMap::new(),
            sums: BTreeMap::new(),
            parameters: None,
            rounds: BTreeMap::new(),
            outdated: false,
            work: None,
        }
    }

    pub fn busy(&self) -> bool {
        self.work.is_some()
    }

    /// The next thing that the compute thread tells.
    pub fn progress(&mut self) -> Input {
        match self.work.as_mut().expect("it is busy") {
            Work::Compute { step, sums, abandoned } => {
                let step = *step;
                match sums.pop_front().filter(|_| !*abandoned) {
                    Some((block, chunk, step, sum)) => {
                        self.sums.insert((chunk, step, block), sum);
                        Input::Computed { step, block, chunk }
                    }
                    None => {
                        self.work = None;
                        Input::StepComputed { step }
                    }
                }
            }
            Work::Evaluate { evaluation, shard } => {
                let (evaluation, shard) = (*evaluation, *shard);
                self.work = None;
                Input::Evaluated { evaluation, shard }
            }
            Work::Export { attempt } => {
                let attempt = *attempt;
                self.work = None;
                Input::Exported { attempt }
            }
        }
    }

    /// A digest of the bits of the parameters that were evaluated or exported, if that is still wanted.
    pub fn digest(&mut self) -> Option<u64> {
        if std::mem::take(&mut self.outdated) {
            return None;
        }
        let mut hash = DefaultHasher::new();
        let (_, values) = self.parameters.as_ref().expect("there are parameters");
        values.iter().flatten().for_each(|value| value.to_bits().hash(&mut hash));
        Some(hash.finish())
    }

    /// Sums of other steps than the present one were forgotten.
    pub fn check_sums(&self, model: &Model) {
        let step = self.driver.step();
        let present = |(chunk, of_step, _): &(u32, u64, Block)| *of_step == model.exchanged(step, *chunk).start;
        assert!(self.sums.keys().all(present), "at step {step}: {:?}", self.sums.keys());
    }

    /// Does what concerns the process alone; `false`: the effect is for the world. `came`: the values of the
    /// input that is being answered.
    pub fn perform(&mut self, model: &Model, effect: &Effect, came: Option<&Bytes>) -> bool {
        match effect {
            Effect::Keep { chunk, version } => {
                let old = self.kept.insert((*chunk, *version), came.expect("values came").clone());
                assert!(old.is_none(), "kept twice");
                assert!(self.kept.len() <= 3 * model.layout.chunks.len(), "kept without end");
            }
            Effect::Discard { chunk, version } => {
                self.kept.remove(&(*chunk, *version)).expect("only what is kept is discarded");
            }
            Effect::Use { version } => {
                assert!(!self.busy());
                let take = |chunk| to_values(&self.kept.remove(&(chunk, *version)).expect("every chunk is kept"));
                let chunks = 0..u32::try_from(model.layout.chunks.len()).unwrap();
                self.parameters = Some((vec![*version; model.layout.chunks.len()], chunks.map(take).collect()));
            }
            Effect::UseKept => {
                assert!(!self.busy());
                let none = (vec![u64::MAX; model.layout.chunks.len()], vec![Vec::new(); model.layout.chunks.len()]);
                let (versions, values) = self.parameters.get_or_insert(none);
                for ((chunk, version), bytes) in std::mem::take(&mut self.kept) {
                    assert!(versions[chunk as usize] == u64::MAX || versions[chunk as usize] < version, "an older one");
                    (versions[chunk as usize], values[chunk as usize]) = (version, to_values(&bytes));
                }
            }
            Effect::Compute { step, blocks } => self.compute(model, *step, blocks),
            Effect::AbandonCompute => match &mut self.work {
                Some(Work::Compute { abandoned, .. }) => *abandoned = true,
                other => panic!("{other:?} abandoned"),
            },
            Effect::Forget { chunk, step, block } => {
                self.sums.remove(&(*chunk, *step, *block)).expect("only what is there is forgotten");
            }
            Effect::ForgetAll => {
                self.kept.clear();
                self.sums.clear();
                self.rounds.clear();
                self.parameters = None;
                self.outdated = matches!(self.work, Some(Work::Evaluate { .. } | Work::Export { .. }));
            }
            Effect::Evaluate { evaluation, step, shard, .. } => {
                self.check(*step);
                self.work = Some(Work::Evaluate { evaluation: *evaluation, shard: *shard });
            }
            Effect::Export(export) => {
                self.check(export.step);
                self.work = Some(Work::Export { attempt: export.attempt });
            }
            Effect::RetryAfter { .. } => {
                assert!(!self.timer, "one timer is enough");
                self.timer = true;
            }
            _ => return false,
        }
        true
    }

    // The model has exactly this version, and nothing runs.
    fn check(&self, step: u64) {
        assert!(!self.busy());
        assert!(self.parameters.iter().all(|parameters| parameters.0.iter().all(|version| *version == step)));
    }

    fn compute(&mut self, model: &Model, step: u64, blocks: &[Block]) {
        if model.train.is_bsp() {
            self.check(step);
        }
        assert!(!self.busy());
        let (_, parameters) = &self.parameters.clone().expect("there are parameters");
        let mut sums = VecDeque::new();
        for block in blocks {
            let all = model.block(parameters, step, *block).expect("a block has records");
            for (chunk, sum) in (0u32..).zip(all) {
                let round = model.exchanged(step, chunk);
                let sum = if round.end - round.start > 1 { self.add(chunk, step, &round, sum) } else { Some(sum) };
                sums.extend(sum.map(|sum| (*block, chunk, round.start, to_bytes(&sum))));
            }
        }
        // The last layers are ready first.
        sums.make_contiguous().sort_by_key(|(block, chunk, ..)| (std::cmp::Reverse(*chunk), *block));
        self.work = Some(Work::Compute { step, sums, abandoned: false });
    }

    // The sum of a round, with its last step. One that was not begun with its first step comes to nothing.
    fn add(&mut self, chunk: u32, step: u64, round: &Range<u64>, sum: Vec<f32>) -> Option<Vec<f32>> {
        if step == round.start {
            self.rounds.insert(chunk, (step, vec![0.0; sum.len()]));
        }
        let (_, mut all) = self.rounds.remove(&chunk).filter(|(next, _)| *next == step)?;
        all.iter_mut().zip(sum).for_each(|(all, sum)| *all += sum);
        if step + 1 == round.end {
            return Some(all);
        }
        self.rounds.insert(chunk, (step + 1, all));
        None
    }
}
