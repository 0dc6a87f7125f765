//! A task's side of its session with the coordinator, as `tfcoord-client` keeps it: registration under one nonce, one
//! stream after the other with a growing wait between, the newest report whenever it changes and every half second, and
//! an end if there was no session for too long.

use crate::message::Message;
use crate::nature::{COORDINATOR, Nature, Node, StreamId, Timer};
use crate::queue::{MS, S, Us, us};
use std::collections::VecDeque;
use tfcoord_coordinator_core::Process;
use tfcoord_launch::Launch;
use tfcoord_types::id::{Generation, Incarnation, Revision, Role};
use tfcoord_types::job::JobFile;
use tfcoord_types::report::{Body, Report, ServerReport, WorkerReport};
use tfcoord_types::timing::Timing;
use tfcoord_types::view::TaskView;

const ATTEMPT_WITHIN: Us = 3 * S;
const WAIT_FIRST: Us = 50 * MS;
const REPORT_GAP: Us = 50 * MS;

/// What a session says to its task.
#[derive(Debug)]
pub enum News {
    /// The registration succeeded.
    Welcome(Incarnation, Box<JobFile>),
    /// A newer view.
    View(Box<TaskView>),
    /// It is over for good: refused, or lost for too long.
    Ended { orphaned: bool },
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Registering,
    Opening,
    Open,
}

/// A task's session.
#[derive(Debug)]
pub struct Session {
    pub node: Node,
    pub launch: Launch,
    process: Process,
    // How long it goes on without a session.
    grace: Us,
    // How often it reports at least, and how long it waits at most between two attempts.
    heartbeat: Us,
    wait_cap: Us,
    incarnation: Option<Incarnation>,
    state: State,
    stream: StreamId,
    // Timers of earlier attempts are told by it.
    serial: u32,
    failures: u32,
    // Since when there is no session.
    lost_at: Us,
    report: Report,
    sent: Report,
    report_due: bool,
    view: Option<TaskView>,
    news: VecDeque<News>,
}

impl Session {
    /// Begins to register.
    pub fn start(nature: &mut Nature, node: Node, launch: Launch, process: Process, grace: Us) -> Self {
        let body = match launch.task.role {
            Role::ParameterServer => Body::Server(ServerReport::default()),
            Role::Worker => Body::Worker(WorkerReport::default()),
        };
        let report = Report { incarnation: Incarnation(0), applied: Revision(0), generation: Generation(0), body, fault: None };
        let mut session = Self {
            node,
            launch,
            process,
            grace,
            heartbeat: S,
            wait_cap: S,
            incarnation: None,
            state: State::Waiting,
            stream: 0,
            serial: 0,
            failures: 0,
            lost_at: nature.now,
            sent: report.clone(),
            report,
            report_due: false,
            view: None,
            news: VecDeque::new(),
        };
        session.attempt(nature);
        session
    }

    pub fn next_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    pub fn is_mine(&self, stream: StreamId) -> bool {
        self.stream == stream && self.state != State::Waiting
    }

    pub fn incarnation(&self) -> Option<Incarnation> {
        self.incarnation
    }

    pub fn view(&self) -> Option<&TaskView> {
        self.view.as_ref()
    }

    // Connects: to register, or to open the session.
    fn attempt(&mut self, nature: &mut Nature) {
        self.serial += 1;
        self.stream = nature.open(self.node, COORDINATOR);
        let message = match self.incarnation {
            None => {
                self.state = State::Registering;
                let Launch { job, task, attempt } = self.launch.clone();
                Message::Hello { job, task, attempt, process: self.process.clone() }
            }
            Some(_) => {
                self.state = State::Opening;
                self.sent = self.report.clone();
                Message::Report(Box::new(self.report.clone()))
            }
        };
        nature.send(self.node, self.stream, message);
        nature.timer(self.node, 0, ATTEMPT_WITHIN, Timer::Patience { serial: self.serial });
    }

