//! Who takes which share: a worker that has most of it now, so that few lanes move; else one that is near most of it; the rest in
//! order. The shares are as [`deal`] cuts them, whoever takes which.

use super::deal;
use crate::job::Job;
use crate::near::Near;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::holders::Weight;
use tfcoord_types::id::TaskId;

/// So often all pairs are looked at for two that are nearer in sum when they exchange their shares.
const EXCHANGES_MAX: usize = 4;

/// How near a worker is to a share, in bytes.
type Nearness<'a> = &'a dyn Fn(u32, TaskId) -> u64;

/// The worker of each lane, of these, of which there must be one at least and as many as lanes at most.
pub(super) fn assign(job: &Job, workers: BTreeSet<TaskId>) -> Vec<TaskId> {
    let shares = deal(job.plan.micro_batches, u32::try_from(workers.len()).expect("at most as many as lanes"));
    let present: Vec<TaskId> = job.lanes.iter().map(|lane| lane.intended).collect();
    let Some(near) = Near::of(job) else { return takers(&shares, &present, workers, &|_, _| 0) };
    let mut weights = BTreeMap::new();
    for (share, lane) in shares.iter().zip(near.lanes(job.epochs_at(job.step))) {
        weights.entry(*share).or_insert_with(Weight::default).add(&lane);
    }
    let places = near.places(job, workers.iter().copied());
    let nearness = |share: u32, worker: TaskId| weights.get(&share).map_or(0, |weight| places.near(worker, weight));
    takers(&shares, &present, workers, &nearness)
}

// The worker of each lane. `present` are the lanes' workers by now, or none.
fn takers(shares: &[u32], present: &[TaskId], mut free: BTreeSet<TaskId>, nearness: Nearness<'_>) -> Vec<TaskId> {
    let mut takers = keepers(shares, present, &mut free);
    let left: Vec<u32> = (0..).take(takers.len() + free.len()).filter(|share| !takers.contains_key(share)).collect();
    takers.extend(nearest(&left, &free.into_iter().collect::<Vec<_>>(), nearness));
    shares.iter().map(|share| takers[share]).collect()
}

// Each share that somebody has lanes of goes to whoever has most of it.
fn keepers(shares: &[u32], present: &[TaskId], free: &mut BTreeSet<TaskId>) -> BTreeMap<u32, TaskId> {
    let mut common: BTreeMap<(u32, TaskId), u32> = BTreeMap::new();
    for (share, worker) in shares.iter().zip(present).filter(|(_, worker)| free.contains(worker)) {
        *common.entry((*share, *worker)).or_default() += 1;
    }
    let mut common: Vec<_> = common.into_iter().collect();
    common.sort_by_key(|(_, lanes)| Reverse(*lanes));
    let mut keepers: BTreeMap<u32, TaskId> = BTreeMap::new();
    for ((share, worker), _) in common {
        if !keepers.contains_key(&share) && free.remove(&worker) {
            keepers.insert(share, worker);
        }
    }
    keepers
}

