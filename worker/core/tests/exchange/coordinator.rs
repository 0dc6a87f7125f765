//! A coordinator in a few lines: fence, then grant; epochs with an evaluation after each; one export at the end.

use crate::chance::Chance;
use crate::model::Model;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::checkpoint::Checkpoint;
use tfcoord_types::id::{CheckpointId, Generation, Incarnation, Revision, TaskId};
use tfcoord_types::lane::Block;
use tfcoord_types::report::ShardsDone;
use tfcoord_types::shard::Shards;
use tfcoord_types::view::{Directive, Evaluate, Export, Lease, Placement, ServerAddress, TaskView};

const SHARDS: u32 = 3;

/// What a task tells.
#[derive(Debug, Clone)]
pub enum Fact {
    Applied { slot: u32, revision: Revision },
    Reached { slot: u32, step: u64 },
    Lost { worker: Incarnation },
    Left { worker: Incarnation },
    Done { slot: u32, done: ShardsDone },
    Evaluated { evaluation: u32, shard: u32, digest: u64 },
    Exported { digest: u64 },
    Part { slot: u32, id: CheckpointId },
    Missed { id: CheckpointId },
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Train,
    Evaluate { owners: BTreeMap<u32, Option<Incarnation>> },
    Export { worker: Option<Incarnation> },
    Done,
}

#[derive(Debug, Clone)]
struct Leased {
    owner: Option<Incarnation>,
    revoked: Revision,
    done: BTreeSet<u32>,
}

#[derive(Debug)]
pub struct Coordinator {
    model: Model,
    revision: u64,
    wanted_workers: usize,
    placement: Placement,
    owners: Vec<Option<Incarnation>>,
    // Outside of bsp: owners of shards, the revision in which they lost one, and the servers that are done with them.
    leases: BTreeMap<u32, Leased>,
    next_shard: u32,
    // The revision in which a lane lost its owner.
    revoked: Vec<Revision>,
    pub workers: BTreeSet<Incarnation>,
    // Told to stop, and perhaps not aware of it.
    stopping: BTreeSet<Incarnation>,
    highest: u64,
    applied: Vec<Revision>,
    reached: Vec<u64>,
    epoch: u32,
    phase: Phase,
    generation: Generation,
    // What the generation began from, what it may go back to, and what is cut, with the servers whose parts are there.
    restored: Option<Checkpoint>,
    committed: Option<Checkpoint>,
    cutting: Option<(Checkpoint, BTreeSet<u32>)>,
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
            leases: BTreeMap::new(),
            next_shard: 0,
            revoked: vec![Revision(1); lanes],
            workers: BTreeSet::new(),
            stopping: BTreeSet::new(),
            highest: 100,
            applied: vec![Revision(0); servers as usize],
            reached: vec![0; servers as usize],
            epoch: 0,
            phase: Phase::Train,
            generation: Generation(1),
            restored: None,
            committed: None,
            cutting: None,
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

    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// A checkpoint is to be cut; whether that is news.
    pub fn cut(&mut self, step: u64) -> bool {
        let newest = self.committed.as_ref().map_or(0, |checkpoint| checkpoint.id.step);
        let cuts = self.phase == Phase::Train && self.cutting.is_none() && step > newest && step <= self.model.plan.steps();
        if cuts {
            self.revision += 1;
            let id = CheckpointId { generation: self.generation, step, attempt: self.revision };
            self.cutting = Some((Checkpoint { id, dir: String::new() }, BTreeSet::new()));
        }
        cuts
    }

    /// A server is lost: all go back to the newest checkpoint, and what was evaluated since is evaluated again.
    pub fn fall_back(&mut self, slot: u32) {
        (self.revision, self.generation) = (self.revision + 1, Generation(self.generation.0 + 1));
        (self.restored, self.cutting) = (self.committed.clone(), None);
        self.applied[slot as usize] = Revision(0);
        self.reached.fill(0);
        (self.leases, self.next_shard, self.phase) = (BTreeMap::new(), 0, Phase::Train);
        let step = self.restored.as_ref().map_or(0, |restored| restored.id.step);
        // Where an epoch ends it is evaluated first.
        self.epoch = u32::try_from(step.saturating_sub(1) / self.model.plan.steps_per_epoch()).unwrap();
        self.digests.retain(|(evaluation, _), _| *evaluation < self.epoch);
    }

