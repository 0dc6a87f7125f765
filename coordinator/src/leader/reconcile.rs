//! What should run against what does.
//!
//! ```text
//!   should run │ listed      │ then
//!   ───────────┼─────────────┼──────────────────────────────────────────────
//!   yes        │ not         │ launch; if that fails: DeclareLost, or FailJob where no attempt could be better
//!   yes        │ running     │ -
//!   yes        │ ended       │ DeclareLost, with exit and last log lines
//!   no         │ running     │ let it end by itself for 5 s, then kill
//!   no         │ ended       │ CollectTask if it was told to stop; forget it
//!   no         │ not         │ CollectTask if it was told to stop
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tfcoord_coordinator_core::desired::desired;
use tfcoord_coordinator_core::task::TaskState;
use tfcoord_coordinator_core::{Cause, Cluster, Command, Exit};
use tfcoord_launch::{Ended, Hadoop, Launch, Launcher, Listed, TaskSpec};
use tfcoord_types::id::{JobId, Role};
use tfcoord_types::job::{JobFile, threads};
use tfcoord_types::report::{Fault, FaultKind};

use crate::state_dir::StateDir;

/// What should not run any more may end by itself for so long: tasks see in their view that they should.
const END_GRACE: Duration = Duration::from_secs(5);

/// Where a job's files lie that its tasks need.
pub trait JobFiles {
    /// Makes them if they are missing: the file with the job's join token, and the site that its data are on, if they are in HDFS.
    ///
    /// # Errors
    /// Why they cannot be made, for people.
    fn make(&self, job: &JobId, file: &JobFile) -> Result<(PathBuf, Option<Hadoop>), String>;
}

impl JobFiles for StateDir {
    fn make(&self, job: &JobId, file: &JobFile) -> Result<(PathBuf, Option<Hadoop>), String> {
        self.make_job(job, file).map_err(|error| error.to_string())?;
        let hadoop = self.hadoop(job).hadoop().map_err(|error| error.to_string())?;
        match file.remote_locations().next() {
            Some(location) if hadoop.is_none() => {
                Err(format!("{location} is in HDFS, and the job's site is gone from {}", self.hadoop(job).root().display()))
            }
            _ => Ok((self.job_token(job), hadoop)),
        }
    }
}

/// Compares what should run with what does.
#[derive(Debug, Default)]
pub struct Reconciler {
    // What runs and should not: when it is to be killed, until it is.
    unwanted: BTreeMap<Launch, Option<Instant>>,
    /// Jobs of which nothing is launched yet.
    pub held: BTreeSet<JobId>,
}

impl Reconciler {
    /// Launches and kills; returns what to propose.
    pub fn look(&mut self, cluster: &Cluster, launcher: &dyn Launcher, files: &dyn JobFiles, now: Instant) -> Vec<Command> {
        let mut desired: BTreeMap<Launch, ()> =
            desired(cluster).into_iter().map(|(job, task, attempt)| (Launch { job, task, attempt }, ())).collect();
        let mut commands = Vec::new();
        let listed = launcher.list();
        self.unwanted.retain(|launch, _| listed.iter().any(|listed| listed.ended.is_none() && listed.launch == *launch));
        for Listed { launch, ended } in &listed {
            match (desired.remove(launch), ended) {
                (Some(()), None) => {}
                (Some(()), Some(ended)) => commands.push(lost(launch, cause(ended))),
                (None, None) => self.unwant(launcher, launch, now),
                (None, Some(ended)) => {
                    commands.extend(collect(cluster, launch, ended.exit.map(exit)));
                    launcher.forget(launch);
                }
            }
        }
        for launch in desired.into_keys().filter(|launch| !self.held.contains(&launch.job)) {
            if let Some(job) = cluster.job(&launch.job) {
                commands.extend(start(launcher, files, &job.file, launch));
            }
        }
        commands.extend(waited_for_in_vain(cluster, &listed));
        commands
    }

    fn unwant(&mut self, launcher: &dyn Launcher, launch: &Launch, now: Instant) {
        let kill_at = self.unwanted.entry(launch.clone()).or_insert(Some(now + END_GRACE));
        if kill_at.is_some_and(|at| now >= at) {
            tracing::warn!(%launch, "it should have ended and has not: killing it");
            launcher.kill(launch, Duration::ZERO);
            *kill_at = None;
        }
    }

    /// When to look again, if something is to be killed then.
    pub fn due(&self) -> Option<Instant> {
        self.unwanted.values().flatten().min().copied()
    }
}

