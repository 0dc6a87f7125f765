//! How many workers a job has, and which of them new work goes to.
//!
//! A worker **stays** if its index is below the number of workers that the job should have. One that does not stay is
//! **leaving** until nothing is left of its process: it gets nothing new, and is told to stop once it holds nothing.

use super::{Job, JobState};
use crate::task::{Task, TaskState};
use std::collections::BTreeSet;
use tfcoord_types::id::{Incarnation, Role, TaskId};
use tfcoord_types::lane::WORKERS_MAX;

impl Job {
    /// How many workers it should have.
    pub fn workers(&self) -> u32 {
        self.scaled.unwrap_or(self.file.worker.count)
    }

    /// How many it can have.
    pub fn workers_max(&self) -> u32 {
        if self.file.train.is_bsp() { self.plan.micro_batches } else { WORKERS_MAX }
    }

    /// Whether a worker is one that the job should not have any more.
    pub fn is_leaving(&self, task: TaskId) -> bool {
        task.role == Role::Worker && task.index >= self.workers()
    }

    /// The workers that have lanes, or will have them once they are granted.
    pub(crate) fn lane_holders(&self) -> BTreeSet<TaskId> {
        self.lanes.iter().map(|lane| lane.intended).collect()
    }

    /// Whether lanes are to be dealt to a worker as soon as it is ready.
    pub(crate) fn waits_for_lanes(&self, task: TaskId) -> bool {
        self.state == JobState::Running
            && self.file.train.is_bsp()
            && !self.is_leaving(task)
            && !self.is_relieved(task)
            && !self.lanes.iter().any(|lane| lane.intended == task)
    }

    /// Whether a worker's lanes went to others because it was a straggler.
    pub(crate) fn is_relieved(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|task| task.relieved.is_some())
    }

    /// Whether a worker has lanes that live workers with lanes could take.
    pub(crate) fn can_be_relieved(&self, worker: Incarnation) -> bool {
        let hands = self.hands();
        self.state == JobState::Running && self.file.train.is_bsp() && hands.len() > 1 && hands.contains(&worker)
    }

    /// The registered workers that shards and the export may go to: those with lanes; where there is none of these, all
    /// that stay.
    pub(crate) fn hands(&self) -> Vec<Incarnation> {
        let staying = || self.tasks.iter().filter(|(id, _)| id.role == Role::Worker && !self.is_leaving(**id));
        let present = staying().filter_map(|(id, task)| Some((*id, task.registration()?.incarnation)));
        let all: Vec<(TaskId, Incarnation)> = present.collect();
        let holders = self.lane_holders();
        let with_lanes: Vec<Incarnation> = all.iter().filter(|(id, _)| holders.contains(id)).map(|(_, worker)| *worker).collect();
        if with_lanes.is_empty() { all.into_iter().map(|(_, worker)| worker).collect() } else { with_lanes }
    }

    /// Whether a worker holds what it must finish before it leaves.
    pub(crate) fn holds_work(&self, worker: Incarnation) -> bool {
        let shard = self.evaluating.as_ref().is_some_and(|e| e.open.values().any(|lease| *lease == Some(worker)));
        shard || self.exporter == Some(worker)
    }

    /// Workers' incarnations that are not retired: those that take part, and those that were told to stop and may not
    /// know it yet. Ascending.
    pub(crate) fn unretired_workers(&self) -> Vec<Incarnation> {
        let unretired = |(id, task): (&TaskId, &Task)| match &task.state {
            TaskState::Registered(registration) => Some(registration.incarnation),
            TaskState::Stopping { incarnation } if self.is_leaving(*id) => *incarnation,
            _ => None,
        };
        let mut workers: Vec<Incarnation> = self.tasks.iter().filter(|(id, _)| id.role == Role::Worker).filter_map(unretired).collect();
        workers.sort_unstable();
        workers
    }
}
