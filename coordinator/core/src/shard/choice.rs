//! Which of the next shards a worker is to get, where it is known which hosts hold them.

use crate::job::Job;
use crate::near::{Near, Places};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::holders::{Weight, scaled};
use tfcoord_types::id::{Incarnation, TaskId};
use tfcoord_types::shard::Shards;

/// What is near whom.
pub(super) struct Choice<'a> {
    tasks: BTreeMap<Incarnation, TaskId>,
    places: Places,
    weigh: Box<dyn Fn(u32) -> Weight + 'a>,
    // What was weighed already.
    known: RefCell<BTreeMap<u32, Rated>>,
}

/// How finely it is told how much of a shard is near: so that shards that are about alike stay in their order.
const PARTS: u64 = 8;

/// A shard, and how much of it is near the two workers that are nearest, in parts.
#[derive(Clone)]
struct Rated {
    weight: Weight,
    first: u64,
    second: u64,
}

impl<'a> Choice<'a> {
    /// Among these workers; nothing where there is nothing to choose.
    pub fn of(job: &'a Job, workers: &BTreeSet<Incarnation>, shards: Shards) -> Option<Self> {
        let near = Near::of(job)?;
        let tasks: BTreeMap<Incarnation, TaskId> = workers.iter().filter_map(|worker| Some((*worker, job.task_of(*worker)?))).collect();
        let places = near.places(job, tasks.values().copied());
        let weigh = Box::new(near.shards(shards, job.leased_epoch()));
        Some(Self { tasks, places, weigh, known: RefCell::default() })
    }

    /// How good a shard is for a worker: what of it is near; of equal ones rather what the others are far from.
    pub fn value(&self, worker: Incarnation, shard: u32) -> (u64, Reverse<u64>) {
        let mut known = self.known.borrow_mut();
        let rated = known.entry(shard).or_insert_with(|| self.rate(shard));
        let near = self.tasks.get(&worker).map_or(0, |task| self.near(*task, &rated.weight));
        (near, Reverse(if near == rated.first { rated.second } else { rated.first }))
    }

    fn near(&self, task: TaskId, weight: &Weight) -> u64 {
        scaled(self.places.near(task, weight), PARTS, weight.bytes)
    }

    fn rate(&self, shard: u32) -> Rated {
        let weight = (self.weigh)(shard);
        let (mut first, mut second) = (0, 0);
        for near in self.tasks.values().map(|task| self.near(*task, &weight)) {
            if near > first {
                (first, second) = (near, first);
            } else {
                second = near.max(second);
            }
        }
        Rated { weight, first, second }
    }
}
