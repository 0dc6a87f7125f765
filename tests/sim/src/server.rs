//! A parameter server's process: the production core, and a shell around it with streams instead of gRPC.

mod writer;

use crate::message::Message;
use crate::nature::{Nature, StreamId, Timer};
use crate::queue::{MS, S, Us};
use crate::session::{News, Session};
use crate::store::Store;
use crate::worker::address;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tfcoord_coordinator_core::Exit;
use tfcoord_ps_core::{Config, Effect, Input, Lateness, Server as Core};
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::{Generation, Revision};
use tfcoord_types::job::Straggler;
use tfcoord_types::report::{Body, Fault, Report, ServerReport};
use tfcoord_types::view::{Directive, FENCED_EXIT_CODE, ORPHANED_EXIT_CODE, TaskView};
use writer::Writer;

/// A parameter server's process.
#[derive(Debug)]
pub struct Server {
    pub session: Session,
    core: Option<Core>,
    // Where stragglers are relieved.
    lateness: Option<Lateness>,
    writer: Writer,
    clipped: bool,
    applied: Revision,
    fault: Option<Fault>,
    streams: BTreeSet<StreamId>,
    // On the first server: the stream to each other one that has sent norms, by slot.
    scales: BTreeMap<u32, StreamId>,
    // On the others: the stream to the first one, and whether it is being tried again.
    link: Option<StreamId>,
    link_planned: bool,
    end: Option<Exit>,
}

impl Server {
    pub fn new(session: Session, store: Store, pace: Us) -> Self {
        let writer = Writer::new(store, session.node, session.launch.task.index, pace);
        Self {
            session,
            core: None,
            lateness: None,
            writer,
            clipped: false,
            applied: Revision(0),
            fault: None,
            streams: BTreeSet::new(),
            scales: BTreeMap::new(),
            link: None,
            link_planned: false,
            end: None,
        }
    }

    /// How it ends, once it does.
    pub fn end(&self) -> Option<Exit> {
        self.end
    }

    fn slot(&self) -> u32 {
        self.session.launch.task.index
    }

    pub fn message(&mut self, nature: &mut Nature, stream: StreamId, lane: u32, message: Message) {
        if self.session.is_mine(stream) {
            self.session.message(nature, message);
            return self.hear(nature);
        }
        let node = self.session.node;
        match message {
            Message::Exchange { generation } => self.open(nature, stream, generation),
            Message::Push(push) => {
                if self.streams.contains(&stream) {
                    self.apply(nature, Input::Push(*push));
                }
            }
            Message::Pull { generation, chunks, version } => self.pull(nature, (stream, lane), generation, &chunks, version),
            Message::Curve { generation } => {
                let core = self.core.as_ref().filter(|core| core.generation() == generation && generation > Generation(0));
                let curve = core.map(|core| core.curve(0).to_vec()).ok_or_else(|| "not here".to_owned());
                nature.send_in(node, stream, lane, Message::CurveIs(curve));
            }
            Message::Link { .. } => {}
            Message::Norms { slot, generation, step, segments } => {
                if self.core.as_ref().is_some_and(|core| core.generation() == generation) {
                    self.scales.insert(slot, stream);
                    self.apply(nature, Input::Norms { from: slot, generation, step, segments });
                } else {
                    nature.close(node, stream);
                }
            }
            Message::Scale { generation, step, scale } => {
                if self.link == Some(stream) {
                    self.apply(nature, Input::Scale { generation, step, scale });
                }
            }
            // Of a session that was given up.
            Message::Welcome { .. } | Message::Refused(_) | Message::View(_) => {}
            other => panic!("{other} came to a server"),
        }
    }

    /// A push that was sent long ago comes again.
    pub fn replay(&mut self, nature: &mut Nature, push: tfcoord_ps_core::Push) {
        if self.core.is_some() && self.end.is_none() {
            self.apply(nature, Input::Push(push));
        }
    }

    pub fn broken(&mut self, nature: &mut Nature, stream: StreamId) {
        if self.session.is_mine(stream) {
            self.session.broken(nature);
            return self.hear(nature);
        }
        self.streams.remove(&stream);
        self.scales.retain(|_, of| *of != stream);
        if self.link == Some(stream) {
            self.link = None;
            self.plan_link(nature);
        }
    }

