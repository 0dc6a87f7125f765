//! What people and tasks are shown of jobs.

use super::super::job_message::{self, Beside};
use super::super::progress::Progress;
use super::{Office, SHOW_EVERY};
use crate::state_dir::StateDir;
use std::collections::BTreeSet;
use std::sync::Arc;
use tfcoord_coordinator_core::job::{Job, JobState};
use tfcoord_proto::v1;
use tfcoord_types::id::{JobId, Revision};
use tfcoord_types::manifest::{Label, Manifest};
use tokio::sync::watch;

/// What is known of a job beside its state.
pub(super) struct Known {
    file_name: String,
    classes: Vec<String>,
    pub progress: Progress,
    // Where its data are, as of a revision: it is shown several times a second, and takes a while.
    near: Option<(Revision, Option<v1::Locality>)>,
}

impl Known {
    fn locality(&self, job: &Job) -> Option<v1::Locality> {
        let near = self.near.filter(|(revision, _)| *revision == job.revision);
        near.map_or_else(|| job_message::locality(job), |(_, locality)| locality)
    }
}

impl Office {
    /// Hands out views and jobs that have changed.
    pub(super) fn show(&mut self, changed: &BTreeSet<JobId>) {
        for job in changed {
            tfcoord_fault::point!("leader.views.due");
            self.outlets.show_views(&self.cluster, job);
        }
        let moved = if self.now >= self.show_at { std::mem::take(&mut self.moved) } else { BTreeSet::new() };
        if !moved.is_empty() {
            self.show_at = self.now + SHOW_EVERY;
        }
        for id in self.outlets.watched() {
            if let Some(message) = (changed.contains(&id) || moved.contains(&id)).then(|| self.message(&id)).flatten() {
                let over = self.cluster.job(&id).is_none_or(Job::is_over);
                self.outlets.show_job(&id, message, over);
            }
        }
        if !changed.is_empty() {
            self.jobs.retain(|id, _| self.cluster.job(id).is_some());
            self.presence.prune(&self.cluster);
            self.tell_keeper();
            self.count();
        }
        let jobs = self.cluster.jobs().filter(|job| !job.is_over()).count();
        let active_now = jobs + self.running;
        self.active.send_if_modified(|active| std::mem::replace(active, active_now) != active_now);
    }

    fn count(&self) {
        use JobState::{Admitted, Cancelled, Failed, Finalizing, Pending, Running, Starting, Succeeded};
        for state in [Pending, Admitted, Starting, Running, Finalizing, Succeeded, Failed, Cancelled] {
            let jobs = self.cluster.jobs().filter(|job| job.state == state).count();
            metrics::gauge!("tfcoord_jobs", "state" => state.to_string()).set(jobs as f64);
        }
    }

    pub(super) fn message(&mut self, id: &JobId) -> Option<v1::Job> {
        let job = self.cluster.job(id)?;
        let known = self.jobs.entry(id.clone()).or_insert_with(|| known(&self.state, job));
        let (file_name, classes) = (known.file_name.clone(), known.classes.clone());
        let late = known.progress.late();
        let locality = known.locality(job);
        known.near = Some((job.revision, locality));
        let progress = self.progress(job);
        let hdfs = self.troubles.get(id).cloned().unwrap_or_default();
        Some(job_message::whole(job, Beside { file_name, classes, progress, late, hdfs, locality }))
    }

    fn progress(&self, job: &Job) -> Option<v1::Progress> {
        // Of an earlier life nothing is known.
        job.started_at_ms?;
        let alive = job.live_workers().into_iter().filter(|worker| self.presence.is_alive(*worker, self.now)).count();
        let known = self.jobs.get(&job.id)?;
        known.progress.message(job, u32::try_from(alive).unwrap_or(u32::MAX))
    }

    pub(super) fn list(&mut self, all: bool) -> Vec<v1::Job> {
        let jobs: Vec<&Job> = self.cluster.jobs().filter(|job| all || !job.is_over()).collect();
        let message = |job: &&Job| {
            let file_name = self.jobs.get(&job.id).map_or_else(|| self.state.file_name(&job.id), |known| known.file_name.clone());
            let late = self.jobs.get(&job.id).map(|known| known.progress.late()).unwrap_or_default();
            let locality = self.jobs.get(&job.id).map_or_else(|| job_message::locality(job), |known| known.locality(job));
            job_message::brief(job, file_name, self.progress(job), &late, locality)
        };
        jobs.iter().map(message).collect()
    }

    pub(super) fn watch(&mut self, id: &JobId) -> Option<watch::Receiver<Arc<v1::Job>>> {
        let message = self.message(id)?;
        let over = self.cluster.job(id).is_none_or(Job::is_over);
        Some(self.outlets.watch(id, message, over))
    }
}

pub(super) fn known(state: &StateDir, job: &Job) -> Known {
    Known { file_name: state.file_name(&job.id), classes: classes(state, job), progress: Progress::default(), near: None }
}

fn classes(state: &StateDir, job: &Job) -> Vec<String> {
    // The manifest is kept as long as the job's directory.
    if job.manifest.input.classes == 0 || !state.has_job(&job.id) {
        return Vec::new();
    }
    let manifest = state.read_manifest(&job.manifest.digest).map_err(|error| error.to_string());
    let manifest = manifest.and_then(|json| serde_json::from_slice::<Manifest>(&json).map_err(|error| error.to_string()));
    match manifest.map(|manifest| manifest.label) {
        Ok(Label::Class { names }) => names,
        Ok(Label::Number) => Vec::new(),
        Err(error) => {
            tracing::warn!(job = %job.id, error, "cannot read the names of the classes");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::fixture;

    #[test]
    fn where_data_are_is_looked_up_anew_with_each_revision() {
        let mut job = fixture::registered().job(&fixture::job()).unwrap().clone();
        let told = Some(v1::Locality { bytes: 9, local_bytes: 4 });
        let known =
            Known { file_name: String::new(), classes: Vec::new(), progress: Progress::default(), near: Some((job.revision, told)) };
        assert_eq!(known.locality(&job), told);
        job.revision = Revision(job.revision.0 + 1);
        assert_eq!(known.locality(&job), None, "the job has no data in HDFS");
    }
}
