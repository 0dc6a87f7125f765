//! A turn of the leader.

use super::handle::{Handle, LastWords};
use super::job_message::{self, Beside};
use super::outlets::Outlets;
use super::presence::Presence;
use super::progress::Progress;
use super::reconcile::Reconciler;
use super::release::{self, Releases};
use super::request::{Registered, Reply, Request};
use super::results::Results;
use super::results::remote::Remote;
use super::saver::{Saver, Threads};
use super::{Error, Journal, Parts};
use crate::clock::Clock;
use crate::resume;
use crate::site::Submission;
use crate::state_dir::{Claim, StateDir, Wanted};
use crate::tokens::Keeper;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tfcoord_coordinator_core::deadline::next_deadline;
use tfcoord_coordinator_core::job::{Job, JobState};
use tfcoord_coordinator_core::kept::{Kept, is_in_use, kept};
use tfcoord_coordinator_core::proposals::proposals;
use tfcoord_coordinator_core::{Cluster, Command, Outcome, Refusal};
use tfcoord_fs::FileLock;
use tfcoord_launch::Launcher;
use tfcoord_proto::v1;
use tfcoord_types::id::{JobId, Revision, TaskId};
use tfcoord_types::manifest::{Label, Manifest};
use tfcoord_types::report::{Fault, FaultKind, Report};
use tokio::sync::watch;

/// What runs is compared with what should at least this often.
const RECONCILE_EVERY: Duration = Duration::from_secs(5);
/// Progress is shown at most this often.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// Decisions that follow from each other within one turn; what is left comes in the next one.
const ROUNDS_MAX: usize = 64;

/// Who waits for a command's outcome.
enum Waiter {
    Nobody,
    Submit(String, Claim, Option<Box<Submission>>, Reply<Result<(JobId, Revision), Refusal>>),
    Cancel(JobId, Reply<Result<v1::Job, Refusal>>),
    Scale(JobId, Reply<Result<v1::Job, Refusal>>),
    Register(JobId, TaskId, Reply<Result<Registered, Refusal>>),
}

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

/// What is known of a job beside its state.
struct Known {
    file_name: String,
    classes: Vec<String>,
    progress: Progress,
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