    fn failed(&mut self, nature: &mut Nature) {
        self.state = State::Waiting;
        self.serial += 1;
        if nature.now >= self.lost_at + self.grace {
            self.news.push_back(News::Ended { orphaned: true });
            return;
        }
        let full = WAIT_FIRST.saturating_mul(1 << self.failures.min(8)).min(self.wait_cap);
        self.failures += 1;
        let wait = nature.chance.between(full / 2, full);
        nature.timer(self.node, 0, wait, Timer::Session { serial: self.serial });
    }

    pub fn message(&mut self, nature: &mut Nature, message: Message) {
        match message {
            Message::Welcome { incarnation, file } if self.state == State::Registering => {
                nature.laws.growing.registered(incarnation, &self.launch);
                self.incarnation = Some(incarnation);
                self.report.incarnation = incarnation;
                self.failures = 0;
                let lease = file.timing().lease;
                (self.heartbeat, self.wait_cap) = (us(Timing::heartbeat(lease)), us(Timing::reconnect(lease)));
                self.news.push_back(News::Welcome(incarnation, file));
                nature.close(self.node, self.stream);
                self.attempt(nature);
            }
            Message::View(view) => {
                if self.state == State::Opening {
                    self.state = State::Open;
                    self.failures = 0;
                    self.serial += 1;
                    nature.timer(self.node, 0, self.heartbeat, Timer::Report { serial: self.serial });
                }
                if self.view.as_ref().is_none_or(|newest| view.revision >= newest.revision && *view != *newest) {
                    nature.laws.growing.viewed(self.view.as_ref(), &view);
                    self.view = Some((*view).clone());
                    self.news.push_back(News::View(view));
                }
            }
            Message::Refused(_) => {
                let laws = &nature.laws;
                match self.incarnation {
                    None => laws.growing.refused(&laws.history, &self.launch, &self.process.nonce),
                    Some(incarnation) => laws.growing.turned_away(&laws.history, &self.launch, incarnation),
                }
                self.state = State::Waiting;
                self.serial += 1;
                self.news.push_back(News::Ended { orphaned: false });
            }
            other => panic!("{other} came to a task's session"),
        }
    }

    /// The stream is over.
    pub fn broken(&mut self, nature: &mut Nature) {
        if self.state == State::Open {
            self.lost_at = nature.now;
        }
        self.failed(nature);
    }

    pub fn timer(&mut self, nature: &mut Nature, timer: Timer) {
        match timer {
            Timer::Session { serial } if serial == self.serial => self.attempt(nature),
            Timer::Patience { serial } if serial == self.serial && self.state != State::Open => {
                nature.cut(self.stream);
                self.failed(nature);
            }
            Timer::Report { serial } if serial == self.serial && self.state == State::Open => {
                self.report_due = false;
                self.serial += 1;
                self.send(nature);
                nature.timer(self.node, 0, self.heartbeat, Timer::Report { serial: self.serial });
            }
            _ => {}
        }
    }

    fn send(&mut self, nature: &mut Nature) {
        self.sent = self.report.clone();
        nature.send(self.node, self.stream, Message::Report(Box::new(self.report.clone())));
    }

    /// Makes this the newest report.
    pub fn report(&mut self, nature: &mut Nature, report: Report) {
        if report == self.report {
            return;
        }
        self.report = report;
        if self.state == State::Open && !self.report_due && self.report != self.sent {
            self.report_due = true;
            self.serial += 1;
            let gap = if nature.chance.percent(50) { REPORT_GAP } else { MS };
            nature.timer(self.node, 0, gap, Timer::Report { serial: self.serial });
        }
    }

    /// Sends the newest report, and ends the stream.
    pub fn close(&mut self, nature: &mut Nature) {
        if self.state == State::Open {
            self.send(nature);
            nature.close(self.node, self.stream);
        }
        self.state = State::Waiting;
        self.serial += 1;
    }
}
