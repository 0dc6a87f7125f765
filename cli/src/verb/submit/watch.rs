//! Watching a job to its end, or until somebody has enough.

use super::question::{Answer, Question};
use super::screen::Screen;
use super::{Waits, until};
use crate::args::{Stream, Submit};
use crate::chaos::{Striker, Struck};
use crate::connection::Connection;
use crate::event::{Event, Tracker};
use crate::failure::{Code, Failure};
use crate::follow::{Seen, follow};
use crate::job::{Job, State};
use crate::place::Place;
use crate::verb::cancel::cancel;
use crate::{PATIENCE_WATCHING, say, show};
use std::pin::Pin;
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

type Cancelling = Pin<Box<dyn Future<Output = Result<Job, Failure>>>>;

/// Watches `job`.
///
/// # Errors
/// When the job does not succeed, the waiting time is over, or the coordinator stays away.
pub async fn watch(
    args: &Submit,
    place: &Place,
    patience: Option<Duration>,
    job: &str,
    mut waits: Waits,
    mut chaos: Option<Striker>,
    program: &str,
) -> Result<Code, Failure> {
    let connect = || Connection::new(place.clone(), patience.unwrap_or(PATIENCE_WATCHING));
    let mut states = follow(connect(), job.to_owned(), 0);
    let mut watched = Watched {
        form: args.output,
        id: job.to_owned(),
        screen: Screen::new(args.output, program),
        tracker: Tracker::default(),
        job: None,
        program,
    };
    let mut ticks = interval_at(Instant::now() + args.interval, args.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut question: Option<Question> = None;
    let mut asked = false;
    let mut cancelling: Option<Cancelling> = None;
    loop {
        tokio::select! {
            state = states.recv() => {
                let gone = || Failure::new(Code::Engine, "the states of the job ended without its end");
                let state = state.ok_or_else(gone).flatten().map_err(|failure| watched.lost(failure))?;
                match state {
                    Seen::Job(job) => watched.see(*job)?,
                    Seen::Restarted => watched.screen.event(&Event::CoordinatorRestarted { job: job.to_owned() })?,
                }
                if let Some(job) = watched.ended() {
                    return watched.end(&job);
                }
            }
            struck = struck(chaos.as_mut()) => watched.chaos(struck)?,
            _ = ticks.tick() => watched.interval()?,
            _ = waits.interrupts.recv() => {
                // Asked once: whoever presses again wants to leave now.
                if !std::mem::replace(&mut asked, true) {
                    watched.screen.hold();
                    question = Question::ask(job);
                } else {
                    question = None;
                }
                if question.is_none() {
                    return watched.detach(Code::Interrupted);
                }
            }
            () = terminated(&mut waits.terminated) => {
                // Those that sleep go on.
                drop(chaos.take());
                return watched.detach(Code::Terminated);
            }
            answer = answer(question.as_mut()) => {
                question = None;
                watched.screen.release()?;
                match answer {
                    Answer::Detach => return watched.detach(Code::Interrupted),
                    Answer::Cancel => {
                        watched.screen.show();
                        let (mut connection, job) = (connect(), job.to_owned());
                        cancelling = Some(Box::pin(async move { cancel(&mut connection, &job, "cancelled by Ctrl-C").await }));
                    }
                }
            }
            failure = failure(&mut cancelling) => return Err(watched.lost(failure)),
            () = until(waits.deadline) => {
                watched.detach(Code::TimedOut)?;
                let failure = Failure::new(Code::TimedOut, format!("the waiting time is over, {job} has not ended and goes on"));
                return Err(failure.help(format_args!("`{program} status {job}` shows how far it is")));
            }
        }
    }
}

async fn struck(chaos: Option<&mut Striker>) -> Struck {
    match chaos {
        Some(striker) => striker.next().await,
        None => std::future::pending().await,
    }
}

async fn terminated(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

async fn answer(question: Option<&mut Question>) -> Answer {
    match question {
        Some(question) => question.answer().await,
        None => std::future::pending().await,
    }
}

// That the job was cancelled is seen by watching it; only a failure is news.
async fn failure(cancelling: &mut Option<Cancelling>) -> Failure {
    if let Some(handle) = cancelling {
        let result = handle.await;
        *cancelling = None;
        if let Err(failure) = result {
            return failure;
        }
    }
    std::future::pending().await
}

struct Watched<'a> {
    program: &'a str,
    form: Stream,
    id: String,
    screen: Screen,
    tracker: Tracker,
    job: Option<Job>,
}

impl Watched<'_> {
    fn see(&mut self, job: Job) -> Result<(), Failure> {
        for event in self.tracker.see(&job) {
            self.screen.event(&event)?;
        }
        self.screen.draw(&job);
        self.job = Some(job);
        Ok(())
    }

    fn chaos(&mut self, struck: Struck) -> Result<(), Failure> {
        let Struck { target, pid, signal, sleeps } = struck;
        let sleeps_s = sleeps.map(|time| time.as_secs_f64());
        self.screen.event(&Event::Chaos { job: self.id.clone(), target, pid, signal, sleeps_s })
    }

    fn interval(&mut self) -> Result<(), Failure> {
        self.job.as_ref().map_or(Ok(()), |job| self.screen.interval(job))
    }

    fn ended(&self) -> Option<Job> {
        self.job.clone().filter(|job| job.state.is_ended())
    }

    fn end(&mut self, job: &Job) -> Result<Code, Failure> {
        self.screen.close()?;
        if self.form == Stream::Json {
            say::json(job)?;
        }
        if job.state != State::Succeeded {
            return Err(Failure::new(Code::Job, show::failure(job, self.program)));
        }
        if self.form == Stream::Text {
            say::line(&format!("\n{}\n\n{}", show::result(job), show::next_commands(job, self.program)))?;
        }
        Ok(Code::Success)
    }

    fn detach(&mut self, code: Code) -> Result<Code, Failure> {
        self.screen.close()?;
        self.screen.event(&Event::Detached { job: self.id.clone() })?;
        if let (Stream::Json, Some(job)) = (self.form, &self.job) {
            say::json(job)?;
        }
        Ok(code)
    }

    fn lost(&mut self, failure: Failure) -> Failure {
        if let Err(unread) = self.screen.close() {
            return unread;
        }
        let (id, program) = (&self.id, self.program);
        if matches!(failure.code, Code::Unreachable | Code::Engine) {
            failure.help(format_args!("{id} may go on: ask for it later with `{program} status {id}`"))
        } else {
            failure
        }
    }
}
