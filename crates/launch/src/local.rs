//! Tasks as processes on this machine, which outlive the launcher.
//!
//! Each launch has a directory `jobs/<job>/tasks/<task>/<attempt>` in the state directory with `log` (standard output
//! and error) and the records that [`record`] names, and a process group of its own. Between launcher and task stands
//! the launch's [supervisor](supervise()): it sees how the task ends, also while there is no launcher.
//!
//! **A launch is started once.** Whoever is the first to make `supervisor.json` is the launch's only supervisor, and
//! only then starts the task. So a launcher that was killed anywhere between its decision to launch and the task's start
//! may be followed by one that launches again: of two supervisors one ends at once, and both launchers wait for the
//! other. A launch without this file was never started, and one with it is never started again, whatever became of it.
//!
//! **No orphans.** A launcher that ends leaves its tasks running; the next one on the same state directory
//! [adopts](Local::adopt) them, by id and start time. Where none comes, tasks end by themselves when they have been without a
//! coordinator for their orphan grace, and their supervisors with them; one that does not, since it hangs or is stopped, is
//! killed by its supervisor soon after. A task whose supervisor was killed goes on:
//! its end is waited for as that of any process, and only its exit code stays unknown. Killed in the moment between the
//! task's start and `process.json`, a supervisor leaves a task that nobody knows: its attempt is held for lost, so that
//! it is refused when it registers, and exits. The kernel's parent-death signal is not used: it would take tasks along
//! with what is meant to be replaced.

mod command;
mod memory;
mod process;
mod record;
mod running;
mod supervise;
mod tail;
#[cfg(test)]
mod tests;

pub use command::{PARAMETER_SERVER_PROGRAM, WORKER_PROGRAM, child, passed};
pub use running::{Running, running};
pub use supervise::supervise;

use crate::{Ended, Error, Launch, Launcher, Listed, TaskSpec};
use process::Process;
use record::ExitRecord;
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
    /// The program, with its first arguments, that calls [`supervise()`] with the directory that is its last argument.
    pub supervisor: Vec<PathBuf>,
    /// The coordinator's state directory, absolute.
    pub state_dir: PathBuf,
    /// The file whose lock a coordinator holds as long as it lives.
    pub lock: PathBuf,
    /// Where parameter servers make their Unix sockets: a short path.
    pub socket_dir: PathBuf,
    /// Where unpacked data lies.
    pub scratch_dir: PathBuf,
    /// The coordinator as tasks reach it: `unix:/path` or `host:port`.
    pub coordinator: String,
}

/// Called, on a thread of its own, whenever a launch has ended.
pub type OnEnd = Arc<dyn Fn() + Send + Sync>;

/// Tasks as processes on this machine.
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

    /// Takes over what earlier launchers started in the same state directory and what is not known here: all that may
    /// run, and of what has ended the launches that `is_wanted` says. To be called before the first launch, by whoever
    /// holds the state directory's lock.
    ///
    /// # Errors
    /// The directory cannot be listed, or there can be no more threads.
    pub fn adopt(&self, is_wanted: impl Fn(&Launch) -> bool) -> Result<(), Error> {
        for (launch, dir) in record::launches(&self.config.state_dir)? {
            match record::read_exit(&dir) {
                Some(record) if is_wanted(&launch) => {
                    self.slots().entry(launch).or_insert_with(|| Slot::Ended(ended(&dir, record)));
                }
                None if record::was_started(&dir) && !self.slots().contains_key(&launch) => self.adopt_one(launch, &dir)?,
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn adopt_one(&self, launch: Launch, dir: &Path) -> Result<(), Error> {
        tracing::info!(%launch, "found again");
        let process = Process::new(dir);
        // Held, so that its end can only be told after this.
        let mut slots = self.slots();
        process.adopt(self.then(&launch, dir)).map_err(Error::file("wait for the process of", dir))?;
        slots.insert(launch, Slot::Running(process));
        Ok(())
    }

    // What happens when a launch has ended.
    fn then(&self, launch: &Launch, dir: &Path) -> impl FnOnce(ExitRecord) + Send + 'static {
        let (launch, dir, all, on_end) = (launch.clone(), dir.to_owned(), self.slots.clone(), self.on_end.clone());
        move |record| {
            let ended = ended(&dir, record);
            match ended.exit {
                Some(exit) => tracing::info!(%launch, %exit, "ended"),
                None => tracing::warn!(%launch, "{}", ended.message),
            }
            locked(&all).insert(launch, Slot::Ended(ended));
            on_end();
        }
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

fn ended(dir: &Path, record: ExitRecord) -> Ended {
    let ExitRecord { exit, peak_memory_bytes, message } = record;
    Ended { exit, peak_memory_bytes, message, log: tail::last_lines(&dir.join("log")) }
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
        let task = command::task(&self.config, spec, &dir)?;
        fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
        record::write_command(&dir, &task).map_err(Error::file("write a command into", &dir))?;
        let log = dir.join("log");
        let log = File::options().append(true).create(true).open(&log).map_err(Error::file("create", &log))?;
        let mut supervisor = command::supervisor(&self.config, &dir);
        supervisor.stderr(log);
        // The task inherits it.
        spec.hadoop.iter().for_each(|hadoop| hadoop.tell(&mut supervisor));
        let program = PathBuf::from(supervisor.get_program());
        let failed = |source| Error::Start { launch: spec.launch.clone(), program, source };
        let process = Process::new(&dir);
        // The lock is held since the beginning: an end can only be told after this.
        process.start(&mut supervisor, self.then(&spec.launch, &dir)).map_err(failed)?;
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
