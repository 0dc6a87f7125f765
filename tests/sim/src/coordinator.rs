//! The coordinator's process: the production core, log, journal, presence and reconciler, and a leader's turn around
//! them in the order of the production one: take what arrived, commit, see what follows, then answer and show.

mod filing;
mod tap;

use crate::disk::SimDisk;
use crate::launcher::SimLauncher;
use crate::message::Message;
use crate::model;
use crate::nature::{COORDINATOR, Nature, StreamId, Timer};
use crate::queue::{MS, Us, us};
use crate::store::Store;
use filing::Filing;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tap::Tap;
use tfcoord_checkpoint::Manifest;
use tfcoord_coordinator::clock::Clock;
use tfcoord_coordinator::leader::Journal;
use tfcoord_coordinator::leader::presence::Presence;
use tfcoord_coordinator::leader::progress::Progress;
use tfcoord_coordinator::leader::reconcile::{JobFiles, Reconciler};
use tfcoord_coordinator::leader::saver::{Noted, Saver};
use tfcoord_coordinator::log::FileLog;
use tfcoord_coordinator::resume;
use tfcoord_coordinator_core::deadline::next_deadline;
use tfcoord_coordinator_core::job::Job;
use tfcoord_coordinator_core::proposals::proposals;
use tfcoord_coordinator_core::view::view_for;
use tfcoord_coordinator_core::{Cluster, Command, Outcome};
use tfcoord_launch::Hadoop;
use tfcoord_types::id::{Incarnation, JobId, TaskId};
use tfcoord_types::job::JobFile;
use tfcoord_types::report::Report;

const RECONCILE_EVERY: Duration = Duration::from_secs(5);
const ROUNDS_MAX: usize = 64;
/// Small, so that both happen in every run.
const SEGMENT_BYTES: u64 = 32 << 10;
const SNAPSHOT_EVERY: u64 = 40;
const DIR: &str = "/log";
/// What the system's clock shows when a run begins.
const SYSTEM_MS: u64 = 1_700_000_000_000;

/// The coordinator's process and what outlives it.
#[derive(Debug)]
pub struct Coordinator {
    pub disk: SimDisk,
    pub launcher: SimLauncher,
    /// Where checkpoints lie.
    pub store: Store,
    /// How far the system's clock is off, in ms.
    pub clock_off_ms: i64,
    life: u32,
    leader: Option<Leader>,
}

// Who waits for a command's outcome.
#[derive(Debug)]
enum Waiter {
    Nobody,
    Submit(StreamId),
    // Cancelled, or scaled.
    Change(StreamId, JobId),
    Register(StreamId, JobId, TaskId),
}

#[derive(Debug)]
struct Session {
    stream: StreamId,
    job: JobId,
    task: TaskId,
}

struct Leader {
    journal: Journal,
    tap: Tap,
    cluster: Cluster,
    presence: Presence,
    reconciler: Reconciler,
    saver: Saver,
    store: Store,
    filing: Filing,
    clock: Clock,
    sessions: BTreeMap<Incarnation, Session>,
    inbox: Vec<(StreamId, Message)>,
    pending: Vec<(Command, Waiter)>,
    // Answers that follow from what is committed in this turn.
    answers: Vec<(StreamId, Message)>,
    progress: BTreeMap<JobId, Progress>,
    reconcile_at: Instant,
    turn_at: Option<Us>,
}

// Files that tasks need are always there.
struct Files;

impl JobFiles for Files {
    fn make(&self, _: &JobId, _: &JobFile) -> Result<(PathBuf, Option<Hadoop>), String> {
        Ok((PathBuf::from("/token"), None))
    }
}

impl Coordinator {
    pub fn new(disk: SimDisk, launcher: SimLauncher, store: Store) -> Self {
        Self { disk, launcher, store, clock_off_ms: 0, life: 0, leader: None }
    }

    pub fn runs(&self) -> bool {
        self.leader.is_some()
    }

