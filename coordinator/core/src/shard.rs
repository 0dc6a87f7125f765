//! Who trains which shard, in jobs that are not `bsp`: single shards are leased, several ahead, and given again by
//! fence, then grant, as lanes are ([`crate::lane`]).
//!
//! ```text
//!   never leased ──► leased ──every server: done──► gone
//!                     │  ▲
//!      worker lost, or│  │ all servers have applied that, and a worker is ready
//!              leaves ▼  │
//!                   vacated
//! ```
//!
//! Shards are leased in their order, so that a worker reads on where it was, and fewer ahead towards the end of an epoch, so
//! that all workers end together. Where it is known which hosts hold the data, a worker gets of the next ones those that it is
//! nearest to, and others are passed over for a while. A lease says nothing of how far a shard is: that is known to the servers' cursors alone.
//! So a shard that changes hands may be done in part or in whole; whoever gets it next finds out with its first push.
//! At the end of an epoch all leases are gone: keys of another epoch do not count. A generation that begins from a checkpoint
//! within an epoch leases all its shards again, as no more is known here of what counts: the servers tell at once which of
//! them are done.

mod choice;

use crate::job::{Job, JobState};
use choice::Choice;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::id::{Incarnation, Revision};
use tfcoord_types::shard::Shards;

/// The most shards that a worker is leased ahead.
pub const AHEAD_MAX: u32 = 4;
/// Of so many, from the first that was not leased on, one is chosen that is near.
const CHOICE_MAX: u32 = 64;

/// The shards of the epoch that a job is in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Leases {
    /// Workers that are ready for shards.
    pub workers: BTreeSet<Incarnation>,
    /// This shard and those behind it were never leased.
    pub next: u32,
    /// Shards before it that were never leased either: they were passed over for others that are nearer.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub passed: BTreeSet<u32>,
    /// Those before it that are not known to be done.
    pub open: BTreeMap<u32, Lease>,
}

/// A shard that is, or was, leased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The one incarnation that may push for it, or nobody.
    pub owner: Option<Incarnation>,
    /// While it has no owner: from this revision on no view names one.
    pub vacated_at: Option<Revision>,
    /// Slots of the servers that are done with it.
    pub done: BTreeSet<u32>,
}

impl Leases {
    // How many shards each worker holds.
    fn held(&self) -> BTreeMap<Incarnation, u32> {
        let mut held: BTreeMap<Incarnation, u32> = self.workers.iter().map(|worker| (*worker, 0)).collect();
        for owner in self.open.values().filter_map(|lease| lease.owner) {
            *held.entry(owner).or_default() += 1;
        }
        held
    }

    /// How many of `count` shards were never leased.
    pub(crate) fn unleased(&self, count: u32) -> u32 {
        let passed = u32::try_from(self.passed.len()).unwrap_or(u32::MAX);
        count.saturating_sub(self.next).saturating_add(passed)
    }

    // The next one of `count` that was never leased: of those that `value` is the highest of the first.
    fn take<V: Ord>(&mut self, count: u32, value: impl Fn(u32) -> V) -> Option<u32> {
        let unleased = || self.passed.iter().copied().chain(self.next..count);
        let last = unleased().next()?.saturating_add(CHOICE_MAX);
        let shard = unleased().take_while(|shard| *shard < last).max_by_key(|shard| (value(*shard), Reverse(*shard)))?;
        if !self.passed.remove(&shard) {
            self.passed.extend(self.next..shard);
            self.next = shard + 1;
        }
        Some(shard)
    }

    /// Forgets the shards, not the workers: an epoch begins.
    pub(crate) fn begin_epoch(&mut self) {
        self.next = 0;
        self.passed.clear();
        self.open.clear();
    }
}

impl Job {
    /// Its shards; none in `bsp`.
    pub fn shards(&self) -> Option<Shards> {
        Shards::new(&self.plan, &self.file.train)
    }

