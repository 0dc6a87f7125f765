//! The folders for results, as jobs come and go: reserved before a submission is logged, given back where there is no job
//! by it, and tidied when nothing is left of a job.

pub(super) mod remote;

use self::remote::Remote;
use super::journal::Denied;
use super::saver::{Leftovers, sweep};
use crate::outputs::{Error, Outputs};
use std::collections::BTreeSet;
use std::path::Path;
use tfcoord_coordinator_core::checkpoint::own_dir;
use tfcoord_coordinator_core::job::{id, output_dir};
use tfcoord_coordinator_core::kept::is_in_use;
use tfcoord_coordinator_core::{Cluster, Command, Refusal};
use tfcoord_types::id::{JobId, Revision};
use tfcoord_types::job::is_remote;

pub(super) struct Results {
    outputs: Outputs,
    // Since the last commit.
    reserved: Vec<(JobId, String)>,
    // Jobs that nothing runs of, and whose folders were not looked at since.
    over: BTreeSet<JobId>,
    pub(super) remote: Remote,
}

impl Results {
    /// An earlier coordinator may have been killed before it had tidied.
    pub(super) fn new(outputs: Outputs, remote: Remote, cluster: &Cluster) -> Self {
        let over = cluster.jobs().filter(|job| !is_in_use(job)).map(|job| job.id.clone()).collect();
        Self { outputs, reserved: Vec::new(), over, remote }
    }

    /// Before a command is logged as entry `index`: a job that would come by it gets its folder. Where that is another
    /// coordinator's already, the job can have another number.
    pub(super) fn reserve(&mut self, cluster: &Cluster, index: Revision, command: &Command) -> Result<(), Denied> {
        let Command::SubmitJob { request_id, file, .. } = command else { return Ok(()) };
        if cluster.requested(request_id).is_some() {
            return Ok(());
        }
        let job = id(file, index);
        let dir = output_dir(file, &job);
        if !is_remote(&dir) {
            self.reserve_one("output.dir", &job, dir)?;
        }
        if let Some(dir) = own_dir(file, &job).filter(|dir| !is_remote(dir)) {
            // Those above it are nobody's; where they cannot be made, neither can it.
            let _made = Path::new(&dir).parent().map(std::fs::create_dir_all);
            self.reserve_one("checkpoint.dir", &job, dir)?;
        }
        Ok(())
    }

    fn reserve_one(&mut self, field: &'static str, job: &JobId, dir: String) -> Result<(), Denied> {
        self.outputs.reserve(field, Path::new(&dir), job).map_err(|error| {
            let refusal = Refusal::Job { problem: error.to_string() };
            if matches!(error, Error::Taken { .. }) { Denied::Here(refusal) } else { Denied::Anywhere(refusal) }
        })?;
        self.reserved.push((job.clone(), dir));
        Ok(())
    }

    /// After a commit: folders of jobs that there are not by it are given back.
    pub(super) fn release(&mut self, cluster: &Cluster) {
        for (job, dir) in std::mem::take(&mut self.reserved) {
            if cluster.job(&job).is_none() {
                self.tidy_one(&job, &dir);
            }
        }
    }

    /// After a commit that is in the log: folders in HDFS of jobs that are new are asked for.
    pub(super) fn reserve_remote(&mut self, cluster: &Cluster) {
        self.remote.reserve(cluster, |job| self.outputs.text(job));
    }

    /// Whether a job that is over still needs its rights: its folders are to be tidied.
    pub(super) fn needs_rights(&self, job: &JobId) -> bool {
        self.over.contains(job) || self.remote.is_tidying(job)
    }

    /// Nothing runs of the job any more.
    pub(super) fn over(&mut self, job: &JobId) {
        self.over.insert(job.clone());
    }

    /// Tidies the folders of all jobs that are over since the last time.
    pub(super) fn tidy(&mut self, cluster: &Cluster) {
        for job in std::mem::take(&mut self.over) {
            let Some(state) = cluster.job(&job) else { continue };
            self.remote.tidy(cluster, state, self.outputs.text(&job));
            let leftovers = Leftovers::of(cluster, state);
            if !is_remote(&leftovers.dir) {
                sweep(leftovers);
            }
            let folders = [Some(state.output_dir()), own_dir(&state.file, &job)];
            folders.into_iter().flatten().filter(|dir| !is_remote(dir)).for_each(|dir| self.tidy_one(&job, &dir));
        }
    }

    fn tidy_one(&self, job: &JobId, dir: &str) {
        if let Err(error) = self.outputs.tidy(Path::new(dir), job) {
            tracing::warn!(%error, dir, "cannot remove what a job could not finish");
        }
    }
}
