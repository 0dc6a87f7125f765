//! Keeps the tokens of all jobs in use good, and cancels those of the others: one task of the runtime, which is told which
//! jobs there are and says what is wrong.
//!
//! It holds nothing that is not in the jobs' folders: told of a job, it reads there until when its tokens are good.

use super::call::{Caller, Failure};
use super::dates::{Dates, TokenDates, now_ms, utc};
use super::program::Action;
use super::schedule::{Schedule, Step};
use crate::state_dir::{HadoopDir, StateDir};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;
use tfcoord_types::id::JobId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// The longest sleep: clocks are set now and then.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// Tells the one who keeps tokens.
#[derive(Debug, Clone)]
pub struct Keeper(UnboundedSender<Told>);

#[derive(Debug)]
enum Told {
    // The jobs that need their tokens.
    Jobs(BTreeSet<JobId>),
    // A submission came to no job.
    Left(HadoopDir),
}

/// Says what is wrong with a job's tokens; an empty text where nothing is any more.
pub type Trouble = Box<dyn Fn(JobId, String) + Send>;

/// Whose tokens they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Job(JobId),
    // Of a submission that came to no job: the folder goes with them.
    Nobody(u64),
}

/// The one who keeps tokens.
pub struct Keeping {
    state: StateDir,
    caller: Caller,
    trouble: Trouble,
    told: UnboundedReceiver<Told>,
    held: BTreeMap<Whose, Held>,
    left: u64,
    steps: JoinSet<(Whose, Action, Result<Dates, Failure>)>,
}

struct Held {
    dir: HadoopDir,
    schedule: Schedule,
    ending: bool,
    busy: bool,
}

impl Keeper {
    /// Keeps nothing, for a leader whose jobs have no tokens.
    pub fn nobody() -> Self {
        Self(unbounded_channel().0)
    }

    /// Tells it which jobs need their tokens: those of all others are cancelled.
    pub fn jobs(&self, jobs: BTreeSet<JobId>) {
        // It ends with the coordinator only.
        let _ending = self.0.send(Told::Jobs(jobs));
    }

    /// Hands over what came with a submission and is no job's: tokens are cancelled, and the folder is removed.
    pub fn left(&self, dir: &HadoopDir) {
        if self.0.send(Told::Left(dir.clone())).is_err() {
            remove(dir);
        }
    }
}

impl Keeping {
    /// Of the tokens in `state`; [`run`](Self::run) does it.
    pub fn new(state: &StateDir, caller: Caller, trouble: Trouble) -> (Keeper, Self) {
        let (sender, told) = unbounded_channel();
        let this = Self { state: state.clone(), caller, trouble, told, held: BTreeMap::new(), left: 0, steps: JoinSet::new() };
        (Keeper(sender), this)
    }

