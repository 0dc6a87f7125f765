//! What happened to a job between two of its states: pure.
//!
//! The coordinator shows states, not events, and may leave some out; [`Tracker`] compares each with the one
//! before. These are also the lines of `tfcoord submit -o jsonl`.

use crate::job::{Checkpoint, Checkpoints, Evaluation, Job, Plan, Progress, State};
use serde::Serialize;
use std::collections::BTreeMap;

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was admitted: the first event.
    Submitted {
        /// Its id.
        job: String,
        /// Its size.
        plan: Plan,
    },
    /// It came to another state that is not final.
    State {
        /// Its id.
        job: String,
        /// The new state.
        state: State,
        /// Why; may be empty.
        reason: String,
        /// Trained numbers of its model; 0 while not known.
        parameters: u64,
    },
    /// Where it stands, once an interval.
    Progress {
        /// Its id.
        job: String,
        /// How far it is.
        progress: Progress,
        /// Passes over the training records.
        epochs: u32,
        /// Workers that should take part.
        workers: u32,
    },
    /// An evaluation is complete.
    Evaluated {
        /// Its id.
        job: String,
        /// What it found.
        evaluation: Evaluation,
        /// Passes over the training records.
        epochs: u32,
    },
    /// A task is gone.
    TaskLost {
        /// Its id.
        job: String,
        /// Which task.
        task: String,
        /// Which launch of it.
        attempt: u32,
        /// How it ended; may be empty.
        exit: String,
    },
    /// A task was launched again.
    TaskReplaced {
        /// Its id.
        job: String,
        /// Which task.
        task: String,
        /// The new launch.
        attempt: u32,
        /// How the one before ended; may be empty.
        exit: String,
    },
    /// It goes on from what an earlier job has left.
    Resumed {
        /// Its id.
        job: String,
        /// What it goes on from.
        checkpoint: Checkpoint,
    },
    /// The parameters went back, since a server was lost or a checkpoint could not be used.
    WentBack {
        /// Its id.
        job: String,
        /// The new life of the parameters.
        generation: u64,
        /// The step that they are of; 0: the beginning.
        step: u64,
        /// Where the checkpoint lies; nothing for the beginning.
        checkpoint: Option<Checkpoint>,
    },
    /// A checkpoint could not be written, or not be read; training goes on.
    CheckpointFailed {
        /// Its id.
        job: String,
        /// Which one, and why.
        reason: String,
    },
    /// Something is wrong with its access to HDFS; it goes on.
    HdfsTrouble {
        /// Its id.
        job: String,
        /// What, why, and what to do.
        reason: String,
    },
    /// The embedded coordinator was gone; this client has started it again, and the job has gone on meanwhile.
    CoordinatorRestarted {
        /// Its id.
        job: String,
    },
    /// A process of it was sent a signal, as `--chaos` says.
    Chaos {
        /// Its id.
        job: String,
        /// A task, or `coordinator`.
        target: String,
        /// The process.
        pid: i32,
        /// `SIGKILL`, `SIGSTOP` or `SIGCONT`.
        signal: &'static str,
        /// Seconds until it goes on, if it was stopped.
        #[serde(skip_serializing_if = "Option::is_none")]
        sleeps_s: Option<f64>,
    },
    /// It has another number of workers.
    Scaled {
        /// Its id.
        job: String,
        /// How many it should have now.
        workers: u32,
    },
    /// This client left, the job goes on.
    Detached {
        /// Its id.
        job: String,
    },
    /// It ended: the last event.
    Ended {
        /// All of it.
        job: Box<Job>,
    },
}

/// Compares each state of a job with the one before.
#[derive(Debug, Default)]
pub struct Tracker {
    state: Option<State>,
    reason: String,
    evaluations: usize,
    // The generation, and the last failure of a checkpoint.
    saved: Option<(u64, String)>,
    // Attempt, restarts, and whether it is gone.
    tasks: BTreeMap<String, (u32, u32, bool)>,
    workers: u32,
    hdfs: String,
}

