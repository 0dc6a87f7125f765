//! One run: processes on a simulated machine, what goes wrong between them, and what must be true in the end.

mod fault;
mod plan;

pub use plan::Plan;

use crate::chance::Chance;
use crate::client::Client;
use crate::coordinator::Coordinator;
use crate::disk::SimDisk;
use crate::invariants::Left;
use crate::launcher::{Order, SimLauncher};
use crate::message::Message;
use crate::model::{self, Mode, Recipe};
use crate::nature::{CLIENT, COORDINATOR, Event, FIRST_TASK, Nature, Node, StreamId, Timer, WorldEvent};
use crate::queue::{MS, S, Us, us};
use crate::server::Server;
use crate::session::Session;
use crate::store::Store;
use crate::tally::Tally;
use crate::trace::Trace;
use crate::worker::{Worker, address_of};
use std::collections::BTreeMap;
use tfcoord_coordinator_core::{Exit, Process};
use tfcoord_launch::Launch;
use tfcoord_types::id::{JobId, Role};
use tfcoord_types::view::Evaluation;

/// After the last fault everything must end within this time.
const ENDS_WITHIN: Us = 240 * S;
/// Far more than any run needs.
const EVENTS_MAX: u64 = 3_000_000;

/// What remains of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Of two runs of one seed it is the same.
    pub digest: u64,
    /// Events that were written down.
    pub lines: u64,
    /// Virtual time, in microseconds.
    pub virtual_us: Us,
    pub tally: Tally,
    /// What each job has left.
    pub results: Vec<(Recipe, Result)>,
}

/// What a job has left: bits, but for names.
#[derive(Debug, Clone, PartialEq)]
pub struct Result {
    pub left: Left,
    pub evaluations: Vec<Evaluation>,
    pub files: Vec<(String, u64, String)>,
}

#[derive(Debug)]
struct World {
    nature: Nature,
    coordinator: Coordinator,
    client: Client,
    places: Vec<Place>,
    by_node: BTreeMap<Node, usize>,
    frozen: BTreeMap<Node, Us>,
    plan: Plan,
    healed: bool,
    // How often the machine was started: what was to be seen before is not seen any more.
    boots: u32,
}

// Where a launched process runs.
#[derive(Debug)]
struct Place {
    launch: Launch,
    grace: Us,
    node: Node,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Starting,
    Worker(Box<Worker>),
    Server(Box<Server>),
    Ended(Exit),
}

/// Runs a plan to its end.
///
/// # Panics
/// If a law is broken, or the run does not end in time.
pub fn run(plan: Plan, aloud: bool) -> Outcome {
    let mut world = World::new(plan, aloud);
    let deadline = world.plan.heal_at + ENDS_WITHIN;
    let mut events = 0;
    while let Some((at, event)) = world.nature.queue.next() {
        events += 1;
        world.nature.now = at;
        world.happen(event);
        if let Some(jobs) = world.over() {
            return world.outcome(&jobs);
        }
        if at > deadline || events > EVENTS_MAX {
            break;
        }
    }
    panic!("law broken: after the last fault everything ends in bounded time ({})", world.rest());
}

impl World {
    fn new(plan: Plan, aloud: bool) -> Self {
        let seed = plan.seed;
        let mut nature = Nature::new(Chance::new(seed, 2), Trace::new(aloud), plan.pace);
        nature.note(format_args!("seed {seed}: {plan:?}"));
        let disk = SimDisk::new(Chance::new(seed, 3));
        let launcher = SimLauncher::new(Chance::new(seed, 4));
        let coordinator = Coordinator::new(disk, launcher, Store::new(Chance::new(seed, 5)));
        let mut client = Client::new();
        nature.begin(CLIENT);
        plan.jobs.iter().for_each(|wanted| client.wish(&mut nature, wanted.clone()));
        plan.faults_at.iter().for_each(|at| nature.plan_world(*at, WorldEvent::Fault));
        nature.plan_world(plan.heal_at, WorldEvent::Heal);
        nature.plan_world(0, WorldEvent::StartCoordinator);
        Self {
            nature,
            coordinator,
            client,
            places: Vec::new(),
            by_node: BTreeMap::new(),
            frozen: BTreeMap::new(),
            plan,
            healed: false,
            boots: 0,
        }
    }

