//! What is asked of the leader, and what tasks report.

use super::super::release;
use super::super::request::Request;
use super::Office;
use super::answer::{Waiter, answer};
use super::show::known;
use crate::resume;
use std::time::Instant;
use tfcoord_coordinator_core::Command;
use tfcoord_coordinator_core::job::Job;
use tfcoord_coordinator_core::proposals::proposals;
use tfcoord_types::id::JobId;
use tfcoord_types::report::Report;

impl Office {
    /// Takes a request: answers it, or proposes what it asks for.
    pub(in super::super) fn take(&mut self, request: Request) {
        match request {
            Request::Find { request_id, reply } => {
                let job = self.cluster.requested(&request_id).and_then(|job| self.cluster.job(job));
                answer(reply, job.map(|job| (job.id.clone(), job.revision)));
            }
            Request::Going { file, reply } => {
                let of_file = |job: &&Job| !job.is_over() && job.file.name == file.name && resume::root(&job.file) == resume::root(&file);
                let going = self.cluster.jobs().filter(of_file).max_by_key(|job| job.id.number);
                answer(reply, going.map(|job| (job.id.clone(), job.revision, job.file == *file)));
            }
            Request::Submit { request_id, file, file_name, manifest, resume, claim, submission, reply } => {
                let waiter = Waiter::Submit(file_name, claim, submission, reply);
                self.pending.push((Command::SubmitJob { request_id, file, manifest, resume }, waiter));
            }
            Request::Cancel { job, reason, reply } => {
                self.pending.push((Command::CancelJob { job: job.clone(), reason }, Waiter::Cancel(job, reply)));
            }
            Request::Scale { job, workers, reply } => {
                let command = Command::ScaleJob { job: job.clone(), workers, machine_bytes: None };
                self.pending.push((command, Waiter::Scale(job, reply)));
            }
            Request::Get { job, reply } => answer(reply, self.message(&job)),
            Request::List { all, reply } => answer(reply, self.list(all)),
            Request::Watch { job, reply } => answer(reply, self.watch(&job)),
            Request::Register { job, task, attempt, process, reply } => {
                let command = Command::RegisterTask { job: job.clone(), task, attempt, process };
                self.pending.push((command, Waiter::Register(job, task, reply)));
            }
            Request::Whose { incarnation, reply } => {
                answer(reply, self.presence.of(incarnation).map(|seen| (seen.job.clone(), seen.task)));
            }
            Request::Open { report, reply } => {
                let whose = self.presence.of(report.incarnation).map(|seen| (seen.job.clone(), seen.task));
                let session = whose.and_then(|(job, task)| self.outlets.open(&self.cluster, report.incarnation, &job, task));
                self.report(*report);
                answer(reply, session);
            }
            Request::Report { report, reply } => {
                self.report(*report);
                answer(reply, ());
            }
            Request::Close { incarnation, number } => self.outlets.close(incarnation, number),
            Request::Saved { job, id, result } => {
                let command = self.saver.written(job, id, result);
                self.propose(command);
            }
            Request::Reserved { job, result } => {
                let failed = self.results.remote.reserved(job, result);
                failed.into_iter().for_each(|command| self.propose(command));
                self.reconcile_at = self.now;
            }
            Request::Tidied { job } => {
                self.results.remote.tidied(&job);
                self.tell_keeper();
            }
            Request::Trouble { job, text } => {
                let was = if text.is_empty() { self.troubles.remove(&job) } else { self.troubles.insert(job.clone(), text) };
                if was.as_ref() != self.troubles.get(&job) {
                    self.moved.insert(job);
                }
            }
            Request::TasksChanged => self.reconcile_at = self.now,
            Request::Stop => {}
        }
    }

    fn report(&mut self, report: Report) {
        let incarnation = report.incarnation;
        // Of a job that is over nothing more is wanted.
        let whose = self.presence.of(incarnation).and_then(|seen| self.cluster.job(&seen.job));
        if whose.is_none_or(Job::is_over) || !self.presence.reported(report, self.now) {
            return;
        }
        let Some(seen) = self.presence.of(incarnation) else { return };
        let Some(report) = &seen.report else { return };
        let commands = proposals(&self.cluster, &seen.job, seen.task, report);
        self.pending.extend(commands.into_iter().map(|command| (command, Waiter::Nobody)));
        let job = seen.job.clone();
        if let Some(state) = self.cluster.job(&job).filter(|_| !self.releases.is_empty()) {
            let released = self.releases.applied(state, incarnation, report.applied, Instant::now());
            released.iter().for_each(|(what, took)| release::tell(&job, what, *took));
        }
        self.update_progress(&job);
    }

    fn update_progress(&mut self, id: &JobId) {
        let Some(job) = self.cluster.job(id) else { return };
        let reports = self.presence.of_job(id).filter_map(|seen| Some((seen.task, seen.report.as_ref()?)));
        let known = self.jobs.entry(id.clone()).or_insert_with(|| known(&self.state, job));
        if known.progress.update(job, reports, self.now) {
            self.moved.insert(id.clone());
        }
    }
}