// The nearest pair first, again and again, the rest in order; then whoever gains by it exchanges. There are as many shares as
// workers. Where nobody is near anything, or all are alike, the order decides alone.
fn nearest(shares: &[u32], workers: &[TaskId], nearness: Nearness<'_>) -> Vec<(u32, TaskId)> {
    let near: Vec<Vec<u64>> = shares.iter().map(|share| workers.iter().map(|worker| nearness(*share, *worker)).collect()).collect();
    let row = |(share, row): (usize, &Vec<u64>)| {
        let pairs = row.iter().enumerate().filter(|(_, near)| **near > 0);
        pairs.map(move |(worker, near)| (Reverse(*near), share, worker)).collect::<Vec<_>>()
    };
    let mut pairs: Vec<(Reverse<u64>, usize, usize)> = near.iter().enumerate().flat_map(row).collect();
    pairs.sort_unstable();
    let mut free: BTreeSet<usize> = (0..workers.len()).collect();
    let mut takers: Vec<Option<usize>> = vec![None; shares.len()];
    for (_, share, worker) in pairs {
        if takers[share].is_none() && free.remove(&worker) {
            takers[share] = Some(worker);
        }
    }
    let rest = |taker: Option<usize>| taker.or_else(|| free.pop_first()).expect("there are as many workers as shares");
    let mut takers: Vec<usize> = takers.into_iter().map(rest).collect();
    for _ in 0..EXCHANGES_MAX {
        let before = takers.clone();
        for one in 0..takers.len() {
            for other in 0..one {
                let (a, b) = (takers[one], takers[other]);
                let sum = |x: usize, y: usize| u128::from(near[one][x]) + u128::from(near[other][y]);
                if sum(b, a) > sum(a, b) {
                    takers.swap(one, other);
                }
            }
        }
        if takers == before {
            break;
        }
    }
    shares.iter().zip(takers).map(|(share, taker)| (*share, workers[taker])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfcoord_types::lane::Block;

    fn workers(count: u32) -> BTreeSet<TaskId> {
        (0..count).map(TaskId::worker).collect()
    }

    fn alone(lanes: u32) -> Vec<TaskId> {
        vec![TaskId::worker(0); lanes as usize]
    }

    fn shown(lanes: &[TaskId]) -> Vec<u32> {
        lanes.iter().map(|worker| worker.index).collect()
    }

    fn again(present: &[TaskId], workers: BTreeSet<TaskId>, nearness: Nearness<'_>) -> Vec<TaskId> {
        takers(&deal(u32::try_from(present.len()).unwrap(), u32::try_from(workers.len()).unwrap()), present, workers, nearness)
    }

    fn far(_: u32, _: TaskId) -> u64 {
        0
    }

    #[test]
    fn who_has_a_part_of_a_share_keeps_it() {
        let two = again(&alone(8), workers(2), &far);
        assert_eq!(shown(&two), [0, 0, 0, 0, 1, 1, 1, 1]);
        let four = again(&two, workers(4), &far);
        assert_eq!(shown(&four), [0, 0, 2, 2, 1, 1, 3, 3], "a half of each worker's lanes moves, and no more");
        assert_eq!(shown(&again(&four, workers(1), &far)), [0; 8]);
        assert_eq!(shown(&again(&four, workers(2), &far)), [0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(again(&four, workers(4), &far), four);
    }

    #[test]
    fn at_the_start_the_nearest_takes_a_share_and_later_whoever_has_it() {
        // Shares 0 and 1 are near worker 2, 1 the more so; share 2 is a little near all.
        let near = |share: u32, worker: TaskId| match (share, worker.index) {
            (0, 2) => 80,
            (1, 2) => 100,
            (2, _) => 5,
            _ => 0,
        };
        let three = takers(&deal(4, 3), &[], workers(3), &near);
        assert_eq!(deal(4, 3), [0, 0, 1, 2]);
        assert_eq!(shown(&three), [1, 1, 2, 0]);
        assert_eq!(again(&three, workers(3), &near), three);
        assert_eq!(shown(&again(&alone(4), workers(3), &near)), [0, 0, 2, 1], "what worker 0 has it keeps, though another is nearer");
    }

    #[test]
    fn two_exchange_where_the_sum_gains() {
        let near = |share: u32, worker: TaskId| [[10, 9], [10, 0]][share as usize][worker.index as usize];
        assert_eq!(shown(&takers(&deal(2, 2), &[], workers(2), &near)), [1, 0], "19 instead of 10");
    }

    proptest! {
        #[test]
        fn lanes_are_dealt_as_from_the_start_and_few_move(
            log in 0u32..7,
            before in 1u32..64,
            after in 1u32..64,
            bytes in proptest::collection::vec(0u64..4, 64),
        ) {
            let lanes = 1u32 << log;
            let (before, after) = (before.min(lanes), after.min(lanes));
            let near = |share: u32, worker: TaskId| bytes[((share * 7 + worker.index * 3) % 64) as usize];
            let first = takers(&deal(lanes, before), &[], workers(before), &near);
            let then = again(&first, workers(after), &near);
            let blocks = |dealt: &[u32], worker: u32| {
                let mine: Vec<u32> = (0u32..).zip(dealt).filter(|(_, w)| **w == worker).map(|(lane, _)| lane).collect();
                Block::cover(&mine)
            };
            let all = |dealt: &[u32], workers| (0..workers).map(|worker| blocks(dealt, worker)).collect::<BTreeSet<_>>();
            prop_assert_eq!(all(&shown(&first), before), all(&deal(lanes, before), before), "the same shares, whoever takes which");
            prop_assert_eq!(all(&shown(&then), after), all(&deal(lanes, after), after));
            prop_assert_eq!(again(&then, workers(after), &near), then.clone(), "dealt again, nothing moves");
            if before.is_power_of_two() && after.is_power_of_two() && after > before {
                let moved = first.iter().zip(&then).filter(|(a, b)| a != b).count();
                prop_assert_eq!(moved as u32, lanes - lanes / after * before);
            }
            let sum = |dealt: &[TaskId]| {
                let shares: BTreeSet<(u32, TaskId)> = deal(lanes, before).into_iter().zip(dealt.iter().copied()).collect();
                shares.into_iter().map(|(share, worker)| near(share, worker)).sum::<u64>()
            };
            let in_order: Vec<TaskId> = deal(lanes, before).into_iter().map(TaskId::worker).collect();
            prop_assert!(2 * sum(&first) >= sum(&in_order), "as the nearest pair first gives at least");
        }
    }
}
