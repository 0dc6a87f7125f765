//! A turn of the leader.

mod answer;
mod show;
mod take;

use super::handle::{Handle, LastWords};
use super::outlets::Outlets;
use super::presence::Presence;
use super::reconcile::Reconciler;
use super::release::Releases;
use super::results::Results;
use super::results::remote::Remote;
use super::saver::{Saver, Threads};
use super::{Error, Journal, Parts};
use crate::clock::Clock;
use crate::state_dir::{StateDir, Wanted};
use crate::tokens::Keeper;
use answer::Waiter;
use show::Known;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tfcoord_coordinator_core::deadline::next_deadline;
use tfcoord_coordinator_core::job::Job;
use tfcoord_coordinator_core::kept::{Kept, is_in_use, kept};
use tfcoord_coordinator_core::proposals::proposals;
use tfcoord_coordinator_core::{Cluster, Command, Outcome, Refusal};
use tfcoord_fs::FileLock;
use tfcoord_launch::Launcher;
use tfcoord_types::id::JobId;
use tfcoord_types::report::{Fault, FaultKind};
use tokio::sync::watch;

/// What runs is compared with what should at least this often.
const RECONCILE_EVERY: Duration = Duration::from_secs(5);
/// Progress is shown at most this often.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// Decisions that follow from each other within one turn; what is left comes in the next one.
const ROUNDS_MAX: usize = 64;

/// All that the leader has.
pub(super) struct Office {
    journal: Journal,
    cluster: Cluster,
    state: StateDir,
    results: Results,
    clock: Clock,
    lock: Arc<FileLock>,
    launcher: Arc<dyn Launcher>,
    presence: Presence,
    releases: Releases,
    saver: Saver,
    reconciler: Reconciler,
    keeper: Keeper,
    // Jobs in use on HDFS, as the keeper was told last.
    on_hdfs: BTreeSet<JobId>,
    // What is wrong with their access.
    troubles: BTreeMap<JobId, String>,
    ended_jobs_kept: usize,
    // Tasks that ran when the launcher was looked at last: at once after each launch and end.
    running: usize,
    // Whether files may lie there that nobody wants any more.
    sweep_due: bool,
    outlets: Outlets,
    active: watch::Sender<usize>,
    last_words: LastWords,
    pending: Vec<(Command, Waiter)>,
    jobs: BTreeMap<JobId, Known>,
    // Jobs whose progress has changed and is not shown yet.
    moved: BTreeSet<JobId>,
    now: Instant,
    reconcile_at: Instant,
    show_at: Instant,
}

impl Office {
    pub(super) fn new(
        parts: Parts,
        clock: Clock,
        launcher: Arc<dyn Launcher>,
        active: watch::Sender<usize>,
        handle: Handle,
        last_words: LastWords,
    ) -> Self {
        let Parts { journal, cluster, state, outputs, errands, lock, keeper, ended_jobs_kept } = parts;
        let now = Instant::now();
        let results = Results::new(outputs, Remote::new(handle.clone(), errands.clone(), state.clone()), &cluster);
        let on_hdfs = on_hdfs(&cluster, &results);
        keeper.jobs(on_hdfs.clone());
        Self {
            results,
            presence: Presence::new(&cluster, now),
            releases: Releases::default(),
            journal,
            cluster,
            state,
            clock,
            lock,
            launcher,
            saver: Saver::new(Box::new(Threads { handle, errands })),
            reconciler: Reconciler::default(),
            keeper,
            on_hdfs,
            troubles: BTreeMap::new(),
            ended_jobs_kept,
            running: 0,
            // An earlier coordinator may have been killed.
            sweep_due: true,
            outlets: Outlets::default(),
            active,
            last_words,
            pending: Vec::new(),
            jobs: BTreeMap::new(),
            moved: BTreeSet::new(),
            now,
            reconcile_at: now,
            show_at: now,
        }
    }