    /// Starts on what the disk has; whether it could.
    pub fn start(&mut self, nature: &mut Nature) -> bool {
        self.life += 1;
        let failed = self.disk.failed();
        let (dir, disk) = (Path::new(DIR), Arc::new(self.disk.clone()));
        let opened = FileLog::open_on(disk.clone(), dir, SEGMENT_BYTES).map_err(|error| error.to_string());
        let tap = Tap::default();
        let opened =
            opened.and_then(|log| Journal::open_on(disk, dir, Box::new(tap.on(log)), SNAPSHOT_EVERY).map_err(|error| error.to_string()));
        let (journal, cluster) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                nature.note(format_args!("coordinator: cannot start: {error}"));
                nature.laws.durable.refused(self.disk.failed() > failed, &error);
                return false;
            }
        };
        nature.note(format_args!("coordinator: starts at revision {}", cluster.revision()));
        nature.laws.history.recovered(&cluster);
        nature.laws.durable.begin();
        nature.laws.leases.elected(nature.now);
        nature.begin(COORDINATOR);
        let now = nature.instant();
        let system_ms = (SYSTEM_MS + nature.now / 1000).saturating_add_signed(self.clock_off_ms);
        let leader = Leader {
            journal,
            tap,
            clock: Clock::begin(system_ms, now, cluster.now_ms()),
            presence: Presence::new(&cluster, now),
            cluster,
            reconciler: Reconciler::default(),
            saver: Saver::new(Box::new(self.store.clone())),
            store: self.store.clone(),
            filing: Filing::default(),
            sessions: BTreeMap::new(),
            inbox: Vec::new(),
            pending: vec![(Command::TakeOffice { adopts: true }, Waiter::Nobody)],
            answers: Vec::new(),
            progress: BTreeMap::new(),
            reconcile_at: now,
            turn_at: None,
        };
        self.leader = Some(leader);
        self.turn(nature);
        true
    }

    /// Its process is gone.
    pub fn stop(&mut self, nature: &mut Nature) {
        self.leader = None;
        nature.end(COORDINATOR);
    }

    pub fn message(&mut self, nature: &mut Nature, stream: StreamId, message: Message) {
        let Some(leader) = &mut self.leader else { return };
        leader.inbox.push((stream, message));
        // What comes close together is taken in one turn.
        let after = nature.chance.below(2 * MS);
        leader.plan_turn(nature, self.life, after);
    }

    /// A hint that a task has ended.
    pub fn tasks_changed(&mut self, nature: &mut Nature) {
        let now = nature.instant();
        let Some(leader) = &mut self.leader else { return };
        leader.reconcile_at = now;
        leader.plan_turn(nature, self.life, 0);
    }

    pub fn broken(&mut self, stream: StreamId) {
        if let Some(leader) = &mut self.leader {
            leader.sessions.retain(|_, session| session.stream != stream);
        }
    }

    pub fn timer(&mut self, nature: &mut Nature, life: u32, timer: Timer) {
        if life != self.life {
            return;
        }
        if let (Timer::Filed { number, half }, Some(leader)) = (timer, &mut self.leader) {
            leader.filed(nature, life, number, half);
        }
        if timer == Timer::Turn && self.leader.as_ref().is_some_and(|leader| leader.turn_at.is_some_and(|at| at <= nature.now)) {
            self.turn(nature);
        }
    }

    // One turn; it may be the last one.
    fn turn(&mut self, nature: &mut Nature) {
        let now = nature.instant();
        let Some(leader) = &mut self.leader else { return };
        leader.turn_at = None;
        leader.presence.turn(now);
        for (stream, message) in std::mem::take(&mut leader.inbox) {
            leader.take(nature, now, stream, message);
        }
        match leader.settle(nature, now, &self.disk, &self.launcher) {
            Ok(()) => {
                leader.file(nature, self.life);
                let wait = leader.wait(now);
                leader.plan_turn(nature, self.life, wait);
            }
            Err(error) => {
                nature.note(format_args!("coordinator: ends: {error}"));
                nature.tally.add("log failed");
                self.stop(nature);
            }
        }
    }
}

impl Leader {
    fn plan_turn(&mut self, nature: &mut Nature, life: u32, after: Us) {
        let at = nature.now + after;
        if self.turn_at.is_none_or(|planned| at < planned) {
            self.turn_at = Some(at);
            nature.timer(COORDINATOR, life, after, Timer::Turn);
        }
    }

