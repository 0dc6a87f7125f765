//! The tasks that run, for whoever is not their launcher: as the records in the state directory say.

use super::record;
use crate::{Error, Launch};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::path::Path;
use tfcoord_types::id::JobId;

/// A task's process, held open: a signal reaches it or nobody, whoever has its id by then.
#[derive(Debug)]
pub struct Running {
    /// Which launch it is.
    pub launch: Launch,
    /// Its process id.
    pub pid: i32,
    held: OwnedFd,
}

impl Running {
    /// Sends it a signal; whether it was still there.
    pub fn signal(&self, signal: Signal) -> bool {
        pidfd_send_signal(&self.held, signal).is_ok()
    }
}

/// The tasks of `job` that run now, in the order of their names; of a task that is being replaced there may be two.
///
/// # Errors
/// A directory cannot be listed.
pub fn running(state_dir: &Path, job: &JobId) -> Result<Vec<Running>, Error> {
    let mut found = Vec::new();
    for (launch, dir) in record::launches(state_dir)? {
        if launch.job != *job || record::read_exit(&dir).is_some() {
            continue;
        }
        let Some(task) = record::read_process(&dir) else { continue };
        // One that has ended and waits for its supervisor is no more.
        let held = task.open().filter(|held| poll(&mut [PollFd::new(held, PollFlags::IN)], Some(&Timespec::default())) == Ok(0));
        found.extend(held.map(|held| Running { launch, pid: task.pid(), held }));
    }
    found.sort_by(|a, b| a.launch.cmp(&b.launch));
    Ok(found)
}