impl Tracker {
    /// What happened since the state seen before; for the first one, since the job was submitted.
    pub fn see(&mut self, job: &Job) -> Vec<Event> {
        let mut events = Vec::new();
        if self.state.is_none() {
            events.push(Event::Submitted { job: job.id.clone(), plan: job.plan.clone() });
        }
        let before = std::mem::replace(&mut self.workers, job.plan.workers);
        if self.state.is_some() && before != job.plan.workers {
            events.push(Event::Scaled { job: job.id.clone(), workers: job.plan.workers });
        }
        self.see_tasks(job, &mut events);
        self.see_checkpoints(job, &mut events);
        self.see_evaluations(job, &mut events);
        let before = std::mem::replace(&mut self.hdfs, job.hdfs.clone());
        // How it goes on is for the status: each try has words of its own.
        if before.is_empty() && !job.hdfs.is_empty() {
            events.push(Event::HdfsTrouble { job: job.id.clone(), reason: job.hdfs.clone() });
        }
        let waits_otherwise = job.state == State::Pending && self.reason != job.reason;
        if self.state != Some(job.state) || waits_otherwise {
            events.extend(changed(job));
        }
        (self.state, self.reason) = (Some(job.state), job.reason.clone());
        events
    }

    fn see_tasks(&mut self, job: &Job, events: &mut Vec<Event>) {
        for task in &job.tasks {
            let gone = task.state == "lost";
            let before = self.tasks.insert(task.task.clone(), (task.attempt, task.restarts, gone));
            let (id, name, exit) = (job.id.clone(), task.task.clone(), task.last_exit.clone());
            match before {
                _ if job.state.is_ended() => {}
                // A worker that has left and comes again has another attempt too.
                Some((attempt, restarts, gone)) if attempt < task.attempt && (gone || restarts < task.restarts) => {
                    events.push(Event::TaskReplaced { job: id, task: name, attempt: task.attempt, exit });
                }
                None if task.attempt > 1 && task.restarts > 0 => {
                    events.push(Event::TaskReplaced { job: id, task: name, attempt: task.attempt, exit })
                }
                None | Some((_, _, false)) if gone => events.push(Event::TaskLost { job: id, task: name, attempt: task.attempt, exit }),
                _ => {}
            }
        }
    }

    fn see_checkpoints(&mut self, job: &Job, events: &mut Vec<Event>) {
        let Some(Checkpoints { generation, restored, failure, .. }) = &job.checkpoints else { return };
        let before = self.saved.replace((*generation, failure.clone()));
        if before.as_ref().is_none_or(|(_, before)| before != failure) && !failure.is_empty() {
            events.push(Event::CheckpointFailed { job: job.id.clone(), reason: failure.clone() });
        }
        if let (None, Some(checkpoint)) = (&before, restored)
            && job.state != State::Finalizing
        {
            events.push(Event::Resumed { job: job.id.clone(), checkpoint: checkpoint.clone() });
        }
        if before.is_some_and(|(before, _)| before < *generation) {
            let step = restored.as_ref().map_or(0, |restored| restored.step);
            events.push(Event::WentBack { job: job.id.clone(), generation: *generation, step, checkpoint: restored.clone() });
        }
    }

    fn see_evaluations(&mut self, job: &Job, events: &mut Vec<Event>) {
        for evaluation in job.evaluations.iter().skip(self.evaluations) {
            events.push(Event::Evaluated { job: job.id.clone(), evaluation: evaluation.clone(), epochs: job.plan.epochs });
        }
        self.evaluations = self.evaluations.max(job.evaluations.len());
    }
}

fn changed(job: &Job) -> Option<Event> {
    match job.state {
        // Between submission and the launch there is nothing to tell, unless it has to wait.
        State::Admitted => None,
        State::Pending if job.reason.is_empty() => None,
        state if state.is_ended() => Some(Event::Ended { job: Box::new(job.clone()) }),
        state => Some(Event::State { job: job.id.clone(), state, reason: job.reason.clone(), parameters: job.plan.parameters }),
    }
}

#[cfg(test)]
mod tests;