    fn wait(&self, now: Instant) -> Us {
        let mut at = self.reconcile_at;
        at = self.reconciler.due().map_or(at, |due| at.min(due));
        let now_ms = self.clock.at_ms(now);
        let due = self.saver.due_at_ms(&self.cluster, now_ms).into_iter().chain(next_deadline(&self.cluster)).min();
        let deadline = due.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms)));
        let wait = at.saturating_duration_since(now).min(self.presence.longest_wait(now));
        let wait = deadline.map_or(wait, |deadline| wait.min(deadline));
        us(wait).max(MS)
    }

    fn take(&mut self, nature: &mut Nature, now: Instant, stream: StreamId, message: Message) {
        match message {
            Message::Submit { request_id, file, resume } => {
                let manifest = model::manifest(&file);
                let resume = resume.then(|| {
                    let verify = |dir: &Path, manifest: &Manifest| self.store.verify(dir, manifest);
                    resume::choose(&file, &manifest, self.store.found(), Vec::new(), verify)
                });
                let resume = resume.and_then(Result::ok).filter(|resume| {
                    let newest = resume.checkpoints.last().expect("it begins from one");
                    self.store.sync_directory(&newest.dir).is_ok()
                });
                self.pending.push((Command::SubmitJob { request_id, file, manifest, resume }, Waiter::Submit(stream)));
            }
            Message::Cancel(job) => {
                let reason = "a person said so".to_owned();
                self.pending.push((Command::CancelJob { job: job.clone(), reason }, Waiter::Change(stream, job)));
            }
            Message::ScaleJob(job, workers) => {
                let command = Command::ScaleJob { job: job.clone(), workers, machine_bytes: None };
                self.pending.push((command, Waiter::Change(stream, job)));
            }
            Message::Get(job) => {
                let state = self.cluster.job(&job).map(|job| (job.state, job.reason()));
                self.answers.push((stream, Message::JobIs(state)));
            }
            Message::Hello { job, task, attempt, process } => {
                let command = Command::RegisterTask { job: job.clone(), task, attempt, process };
                self.pending.push((command, Waiter::Register(stream, job, task)));
            }
            Message::Report(report) => self.report(nature, now, stream, *report),
            other => panic!("{other} came to the coordinator"),
        }
    }

    // A session's first report opens it.
    fn report(&mut self, nature: &mut Nature, now: Instant, stream: StreamId, report: Report) {
        let incarnation = report.incarnation;
        let Some((job, task)) = self.presence.of(incarnation).map(|seen| (seen.job.clone(), seen.task)) else {
            self.answers.push((stream, Message::Refused(format!("incarnation {incarnation} is unknown"))));
            return;
        };
        let opens = self.sessions.get(&incarnation).is_none_or(|session| session.stream != stream);
        if opens {
            if let Some(old) = self.sessions.insert(incarnation, Session { stream, job: job.clone(), task }) {
                nature.close(COORDINATOR, old.stream);
            }
            match view_for(&self.cluster, &job, task, incarnation) {
                Some(view) => self.answers.push((stream, Message::View(Box::new(view)))),
                None => self.answers.push((stream, Message::Refused(format!("job {job} is forgotten")))),
            }
        }
        if self.cluster.job(&job).is_none_or(Job::is_over) || !self.presence.reported(report, now) {
            return;
        }
        nature.laws.leases.heard(incarnation, nature.now);
        self.propose(incarnation);
        let state = self.cluster.job(&job).expect("it is not over");
        let reports = self.presence.of_job(&job).filter_map(|seen| Some((seen.task, seen.report.as_ref()?)));
        self.progress.entry(job.clone()).or_default().update(state, reports, now);
    }

    fn propose(&mut self, incarnation: Incarnation) {
        let Some(seen) = self.presence.of(incarnation) else { return };
        let Some(report) = &seen.report else { return };
        let commands = proposals(&self.cluster, &seen.job, seen.task, report);
        self.pending.extend(commands.into_iter().map(|command| (command, Waiter::Nobody)));
    }

    fn settle(&mut self, nature: &mut Nature, now: Instant, disk: &SimDisk, launcher: &SimLauncher) -> Result<(), String> {
        let mut changed = BTreeSet::new();
        if next_deadline(&self.cluster).is_some_and(|at_ms| at_ms <= self.clock.at_ms(now)) {
            self.pending.push((Command::Tick {}, Waiter::Nobody));
        }
        let silent = self.presence.silent(&self.cluster, now);
        silent.iter().for_each(|command| nature.laws.leases.proposed(&self.cluster, command, nature.now));
        self.pending.extend(silent.into_iter().map(|command| (command, Waiter::Nobody)));
        for _ in 0..ROUNDS_MAX {
            if !self.pending.is_empty() {
                let now_changed = self.commit(nature, now, disk)?;
                self.follow(&now_changed);
                changed.extend(now_changed);
            } else if now >= self.reconcile_at || self.reconciler.due().is_some_and(|due| now >= due) {
                self.reconcile_at = now + RECONCILE_EVERY;
                let commands = self.reconciler.look(&self.cluster, launcher, &Files, now);
                self.pending.extend(commands.into_iter().map(|command| (command, Waiter::Nobody)));
            } else {
                let pace = |job: &Job| self.progress.get(&job.id).map(|progress| progress.pace(job)).unwrap_or_default();
                let cuts = self.saver.look(&self.cluster, self.clock.at_ms(now), pace);
                self.pending.extend(cuts.into_iter().map(|cut| (cut, Waiter::Nobody)));
                if self.pending.is_empty() {
                    break;
                }
            }
        }
        self.show(nature, disk, &changed);
        Ok(())
    }

    fn commit(&mut self, nature: &mut Nature, now: Instant, disk: &SimDisk) -> Result<BTreeSet<JobId>, String> {
        let before = self.cluster.revision();
        let (mut commands, waiters): (Vec<Command>, Vec<Waiter>) = std::mem::take(&mut self.pending).into_iter().unzip();
        for command in &mut commands {
            if let Command::DeclareLost { job, step, .. } = command {
                *step = self.progress.get(job).map_or(0, Progress::step);
            }
        }
        let notes: Vec<_> = commands.iter().map(Saver::notes).collect();
        let applied = self.journal.commit(&mut self.cluster, self.clock.at_ms(now), commands, |_, _, _| Ok(()));
        self.tap.tell(&mut nature.laws, disk);
        let applied = applied.map_err(|error| error.to_string())?;
        nature.laws.history.applied(&self.cluster);
        nature.laws.checkpoints.check(&self.cluster, &self.store);
        for ((applied, waiter), noted) in applied.into_iter().zip(waiters).zip(notes) {
            if let (Some(noted), Outcome::Done) = (noted, &applied.outcome) {
                nature.tally.add(if matches!(noted, Noted::Missed(_)) { "cut missed" } else { "checkpoint committed" });
                self.saver.note(&noted, &self.cluster);
            }
            for effect in &applied.effects {
                nature.trace.note(nature.now, format_args!("coordinator: {effect}"));
                self.reconcile_at = now;
            }
            if let Outcome::Registered { incarnation } = applied.outcome {
                nature.laws.leases.heard(incarnation, nature.now);
            }
            self.answer(now, waiter, applied.outcome);
        }
        Ok(self.cluster.jobs().filter(|job| job.revision > before).map(|job| job.id.clone()).collect())
    }

    fn answer(&mut self, now: Instant, waiter: Waiter, outcome: Outcome) {
        match (waiter, outcome) {
            (Waiter::Nobody, _) => {}
            (Waiter::Submit(stream), Outcome::Submitted { job }) => self.answers.push((stream, Message::Submitted(Ok(job)))),
            (Waiter::Submit(stream), other) => self.answers.push((stream, Message::Submitted(Err(other.to_string())))),
            (Waiter::Change(stream, job), _) => {
                let state = self.cluster.job(&job).map(|job| (job.state, job.reason()));
                self.answers.push((stream, Message::JobIs(state)));
            }
            (Waiter::Register(stream, job, task), Outcome::Registered { incarnation }) => {
                let job = self.cluster.job(&job).expect("it was registered with");
                let file = job.file.clone();
                self.presence.registered(incarnation, job, task, now);
                self.answers.push((stream, Message::Welcome { incarnation, file: Box::new(file) }));
            }
            (Waiter::Register(stream, ..), other) => self.answers.push((stream, Message::Refused(other.to_string()))),
        }
    }

    // A job that has changed may now need what its tasks have said before.
    fn follow(&mut self, changed: &BTreeSet<JobId>) {
        let of_job = |job| self.presence.of_job(job).filter_map(|seen| Some((&seen.job, seen.task, seen.report.as_ref()?)));
        let seen = changed.iter().flat_map(of_job);
        let commands = seen.flat_map(|(job, task, report)| proposals(&self.cluster, job, task, report));
        self.pending.extend(commands.map(|command| (command, Waiter::Nobody)));
    }

    fn show(&mut self, nature: &mut Nature, disk: &SimDisk, changed: &BTreeSet<JobId>) {
        for (stream, message) in std::mem::take(&mut self.answers) {
            self.say(nature, disk, stream, message);
        }
        for job in changed {
            let sessions: Vec<(Incarnation, TaskId, StreamId)> =
                self.sessions.iter().filter(|(_, s)| s.job == *job).map(|(i, s)| (*i, s.task, s.stream)).collect();
            for (incarnation, task, stream) in sessions {
                if let Some(view) = view_for(&self.cluster, job, task, incarnation) {
                    self.say(nature, disk, stream, Message::View(Box::new(view)));
                }
            }
        }
        if !changed.is_empty() {
            self.presence.prune(&self.cluster);
        }
    }

    fn say(&self, nature: &mut Nature, disk: &SimDisk, stream: StreamId, message: Message) {
        nature.laws.durable.said(disk, &message);
        if let Message::View(view) = &message {
            nature.laws.views.sent(view);
        }
        nature.send(COORDINATOR, stream, message);
    }
}

impl std::fmt::Debug for Leader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "leader at revision {}", self.cluster.revision())
    }
}