    pub fn timer(&mut self, nature: &mut Nature, timer: Timer) {
        match timer {
            Timer::Link => {
                self.link_planned = false;
                self.link(nature);
            }
            Timer::Exit => self.end = Some(Exit::Code(1)),
            Timer::Written => {
                let incarnation = self.session.incarnation().expect("a server with a core has registered");
                if let Some(input) = self.writer.written(nature, incarnation) {
                    self.apply(nature, input);
                }
            }
            Timer::Read { number } => {
                let input = self.writer.read(nature, number);
                self.apply(nature, input);
            }
            timer => {
                self.session.timer(nature, timer);
                self.hear(nature);
            }
        }
    }

    fn hear(&mut self, nature: &mut Nature) {
        while let Some(news) = self.session.next_news() {
            match news {
                News::Welcome(_, file) => {
                    self.clipped = file.train.clip_norm.is_some();
                    self.lateness = (file.worker.straggler == Straggler::Move).then(Lateness::default);
                    self.core = Some(Core::new(Config { slot: self.slot(), train: file.train.clone() }));
                }
                News::View(view) => self.view(nature, view),
                News::Ended { orphaned } => self.end = Some(Exit::Code(if orphaned { ORPHANED_EXIT_CODE } else { FENCED_EXIT_CODE })),
            }
        }
    }

    fn view(&mut self, nature: &mut Nature, view: Box<TaskView>) {
        if view.directive == Directive::Fenced {
            return self.exit(nature, FENCED_EXIT_CODE);
        }
        let stops = matches!(view.directive, Directive::Stop { .. });
        self.apply(nature, Input::View(view));
        if stops {
            return self.exit(nature, 0);
        }
        self.link(nature);
    }

    fn exit(&mut self, nature: &mut Nature, code: i32) {
        self.session.close(nature);
        self.end = Some(Exit::Code(code));
    }

    fn open(&mut self, nature: &mut Nature, stream: StreamId, generation: Generation) {
        let node = self.session.node;
        let core = self.core.as_ref().filter(|core| core.generation() == generation && !core.cursors().is_empty());
        let (Some(core), Some(incarnation)) = (core, self.session.incarnation()) else { return nature.close(node, stream) };
        let cursors = core.cursors();
        self.streams.insert(stream);
        nature.send(node, stream, Message::Exchanging { incarnation, generation, cursors });
    }

    // One call: the first chunk that is gone ends it.
    fn pull(&mut self, nature: &mut Nature, (stream, lane): (StreamId, u32), generation: Generation, chunks: &[u32], step: u64) {
        let Some(core) = &mut self.core else { return };
        for &chunk in chunks {
            let mut effects = Vec::new();
            core.apply(Input::Pull { from: stream, generation, chunk, step }, &mut effects);
            let (message, gone) = match effects.pop() {
                Some(Effect::Pulled { generation, chunk, version, values, .. }) => {
                    (Message::Chunk { generation, chunk, version, values }, false)
                }
                Some(Effect::Gone { generation, chunk, version, .. }) => (Message::Gone { generation, chunk, version }, true),
                other => panic!("{other:?} answers a pull"),
            };
            nature.send_in(self.session.node, stream, lane, message);
            if gone {
                nature.tally.add("version gone");
                return;
            }
        }
    }

    fn apply(&mut self, nature: &mut Nature, input: Input) {
        let Some(core) = &mut self.core else { return };
        let mut effects = Vec::new();
        let who = nature.laws.before(&self.session, core, &input);
        let pushed = if let Input::Push(push) = &input { Some((push.incarnation, push.step)) } else { None };
        if let (Input::View(view), Some(lateness)) = (&input, &mut self.lateness)
            && view.revision >= core.revision()
        {
            lateness.see(view, Duration::from_micros(nature.now));
        }
        core.apply(input, &mut effects);
        nature.laws.after(&self.session, &who, core, &effects);
        let answer = effects.iter().find_map(|effect| if let Effect::Answer { answer, .. } = effect { Some(answer) } else { None });
        if let (Some((worker, step)), None | Some(Answer::Held), Some(lateness)) = (pushed, answer, &mut self.lateness) {
            lateness.took(worker, step, Duration::from_micros(nature.now));
        }
        let mut news = false;
        for effect in effects {
            nature.trace.note(nature.now, format_args!("{}: {effect}", self.session.node));
            if let Some(effect) = self.writer.carry_out(nature, effect) {
                news |= self.carry_out(nature, effect);
            }
        }
        if news {
            self.report(nature);
        }
    }

