//! Tasks as child processes on this machine.
//!
//! Each launch has a directory `jobs/<job>/tasks/<task>/<attempt>` in the state directory with `log` (standard output
//! and error), `process.json` (who it is, while it runs) and `exit.json` (how it ended), and a process group of its
//! own. One thread a child waits for its end without polling; when a task's process ends, the rest of its group is
//! killed before the process is reaped, so that its id cannot belong to somebody else by then.
//!
//! **No orphans.** A launcher that is dropped kills what runs. One that is killed itself cannot: its tasks end by
//! themselves when they have lost their session for 10 s, and the next launcher on the same state directory kills
//! what is left by the recorded id and start time ([`end_leftovers`]). The kernel's parent-death signal is not used: a
//! child must ask for it between fork and exec, which takes unsafe code, and a task that asked for it later would
//! still have to check whether its parent was gone before; the two ways above cover the same.

mod command;
mod memory;
mod process;
mod record;
mod tail;
#[cfg(test)]
mod tests;

pub use command::{PARAMETER_SERVER_PROGRAM, WORKER_PROGRAM, child};
pub use record::end_leftovers;

use crate::{Ended, Error, Launch, Launcher, Listed, TaskSpec};
use process::Process;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Where things lie, and whom tasks talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The directory with the programs.
    pub bin_dir: PathBuf,
    /// The coordinator's state directory, absolute.
    pub state_dir: PathBuf,
    /// Where parameter servers make their Unix sockets: a short path.
    pub socket_dir: PathBuf,
    /// Where unpacked data lies.
    pub scratch_dir: PathBuf,
    /// The coordinator as tasks reach it: `unix:/path` or `host:port`.
    pub coordinator: String,
}

/// Called, on a thread of its own, whenever a launch has ended.
pub type OnEnd = Arc<dyn Fn() + Send + Sync>;

/// Tasks as child processes on this machine.
pub struct Local {
    config: Config,
    on_end: OnEnd,
    slots: Slots,
}

enum Slot {
    Running(Arc<Process>),
    Ended(Ended),
}

type Slots = Arc<Mutex<BTreeMap<Launch, Slot>>>;

/// The directory of a launch.
pub fn launch_dir(state_dir: &Path, launch: &Launch) -> PathBuf {
    let Launch { job, task, attempt } = launch;
    state_dir.join("jobs").join(job.to_string()).join("tasks").join(task.to_string()).join(attempt.to_string())
}

impl Local {
    /// A launcher of which nothing runs yet. `on_end` is called whenever a launch has ended: a hint to look at the
    /// list.
    pub fn new(config: Config, on_end: OnEnd) -> Self {
        Self { config, on_end, slots: Slots::default() }
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<Launch, Slot>> {
        locked(&self.slots)
    }

    fn running(&self) -> Vec<Arc<Process>> {
        let process = |slot: &Slot| match slot {
            Slot::Running(process) => Some(process.clone()),
            Slot::Ended(_) => None,
        };
        self.slots().values().filter_map(process).collect()
    }

    fn dir(&self, launch: &Launch) -> PathBuf {
        launch_dir(&self.config.state_dir, launch)
    }
}

fn locked(slots: &Slots) -> MutexGuard<'_, BTreeMap<Launch, Slot>> {
    slots.lock().expect("nobody panics while holding the slots")
}

impl Launcher for Local {
    fn launch(&self, spec: &TaskSpec) -> Result<(), Error> {
        let mut slots = self.slots();
        if slots.contains_key(&spec.launch) {
            return Ok(());
        }
        tfcoord_fault::point!("launch.begun");
        let dir = self.dir(&spec.launch);
        let mut command = command::build(&self.config, spec, &dir)?;
        fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
        let log = dir.join("log");
        let open = || File::options().append(true).create(true).open(&log);
        command.stdout(open().map_err(Error::file("create", &log))?).stderr(open().map_err(Error::file("create", &log))?);
        let program = PathBuf::from(command.get_program());
        let failed = |source| Error::Start { launch: spec.launch.clone(), program: program.clone(), source };
        let process = Arc::new(Process::start(&mut command, &dir).map_err(failed)?);
        tracing::info!(launch = %spec.launch, pid = process.id(), "started");
        let (launch, all, on_end) = (spec.launch.clone(), self.slots.clone(), self.on_end.clone());
        let then = move |exit| {
            tracing::info!(%launch, %exit, "ended");
            let ended = Ended { exit: Some(exit), log: tail::last_lines(&dir.join("log")) };
            locked(&all).insert(launch, Slot::Ended(ended));
            on_end();
        };
        process.on_end(then).map_err(failed)?;
        // The lock is held since the beginning: an end can only be told after this.
        slots.insert(spec.launch.clone(), Slot::Running(process));
        tfcoord_fault::point!("launch.started");
        Ok(())
    }

    fn list(&self) -> Vec<Listed> {
        let ended = |slot: &Slot| match slot {
            Slot::Running(_) => None,
            Slot::Ended(ended) => Some(ended.clone()),
        };
        self.slots().iter().map(|(launch, slot)| Listed { launch: launch.clone(), ended: ended(slot) }).collect()
    }

    fn kill(&self, launch: &Launch, grace: Duration) {
        let process = match self.slots().get(launch) {
            Some(Slot::Running(process)) => process.clone(),
            Some(Slot::Ended(_)) | None => return,
        };
        process.kill(grace);
    }

    fn forget(&self, launch: &Launch) {
        let mut slots = self.slots();
        if matches!(slots.get(launch), Some(Slot::Ended(_))) {
            slots.remove(launch);
        }
    }

    fn read_log(&self, launch: &Launch, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let path = self.dir(launch).join("log");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::file("open", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset)).map_err(Error::file("read", &path))?;
        file.take(bytes_max as u64).read_to_end(&mut bytes).map_err(Error::file("read", &path))?;
        Ok(bytes)
    }

    fn memory_bytes(&self) -> Option<u64> {
        memory::bytes()
    }

    fn stop(&self, grace: Duration) {
        let running = self.running();
        running.iter().for_each(|process| process.kill(grace));
        running.iter().for_each(|process| process.wait());
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.running().iter().for_each(|process| process.kill(Duration::ZERO));
    }
}
