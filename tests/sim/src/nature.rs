//! What surrounds the processes: time, chance, the network, and those who watch.
//!
//! A **stream** is what gRPC over TCP gives: in order and without loss in each direction until it breaks; calls beside
//! it on the same connection have lanes of their own, each in order. When it breaks, of what is under way in a lane any
//! first part still arrives. Each end hears of the break, sooner or later. Where the way between two nodes is blocked,
//! messages wait; if that lasts longer than the pings are patient, the streams between them break.

use crate::chance::Chance;
use crate::invariants::Laws;
use crate::message::Message;
use crate::queue::{MS, Queue, S, Us};
use crate::tally::Tally;
use crate::trace::Trace;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

/// Where a process runs: the coordinator, the client, or a task; a task's is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node(pub u32);

pub const COORDINATOR: Node = Node(0);
pub const CLIENT: Node = Node(1);
pub const FIRST_TASK: u32 = 2;

pub type StreamId = u64;

/// How long pings are patient.
const PATIENCE: Us = 3 * S;
/// How long a connection may take that comes to nothing.
const CONNECT_WITHIN: Us = 2 * S;

/// What happens.
#[derive(Debug)]
pub enum Event {
    /// A message has come.
    Message { from: Node, to: Node, stream: StreamId, lane: u32, number: u64, message: Box<Message> },
    /// A stream is over, as this end hears.
    Broken { to: Node, stream: StreamId },
    /// A time is over that a process waits for.
    Timer { node: Node, life: u32, timer: Timer },
    /// The way between two nodes may have been blocked for too long.
    Silence { from: Node, to: Node },
    /// The world's own.
    World(WorldEvent),
}

/// A time that a process waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// The coordinator's next turn.
    Turn,
    /// The client asks (again).
    Ask { job: usize },
    /// The session is tried (again).
    Session { serial: u32 },
    /// The newest report is due.
    Report { serial: u32 },
    /// A session was not there for too long, or an attempt to reach the coordinator took too long.
    Patience { serial: u32 },
    /// A worker has loaded its data.
    Loaded,
    /// The compute thread has come further.
    Computed,
    /// The driver's.
    Retry,
    /// The export's curve is asked for again.
    Export,
    /// An export was not wanted any more when its curve came.
    ExportOutdated { attempt: u64 },
    /// A server's writer has done one thing more.
    Written,
    /// A server has read a checkpoint.
    Read { number: u32 },
    /// The leader's files: the first half of an order is done, or all of it.
    Filed { number: u32, half: bool },
    /// A server's link to the first one is opened (again).
    Link,
    /// Whatever is left to be said was said.
    Exit,
}

/// What happens to the world as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorldEvent {
    /// Something goes wrong.
    Fault,
    /// Nothing goes wrong any more.
    Heal,
    /// The coordinator starts.
    StartCoordinator,
    /// A launched process starts.
    Spawn { place: usize },
    /// The launcher sees that a process has ended.
    Reap { place: usize, boot: u32 },
    /// A stopped process goes on.
    Thaw { node: Node },
    /// The disk has room again, or works again.
    DiskFine,
    /// So have, and do, the files of checkpoints.
    StoreFine,
    /// The power goes, if it has not yet.
    PowerCut,
}

#[derive(Debug)]
struct Stream {
    ends: [Node; 2],
    cut: bool,
    lanes: BTreeMap<(Node, u32), Lane>,
}

// One direction of a stream, or of a call beside it.
#[derive(Debug, Default)]
struct Lane {
    sent: u64,
    delivered: u64,
    last_at: Us,
    // After a break: what is behind it never arrives.
    limit: Option<u64>,
}

/// How fast messages are.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub delay_min: Us,
    pub delay_max: Us,
    /// Of 100 messages so many are late, by up to `late_max`.
    pub late_percent: u64,
    pub late_max: Us,
}