    /// Takes a request: answers it, or proposes what it asks for.
    pub(super) fn take(&mut self, request: Request) {
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

    fn answer(&mut self, waiter: Waiter, outcome: Outcome) {
        match (waiter, outcome) {
            (Waiter::Nobody, Outcome::Refused(refusal)) => tracing::debug!(%refusal, "refused"),
            (Waiter::Nobody, _) => {}
            (Waiter::Submit(file_name, claim, submission, reply), Outcome::Submitted { job }) => {
                if let Some(Err(error)) = submission.map(|submission| submission.give_to(&job)) {
                    tracing::error!(%job, %error, "what came with its submission is not in its folder");
                }
                // From here on the state says what is wanted.
                drop(claim);
                if !self.jobs.contains_key(&job) && self.state.file_name(&job).is_empty() {
                    self.state.keep_file_name(&job, &file_name);
                }
                let revision = self.cluster.job(&job).map_or(self.cluster.revision(), |job| job.revision);
                answer(reply, Ok((job, revision)));
            }
            (Waiter::Submit(.., reply), Outcome::Refused(refusal)) => answer(reply, Err(refusal)),
            // One that is over stays as it is.
            (Waiter::Cancel(job, reply), Outcome::Done | Outcome::Unchanged | Outcome::Refused(Refusal::JobOver { .. })) => {
                let message = self.message(&job).ok_or(Refusal::UnknownJob { job });
                answer(reply, message);
            }
            (Waiter::Scale(job, reply), Outcome::Done | Outcome::Unchanged) => {
                let message = self.message(&job).ok_or(Refusal::UnknownJob { job });
                answer(reply, message);
            }
            (Waiter::Cancel(_, reply) | Waiter::Scale(_, reply), Outcome::Refused(refusal)) => answer(reply, Err(refusal)),
            (Waiter::Register(id, task, reply), Outcome::Registered { incarnation }) => {
                let Some(job) = self.cluster.job(&id) else { return };
                let job_file = serde_json::to_string(&job.file).expect("a job file is plain data");
                let manifest_digest = job.manifest.digest.clone();
                self.presence.registered(incarnation, job, task, self.now);
                let lease = job.file.timing().lease;
                tfcoord_fault::point!("leader.task.registered");
                answer(reply, Ok(Registered { incarnation, job_file, manifest_digest, lease }));
            }
            (Waiter::Register(_, _, reply), Outcome::Refused(refusal)) => answer(reply, Err(refusal)),
            // The core gives each command outcomes of its own only; the caller sees that no answer comes.
            (Waiter::Submit(..) | Waiter::Cancel(..) | Waiter::Scale(..) | Waiter::Register(..), outcome) => {
                tracing::error!(%outcome, "an outcome that does not belong to its command");
            }
        }
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

    /// Hands out views and jobs that have changed.
    fn show(&mut self, changed: &BTreeSet<JobId>) {
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

    // Which jobs still need their tokens.
    fn tell_keeper(&mut self) {
        let on_hdfs = on_hdfs(&self.cluster, &self.results);
        if on_hdfs != self.on_hdfs {
            self.troubles.retain(|job, _| on_hdfs.contains(job));
            self.keeper.jobs(on_hdfs.clone());
            self.on_hdfs = on_hdfs;
        }
    }

    fn count(&self) {
        use JobState::{Admitted, Cancelled, Failed, Finalizing, Pending, Running, Starting, Succeeded};
        for state in [Pending, Admitted, Starting, Running, Finalizing, Succeeded, Failed, Cancelled] {
            let jobs = self.cluster.jobs().filter(|job| job.state == state).count();
            metrics::gauge!("tfcoord_jobs", "state" => state.to_string()).set(jobs as f64);
        }
    }

    fn message(&mut self, id: &JobId) -> Option<v1::Job> {
        let job = self.cluster.job(id)?;
        let known = self.jobs.entry(id.clone()).or_insert_with(|| known(&self.state, job));
        let (file_name, classes) = (known.file_name.clone(), known.classes.clone());
        let late = known.progress.late();
        let progress = self.progress(job);
        let hdfs = self.troubles.get(id).cloned().unwrap_or_default();
        Some(job_message::whole(job, Beside { file_name, classes, progress, late, hdfs }))
    }

    fn progress(&self, job: &Job) -> Option<v1::Progress> {
        // Of an earlier life nothing is known.
        job.started_at_ms?;
        let alive = job.live_workers().into_iter().filter(|worker| self.presence.is_alive(*worker, self.now)).count();
        let known = self.jobs.get(&job.id)?;
        known.progress.message(job, u32::try_from(alive).unwrap_or(u32::MAX))
    }

    fn list(&mut self, all: bool) -> Vec<v1::Job> {
        let jobs: Vec<&Job> = self.cluster.jobs().filter(|job| all || !job.is_over()).collect();
        let message = |job: &&Job| {
            let file_name = self.jobs.get(&job.id).map_or_else(|| self.state.file_name(&job.id), |known| known.file_name.clone());
            let late = self.jobs.get(&job.id).map(|known| known.progress.late()).unwrap_or_default();
            job_message::brief(job, file_name, self.progress(job), &late)
        };
        jobs.iter().map(message).collect()
    }

    fn watch(&mut self, id: &JobId) -> Option<watch::Receiver<Arc<v1::Job>>> {
        let message = self.message(id)?;
        let over = self.cluster.job(id).is_none_or(Job::is_over);
        Some(self.outlets.watch(id, message, over))
    }
}

// Nobody may wait any more.
fn answer<T>(reply: Reply<T>, value: T) {
    tfcoord_fault::point!("leader.answer.due");
    let _ = reply.send(value);
}

// The jobs that need access to HDFS.
fn on_hdfs(cluster: &Cluster, results: &Results) -> BTreeSet<JobId> {
    let needed = |job: &Job| is_in_use(job) || results.needs_rights(&job.id);
    let on_hdfs = cluster.jobs().filter(|job| needed(job) && job.file.remote_locations().next().is_some());
    on_hdfs.map(|job| job.id.clone()).collect()
}

fn known(state: &StateDir, job: &Job) -> Known {
    Known { file_name: state.file_name(&job.id), classes: classes(state, job), progress: Progress::default() }
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
