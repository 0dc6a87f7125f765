//! What the log acknowledged is what the state follows from: a second replica applies each entry for itself, entry by
//! entry, under the core's own laws; after every restart the coordinator's state is that replica's, with nothing missing
//! that was acknowledged and nothing added that was not tried.

use super::{checkpoints, ensure};
use crate::tally::Tally;
use serde::Deserialize;
use std::collections::BTreeMap;
use tfcoord_coordinator::log::Entry;
use tfcoord_coordinator_core::invariants::{check, check_step};
use tfcoord_coordinator_core::{Cluster, Command, Job, JobState};
use tfcoord_types::id::{JobId, Role, TaskId};

#[derive(Debug, Default)]
pub struct History {
    replica: Cluster,
    /// When tasks were lost, and what for lanes were granted again.
    pub tally: Tally,
    // Of jobs that go on: the one from whose checkpoints.
    roots: BTreeMap<JobId, JobId>,
    // Entries that an append failed with: any first part of them may be in the log.
    tried: Vec<Entry>,
}

#[derive(Deserialize)]
struct Written {
    at_ms: u64,
    command: Command,
}

impl History {
    /// The state that the acknowledged entries lead to.
    pub fn cluster(&self) -> &Cluster {
        &self.replica
    }

    /// The job whose training this one goes on with; itself if it is none.
    pub fn root<'a>(&'a self, job: &'a JobId) -> &'a JobId {
        self.roots.get(job).unwrap_or(job)
    }

    /// Entries were appended: they are acknowledged.
    pub fn appended(&mut self, entries: Vec<Entry>) {
        self.tried.clear();
        entries.into_iter().for_each(|entry| self.apply(&entry));
    }

    /// An append failed with these entries.
    pub fn failed(&mut self, entries: Vec<Entry>) {
        self.tried = entries;
    }

    fn apply(&mut self, entry: &Entry) {
        let before = self.replica.clone();
        ensure(entry.index == before.revision().0 + 1, entry.index, "no entry is missing, and none comes twice");
        let Written { at_ms, command } = serde_json::from_slice(&entry.payload).expect("an entry is a command");
        let named = command.to_string();
        let takes_office = matches!(command, Command::TakeOffice { .. });
        let resumed = match &command {
            Command::SubmitJob { resume: Some(resume), .. } => resume.checkpoints.last().map(|checkpoint| checkpoint.dir.clone()),
            _ => None,
        };
        let relieves = matches!(command, Command::MoveLanes { .. });
        let lost = match &command {
            Command::DeclareLost { job, task, .. } => Some((job.clone(), task.role)),
            _ => None,
        };
        self.replica.apply(entry.index, at_ms, command);
        if let Some(dir) = resumed {
            let root = before.jobs().find(|job| job.checkpoint_dir() == dir).map(|job| job.id.clone()).expect("a job has written there");
            let new = self.replica.jobs().filter(|job| before.job(&job.id).is_none());
            self.roots.extend(new.map(|job| (job.id.clone(), root.clone())));
            self.tally.add("job resumed");
        }
        let law = check(&self.replica).and_then(|()| check_step(&before, &self.replica));
        ensure(law.is_ok(), format_args!("entry {} {named}: {:?}", entry.index, law), "the core's own laws hold");
        for job in self.replica.jobs() {
            let Some(old) = before.job(&job.id) else { continue };
            checkpoints::step(old, job);
            let runs = |job: &Job| job.tasks.values().map(|task| (task.attempt, task.incarnation())).collect::<Vec<_>>();
            ensure(!takes_office || runs(old) == runs(job), &job.id, "whoever leads, what runs goes on");
        }
        let changed = |job: &Job| before.job(&job.id).is_some_and(|old| old.lanes != job.lanes);
        if relieves && self.replica.jobs().any(changed) {
            self.tally.add("lanes moved from a straggler");
        }
        self.count(&before, lost);
    }

    fn count(&mut self, before: &Cluster, lost: Option<(JobId, Role)>) {
        if let Some((job, Role::Worker)) = lost
            && let Some(job) = before.job(&job)
        {
            self.tally.add(match job.state {
                JobState::Running if job.evaluating.is_some() => "worker lost while an evaluation is under way",
                JobState::Running => "worker lost while steps are computed",
                JobState::Finalizing => "worker lost while the model is exported",
                _ => "worker lost at another time",
            });
        }
        for job in self.replica.jobs() {
            let old = before.job(&job.id).map_or(&[][..], |job| &job.lanes);
            let granted = old.iter().zip(&job.lanes).any(|(old, new)| old.owner.is_none() && new.owner.is_some());
            if granted {
                self.tally.add("lanes granted again");
            }
            if old.is_empty() && job.lanes.first().is_some_and(|lane| lane.intended != TaskId::worker(0)) {
                self.tally.add("lanes dealt to whom they are near");
            }
            if !job.leases.passed.is_empty() {
                self.tally.add("shards passed over");
            }
            let owned = |shard: &u32| job.leases.open.get(shard).is_some_and(|lease| lease.owner.is_some());
            let vacant = before.job(&job.id).map(|old| old.leases.open.iter().filter(|(_, lease)| lease.owner.is_none()));
            if vacant.into_iter().flatten().any(|(shard, _)| owned(shard)) {
                self.tally.add("shards granted again");
            }
            if let Some(old) = before.job(&job.id).filter(|old| old.generation < job.generation) {
                self.tally.add(match (&job.checkpoints.restored, old.state) {
                    (None, _) => "generation from the seed",
                    (Some(_), JobState::Finalizing) => "generation from a checkpoint, of a job that was finalizing",
                    (Some(_), _) => "generation from a checkpoint",
                });
            }
            if before.job(&job.id).is_some_and(|old| old.workers() != job.workers()) {
                self.tally.add("job scaled");
            }
        }
    }

    /// The coordinator has applied what it appended.
    pub fn applied(&self, cluster: &Cluster) {
        ensure(*cluster == self.replica, cluster.revision(), "two replicas of one log are equal");
    }

    /// A coordinator has read its log.
    pub fn recovered(&mut self, cluster: &Cluster) {
        let (revision, acknowledged) = (cluster.revision(), self.replica.revision());
        ensure(revision >= acknowledged, format_args!("{revision} of {acknowledged}"), "what was acknowledged is in the log");
        for entry in std::mem::take(&mut self.tried) {
            if entry.index <= revision.0 {
                self.apply(&entry);
            }
        }
        ensure(*cluster == self.replica, revision, "after a restart the state is what the log says");
    }
}
