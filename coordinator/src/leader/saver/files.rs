//! Where the files of checkpoints lie: written and removed on threads of their own, so that the leader never waits for one.

use crate::errand::{Errand, Errands};
use crate::leader::handle::Handle;
use crate::leader::request::Request;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::thread;
use tfcoord_checkpoint::Manifest;
use tfcoord_coordinator_core::Cluster;
use tfcoord_coordinator_core::job::Job;
use tfcoord_types::id::{CheckpointId, JobId};
use tfcoord_types::job::is_remote;

/// Where the files of checkpoints lie.
pub trait Files: Send {
    /// Begins to commit a checkpoint whose parts lie in `dir`. What became of it is given to
    /// [`Saver::written`](super::Saver::written).
    ///
    /// # Errors
    /// It could not even begin.
    fn commit(&self, job: &JobId, dir: String, manifest: Manifest) -> io::Result<()>;

    /// Begins to remove what is not wanted any more. Nobody waits for it, and it is done again after the next commit.
    fn sweep(&self, job: &JobId, leftovers: Leftovers);
}

/// What of a job's checkpoints is wanted: all else, beyond what is kept and what was begun before and not finished, is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// Where they lie.
    pub dir: String,
    /// The newest so many stay.
    pub keep: usize,
    /// And so do these.
    pub in_use: Vec<CheckpointId>,
}

impl Leftovers {
    /// Of a job as it is now.
    pub fn of(cluster: &Cluster, job: &Job) -> Self {
        let (dir, keep) = (job.checkpoint_dir(), job.checkpointing().keep as usize);
        // Of a job that is over only others begin, which were submitted to go on from it.
        let active = cluster.jobs().filter(|job| !job.is_over()).map(|job| &job.checkpoints);
        let used = active.flat_map(|checkpoints| checkpoints.committed.iter().chain(&checkpoints.restored));
        let used = used.filter(|checkpoint| checkpoint.dir == dir).map(|checkpoint| checkpoint.id);
        let cutting = job.checkpoints.cutting.as_ref().map(|cutting| cutting.id);
        let in_use = used.chain(cutting).collect();
        Self { dir, keep, in_use }
    }
}

/// Files on this machine's disks and in HDFS, and a thread for each thing to do with them.
pub(in crate::leader) struct Threads {
    pub handle: Handle,
    pub errands: Errands,
}

impl Files for Threads {
    fn commit(&self, job: &JobId, dir: String, manifest: Manifest) -> io::Result<()> {
        let (handle, errands, job, id) = (self.handle.clone(), self.errands.clone(), job.clone(), manifest.id);
        let write = move || {
            let result = if is_remote(&dir) {
                errands.run(&job, &Errand::Commit { dir, manifest: Box::new(manifest) })
            } else {
                tfcoord_checkpoint::commit(&Path::new(&dir).into(), &manifest).map_err(|error| error.of_writing().to_string())
            };
            // A leader that has ended looks again when it is there again.
            let _ended = handle.tell_waiting(Request::Saved { job, id, result });
        };
        thread::Builder::new().name("manifest".into()).spawn(write).map(drop)
    }

    fn sweep(&self, job: &JobId, leftovers: Leftovers) {
        if !is_remote(&leftovers.dir) {
            return sweep(leftovers);
        }
        let (errands, job) = (self.errands.clone(), job.clone());
        let swept = move || {
            if let Err(error) = errands.run(&job, &Errand::Sweep(leftovers)) {
                tracing::warn!(%error, "cannot remove old checkpoints");
            }
        };
        if let Err(error) = thread::Builder::new().name("sweep".into()).spawn(swept) {
            tracing::warn!(%error, "no thread to remove old checkpoints");
        }
    }
}

/// Removes what is not wanted any more from this machine's disks.
pub(in crate::leader) fn sweep(leftovers: Leftovers) {
    let swept = move || {
        let Leftovers { dir, keep, in_use } = leftovers;
        let path = Path::new(&dir);
        if path.exists()
            && let Err(error) = tfcoord_checkpoint::sweep(&path.into(), keep, &in_use)
        {
            tracing::warn!(%error, dir, "cannot remove old checkpoints");
        }
    };
    if let Err(error) = thread::Builder::new().name("sweep".into()).spawn(swept) {
        tracing::warn!(%error, "no thread to remove old checkpoints");
    }
}