    /// The epoch that its leases are of: the one before `run_until`.
    pub fn leased_epoch(&self) -> u32 {
        self.epochs_at(self.run_until.saturating_sub(1))
    }

    /// Whether its leases are of an epoch that the present generation began in the midst of.
    pub(crate) fn began_within(&self) -> bool {
        self.shards().is_some_and(|shards| shards.within(self.restored_step()) == Some(self.leased_epoch()))
    }

    /// Whether a worker that is ready is to be leased shards from now on.
    pub(crate) fn waits_for_shards(&self, worker: Incarnation) -> bool {
        let stays = self.task_of(worker).is_some_and(|task| !self.is_leaving(task));
        self.state == JobState::Running && self.shards().is_some() && stays && !self.leases.workers.contains(&worker)
    }
}

/// Leases what may be leased now.
pub(crate) fn grant(job: &mut Job) {
    let trains = job.state == JobState::Running && job.evaluating.is_none() && job.step < job.run_until;
    let Some(shards) = job.shards().filter(|_| trains && !job.leases.workers.is_empty()) else { return };
    let applied = job.servers().map(|server| server.applied).min();
    let mut leases = std::mem::take(&mut job.leases);
    let mut held = leases.held();
    for lease in leases.open.values_mut().filter(|lease| lease.owner.is_none() && lease.vacated_at <= applied) {
        let (worker, count) = idlest(&held);
        held.insert(worker, count + 1);
        (lease.owner, lease.vacated_at) = (Some(worker), None);
    }
    lease(job, &mut leases, held, shards);
    job.leases = leases;
}

// What was never leased, to the idlest worker first, as far ahead as is good.
fn lease(job: &Job, leases: &mut Leases, mut held: BTreeMap<Incarnation, u32>, shards: Shards) {
    let workers = u32::try_from(held.len()).unwrap_or(u32::MAX);
    if leases.unleased(shards.count()) == 0 {
        return;
    }
    let choice = Choice::of(job, &leases.workers, shards);
    while leases.unleased(shards.count()) > 0 {
        let (worker, count) = idlest(&held);
        let ahead = (leases.unleased(shards.count()) / workers).clamp(1, AHEAD_MAX);
        if count >= ahead {
            break;
        }
        let mut granted = count;
        while granted < ahead
            && let Some(shard) = leases.take(shards.count(), |shard| choice.as_ref().map(|choice| choice.value(worker, shard)))
        {
            leases.open.insert(shard, Lease { owner: Some(worker), vacated_at: None, done: BTreeSet::new() });
            granted += 1;
        }
        held.insert(worker, granted);
    }
}

fn idlest(held: &BTreeMap<Incarnation, u32>) -> (Incarnation, u32) {
    let (worker, count) = held.iter().min_by_key(|(_, count)| **count).expect("there is a worker");
    (*worker, *count)
}

/// A server is done with shards of the present epoch; whether that was not known.
pub(crate) fn complete(job: &mut Job, slot: u32, shards: &[u32]) -> bool {
    let slots: BTreeSet<u32> = job.placement.iter().flat_map(|placement| placement.servers.iter().copied()).collect();
    let mut news = false;
    for shard in shards {
        let Some(lease) = job.leases.open.get_mut(shard).filter(|_| slots.contains(&slot)) else { continue };
        news |= lease.done.insert(slot);
        if lease.done == slots {
            job.leases.open.remove(shard);
        }
    }
    if news {
        grant(job);
    }
    news
}

/// Takes its shards from a worker that is lost or leaves.
pub(crate) fn vacate(job: &mut Job, worker: Incarnation, revision: Revision) {
    job.leases.workers.remove(&worker);
    for lease in job.leases.open.values_mut().filter(|lease| lease.owner == Some(worker)) {
        (lease.owner, lease.vacated_at) = (None, Some(revision));
    }
    // Fewer share what was never leased: those that stay may be leased more of it ahead.
    grant(job);
}
