//! Who owns which lane: dealing, and fence-then-grant.
//!
//! ```text
//!              worker lost at revision r        all servers have applied r,
//!                                               and the next attempt has registered
//!   owned ──────────────────────────► vacated ─────────────────────────────────────► owned
//! ```
//!
//! While a lane is vacated no view names an owner. As soon as every server has applied a view of revision r or
//! later, none of them takes a push of the old owner any more: only then a new owner may be named (the **fence**).
//! So at no time do two servers take the same lane from two incarnations.
//!
//! A lane goes to the replacement of the very task that held it, since that is launched at once. Lanes of live
//! workers move only where the dealing changes ([`redeal`]): the same way, with nobody lost. Which share goes to whom is
//! decided by what is near ([`assign`]), where that is known.

mod assign;
mod redeal;

use assign::assign;
pub(crate) use redeal::redeal;

use crate::job::Job;
use serde::{Deserialize, Serialize};
use tfcoord_types::id::{Incarnation, Revision, TaskId};

/// A lane of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// The one incarnation that may push for it, or nobody.
    pub owner: Option<Incarnation>,
    /// While it has no owner: from this revision on no view names one.
    pub vacated_at: Option<Revision>,
    /// The task whose attempts it is granted to.
    pub intended: TaskId,
}

/// The worker (0..`workers`) of each of `lanes` lanes; `lanes` is a power of two, `workers` at most `lanes`.
///
/// Each worker gets `lanes / workers`, the first ones one more where it does not come out even, in as few aligned
/// blocks as these numbers have binary digits that are one: the largest blocks of all workers are laid out first,
/// so each begins at a multiple of its length.
pub fn deal(lanes: u32, workers: u32) -> Vec<u32> {
    let workers = workers.max(1);
    let quota = |worker: u32| lanes / workers + u32::from(worker < lanes % workers);
    let mut dealt = Vec::new();
    for length in (0..u32::BITS).rev().map(|bit| 1u32 << bit) {
        for worker in (0..workers).filter(|w| quota(*w) & length != 0) {
            dealt.extend((0..length).map(|_| worker));
        }
    }
    dealt
}

/// Deals all lanes to the job's registered workers: at the start, where no server has applied an owner before.
pub(crate) fn deal_all(job: &mut Job) {
    let workers = (0..job.workers()).map(TaskId::worker).collect();
    let lane = |intended: TaskId| Lane { owner: job.registration(intended).map(|r| r.incarnation), vacated_at: None, intended };
    job.lanes = assign(job, workers).into_iter().map(lane).collect();
}

/// Takes the lanes of a lost worker from it. A lane that was never granted to it keeps its older fence.
pub(crate) fn vacate(job: &mut Job, task: TaskId, revision: Revision) {
    for lane in job.lanes.iter_mut().filter(|lane| lane.intended == task && lane.owner.is_some()) {
        lane.owner = None;
        lane.vacated_at = Some(revision);
    }
}

/// Grants each vacated lane whose fence is complete and whose task is registered.
pub(crate) fn grant(job: &mut Job) {
    let applied = job.servers().map(|server| server.applied).min();
    let Job { lanes, tasks, .. } = job;
    for lane in lanes.iter_mut().filter(|lane| lane.owner.is_none()) {
        let fenced = lane.vacated_at <= applied;
        let owner = tasks.get(&lane.intended).and_then(|task| task.registration()).map(|r| r.incarnation);
        if let (true, Some(owner)) = (fenced, owner) {
            *lane = Lane { owner: Some(owner), vacated_at: None, intended: lane.intended };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfcoord_types::lane::Block;

    fn lanes_of(dealt: &[u32], worker: u32) -> Vec<u32> {
        (0u32..).zip(dealt).filter(|(_, w)| **w == worker).map(|(lane, _)| lane).collect()
    }

    #[test]
    fn three_workers_get_6_5_and_5_of_16() {
        let dealt = deal(16, 3);
        let blocks = |worker| Block::cover(&lanes_of(&dealt, worker)).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!([blocks(0), blocks(1), blocks(2)], ["0..4 12..14", "4..8 14..15", "8..12 15..16"]);
    }

    #[test]
    fn a_power_of_two_of_workers_gets_one_block_each() {
        assert_eq!(deal(8, 4), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(deal(4, 1), [0; 4]);
    }

    proptest! {
        #[test]
        fn every_lane_is_dealt_once_in_few_blocks(log in 0u32..11, part in 0u32..1024) {
            let lanes = 1u32 << log;
            let workers = 1 + part % lanes;
            let dealt = deal(lanes, workers);
            prop_assert_eq!(dealt.len(), lanes as usize);
            for worker in 0..workers {
                let mine = lanes_of(&dealt, worker);
                let count = u32::try_from(mine.len()).unwrap();
                prop_assert!(count >= 1 && count <= lanes.div_ceil(workers));
                prop_assert!(Block::cover(&mine).len() <= count.count_ones() as usize);
            }
        }
    }
}