    // Whether there is something to report.
    fn carry_out(&mut self, nature: &mut Nature, effect: Effect) -> bool {
        let node = self.session.node;
        match effect {
            Effect::Answer { to, generation, chunk, step, block, answer } => {
                nature.tally.add(name(&answer));
                if self.streams.contains(&to) {
                    nature.send(node, to, Message::Answer { generation, chunk, step, block, answer });
                }
            }
            Effect::Updated { generation, chunk, version, values } => {
                for stream in &self.streams {
                    nature.send(node, *stream, Message::Chunk { generation, chunk, version, values: values.clone() });
                }
            }
            // Outside of `bsp` a push is answered with the chunk as well.
            Effect::Pulled { to, generation, chunk, version, values } => {
                if self.streams.contains(&to) {
                    nature.send(node, to, Message::Chunk { generation, chunk, version, values });
                }
            }
            Effect::Gone { .. } => panic!("{effect}: pulls are answered where they are asked"),
            Effect::SendNorms { generation, step, segments } => {
                if let Some(link) = self.link {
                    nature.send(node, link, Message::Norms { slot: self.slot(), generation, step, segments });
                }
            }
            Effect::SendScale { to, generation, step, scale } => {
                if let Some(stream) = self.scales.get(&to) {
                    nature.send(node, *stream, Message::Scale { generation, step, scale });
                }
            }
            Effect::Reached { step } => {
                self.lateness.iter_mut().for_each(|lateness| lateness.reached(step, Duration::from_micros(nature.now)));
                return true;
            }
            Effect::CurveGrew { .. } | Effect::Report => return true,
            Effect::BeginCut { .. } | Effect::CutChunk { .. } | Effect::DropCut { .. } | Effect::Restore { .. } => {
                unreachable!("{effect}: the writer has taken it")
            }
            Effect::Applied { revision } => {
                self.applied = revision;
                return true;
            }
            Effect::Fail { fault } => {
                self.fault.get_or_insert(fault);
                nature.timer(node, 0, S, Timer::Exit);
                return true;
            }
        }
        false
    }

    fn report(&mut self, nature: &mut Nature) {
        let (Some(core), Some(incarnation)) = (&self.core, self.session.incarnation()) else { return };
        let late = self.lateness.as_ref().and_then(Lateness::straggler);
        let body = Body::Server(ServerReport { late, ..core.report() });
        let report = Report { incarnation, applied: self.applied, generation: core.generation(), body, fault: self.fault.clone() };
        self.session.report(nature, report);
    }

    fn plan_link(&mut self, nature: &mut Nature) {
        if !std::mem::replace(&mut self.link_planned, true) {
            let wait = nature.chance.between(20 * MS, S);
            nature.timer(self.session.node, 0, wait, Timer::Link);
        }
    }

    // Another server than the first one keeps a stream to it where gradients are clipped.
    fn link(&mut self, nature: &mut Nature) {
        if !self.clipped || self.slot() == 0 || self.link.is_some() || self.link_planned {
            return;
        }
        let Some(first) = self.session.view().and_then(|view| view.servers.first()).map(address) else { return };
        let stream = nature.open(self.session.node, first);
        nature.send(self.session.node, stream, Message::Link { slot: self.slot() });
        self.link = Some(stream);
        self.apply(nature, Input::Linked);
    }
}

fn name(answer: &Answer) -> &'static str {
    match answer {
        Answer::Held => "push held",
        Answer::Duplicate => "push duplicate",
        Answer::Counted { .. } => "push counted",
        Answer::NotOwner => "push not owner",
        Answer::NotYet { .. } => "push not yet",
        Answer::Fenced => "push fenced",
        Answer::Ahead => "push ahead",
        Answer::Refused { .. } => "push refused",
    }
}