    /// Takes what a task tells of a generation.
    pub fn hear(&mut self, generation: Generation, fact: Fact) {
        let always = matches!(fact, Fact::Applied { .. } | Fact::Lost { .. } | Fact::Left { .. });
        if !always && generation != self.generation {
            return;
        }
        match fact {
            Fact::Part { slot, id } => {
                let Some((checkpoint, parts)) = self.cutting.as_mut().filter(|(checkpoint, _)| checkpoint.id == id) else { return };
                parts.insert(slot);
                if *parts == self.placement.servers.iter().copied().collect() {
                    (self.committed, self.revision) = (Some(checkpoint.clone()), self.revision + 1);
                    self.cutting = None;
                }
            }
            Fact::Missed { id } => {
                if self.cutting.take_if(|(checkpoint, _)| checkpoint.id == id).is_some() {
                    self.revision += 1;
                }
            }
            Fact::Applied { slot, revision } => {
                let applied = &mut self.applied[slot as usize];
                *applied = revision.max(*applied);
            }
            Fact::Reached { slot, step } => {
                let reached = &mut self.reached[slot as usize];
                *reached = step.max(*reached);
            }
            Fact::Done { slot, done } if done.epoch == self.epoch => {
                let servers: BTreeSet<u32> = self.placement.servers.iter().copied().collect();
                for shard in done.shards {
                    let Some(lease) = self.leases.get_mut(&shard) else { continue };
                    lease.done.insert(slot);
                    if lease.done == servers {
                        (self.revision, _) = (self.revision + 1, self.leases.remove(&shard));
                    }
                }
            }
            Fact::Done { .. } => {}
            Fact::Lost { worker } => self.lose(worker),
            Fact::Left { worker } => {
                self.revision += 1;
                self.stopping.remove(&worker);
            }
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
        let shards: Vec<u32> = self.leases.iter().filter(|(_, lease)| lease.owner == Some(worker)).map(|(shard, _)| *shard).collect();
        shards.into_iter().for_each(|shard| self.revoke_shard(shard));
        match &mut self.phase {
            Phase::Evaluate { owners } => owners.values_mut().filter(|owner| **owner == Some(worker)).for_each(|owner| *owner = None),
            Phase::Export { worker: exporter } if *exporter == Some(worker) => *exporter = None,
            _ => {}
        }
    }

    /// From now on there are so many workers: those that are too many are told to stop, new ones come and take lanes of
    /// the others.
    pub fn scale(&mut self, workers: usize, chance: &mut Chance) {
        self.wanted_workers = workers;
        while self.workers.len() > workers {
            let all: Vec<Incarnation> = self.workers.iter().copied().collect();
            let worker = chance.pick(&all).unwrap();
            self.lose(worker);
            self.stopping.insert(worker);
        }
    }

    /// Takes a lane from its owner.
    pub fn revoke(&mut self, lane: usize) {
        self.revision += 1;
        self.owners[lane] = None;
        self.revoked[lane] = Revision(self.revision);
    }

    fn revoke_shard(&mut self, shard: u32) {
        self.revision += 1;
        if let Some(lease) = self.leases.get_mut(&shard) {
            (lease.owner, lease.revoked) = (None, Revision(self.revision));
        }
    }

    /// Takes a lane or a shard from its owner.
    pub fn revoke_any(&mut self, chance: &mut Chance) {
        let shards: Vec<u32> = self.leases.keys().copied().collect();
        match chance.pick(&shards) {
            Some(shard) => self.revoke_shard(shard),
            None => self.revoke(chance.below(self.lanes())),
        }
    }

    /// A server counted a step that `worker` pushed.
    pub fn check_counted(&self, worker: Incarnation, step: u64) {
        let shards = self.shards().expect("shards are leased");
        let owner = self.leases.get(&shards.shard(step)).filter(|_| shards.epoch(step) == self.epoch).and_then(|lease| lease.owner);
        assert!(owner.is_none_or(|owner| owner == worker), "step {step} is {owner:?}'s, but a server took it from {worker}");
    }

    fn shards(&self) -> Option<Shards> {
        Shards::new(&self.model.plan, &self.model.train)
    }

    // Shards are leased to anybody, some at a time.
    fn lease(&mut self, shards: Shards, workers: &[Incarnation], chance: &mut Chance) {
        if self.phase != Phase::Train {
            return;
        }
        let applied = self.applied.iter().copied().min().unwrap_or_default();
        let mut granted = 0;
        for lease in self.leases.values_mut().filter(|lease| lease.owner.is_none() && lease.revoked <= applied) {
            (lease.owner, granted) = (chance.pick(workers), granted + 1);
        }
        while self.next_shard < shards.count() && self.leases.len() < 3 * workers.len() {
            let lease = Leased { owner: chance.pick(workers), revoked: Revision(0), done: BTreeSet::new() };
            self.leases.insert(self.next_shard, lease);
            (self.next_shard, granted) = (self.next_shard + 1, granted + 1);
        }
        self.revision += granted;
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
    pub fn register(&mut self, chance: &mut Chance) -> Option<Incarnation> {
        if self.workers.len() >= self.wanted_workers || self.done() {
            return None;
        }
        (self.revision, self.highest) = (self.revision + 1, self.highest + 1);
        self.workers.insert(Incarnation(self.highest));
        // Lanes for it.
        (0..self.lanes()).filter(|_| chance.percent(30)).collect::<Vec<_>>().into_iter().for_each(|lane| self.revoke(lane));
        Some(Incarnation(self.highest))
    }

    /// Does what can be done now; whether views changed.
    pub fn go_on(&mut self, chance: &mut Chance) -> bool {
        let before = self.revision;
        let workers: Vec<Incarnation> = self.workers.iter().copied().collect();
        if !workers.is_empty() {
            match self.shards() {
                Some(shards) => self.lease(shards, &workers, chance),
                None => self.grant(&workers, chance),
            }
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
                (self.leases, self.next_shard) = (BTreeMap::new(), 0);
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
        let stops = self.done() || self.stopping.contains(&incarnation);
        let directive = if stops { Directive::Stop { reason: "done".into() } } else { Directive::Run };
        TaskView {
            revision: Revision(self.revision),
            incarnation,
            directive,
            generation: self.generation,
            plan: self.model.plan,
            placement: Some(self.placement.clone()),
            servers: (0..u32::try_from(self.applied.len()).unwrap()).map(server).collect(),
            owners: self.owners.clone(),
            workers: self.workers.union(&self.stopping).copied().collect(),
            leases: self.leases.iter().map(|(shard, lease)| Lease { shard: *shard, owner: lease.owner }).collect(),
            run_until: self.run_until(),
            evaluate,
            export,
            evaluations: vec![],
            restore: self.restored.clone(),
            cut: self.cutting.as_ref().map(|(checkpoint, _)| checkpoint.clone()),
        }
    }
}
