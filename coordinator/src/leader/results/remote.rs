//! Folders for results in HDFS. They are made once a job is in the log, on a thread of its own, and its tasks are launched
//! after that: the leader never waits for HDFS.

use crate::errand::{Errand, Errands};
use crate::leader::handle::Handle;
use crate::leader::request::Request;
use crate::leader::saver::Leftovers;
use crate::state_dir::StateDir;
use std::collections::BTreeSet;
use std::thread;
use tfcoord_coordinator_core::checkpoint::own_dir;
use tfcoord_coordinator_core::job::Job;
use tfcoord_coordinator_core::{Cluster, Command};
use tfcoord_types::id::JobId;
use tfcoord_types::job::is_remote;
use tfcoord_types::report::{Fault, FaultKind};

pub(in crate::leader) struct Remote {
    handle: Handle,
    errands: Errands,
    state: StateDir,
    // Jobs whose folders were asked for, or that have none in HDFS.
    seen: BTreeSet<JobId>,
    // Jobs whose folders are not there yet.
    waiting: BTreeSet<JobId>,
    // Jobs that are over and are being tidied.
    tidying: BTreeSet<JobId>,
}

impl Remote {
    pub(in crate::leader) fn new(handle: Handle, errands: Errands, state: StateDir) -> Self {
        Self { handle, errands, state, seen: BTreeSet::new(), waiting: BTreeSet::new(), tidying: BTreeSet::new() }
    }

    /// Jobs whose tasks have to wait for their folders.
    pub(in crate::leader) fn waiting(&self) -> &BTreeSet<JobId> {
        &self.waiting
    }

    /// Asks for the folders of jobs that are new. After a commit, so that they are in the log.
    pub(super) fn reserve(&mut self, cluster: &Cluster, mark: impl Fn(&JobId) -> String) {
        for job in cluster.jobs().filter(|job| !job.is_over()) {
            if !self.seen.insert(job.id.clone()) {
                continue;
            }
            let folders = folders(job);
            // One that has been training has its folders.
            if folders.is_empty() || job.started_at_ms.is_some() {
                continue;
            }
            let (handle, errands, state, id) = (self.handle.clone(), self.errands.clone(), self.state.clone(), job.id.clone());
            let folders = folders.into_iter().map(|(field, dir)| (field.to_owned(), dir)).collect();
            let errand = Errand::Reserve { folders, mark: mark(&id) };
            let reserve = move || {
                state.note_marks(&id);
                let result = errands.run(&id, &errand);
                // A leader that has ended asks again when it is there again.
                let _ended = handle.tell_waiting(Request::Reserved { job: id, result });
            };
            match thread::Builder::new().name("reserve".into()).spawn(reserve) {
                Ok(_) => drop(self.waiting.insert(job.id.clone())),
                Err(error) => tracing::error!(%error, "no thread to reserve folders"),
            }
        }
    }

    /// A job's folders are there, or cannot be: what to propose.
    pub(in crate::leader) fn reserved(&mut self, job: JobId, result: Result<(), String>) -> Option<Command> {
        self.waiting.remove(&job);
        let message = result.err()?;
        Some(Command::FailJob { job, incarnation: None, fault: Fault { kind: FaultKind::Job, message } })
    }

    /// Removes what a job that is over could not finish. Nobody waits for it.
    pub(super) fn tidy(&mut self, cluster: &Cluster, job: &Job, mark: String) {
        let folders: Vec<String> = folders(job).into_iter().map(|(_, dir)| dir).collect();
        self.seen.remove(&job.id);
        if folders.is_empty() || !self.state.has_marks(&job.id) {
            return;
        }
        let (handle, errands, state, id) = (self.handle.clone(), self.errands.clone(), self.state.clone(), job.id.clone());
        let leftovers = Some(Leftovers::of(cluster, job)).filter(|leftovers| is_remote(&leftovers.dir));
        let tidy = move || {
            match errands.run(&id, &Errand::Tidy { folders, mark, leftovers }) {
                Ok(()) => state.forget_marks(&id),
                Err(error) => tracing::warn!(%error, job = %id, "cannot remove what a job could not finish"),
            }
            let _ended = handle.tell_waiting(Request::Tidied { job: id });
        };
        match thread::Builder::new().name("tidy".into()).spawn(tidy) {
            Ok(_) => drop(self.tidying.insert(job.id.clone())),
            Err(error) => tracing::warn!(%error, "no thread to tidy folders"),
        }
    }

    /// A job's folders were tidied, as far as that was possible.
    pub(in crate::leader) fn tidied(&mut self, job: &JobId) {
        self.tidying.remove(job);
    }

    /// Whether folders of a job that is over are being tidied: with its rights.
    pub(super) fn is_tidying(&self, job: &JobId) -> bool {
        self.tidying.contains(job)
    }
}

// A job's folders in HDFS, and the fields that name them.
fn folders(job: &Job) -> Vec<(&'static str, String)> {
    let folders = [("output.dir", Some(job.output_dir())), ("checkpoint.dir", own_dir(&job.file, &job.id))];
    folders.into_iter().filter_map(|(field, dir)| Some((field, dir.filter(|dir| is_remote(dir))?))).collect()
}
