//! A coordinator in a few lines: fence, then grant; epochs with an evaluation after each; one export at the end.

use crate::chance::Chance;
use crate::model::Model;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::id::{Generation, Incarnation, Revision, TaskId};
use tfcoord_types::lane::Block;
use tfcoord_types::view::{Directive, Evaluate, Export, Placement, ServerAddress, TaskView};

const SHARDS: u32 = 3;

/// What a task tells.
#[derive(Debug, Clone)]
pub enum Fact {
    Applied { slot: u32, revision: Revision },
    Reached { slot: u32, step: u64 },
    Lost { worker: Incarnation },
    Evaluated { evaluation: u32, shard: u32, digest: u64 },
    Exported { digest: u64 },
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Train,
    Evaluate { owners: BTreeMap<u32, Option<Incarnation>> },
    Export { worker: Option<Incarnation> },
    Done,
}

#[derive(Debug)]
pub struct Coordinator {
    model: Model,
    revision: u64,
    wanted_workers: usize,
    placement: Placement,
    owners: Vec<Option<Incarnation>>,
    // The revision in which a lane lost its owner.
    revoked: Vec<Revision>,
    pub workers: BTreeSet<Incarnation>,
    highest: u64,
    applied: Vec<Revision>,
    reached: Vec<u64>,
    epoch: u32,
    phase: Phase,
    /// Digests of the parameters that were evaluated, by (evaluation, shard), and at last of those exported.
    pub digests: BTreeMap<(u32, u32), BTreeSet<u64>>,
}

impl Coordinator {
    pub fn new(model: &Model, servers: u32, workers: usize, chance: &mut Chance) -> Self {
        let chunks = model.layout.chunks.len();
        let any_server = |_| u32::try_from(chance.below(servers as usize)).unwrap();
        let placement = Placement {
            epoch: 1,
            variables: model.variables.clone(),
            chunk_elements: tfcoord_types::layout::SEGMENT,
            servers: (0..chunks).map(any_server).collect(),
        };
        let lanes = model.plan.micro_batches as usize;
        Self {
            model: model.clone(),
            revision: 1,
            wanted_workers: workers,
            placement,
            owners: vec![None; lanes],
            revoked: vec![Revision(1); lanes],
            workers: BTreeSet::new(),
            highest: 100,
            applied: vec![Revision(0); servers as usize],
            reached: vec![0; servers as usize],
            epoch: 0,
            phase: Phase::Train,
            digests: BTreeMap::new(),
        }
    }

    pub fn done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    fn run_until(&self) -> u64 {
        self.model.plan.steps_per_epoch() * u64::from(self.epoch + 1)
    }

    /// Takes what a task tells.
    pub fn hear(&mut self, fact: Fact) {
        match fact {
            Fact::Applied { slot, revision } => {
                let applied = &mut self.applied[slot as usize];
                *applied = revision.max(*applied);
            }
            Fact::Reached { slot, step } => {
                let reached = &mut self.reached[slot as usize];
                *reached = step.max(*reached);
            }
            Fact::Lost { worker } => self.lose(worker),
            Fact::Evaluated { evaluation, shard, digest } => {
                self.digests.entry((evaluation, shard)).or_default().insert(digest);
            }
            Fact::Exported { digest } => {
                self.digests.entry((u32::MAX, 0)).or_default().insert(digest);
            }
        }
    }

    fn lose(&mut self, worker: Incarnation) {
        self.revision += 1;
        self.workers.remove(&worker);
        let lanes: Vec<usize> = (0..self.owners.len()).filter(|lane| self.owners[*lane] == Some(worker)).collect();
        lanes.into_iter().for_each(|lane| self.revoke(lane));
        match &mut self.phase {
            Phase::Evaluate { owners } => owners.values_mut().filter(|owner| **owner == Some(worker)).for_each(|owner| *owner = None),
            Phase::Export { worker: exporter } if *exporter == Some(worker) => *exporter = None,
            _ => {}
        }
    }

    /// Takes a lane from its owner.
    pub fn revoke(&mut self, lane: usize) {
        self.revision += 1;
        self.owners[lane] = None;
        self.revoked[lane] = Revision(self.revision);
    }

    pub fn lanes(&self) -> usize {
        self.owners.len()
    }

    /// A server took a block from `worker`: perhaps it has lost these lanes, but nobody else has been granted them.
    pub fn check_taken(&self, worker: Incarnation, block: Block) {
        for lane in block.lanes() {
            let owner = self.owners[lane as usize];
            assert!(owner.is_none_or(|owner| owner == worker), "lane {lane} is {owner:?}'s, but a server took it from {worker}");
        }
    }