    /// Does it until nobody is left to tell it anything. Steps under way are given up then.
    pub async fn run(mut self) {
        loop {
            self.begin();
            let sleep = self.sleep();
            tokio::select! {
                told = self.told.recv() => match told {
                    Some(Told::Jobs(jobs)) => self.compare(&jobs),
                    Some(Told::Left(dir)) => self.take_left(dir),
                    None => return,
                },
                Some(ended) = self.steps.join_next() => match ended {
                    Ok((whose, action, result)) => self.ended(whose, action, result),
                    Err(error) => tracing::error!(%error, "a step with tokens broke off"),
                },
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    fn compare(&mut self, jobs: &BTreeSet<JobId>) {
        for job in self.state.jobs_with_tokens() {
            let dir = self.state.hadoop(&job);
            let held = self.held.entry(Whose::Job(job.clone())).or_insert_with(|| Held::new(dir));
            held.ending = !jobs.contains(&job);
        }
    }

    fn take_left(&mut self, dir: HadoopDir) {
        if !dir.tokens().exists() {
            return remove(&dir);
        }
        self.left += 1;
        self.held.insert(Whose::Nobody(self.left), Held { ending: true, ..Held::new(dir) });
    }

    // Begins all steps that are due.
    fn begin(&mut self) {
        let now = now_ms();
        for (whose, held) in &mut self.held {
            let (at_ms, action) = held.next(now);
            if held.busy || at_ms > now {
                continue;
            }
            held.busy = true;
            let (caller, dir, whose) = (self.caller.clone(), held.dir.clone(), whose.clone());
            self.steps.spawn(async move {
                let result = caller.step(action, &dir).await;
                (whose, action, result)
            });
        }
    }

    fn sleep(&self) -> Duration {
        let now = now_ms();
        let due = self.held.values().filter(|held| !held.busy).map(|held| held.next(now).0).min();
        due.map_or(SLEEP_MAX, |due| Duration::from_millis(due.saturating_sub(now)).min(SLEEP_MAX))
    }

    fn ended(&mut self, whose: Whose, action: Action, result: Result<Dates, Failure>) {
        let Some(held) = self.held.get_mut(&whose) else { return };
        held.busy = false;
        if action == Action::Cancel {
            if held.is_cancelled(&whose, result) {
                self.held.remove(&whose);
            }
            return;
        }
        let Whose::Job(job) = whose else { return };
        match result {
            Ok(dates) => {
                tell(&job, action, held.schedule.dates(), &dates);
                if held.schedule.has_failed() {
                    (self.trouble)(job, String::new());
                }
                held.schedule.done(dates);
            }
            Err(failure) => {
                let now = now_ms();
                let good = held.schedule.dates().map_or(0, Dates::expire_ms);
                let text = if good > now {
                    format!("its HDFS tokens are good until {}, and could not be {}: {failure}", utc(good), done(action))
                } else {
                    format!("its HDFS tokens have run out, and could not be {}: {failure}", done(action))
                };
                let first = held.schedule.failed(now, failure.lost);
                tracing::warn!(%job, first, "{text}; trying again");
                (self.trouble)(job, text);
            }
        }
    }
}

impl Held {
    fn new(dir: HadoopDir) -> Self {
        let schedule = Schedule::new(Dates::read(&dir));
        Self { dir, schedule, ending: false, busy: false }
    }

    fn next(&self, now_ms: u64) -> (u64, Action) {
        if self.ending {
            return (self.schedule.failed_until_ms(now_ms), Action::Cancel);
        }
        match self.schedule.next(now_ms) {
            (at_ms, Step::Renew) => (at_ms, Action::Renew),
            (at_ms, Step::Reissue) => (at_ms, Action::Issue),
        }
    }

    // Whether nothing is left of them: cancelled, or over by themselves.
    fn is_cancelled(&mut self, whose: &Whose, result: Result<Dates, Failure>) -> bool {
        let now = now_ms();
        let known = self.schedule.dates().map(|dates| dates.tokens.clone()).unwrap_or_default();
        match result {
            Ok(dates) if dates.is_given => each(whose, &known, "HDFS token left to the submitter"),
            Ok(_) => each(whose, &known, "HDFS token cancelled"),
            Err(failure) if failure.lost || self.schedule.dates().is_none_or(|dates| dates.expire_ms() <= now) => {
                tracing::info!(%failure, "HDFS tokens have run out before they were cancelled");
            }
            Err(failure) => {
                if self.schedule.failed(now, false) {
                    tracing::warn!(%failure, "HDFS tokens could not be cancelled; trying again until they run out");
                }
                return false;
            }
        }
        match whose {
            Whose::Job(_) => {
                for path in [self.dir.tokens(), self.dir.dates()] {
                    if let Err(error) = fs::remove_file(&path) {
                        tracing::warn!(%error, path = %path.display(), "cannot remove");
                    }
                }
            }
            Whose::Nobody(_) => remove(&self.dir),
        }
        true
    }
}

// A line for each token: the proof that it was done.
fn tell(job: &JobId, action: Action, before: Option<&Dates>, now: &Dates) {
    let what = match action {
        _ if now.is_given => "HDFS token taken from the submitter's file",
        Action::Renew => "HDFS token renewed",
        _ if before.is_some() => "HDFS token re-issued",
        _ => "HDFS token issued",
    };
    each(&Whose::Job(job.clone()), &now.tokens, what);
}

fn each(whose: &Whose, tokens: &[TokenDates], what: &str) {
    for token in tokens {
        match whose {
            Whose::Job(job) => tracing::info!(%job, "{what}: {token}"),
            Whose::Nobody(_) => tracing::info!("{what}: {token}; it came with a submission that was not admitted"),
        }
    }
}

fn done(action: Action) -> &'static str {
    match action {
        Action::Renew => "renewed",
        Action::Issue => "replaced by new ones",
        Action::Cancel => "cancelled",
    }
}

fn remove(dir: &HadoopDir) {
    if let Err(error) = fs::remove_dir_all(dir.root()) {
        tracing::warn!(%error, dir = %dir.root().display(), "cannot remove what came with a submission");
    }
}

#[cfg(test)]
mod tests;
