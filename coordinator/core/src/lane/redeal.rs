//! Dealing again: the workers that lanes are dealt to have changed.

use super::{deal, grant};
use crate::job::Job;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use tfcoord_types::id::{Revision, TaskId};

/// Deals all lanes to the workers that stay, have lanes already and are not relieved, and to `joining`. A lane that changes hands is
/// vacated, and granted once every server has applied that. Needs a job with lanes.
pub(crate) fn redeal(job: &mut Job, joining: &[TaskId], revision: Revision) {
    let mut workers = job.lane_holders();
    workers.extend(joining);
    workers.retain(|task| !job.is_leaving(*task) && !job.is_relieved(*task));
    if workers.is_empty() {
        // All that have lanes leave. The first worker never does, even where it is being replaced.
        workers.insert(TaskId::worker(0));
    }
    let present: Vec<TaskId> = job.lanes.iter().map(|lane| lane.intended).collect();
    for (lane, worker) in job.lanes.iter_mut().zip(assign(&present, workers)) {
        if lane.intended != worker {
            lane.intended = worker;
            // One that was vacated before keeps its older fence: nobody has owned it since.
            if lane.owner.take().is_some() {
                lane.vacated_at = Some(revision);
            }
        }
    }
    grant(job);
}

/// The worker of each lane: as [`deal`] cuts the lanes into shares, each of them to the worker that has most of it now.
fn assign(present: &[TaskId], mut free: BTreeSet<TaskId>) -> Vec<TaskId> {
    let count = |n: usize| u32::try_from(n).expect("at most as many as lanes");
    let workers = count(free.len());
    let shares = deal(count(present.len()), workers);
    let mut common: BTreeMap<(u32, TaskId), u32> = BTreeMap::new();
    for (share, worker) in shares.iter().zip(present).filter(|(_, worker)| free.contains(worker)) {
        *common.entry((*share, *worker)).or_default() += 1;
    }
    let mut common: Vec<_> = common.into_iter().collect();
    common.sort_by_key(|(_, lanes)| Reverse(*lanes));
    let mut takers: BTreeMap<u32, TaskId> = BTreeMap::new();
    for ((share, worker), _) in common {
        if !takers.contains_key(&share) && free.remove(&worker) {
            takers.insert(share, worker);
        }
    }
    // The others take what is left, in order.
    for share in 0..workers {
        takers.entry(share).or_insert_with(|| free.pop_first().expect("there are as many shares as workers"));
    }
    shares.iter().map(|share| takers[share]).collect()
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

    #[test]
    fn who_has_a_part_of_a_share_keeps_it() {
        let two = assign(&alone(8), workers(2));
        assert_eq!(shown(&two), [0, 0, 0, 0, 1, 1, 1, 1]);
        let four = assign(&two, workers(4));
        assert_eq!(shown(&four), [0, 0, 2, 2, 1, 1, 3, 3], "a half of each worker's lanes moves, and no more");
        assert_eq!(shown(&assign(&four, workers(1))), [0; 8]);
        assert_eq!(shown(&assign(&four, workers(2))), [0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(assign(&four, workers(4)), four);
    }

    proptest! {
        #[test]
        fn lanes_are_dealt_as_from_the_start_and_few_move(log in 0u32..7, before in 1u32..64, after in 1u32..64) {
            let lanes = 1u32 << log;
            let (before, after) = (before.min(lanes), after.min(lanes));
            let first = assign(&alone(lanes), workers(before));
            let then = assign(&first, workers(after));
            let blocks = |dealt: &[u32], worker: u32| {
                let mine: Vec<u32> = (0u32..).zip(dealt).filter(|(_, w)| **w == worker).map(|(lane, _)| lane).collect();
                Block::cover(&mine)
            };
            let all = |dealt: &[u32]| (0..after).map(|worker| blocks(dealt, worker)).collect::<std::collections::BTreeSet<_>>();
            prop_assert_eq!(all(&shown(&then)), all(&deal(lanes, after)), "the same shares, whoever takes which");
            prop_assert_eq!(assign(&then, workers(after)), then.clone(), "dealt again, nothing moves");
            if before.is_power_of_two() && after.is_power_of_two() && after > before {
                let moved = first.iter().zip(&then).filter(|(a, b)| a != b).count();
                prop_assert_eq!(moved as u32, lanes - lanes / after * before);
            }
        }
    }
}