    fn happen(&mut self, event: Event) {
        let to = match &event {
            Event::Message { to, .. } | Event::Broken { to, .. } | Event::Timer { node: to, .. } => *to,
            Event::Silence { from, to } => return self.nature.silence(*from, *to),
            Event::World(event) => return self.world(*event),
        };
        if let Some(until) = self.frozen.get(&to).copied().filter(|until| *until > self.nature.now) {
            return self.nature.queue.plan(until, event);
        }
        match event {
            Event::Message { from, to, stream, lane, number, message } if self.nature.arrives(from, to, stream, lane, number) => {
                self.nature.note(format_args!("{from} -> {to} ({stream}): {message}"));
                self.message(to, stream, lane, *message);
            }
            Event::Broken { to, stream } if self.nature.is_up(to) => {
                self.nature.note(format_args!("{to}: stream {stream} is over"));
                self.broken(to, stream);
            }
            Event::Timer { node, life, timer } if self.nature.is_up(node) => self.timer(node, life, timer),
            _ => {}
        }
        self.after(to);
    }

    fn message(&mut self, to: Node, stream: StreamId, lane: u32, message: Message) {
        let Self { nature, coordinator, client, .. } = self;
        match to {
            COORDINATOR => coordinator.message(nature, stream, message),
            CLIENT => client.message(nature, stream, message),
            node => match self.task(node) {
                Some((nature, Task::Worker(worker))) => worker.message(nature, stream, message),
                Some((nature, Task::Server(server))) => server.message(nature, stream, lane, message),
                _ => {}
            },
        }
    }

    fn broken(&mut self, to: Node, stream: StreamId) {
        match to {
            COORDINATOR => self.coordinator.broken(stream),
            CLIENT => self.client.broken(&mut self.nature, stream),
            node => match self.task(node) {
                Some((nature, Task::Worker(worker))) => worker.broken(nature, stream),
                Some((nature, Task::Server(server))) => server.broken(nature, stream),
                _ => {}
            },
        }
    }

    fn timer(&mut self, node: Node, life: u32, timer: Timer) {
        match node {
            COORDINATOR => self.coordinator.timer(&mut self.nature, life, timer),
            CLIENT => self.client.timer(&mut self.nature, timer),
            node => match self.task(node) {
                Some((nature, Task::Worker(worker))) => worker.timer(nature, timer),
                Some((nature, Task::Server(server))) => server.timer(nature, timer),
                _ => {}
            },
        }
    }

    fn task(&mut self, node: Node) -> Option<(&mut Nature, &mut Task)> {
        let place = self.by_node.get(&node)?;
        Some((&mut self.nature, &mut self.places[*place].task))
    }

    // What follows from what a process has just done.
    fn after(&mut self, node: Node) {
        if node == COORDINATOR {
            return self.after_turn();
        }
        let Some(place) = self.by_node.get(&node).copied() else { return };
        let end = match &self.places[place].task {
            Task::Worker(worker) => worker.end(),
            Task::Server(server) => server.end(),
            Task::Starting | Task::Ended(_) => None,
        };
        if let Some(exit) = end {
            self.end(place, exit);
        }
    }

