//! Why a job is in the state it is in, in words: computed, so that it is never out of date.

use super::{Job, JobState};
use tfcoord_types::id::{Role, TaskId};
use tfcoord_types::plan::TrainPlan;

/// Names that are listed before the rest is only counted.
const NAMES_MAX: usize = 5;

impl Job {
    /// Why the job is in its state, for people; may have several lines once it is over.
    pub fn reason(&self) -> String {
        if let Some(ended) = &self.ended {
            return ended.reason.clone();
        }
        match self.state {
            JobState::Running => self.running(),
            JobState::Finalizing => match self.exporter.and_then(|worker| self.task_of(worker)) {
                Some(worker) => format!("{worker} exports the model"),
                None => self.waits_for(),
            },
            _ => self.waits_for(),
        }
    }

    fn running(&self) -> String {
        let epochs = self.plan.epochs;
        let epoch = self.epochs_at(self.run_until);
        if !self.missing_servers().is_empty() {
            let from = match self.restored_step() {
                0 => "the beginning".into(),
                step => format!("step {step}"),
            };
            return format!("{}, then goes on from {from}", self.waits_for());
        }
        if self.lanes.iter().any(|lane| lane.owner.is_none()) {
            return self.waits_for();
        }
        match &self.evaluating {
            Some(evaluating) => format!("evaluating after epoch {} of {epochs}", self.epochs_at(evaluating.step)),
            None if self.evaluates() => format!("training epoch {epoch} of {epochs}"),
            None => format!("training {epochs} epochs"),
        }
    }

    /// Whole epochs that a number of steps makes.
    pub(crate) fn epochs_at(&self, steps: u64) -> u32 {
        self.plan.place(steps).epoch
    }

    fn waits_for(&self) -> String {
        let missing = self.missing();
        if !missing.is_empty() {
            format!("waiting for {} to register", names(&missing))
        } else if self.placement.is_none() {
            "waiting for a worker to name the model's variables".into()
        } else {
            "waiting for the servers to fence lost workers".into()
        }
    }

    /// Tasks that no process takes part as.
    pub(crate) fn missing(&self) -> Vec<TaskId> {
        self.tasks.iter().filter(|(_, task)| task.registration().is_none()).map(|(id, _)| *id).collect()
    }

    /// Servers that no process takes part as.
    pub(crate) fn missing_servers(&self) -> Vec<TaskId> {
        self.missing().into_iter().filter(|task| task.role == Role::ParameterServer).collect()
    }

    /// Why it did not start in time.
    pub(crate) fn unstarted(&self) -> String {
        let (within, what) = (self.file.start_timeout, self.waits_for());
        format!("the job did not start within {within} s: {what}; start_timeout in the job file may give it more time")
    }

    /// What it has done, once it has done all.
    pub(crate) fn done(&self) -> String {
        let TrainPlan { epochs, .. } = self.plan;
        let epochs = if epochs == 1 { "1 epoch".to_owned() } else { format!("{epochs} epochs") };
        format!("trained {epochs} in {} steps", self.plan.steps())
    }
}

fn names(tasks: &[TaskId]) -> String {
    let listed = tasks.iter().take(NAMES_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match tasks.len().saturating_sub(NAMES_MAX) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}