    /// Registers a worker if one is missing.
    pub fn register(&mut self) -> Option<Incarnation> {
        if self.workers.len() >= self.wanted_workers || self.done() {
            return None;
        }
        (self.revision, self.highest) = (self.revision + 1, self.highest + 1);
        self.workers.insert(Incarnation(self.highest));
        Some(Incarnation(self.highest))
    }

    /// Does what can be done now; whether views changed.
    pub fn go_on(&mut self, chance: &mut Chance) -> bool {
        let before = self.revision;
        let workers: Vec<Incarnation> = self.workers.iter().copied().collect();
        if !workers.is_empty() {
            self.grant(&workers, chance);
            self.advance(&workers, chance);
        }
        self.revision > before
    }

    fn grant(&mut self, workers: &[Incarnation], chance: &mut Chance) {
        // All lanes in a row as the dealer would, or each to anybody.
        let (fair, first) = (chance.percent(70), chance.below(workers.len()));
        for lane in 0..self.owners.len() {
            let fenced = self.applied.iter().all(|applied| *applied >= self.revoked[lane]);
            if self.owners[lane].is_none() && fenced {
                let turn = first + lane * workers.len() / self.owners.len();
                let owner = if fair { workers[turn % workers.len()] } else { chance.pick(workers).unwrap() };
                self.revision += 1;
                self.owners[lane] = Some(owner);
            }
        }
    }

    fn advance(&mut self, workers: &[Incarnation], chance: &mut Chance) {
        let evaluated = |shard: &u32| self.digests.contains_key(&(self.epoch, *shard));
        let phase = match &self.phase {
            Phase::Train if self.reached.iter().all(|reached| *reached >= self.run_until()) => {
                Phase::Evaluate { owners: (0..SHARDS).map(|shard| (shard, None)).collect() }
            }
            Phase::Evaluate { owners } if owners.keys().all(evaluated) && self.epoch + 1 < self.model.plan.epochs => {
                self.epoch += 1;
                Phase::Train
            }
            Phase::Evaluate { owners } if owners.keys().all(evaluated) => Phase::Export { worker: None },
            Phase::Evaluate { owners } => {
                let owner = |owner: Option<Incarnation>, chance: &mut Chance| owner.or_else(|| chance.pick(workers));
                Phase::Evaluate { owners: owners.iter().map(|(shard, old)| (*shard, owner(*old, chance))).collect() }
            }
            Phase::Export { .. } if self.digests.contains_key(&(u32::MAX, 0)) => Phase::Done,
            Phase::Export { worker: None } => Phase::Export { worker: chance.pick(workers) },
            _ => return,
        };
        if phase != self.phase {
            self.revision += 1;
            self.phase = phase;
        }
    }

    /// What a task should do.
    pub fn view(&self, incarnation: Incarnation) -> TaskView {
        let server = |index| ServerAddress {
            task: TaskId::server(index),
            incarnation: Incarnation(u64::from(index) + 1),
            addresses: vec![],
            host: String::new(),
        };
        let evaluate = match &self.phase {
            Phase::Evaluate { owners } => {
                let mine = owners
                    .iter()
                    .filter(|(shard, owner)| **owner == Some(incarnation) && !self.digests.contains_key(&(self.epoch, **shard)));
                let shards: Vec<_> = mine.map(|(shard, _)| (*shard, 0..1)).collect();
                (!shards.is_empty()).then_some(Evaluate { evaluation: self.epoch, step: self.run_until(), shards })
            }
            _ => None,
        };
        let export = match &self.phase {
            Phase::Export { worker } if *worker == Some(incarnation) => {
                Some(Export { step: self.run_until(), dir: String::new(), attempt: self.revision, evaluations: vec![] })
            }
            _ => None,
        };
        let directive = if self.done() { Directive::Stop { reason: "done".into() } } else { Directive::Run };
        TaskView {
            revision: Revision(self.revision),
            incarnation,
            directive,
            generation: Generation(1),
            plan: self.model.plan,
            placement: Some(self.placement.clone()),
            servers: (0..u32::try_from(self.applied.len()).unwrap()).map(server).collect(),
            owners: self.owners.clone(),
            workers: self.workers.iter().copied().collect(),
            run_until: self.run_until(),
            evaluate,
            export,
            evaluations: vec![],
            restore: None,
            cut: None,
        }
    }
}