    fn after_turn(&mut self) {
        if !self.coordinator.runs() && self.nature.is_up(COORDINATOR) {
            unreachable!("a coordinator that does not run is not up");
        }
        if self.coordinator.disk.powerless() {
            return self.crash_machine();
        }
        for order in self.coordinator.launcher.orders() {
            match order {
                Order::Start(launch, grace) => {
                    let Nature { laws, .. } = &mut self.nature;
                    laws.launched.launched(&laws.history, &launch);
                    let node = Node(FIRST_TASK + u32::try_from(self.places.len()).expect("few"));
                    self.places.push(Place { launch, grace: us(grace), node, task: Task::Starting });
                    let after = if self.nature.chance.percent(10) { self.nature.chance.below(3 * S) } else { 20 * MS };
                    self.nature.plan_world(after, WorldEvent::Spawn { place: self.places.len() - 1 });
                }
                Order::Kill(launch) => {
                    let Nature { laws, .. } = &self.nature;
                    laws.launched.killed(&laws.history, &launch);
                    if let Some(place) = self.places.iter().rposition(|place| place.launch == launch) {
                        self.nature.tally.add("killed by the reconciler");
                        self.end(place, Exit::Signal(9));
                    }
                }
            }
        }
        if !self.coordinator.runs() {
            self.restart_later();
        }
    }

    // A process is over.
    fn end(&mut self, place: usize, exit: Exit) {
        let Place { launch, node, task, .. } = &mut self.places[place];
        if matches!(task, Task::Ended(_)) {
            return;
        }
        self.nature.trace.note(self.nature.now, format_args!("{node} {launch} {exit}"));
        *task = Task::Ended(exit);
        self.frozen.remove(node);
        let node = *node;
        self.nature.end(node);
        let late = self.nature.chance.percent(15) && !self.healed;
        let after = if late { self.nature.chance.below(5 * S) } else { MS };
        self.nature.plan_world(after, WorldEvent::Reap { place, boot: self.boots });
    }

    fn world(&mut self, event: WorldEvent) {
        match event {
            WorldEvent::Fault => self.fault(),
            WorldEvent::Heal => self.heal(),
            WorldEvent::StartCoordinator => self.start_coordinator(),
            WorldEvent::Spawn { place } => self.spawn(place),
            WorldEvent::Reap { boot, .. } if boot != self.boots => {}
            WorldEvent::Reap { place, .. } => {
                let Place { launch, task, .. } = &self.places[place];
                if let Task::Ended(exit) = *task
                    && self.coordinator.launcher.ended(launch, exit)
                    && !self.frozen.contains_key(&COORDINATOR)
                    && self.nature.chance.percent(70)
                {
                    self.coordinator.tasks_changed(&mut self.nature);
                }
            }
            WorldEvent::Thaw { node } => {
                if self.frozen.get(&node).is_some_and(|until| *until <= self.nature.now) {
                    self.frozen.remove(&node);
                }
            }
            WorldEvent::DiskFine => self.coordinator.disk.trouble(None),
            WorldEvent::StoreFine => self.coordinator.store.trouble(None),
            WorldEvent::PowerCut => {
                if self.coordinator.disk.is_about_to_lose_power() {
                    self.crash_machine();
                }
            }
        }
    }

    fn spawn(&mut self, place: usize) {
        let Place { launch, grace, node, task } = &mut self.places[place];
        if !matches!(task, Task::Starting) {
            return;
        }
        self.nature.begin(*node);
        self.by_node.insert(*node, place);
        let worker = launch.task.role == Role::Worker;
        let (addresses, kernel_path) = if worker { (Vec::new(), "sim".to_owned()) } else { (vec![address_of(*node)], String::new()) };
        let host = model::host(launch.task.index, launch.attempt.0);
        let process = Process { nonce: format!("{}", node.0), addresses, host, kernel_path };
        self.nature.trace.note(self.nature.now, format_args!("{node} starts as {launch}"));
        let session = Session::start(&mut self.nature, *node, launch.clone(), process, *grace);
        let slow = self.plan.slow.filter(|(index, _)| worker && *index == session.launch.task.index).map_or(1, |(_, times)| times);
        *task = if worker {
            Task::Worker(Box::new(Worker::new(session, self.plan.compute * slow)))
        } else {
            Task::Server(Box::new(Server::new(session, self.coordinator.store.clone(), self.plan.compute)))
        };
    }