fn start(launcher: &dyn Launcher, files: &dyn JobFiles, file: &JobFile, launch: Launch) -> Option<Command> {
    let cpus = match launch.task.role {
        Role::ParameterServer => file.parameter_server.cpus,
        Role::Worker => file.worker.cpus,
    };
    let made = files.make(&launch.job, file);
    let orphan_grace = file.timing().orphan_grace;
    let spec = |(token_file, hadoop)| TaskSpec { launch: launch.clone(), cpus: threads(cpus), orphan_grace, token_file, hadoop };
    let launched = made.map(|made| launcher.launch(&spec(made)));
    let error = match launched {
        Ok(Ok(())) => return None,
        Ok(Err(error @ tfcoord_launch::Error::NoProgram { .. })) => {
            let fault = Fault { kind: FaultKind::Job, message: format!("cannot launch {}: {error}", launch.task) };
            return Some(Command::FailJob { job: launch.job, incarnation: None, fault });
        }
        Ok(Err(error)) => error.to_string(),
        Err(error) => error,
    };
    tracing::error!(%launch, error, "cannot launch");
    Some(lost(&launch, Cause::because(format!("could not be launched: {error}"))))
}

fn lost(launch: &Launch, cause: Cause) -> Command {
    let Launch { job, task, attempt } = launch.clone();
    Command::DeclareLost { job, task, attempt, cause, step: 0 }
}

fn cause(ended: &Ended) -> Cause {
    let Ended { exit: seen, peak_memory_bytes, message, log } = ended.clone();
    Cause { exit: seen.map(exit), peak_memory_bytes, message, log }
}

fn exit(exit: tfcoord_launch::Exit) -> Exit {
    match exit {
        tfcoord_launch::Exit::Code(code) => Exit::Code(code),
        tfcoord_launch::Exit::Signal(signal) => Exit::Signal(signal),
    }
}

fn collect(cluster: &Cluster, launch: &Launch, exit: Option<Exit>) -> Option<Command> {
    let task = cluster.job(&launch.job)?.tasks.get(&launch.task)?;
    let waits = task.attempt == launch.attempt && matches!(task.state, TaskState::Stopping { .. });
    let Launch { job, task, attempt } = launch.clone();
    waits.then_some(Command::CollectTask { job, task, attempt, exit })
}

// Tasks that were told to stop whose processes are nowhere to be seen: of an earlier life, or never launched.
fn waited_for_in_vain<'a>(cluster: &'a Cluster, listed: &'a [Listed]) -> impl Iterator<Item = Command> + 'a {
    let told = cluster.jobs().flat_map(|job| job.tasks.iter().map(move |(id, task)| (job, id, task)));
    let told = told.filter(|(_, _, task)| matches!(task.state, TaskState::Stopping { .. }));
    let tasks = told.map(|(job, id, task)| Launch { job: job.id.clone(), task: *id, attempt: task.attempt });
    let nowhere = tasks.filter(|launch| !listed.iter().any(|listed| listed.launch == *launch));
    nowhere.filter_map(|launch| collect(cluster, &launch, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::fixture::{FakeLauncher, job, registered};
    use tfcoord_types::id::{Attempt, TaskId};

    fn look(reconciler: &mut Reconciler, cluster: &Cluster, launcher: &FakeLauncher, now: Instant) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path()).unwrap();
        reconciler.look(cluster, launcher, &state, now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_missing_is_launched_and_what_ended_is_lost() {
        let (cluster, launcher) = (registered(), FakeLauncher::default());
        let (mut reconciler, now) = (Reconciler::default(), Instant::now());
        assert_eq!(look(&mut reconciler, &cluster, &launcher, now), [""; 0]);
        assert_eq!(launcher.running(), ["fashion-1/ps-0 attempt 1", "fashion-1/worker-0 attempt 1", "fashion-1/worker-1 attempt 1"]);
        let worker = Launch { job: job(), task: TaskId::worker(0), attempt: Attempt(1) };
        launcher.end(&worker, tfcoord_launch::Exit::Signal(9));
        let lost = "DeclareLost fashion-1/worker-0 attempt 1: was killed by signal 9 (SIGKILL)";
        assert_eq!(look(&mut reconciler, &cluster, &launcher, now), [lost]);
        assert_eq!(look(&mut reconciler, &cluster, &launcher, now), [lost], "said again until it is applied");
    }

    #[test]
    fn what_should_not_run_is_killed_after_a_grace_and_collected() {
        let (mut cluster, launcher) = (registered(), FakeLauncher::default());
        let (mut reconciler, now) = (Reconciler::default(), Instant::now());
        look(&mut reconciler, &cluster, &launcher, now);
        let worker = Launch { job: job(), task: TaskId::worker(0), attempt: Attempt(1) };
        cluster.apply(100, 9000, Command::CancelJob { job: job(), reason: String::new() });
        look(&mut reconciler, &cluster, &launcher, now);
        launcher.end(&worker, tfcoord_launch::Exit::Code(0));
        assert_eq!(reconciler.due(), Some(now + END_GRACE));
        let collect = look(&mut reconciler, &cluster, &launcher, now + Duration::from_secs(4));
        assert_eq!((collect, launcher.running().len()), (vec!["CollectTask fashion-1/worker-0 attempt 1".into()], 2));
        look(&mut reconciler, &cluster, &launcher, now + END_GRACE);
        assert_eq!(launcher.running().len(), 0);
        assert_eq!(look(&mut reconciler, &cluster, &launcher, now + END_GRACE).len(), 3, "also the one that was forgotten");
    }
}
