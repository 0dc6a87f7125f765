//! The one thread that holds the chunks.
//!
//! Everything that concerns parameters is asked of it over one bounded queue and done in that order, without locks:
//! `Ask`s in, effects of the core carried out at once. It never waits for a stream, a file or the coordinator: what it
//! sends goes into outboxes, to the TensorBoard thread, and into the session's newest report.

mod effect;
mod known;
mod register;

use crate::ask::Ask;
use crate::board::Board;
use crate::checkpoint::Checkpoints;
use crate::outbox::Outbox;
use known::Known;
use std::collections::BTreeMap;
use std::time::Instant;
use tfcoord_client::session::Reporter;
use tfcoord_exchange::message::{Place, Push};
use tfcoord_proto::v1;
use tfcoord_ps_core::{Effect, Input, Lateness, SegmentNorm, Server};
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::report::Fault;
use tfcoord_types::view::TaskView;
use tokio::sync::mpsc;
use tonic::Status;

/// Questions that may wait; pushes among them hold a chunk each.
pub const ASKS: usize = 8;
/// What may wait on a stream beside two versions of every chunk.
const OUTBOX_BYTES: usize = 16 << 20;

/// Holds the chunks of one server and carries out what the core decides.
pub struct Holder {
    slot: u32,
    server: Server,
    incarnation: Incarnation,
    reporter: Reporter,
    board: Board,
    checkpoints: Checkpoints,
    failed: mpsc::Sender<()>,
    fault: Option<Fault>,
    applied: Revision,
    known: Option<Known>,
    lateness: Lateness,
    // Times that `lateness` is told count from here.
    begun: Instant,
    effects: Vec<Effect>,
    /// Workers' streams by number.
    streams: BTreeMap<u64, Outbox<v1::PushPullReply>>,
    /// On the first server: the stream to each other server that has sent norms, by slot.
    scales: BTreeMap<u32, (u64, Outbox<v1::NormScale>)>,
    /// On the others: the stream to the first server.
    link: Option<Outbox<v1::NormsPart>>,
}

impl Holder {
    /// A holder that knows no view yet; `failed` is told when the server cannot go on and has reported why.
    pub fn new(
        slot: u32,
        server: Server,
        incarnation: Incarnation,
        reporter: Reporter,
        board: Board,
        checkpoints: Checkpoints,
        failed: mpsc::Sender<()>,
    ) -> Self {
        Self {
            slot,
            server,
            incarnation,
            reporter,
            board,
            checkpoints,
            failed,
            fault: None,
            applied: Revision(0),
            known: None,
            lateness: Lateness::default(),
            begun: Instant::now(),
            effects: Vec::new(),
            streams: BTreeMap::new(),
            scales: BTreeMap::new(),
            link: None,
        }
    }