    /// How long the next turn may wait for requests.
    pub(super) fn wait(&self) -> Duration {
        let mut at = self.reconcile_at;
        if !self.moved.is_empty() {
            at = at.min(self.show_at);
        }
        at = self.reconciler.due().map_or(at, |due| at.min(due));
        let now = Instant::now();
        let due = self.saver.due_at_ms(&self.cluster, self.clock.at_ms(now)).into_iter().chain(next_deadline(&self.cluster)).min();
        let deadline = due.map(|at_ms| self.clock.until(at_ms));
        let wait = at.saturating_duration_since(now).min(self.presence.longest_wait(now));
        deadline.map_or(wait, |deadline| wait.min(deadline))
    }

    /// A turn begins.
    ///
    /// # Errors
    /// The state directory is gone.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        self.now = Instant::now();
        self.presence.turn(self.now);
        // Written files would be found by nobody, and there is no error from writing on to those that are open.
        let gone = || Error::StateDirGone { lock: self.lock.path().to_owned() };
        if self.lock.is_in_place() { Ok(()) } else { Err(self.ending(gone())) }
    }

    // Before anybody who waits learns that no answer comes.
    fn ending(&self, error: Error) -> Error {
        let _first_words_count = self.last_words.set(error.to_string());
        error
    }

    /// Proposes a command that nobody waits for.
    pub(super) fn propose(&mut self, command: Command) {
        self.pending.push((command, Waiter::Nobody));
    }

    /// Commits what is pending and all that follows from it, then shows what has changed.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        let mut changed = BTreeSet::new();
        self.due();
        for _ in 0..ROUNDS_MAX {
            if !self.pending.is_empty() {
                let now_changed = self.commit()?;
                self.follow(&now_changed);
                for job in now_changed.iter().filter(|job| self.cluster.job(job).is_some_and(|job| !is_in_use(job))) {
                    self.results.over(job);
                    (self.sweep_due, self.reconcile_at) = (true, self.now);
                }
                changed.extend(now_changed);
            } else if self.now >= self.reconcile_at || self.reconciler.due().is_some_and(|due| self.now >= due) {
                // Only what is decided counts: a leader that takes office must not launch what it is about to end.
                self.reconcile_at = self.now + RECONCILE_EVERY;
                tfcoord_fault::point!("leader.reconcile.due");
                self.reconciler.held.clone_from(self.results.remote.waiting());
                let commands = self.reconciler.look(&self.cluster, self.launcher.as_ref(), &self.state, self.now);
                commands.into_iter().for_each(|command| self.propose(command));
                self.running = self.launcher.list().iter().filter(|listed| listed.ended.is_none()).count();
                if self.sweep_due {
                    self.results.tidy(&self.cluster);
                    self.tell_keeper();
                    self.sweep_due = !self.state.sweep(&self.wanted());
                }
            } else {
                let pace = |job: &Job| self.jobs.get(&job.id).map(|known| known.progress.pace(job)).unwrap_or_default();
                self.pending.extend(self.saver.look(&self.cluster, self.clock.now_ms(), pace).into_iter().map(|cut| (cut, Waiter::Nobody)));
                if self.pending.is_empty() {
                    break;
                }
            }
        }
        self.show(&changed);
        Ok(())
    }

    // What is proposed because time has passed.
    fn due(&mut self) {
        if next_deadline(&self.cluster).is_some_and(|at_ms| at_ms <= self.clock.now_ms()) {
            self.propose(Command::Tick {});
        }
        for command in self.presence.silent(&self.cluster, self.now) {
            self.propose(command);
        }
    }

    fn wanted(&self) -> Wanted {
        let jobs = kept(&self.cluster, self.ended_jobs_kept);
        let mut manifests = BTreeMap::new();
        for (id, kept) in &jobs {
            let Some(job) = self.cluster.job(id) else { continue };
            let digest = manifests.entry(job.manifest.digest.clone()).or_insert(*kept);
            if *kept == Kept::InUse {
                *digest = Kept::InUse;
            }
        }
        Wanted { jobs, manifests }
    }

    // Adds the facts that are in no report and that the core decides by.
    fn informed(&self, mut command: Command) -> Command {
        match &mut command {
            Command::DeclareLost { job, step, .. } => *step = self.jobs.get(job).map_or(0, |known| known.progress.step()),
            Command::DeclareVariables { machine_bytes, .. } | Command::ScaleJob { machine_bytes, .. } => {
                *machine_bytes = self.launcher.memory_bytes()
            }
            _ => {}
        }
        command
    }

    /// Commits what is pending, and answers. Returns the jobs that have changed.
    fn commit(&mut self) -> Result<BTreeSet<JobId>, Error> {
        let before = self.cluster.revision();
        let pending = std::mem::take(&mut self.pending).into_iter();
        let (commands, waiters): (Vec<_>, Vec<_>) = pending.map(|(command, waiter)| (self.informed(command), waiter)).unzip();
        let loss = |command: &Command| match command {
            Command::DeclareLost { job, task, attempt, .. } => Some((command.to_string(), job.clone(), *task, *attempt)),
            _ => None,
        };
        let losses: Vec<_> = commands.iter().map(loss).collect();
        let notes: Vec<_> = commands.iter().map(Saver::notes).collect();
        let said: Vec<_> = commands.iter().map(|command| (command.job().cloned(), command.speaker())).collect();
        let admit = |cluster: &Cluster, index, command: &Command| self.results.reserve(cluster, index, command);
        let begun = Instant::now();
        let applied = self.journal.commit(&mut self.cluster, self.clock.now_ms(), commands, admit);
        self.results.release(&self.cluster);
        let applied = applied.map_err(|error| self.ending(error.into()))?;
        tfcoord_fault::point!("leader.effects.due");
        for ((((applied, waiter), loss), (job, incarnation)), noted) in applied.into_iter().zip(waiters).zip(losses).zip(said).zip(notes) {
            // Nobody waits for what follows from a report: said again, it would be as long again.
            if let (Waiter::Nobody, Outcome::Refused(refusal @ Refusal::TooLong { .. }), Some(job)) = (&waiter, &applied.outcome, job) {
                let fault = Fault { kind: FaultKind::Job, message: refusal.to_string() };
                self.propose(Command::FailJob { job, incarnation, fault });
            }
            if let (Some((command, job, task, attempt)), Outcome::Done) = (loss, &applied.outcome) {
                tracing::warn!("{command}");
                metrics::counter!("tfcoord_tasks_lost_total").increment(1);
                if let Some(job) = self.cluster.job(&job) {
                    self.releases.lost(job, task, attempt, begun);
                }
            }
            if let (Some(noted), Outcome::Done) = (noted, &applied.outcome) {
                self.saver.note(&noted, &self.cluster);
            }
            for effect in &applied.effects {
                tracing::info!(%effect, "effect");
                self.reconcile_at = self.now;
            }
            self.answer(waiter, applied.outcome);
        }
        // What came with a submission is in its job's folder now.
        self.results.reserve_remote(&self.cluster);
        let changed = self.cluster.jobs().filter(|job| job.revision > before);
        let changed: BTreeSet<JobId> = changed.map(|job| job.id.clone()).collect();
        if !self.releases.is_empty() {
            changed.iter().for_each(|id| self.releases.changed(id, self.cluster.job(id), begun));
        }
        Ok(changed)
    }

    // A job that has changed may now need what its tasks have said before.
    fn follow(&mut self, changed: &BTreeSet<JobId>) {
        for job in changed {
            for seen in self.presence.of_job(job) {
                let Some(report) = &seen.report else { continue };
                let commands = proposals(&self.cluster, job, seen.task, report);
                self.pending.extend(commands.into_iter().map(|command| (command, Waiter::Nobody)));
            }
        }
    }

    // Which jobs still need their tokens.
    fn tell_keeper(&mut self) {
        let on_hdfs = on_hdfs(&self.cluster, &self.results);
        if on_hdfs != self.on_hdfs {
            self.troubles.retain(|job, _| on_hdfs.contains(job));
            self.keeper.jobs(on_hdfs.clone());
            self.on_hdfs = on_hdfs;
        }
    }
}

// The jobs that need access to HDFS.
fn on_hdfs(cluster: &Cluster, results: &Results) -> BTreeSet<JobId> {
    let needed = |job: &Job| is_in_use(job) || results.needs_rights(&job.id);
    let on_hdfs = cluster.jobs().filter(|job| needed(job) && job.file.remote_locations().next().is_some());
    on_hdfs.map(|job| job.id.clone()).collect()
}