/// What surrounds the processes.
#[derive(Debug)]
pub struct Nature {
    pub now: Us,
    pub queue: Queue<Event>,
    pub chance: Chance,
    pub trace: Trace,
    pub tally: Tally,
    pub laws: Laws,
    pub pace: Pace,
    // When the run began: only differences count.
    base: Instant,
    up: BTreeSet<Node>,
    streams: BTreeMap<StreamId, Stream>,
    streams_opened: StreamId,
    blocked_until: BTreeMap<(Node, Node), Us>,
}

impl Nature {
    pub fn new(chance: Chance, trace: Trace, pace: Pace) -> Self {
        Self {
            now: 0,
            queue: Queue::new(),
            chance,
            trace,
            tally: Tally::default(),
            laws: Laws::default(),
            pace,
            base: Instant::now(),
            up: BTreeSet::new(),
            streams: BTreeMap::new(),
            streams_opened: 0,
            blocked_until: BTreeMap::new(),
        }
    }

    /// Now, for what takes the system's times.
    pub fn instant(&self) -> Instant {
        self.base + Duration::from_micros(self.now)
    }

    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        self.trace.note(self.now, what);
    }

    pub fn plan(&mut self, after: Us, event: Event) {
        self.queue.plan(self.now + after, event);
    }

    pub fn plan_world(&mut self, after: Us, event: WorldEvent) {
        self.plan(after, Event::World(event));
    }

    pub fn timer(&mut self, node: Node, life: u32, after: Us, timer: Timer) {
        self.plan(after, Event::Timer { node, life, timer });
    }

    pub fn is_up(&self, node: Node) -> bool {
        self.up.contains(&node)
    }

    /// A process starts there.
    pub fn begin(&mut self, node: Node) {
        self.up.insert(node);
    }

    /// The process there is gone, and with it its streams.
    pub fn end(&mut self, node: Node) {
        self.up.remove(&node);
        for stream in self.of(|ends| ends.contains(&node)) {
            self.cut(stream);
        }
    }

    fn of(&self, which: impl Fn(&[Node; 2]) -> bool) -> Vec<StreamId> {
        self.streams.iter().filter(|(_, stream)| !stream.cut && which(&stream.ends)).map(|(id, _)| *id).collect()
    }

    /// All open streams.
    pub fn open_streams(&self) -> Vec<StreamId> {
        self.of(|_| true)
    }

    /// The node at the other end of a stream.
    pub fn other_end(&self, from: Node, stream: StreamId) -> Node {
        let ends = self.streams[&stream].ends;
        if ends[0] == from { ends[1] } else { ends[0] }
    }

    fn delay(&mut self) -> Us {
        let Pace { delay_min, delay_max, late_percent, late_max } = self.pace;
        let delay = self.chance.between(delay_min, delay_max);
        if late_percent > 0 && self.chance.percent(late_percent) { delay + self.chance.below(late_max + 1) } else { delay }
    }

    fn blocked(&self, from: Node, to: Node) -> Option<Us> {
        self.blocked_until.get(&(from, to)).copied().filter(|until| *until > self.now)
    }

    /// Opens a stream; the other end learns of it by its first message. `Broken` follows if it comes to nothing.
    pub fn open(&mut self, from: Node, to: Node) -> StreamId {
        self.streams_opened += 1;
        let stream = self.streams_opened;
        let blocked = self.blocked(from, to).or(self.blocked(to, from)).is_some();
        let cut = blocked || !self.is_up(to);
        self.streams.insert(stream, Stream { ends: [from, to], cut, lanes: BTreeMap::new() });
        if cut {
            let after = if blocked { CONNECT_WITHIN } else { self.delay() };
            self.plan(after, Event::Broken { to: from, stream });
        }
        stream
    }

    pub fn send(&mut self, from: Node, stream: StreamId, message: Message) {
        self.send_in(from, stream, 0, message);
    }

    /// Sends in a lane of the stream.
    pub fn send_in(&mut self, from: Node, stream: StreamId, lane: u32, message: Message) {
        if self.streams.get(&stream).is_none_or(|stream| stream.cut) {
            return;
        }
        let to = self.other_end(from, stream);
        let way_free = self.blocked(from, to).unwrap_or(self.now);
        let at = way_free + self.delay();
        let stream_ = self.streams.get_mut(&stream).expect("it is there");
        let way = stream_.lanes.entry((from, lane)).or_default();
        way.last_at = at.max(way.last_at);
        way.sent += 1;
        let (at, number) = (way.last_at, way.sent);
        self.queue.plan(at, Event::Message { from, to, stream, lane, number, message: Box::new(message) });
    }

    /// Whether a message that is due arrives.
    pub fn arrives(&mut self, from: Node, to: Node, stream: StreamId, lane: u32, number: u64) -> bool {
        let up = self.is_up(to);
        let Some(way) = self.streams.get_mut(&stream).and_then(|stream| stream.lanes.get_mut(&(from, lane))) else { return false };
        let arrives = up && way.limit.is_none_or(|limit| number <= limit);
        if arrives {
            way.delivered = number;
        }
        arrives
    }

    /// Ends a stream in good order: what was sent from here arrives, then the other end hears of the end.
    pub fn close(&mut self, from: Node, stream: StreamId) {
        let all = |lane: &Lane| lane.sent;
        self.cut_with(stream, |node, lane, _| if node == from { all(lane) } else { lane.delivered }, Some(from));
    }

    /// Breaks a stream: of what is under way a first part arrives.
    pub fn cut(&mut self, stream: StreamId) {
        self.tally.add("stream broken");
        self.cut_with(stream, |_, lane, chance| chance.between(lane.delivered, lane.sent), None);
    }

    fn cut_with(&mut self, id: StreamId, limit: impl Fn(Node, &Lane, &mut Chance) -> u64, but: Option<Node>) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.cut) else { return };
        stream.cut = true;
        let ends = stream.ends;
        for ((node, _), lane) in &mut stream.lanes {
            let to = if ends[0] == *node { ends[1] } else { ends[0] };
            let blocked = self.blocked_until.get(&(*node, to)).is_some_and(|until| *until > self.now) || !self.up.contains(&to);
            lane.limit = Some(if blocked { lane.delivered } else { limit(*node, lane, &mut self.chance) });
        }
        let last_at = |from: Node| {
            let arriving = stream.lanes.iter().filter(|((node, _), lane)| *node == from && lane.limit > Some(lane.delivered));
            arriving.map(|(_, lane)| lane.last_at).max().unwrap_or(0)
        };
        let heard = [last_at(ends[1]), last_at(ends[0])];
        for (end, at) in ends.into_iter().zip(heard) {
            if Some(end) != but && self.up.contains(&end) {
                // Without a reset the end is only seen by a ping that is not answered.
                let silent = self.chance.percent(20);
                let after = if silent { self.chance.below(PATIENCE) } else { self.chance.below(20 * MS) };
                self.queue.plan(at.max(self.now + after), Event::Broken { to: end, stream: id });
            }
        }
    }

    /// Blocks the way from one node to another until then.
    pub fn block(&mut self, from: Node, to: Node, until: Us) {
        let old = self.blocked_until.entry((from, to)).or_insert(0);
        *old = until.max(*old);
        self.plan(PATIENCE, Event::Silence { from, to });
    }

    /// Opens all ways.
    pub fn unblock(&mut self) {
        self.blocked_until.clear();
    }

    /// The way has been blocked for longer than the pings are patient, if it still is.
    pub fn silence(&mut self, from: Node, to: Node) {
        if self.blocked(from, to).is_some() {
            for stream in self.of(|ends| ends.contains(&from) && ends.contains(&to)) {
                self.cut(stream);
            }
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            COORDINATOR => f.write_str("coordinator"),
            CLIENT => f.write_str("client"),
            Node(number) => write!(f, "node-{number}"),
        }
    }
}