    fn start_coordinator(&mut self) {
        if self.coordinator.runs() {
            return;
        }
        if !self.coordinator.start(&mut self.nature) && !self.coordinator.disk.powerless() {
            return self.restart_later();
        }
        self.after_turn();
    }

    fn restart_later(&mut self) {
        let after = self.nature.chance.between(100 * MS, 4 * S);
        self.nature.plan_world(after, WorldEvent::StartCoordinator);
    }

    // Everything stops; the disk keeps what was durable.
    fn crash_machine(&mut self) {
        self.nature.note(format_args!("the power is gone"));
        self.nature.tally.add("power cut");
        self.coordinator.stop(&mut self.nature);
        for place in &mut self.places {
            // Nobody is left to see it.
            place.task = Task::Ended(Exit::Signal(9));
            self.nature.end(place.node);
        }
        self.boots += 1;
        self.coordinator.launcher.crash();
        self.coordinator.disk.crash();
        self.coordinator.store.crash();
        self.nature.laws.launched.crashed();
        self.frozen.clear();
        self.restart_later();
    }

    fn over(&self) -> Option<Vec<(Recipe, JobId)>> {
        let quiet = self.healed && self.places.iter().all(|place| matches!(place.task, Task::Ended(_)));
        if !quiet || !self.coordinator.runs() || !self.coordinator.launcher.is_empty() {
            return None;
        }
        self.client.content()
    }

    fn outcome(self, jobs: &[(Recipe, JobId)]) -> Outcome {
        let laws = &self.nature.laws;
        let result = |job: &JobId| {
            let files = laws.exports.files(job).expect("it was exported");
            let state = laws.history.cluster().job(job).expect("it has succeeded");
            assert_eq!(state.outputs.as_ref(), Some(files), "law broken: the outputs of a job are what was exported");
            Result {
                left: laws.exports.left(job).expect("it was exported").clone(),
                evaluations: state.evaluations.clone(),
                files: files.files.clone(),
            }
        };
        Outcome {
            digest: self.nature.trace.digest(),
            lines: self.nature.trace.lines(),
            virtual_us: self.nature.now,
            results: jobs.iter().map(|(recipe, job)| (*recipe, result(job))).collect(),
            tally: {
                let mut tally = self.nature.tally;
                tally.merge(&self.nature.laws.history.tally);
                jobs.iter().for_each(|(recipe, _)| tally.add(succeeded(recipe)));
                tally
            },
        }
    }

    // What has not ended, for people.
    fn rest(&self) -> String {
        let alive = |place: &&Place| !matches!(place.task, Task::Ended(_));
        let tasks: Vec<String> =
            self.places.iter().filter(alive).map(|place| format!("{} {} {:?}", place.node, place.launch, kind(&place.task))).collect();
        let jobs = self.nature.laws.history.cluster().jobs().map(|job| format!("{} {} until {}", job.id, job.state, job.run_until));
        let jobs: Vec<String> = jobs.collect();
        format!("coordinator runs: {}; jobs: {jobs:?}; tasks: {tasks:?}; client: {:?}", self.coordinator.runs(), self.client.content())
    }
}

fn succeeded(recipe: &Recipe) -> &'static str {
    match recipe.mode {
        _ if recipe.own.is_some() => "job in two modes succeeded",
        Mode::Bsp => "job in bsp succeeded",
        Mode::Ssp { .. } => "job in ssp succeeded",
        Mode::Async => "job in async succeeded",
        Mode::Local { .. } => "job in local succeeded",
    }
}

fn kind(task: &Task) -> &'static str {
    match task {
        Task::Starting => "starting",
        Task::Worker(_) => "worker",
        Task::Server(_) => "server",
        Task::Ended(_) => "ended",
    }
}