    /// Answers until it is asked to stop, or nobody is left to ask; then all streams end.
    pub fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        while let Some(ask) = asks.blocking_recv() {
            if matches!(ask, Ask::Stop) {
                break;
            }
            self.answer(ask);
        }
        self.board.finish();
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::View(view) => self.view(&view),
            Ask::StreamBegan { stream, outbox } => drop(self.streams.insert(stream, outbox)),
            Ask::StreamEnded { stream } => drop(self.streams.remove(&stream)),
            Ask::Push { stream, push, place } => self.push(stream, push, place),
            // Whoever asked may have gone meanwhile.
            Ask::Register(request, reply) => drop(reply.send(self.register(&request))),
            Ask::Pull(request, outbox) => self.pull(request, &outbox),
            Ask::Status(reply) => drop(reply.send(Ok(self.status()))),
            Ask::Curve { generation, from_step, reply } => {
                let curve = self.current(generation).map(|()| self.server.curve(from_step).to_vec());
                drop(reply.send(curve));
            }
            Ask::Norms { stream, outbox, part } => self.norms(stream, &outbox, part),
            Ask::NormsEnded { stream } => self.scales.retain(|_, (number, _)| *number != stream),
            Ask::Linked(outbox) => {
                self.link = Some(outbox);
                self.apply(Input::Linked);
            }
            Ask::Unlinked => self.link = None,
            Ask::Scale(v1::NormScale { generation, step, scale }) => {
                self.apply(Input::Scale { generation: Generation(generation), step, scale });
            }
            Ask::CutDone { id, outcome } => self.apply(Input::CutDone { id, outcome }),
            Ask::Restored { id, contents } => self.apply(Input::Restored { id, contents }),
            Ask::RestoreFailed { id, reason } => self.apply(Input::RestoreFailed { id, reason }),
            Ask::Stop => {}
        }
    }

    fn view(&mut self, view: &TaskView) {
        if view.revision >= self.server.revision() {
            self.lateness.see(view, self.begun.elapsed());
        }
        self.apply(Input::View(Box::new(view.clone())));
        tfcoord_fault::point!("ps.view.applied");
        if self.server.revision() != view.revision || self.server.generation() != view.generation {
            return;
        }
        self.known = match self.known.take() {
            Some(known) if known.is_of(view) => Some(known),
            _ => Known::new(view, self.slot),
        };
        for evaluation in &view.evaluations {
            self.board.evaluated(view.generation, evaluation);
        }
    }

    fn push(&mut self, stream: u64, push: Push, place: Place) {
        tfcoord_fault::point!("ps.push.received");
        metrics::counter!("tfcoord_push_bytes_total").increment(push.payload.len() as u64);
        let mut pushed = None;
        if let Some(answer) = self.misplaced(&push, place) {
            let Push { generation, chunk, step, block, .. } = push;
            self.effects.push(Effect::Answer { to: stream, generation, chunk, step, block, answer });
        } else {
            let Push { generation, incarnation, view_revision, step, block, records, chunk, payload, .. } = push;
            pushed = Some((incarnation, step));
            let push = tfcoord_ps_core::Push { from: stream, incarnation, view_revision, generation, step, chunk, block, records, payload };
            self.server.apply(Input::Push(push), &mut self.effects);
        }
        let outcome = self.effects.iter().find_map(|effect| match effect {
            Effect::Answer { answer, .. } => Some(outcome(answer)),
            _ => None,
        });
        if let (Some((worker, step)), None | Some("held")) = (pushed, outcome) {
            self.lateness.took(worker, step, self.begun.elapsed());
        }
        metrics::counter!("tfcoord_pushes_total", "outcome" => outcome.unwrap_or("completed")).increment(1);
        tfcoord_fault::point!("ps.push.taken");
        // Before anybody hears of the push, so that whoever then looks at it finds it counted.
        metrics::gauge!("tfcoord_held_blocks").set(u32::try_from(self.server.held_blocks()).unwrap_or(u32::MAX));
        self.carry_out();
    }

    /// What the core cannot see: another map, or another idea of where the chunk lies.
    fn misplaced(&self, push: &Push, place: Place) -> Option<Answer> {
        let known = self.known.as_ref().filter(|_| push.generation == self.server.generation())?;
        if push.placement_epoch > known.epoch {
            return Some(Answer::NotYet { revision: self.server.revision() });
        }
        if push.placement_epoch < known.epoch {
            return Some(Answer::NotOwner);
        }
        place.check(&push.payload, &known.layout).err().map(|malformed| Answer::Refused { reason: malformed.to_string() })
    }

    fn pull(&mut self, request: v1::PullRequest, outbox: &Outbox<tfcoord_exchange::Chunk>) {
        let v1::PullRequest { generation, version: step, chunks, .. } = request;
        tfcoord_fault::point!("ps.pull.received");
        if chunks.len() > self.known.as_ref().map_or(0, |known| known.layout.chunks.len()) {
            return outbox.fail(Status::failed_precondition("not so many chunks are known here"));
        }
        for chunk in chunks {
            self.server.apply(Input::Pull { from: 0, generation: Generation(generation), chunk, step }, &mut self.effects);
            match self.effects.pop() {
                Some(Effect::Pulled { generation, chunk, version, values, .. }) => {
                    let bytes = values.len();
                    let chunk = tfcoord_exchange::Chunk { generation, chunk, version, payload: values };
                    if outbox.send(chunk, bytes, usize::MAX).is_err() {
                        return;
                    }
                }
                _ => {
                    let gone = format!("chunk {chunk} is not held at version {step} of generation {generation}");
                    return outbox.fail(Status::not_found(gone));
                }
            }
        }
    }

    fn norms(&mut self, stream: u64, outbox: &Outbox<v1::NormScale>, part: v1::NormsPart) {
        let v1::NormsPart { generation, step, server, segments, .. } = part;
        let servers = self.known.as_ref().map_or(0, |known| known.servers);
        if let Err(status) = self.current(Generation(generation)) {
            return outbox.fail(status);
        }
        if server == 0 || server >= servers {
            return outbox.fail(Status::invalid_argument(format!("ps-{server} is none of the others of {servers} servers")));
        }
        self.scales.insert(server, (stream, outbox.clone()));
        let segments = segments.into_iter().map(|s| SegmentNorm { slab: s.slab, segment: s.segment, squared: s.squared });
        let segments = segments.collect();
        self.apply(Input::Norms { from: server, generation: Generation(generation), step, segments });
    }

    /// Whether this server holds chunks of `generation`.
    fn current(&self, generation: Generation) -> Result<(), Status> {
        let known = self.known.is_some() && generation == self.server.generation();
        let there = || Status::failed_precondition(format!("generation {generation} is not here at revision {}", self.server.revision()));
        known.then_some(()).ok_or_else(there)
    }

    fn apply(&mut self, input: Input) {
        self.server.apply(input, &mut self.effects);
        self.carry_out();
    }
}

fn outcome(answer: &Answer) -> &'static str {
    match answer {
        Answer::Held => "held",
        Answer::Duplicate => "duplicate",
        Answer::Counted { .. } => "counted",
        Answer::NotOwner => "not_owner",
        Answer::NotYet { .. } => "not_yet",
        Answer::Fenced => "fenced",
        Answer::Ahead => "ahead",
        Answer::Refused { .. } => "refused",
    }
}

/// The message of an answer.
pub fn answer_message(generation: Generation, chunk: u32, step: u64, block: Block, answer: Answer) -> v1::PushPullReply {
    let (first_lane, lanes) = (block.first(), block.len());
    let answer = v1::PushAnswer { chunk, step, first_lane, lanes, generation: generation.0, answer: Some(answer.into()) };
    v1::PushPullReply { reply: Some(v1::push_pull_reply::Reply::Answer(answer)) }
}
