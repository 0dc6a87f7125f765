//! Who waits, and what they are answered.

use super::super::request::{Registered, Reply};
use super::Office;
use crate::site::Submission;
use crate::state_dir::Claim;
use tfcoord_coordinator_core::{Outcome, Refusal};
use tfcoord_proto::v1;
use tfcoord_types::id::{JobId, Revision, TaskId};

/// Who waits for a command's outcome.
pub(super) enum Waiter {
    Nobody,
    Submit(String, Claim, Option<Box<Submission>>, Reply<Result<(JobId, Revision), Refusal>>),
    Cancel(JobId, Reply<Result<v1::Job, Refusal>>),
    Scale(JobId, Reply<Result<v1::Job, Refusal>>),
    Register(JobId, TaskId, Reply<Result<Registered, Refusal>>),
}

impl Office {
    pub(super) fn answer(&mut self, waiter: Waiter, outcome: Outcome) {
        match (waiter, outcome) {
            (Waiter::Nobody, Outcome::Refused(refusal)) => tracing::debug!(%refusal, "refused"),
            (Waiter::Nobody, _) => {}
            (Waiter::Submit(file_name, claim, submission, reply), Outcome::Submitted { job }) => {
                if let Some(Err(error)) = submission.map(|submission| submission.give_to(&job)) {
                    tracing::error!(%job, %error, "what came with its submission is not in its folder");
                }
                // From here on the state says what is wanted.
                drop(claim);
                if !self.jobs.contains_key(&job) && self.state.file_name(&job).is_empty() {
                    self.state.keep_file_name(&job, &file_name);
                }
                let revision = self.cluster.job(&job).map_or(self.cluster.revision(), |job| job.revision);
                answer(reply, Ok((job, revision)));
            }
            (Waiter::Submit(.., reply), Outcome::Refused(refusal)) => answer(reply, Err(refusal)),
            // One that is over stays as it is.
            (Waiter::Cancel(job, reply), Outcome::Done | Outcome::Unchanged | Outcome::Refused(Refusal::JobOver { .. })) => {
                let message = self.message(&job).ok_or(Refusal::UnknownJob { job });
                answer(reply, message);
            }
            (Waiter::Scale(job, reply), Outcome::Done | Outcome::Unchanged) => {
                let message = self.message(&job).ok_or(Refusal::UnknownJob { job });
                answer(reply, message);
            }
            (Waiter::Cancel(_, reply) | Waiter::Scale(_, reply), Outcome::Refused(refusal)) => answer(reply, Err(refusal)),
            (Waiter::Register(id, task, reply), Outcome::Registered { incarnation }) => {
                let Some(job) = self.cluster.job(&id) else { return };
                let job_file = serde_json::to_string(&job.file).expect("a job file is plain data");
                let manifest_digest = job.manifest.digest.clone();
                self.presence.registered(incarnation, job, task, self.now);
                let lease = job.file.timing().lease;
                tfcoord_fault::point!("leader.task.registered");
                answer(reply, Ok(Registered { incarnation, job_file, manifest_digest, lease }));
            }
            (Waiter::Register(_, _, reply), Outcome::Refused(refusal)) => answer(reply, Err(refusal)),
            // The core gives each command outcomes of its own only; the caller sees that no answer comes.
            (Waiter::Submit(..) | Waiter::Cancel(..) | Waiter::Scale(..) | Waiter::Register(..), outcome) => {
                tracing::error!(%outcome, "an outcome that does not belong to its command");
            }
        }
    }
}

// Nobody may wait any more.
pub(super) fn answer<T>(reply: Reply<T>, value: T) {
    tfcoord_fault::point!("leader.answer.due");
    let _ = reply.send(value);
}
