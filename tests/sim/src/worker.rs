//! A worker process: the production driver, and a shell around it that keeps bytes, computes, and checks what it is
//! asked for.

use crate::message::Message;
use crate::model::{self, ByChunk, Model, Rounds, to_bytes, to_values};
use crate::nature::{Nature, Node, StreamId, Timer};
use crate::queue::{MS, S, Us};
use crate::session::{News, Session};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use tfcoord_coordinator_core::Exit;
use tfcoord_ps_core as ps;
use tfcoord_types::id::{Generation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::report::{Body, EvaluatedShard, Exported, Fault, FaultKind, Report, WorkerReport};
use tfcoord_types::view::{Export, FENCED_EXIT_CODE, ORPHANED_EXIT_CODE, ServerAddress};
use tfcoord_worker_core::{self as core, Effect, Input};

/// How long an export waits for the curve before it asks again.
const EXPORT_AGAIN: Us = 200 * MS;
/// How long a worker that failed waits to be told to stop.
const CLOSE_WITHIN: Us = S;

/// A worker process.
#[derive(Debug)]
pub struct Worker {
    pub session: Session,
    /// How long a chunk's sum takes at most.
    pace: Us,
    shell: Option<Shell>,
    end: Option<Exit>,
}

// From the registration on.
#[derive(Debug)]
struct Shell {
    driver: core::Worker,
    // Of the newest view that the driver was given.
    generation: Generation,
    model: Option<Model>,
    file: Box<tfcoord_types::job::JobFile>,
    loaded: bool,
    streams: BTreeMap<u32, StreamId>,
    calls: u32,
    kept: BTreeMap<(u64, u32), Bytes>,
    sums: BTreeMap<(u32, u64, Block), Bytes>,
    // Versions and values, by chunk.
    parameters: Option<(Vec<u64>, ByChunk)>,
    rounds: Rounds,
    work: Option<Work>,
    export: Option<(Box<Export>, u64)>,
    // What is done and not asked to be reported.
    done_shard: Option<EvaluatedShard>,
    done_export: Option<Exported>,
    says_variables: bool,
    applied: Revision,
    evaluated: Vec<EvaluatedShard>,
    exported: Option<Exported>,
    fault: Option<Fault>,
}

#[derive(Debug)]
enum Work {
    // (block, chunk, step, sum): what is not told yet, in order; and whether it was abandoned.
    Compute { step: u64, sums: VecDeque<(Block, u32, u64, Bytes)>, abandoned: bool },
    Evaluate(EvaluatedShard),
    Export { attempt: u64, exported: Exported },
}

impl Worker {
    pub fn new(session: Session, pace: Us) -> Self {
        Self { session, pace, shell: None, end: None }
    }

    /// How it ends, once it does.
    pub fn end(&self) -> Option<Exit> {
        self.end
    }

    pub fn message(&mut self, nature: &mut Nature, stream: StreamId, message: Message) {
        if self.session.is_mine(stream) {
            self.session.message(nature, message);
            return self.hear(nature);
        }
        let Some(shell) = &self.shell else { return };
        let Some(slot) = shell.streams.iter().find(|(_, of)| **of == stream).map(|(slot, _)| *slot) else { return };
        match message {
            Message::Exchanging { incarnation, generation, cursors } => {
                self.tell(nature, Input::Connected { slot, incarnation, generation, cursors }, None);
            }
            Message::Answer { generation, chunk, step, block, answer } => {
                self.tell(nature, Input::Answer { generation, chunk, step, block, answer }, None);
            }
            Message::Chunk { generation, chunk, version, values } => {
                self.tell(nature, Input::Chunk { generation, chunk, version }, Some(values));
            }
            Message::Gone { generation, chunk, version } => self.tell(nature, Input::Gone { generation, chunk, version }, None),
            Message::CurveIs(Ok(curve)) => self.write(nature, &curve),
            Message::CurveIs(Err(_)) => nature.timer(self.session.node, 0, EXPORT_AGAIN, Timer::Export),
            other => panic!("{other} came to a worker"),
        }
    }

    pub fn broken(&mut self, nature: &mut Nature, stream: StreamId) {
        if self.session.is_mine(stream) {
            self.session.broken(nature);
            return self.hear(nature);
        }
        let Some(shell) = &mut self.shell else { return };
        if let Some(slot) = shell.streams.iter().find(|(_, of)| **of == stream).map(|(slot, _)| *slot) {
            shell.streams.remove(&slot);
            if shell.export.is_some() {
                nature.timer(self.session.node, 0, EXPORT_AGAIN, Timer::Export);
            }
            self.tell(nature, Input::Disconnected { slot }, None);
        }
    }

    pub fn timer(&mut self, nature: &mut Nature, timer: Timer) {
        match timer {
            Timer::Loaded => self.loaded(nature),
            Timer::Computed => self.progress(nature),
            Timer::Retry => self.tell(nature, Input::Retry, None),
            Timer::ExportOutdated { attempt } => self.tell(nature, Input::Exported { attempt }, None),
            Timer::Export => self.ask_for_curve(nature),
            Timer::Exit => self.end = Some(Exit::Code(1)),
            timer => {
                self.session.timer(nature, timer);
                self.hear(nature);
            }
        }
    }

    fn hear(&mut self, nature: &mut Nature) {
        while let Some(news) = self.session.next_news() {
            match news {
                News::Welcome(incarnation, file) => {
                    self.shell = Some(Shell::new(core::Worker::new(incarnation, &file.train), file));
                    let loading = nature.chance.between(10 * MS, S);
                    nature.timer(self.session.node, 0, loading, Timer::Loaded);
                }
                News::View(view) => {
                    if self.shell.as_ref().is_some_and(|shell| shell.loaded) {
                        self.view(nature, view);
                    } else {
                        // Before it has loaded only the end counts.
                        match view.directive {
                            tfcoord_types::view::Directive::Stop { .. } => self.exit(nature, 0),
                            tfcoord_types::view::Directive::Fenced => self.exit(nature, FENCED_EXIT_CODE),
                            _ => {}
                        }
                    }
                }
                News::Ended { orphaned } => self.end = Some(Exit::Code(if orphaned { ORPHANED_EXIT_CODE } else { FENCED_EXIT_CODE })),
            }
        }
    }

    fn loaded(&mut self, nature: &mut Nature) {
        let Some(shell) = &mut self.shell else { return };
        shell.loaded = true;
        if let Some(view) = self.session.view().cloned() {
            self.view(nature, Box::new(view));
        }
    }

    fn view(&mut self, nature: &mut Nature, view: Box<tfcoord_types::view::TaskView>) {
        let shell = self.shell.as_mut().expect("it has loaded");
        if shell.model.is_none() {
            shell.model = Some(Model::new(&shell.file, view.plan));
        }
        if view.placement.is_some() {
            shell.says_variables = false;
        }
        let open = |e: &EvaluatedShard| {
            let evaluate = view.evaluate.as_ref().filter(|evaluate| evaluate.evaluation == e.evaluation);
            evaluate.is_some_and(|evaluate| evaluate.shards.iter().any(|(shard, _)| *shard == e.shard))
        };
        shell.evaluated.retain(open);
        shell.generation = view.generation;
        self.tell(nature, Input::View(view), None);
    }

    // The next thing that the compute thread tells.
    fn progress(&mut self, nature: &mut Nature) {
        let shell = self.shell.as_mut().expect("it computes");
        let input = match shell.work.as_mut().expect("it computes") {
            Work::Compute { step, sums, abandoned } => {
                let step = *step;
                match sums.pop_front().filter(|_| !*abandoned) {
                    Some((block, chunk, step, sum)) => {
                        shell.sums.insert((chunk, step, block), sum);
                        let next = nature.chance.between(self.pace / 4, self.pace);
                        nature.timer(self.session.node, 0, next, Timer::Computed);
                        Input::Computed { step, block, chunk }
                    }
                    None => {
                        shell.work = None;
                        Input::StepComputed { step }
                    }
                }
            }
            Work::Evaluate(shard) => {
                let input = Input::Evaluated { evaluation: shard.evaluation, shard: shard.shard };
                shell.done_shard = Some(shard.clone());
                shell.work = None;
                input
            }
            Work::Export { attempt, exported } => {
                let input = Input::Exported { attempt: *attempt };
                nature.laws.exports.exported(&self.session.launch.job, exported);
                shell.done_export = Some(exported.clone());
                shell.work = None;
                input
            }
        };
        self.tell(nature, input, None);
    }

    fn tell(&mut self, nature: &mut Nature, input: Input, values: Option<Bytes>) {
        let Some(shell) = self.shell.as_mut().filter(|_| self.end.is_none()) else { return };
        let mut effects = Vec::new();
        shell.driver.apply(input, &mut effects);
        for effect in effects {
            nature.trace.note(nature.now, format_args!("{}: {effect}", self.session.node));
            self.carry_out(nature, effect, values.as_ref());
        }
        let Some(shell) = &self.shell else { return };
        shell.check_sums();
        let report = shell.report(&self.session);
        self.session.report(nature, report);
    }

    fn carry_out(&mut self, nature: &mut Nature, effect: Effect, values: Option<&Bytes>) {
        let node = self.session.node;
        let Some(shell) = &mut self.shell else { return };
        match effect {
            Effect::Applied { revision } => shell.applied = revision,
            Effect::ReportVariables => shell.says_variables = true,
            Effect::Connect { slot, server, generation } => {
                let stream = nature.open(node, address(&server));
                shell.streams.insert(slot, stream);
                nature.send(node, stream, Message::Exchange { generation });
            }
            Effect::Disconnect { slot } => {
                let stream = shell.streams.remove(&slot).expect("only open streams are closed");
                nature.close(node, stream);
            }
            Effect::Pull { slot, chunks, version } => {
                shell.calls += 1;
                let (lane, generation) = (shell.calls, shell.generation);
                if let Some(stream) = shell.streams.get(&slot) {
                    nature.send_in(node, *stream, lane, Message::Pull { generation, chunks, version });
                }
            }
            Effect::Keep { chunk, version } => shell.keep(chunk, version, values.expect("values came").clone()),
            Effect::Discard { chunk, version } => {
                shell.kept.remove(&(version, chunk)).expect("only what is kept is discarded");
            }
            Effect::Use { version } => shell.install(version),
            Effect::UseKept => shell.install_kept(),
            Effect::Compute { step, blocks } => {
                shell.compute(step, &blocks);
                self.work_on(nature);
            }
            Effect::AbandonCompute => match &mut shell.work {
                Some(Work::Compute { abandoned, .. }) => *abandoned = true,
                other => panic!("{other:?} abandoned"),
            },
            Effect::Push { slot, chunk, step, block, records, view_revision } => {
                let payload = shell.sums[&(chunk, step, block)].clone();
                let (generation, incarnation) = (shell.generation, self.session.incarnation().expect("it has registered"));
                let Some(stream) = shell.streams.get(&slot).copied() else { return };
                let push = ps::Push { from: stream, incarnation, view_revision, generation, step, chunk, block, records, payload };
                let to = nature.other_end(node, stream);
                nature.laws.sent(to, &push);
                nature.send(node, stream, Message::Push(Box::new(push)));
            }
            Effect::Forget { chunk, step, block } => {
                shell.sums.remove(&(chunk, step, block)).expect("only what is there is forgotten");
            }
            Effect::ForgetAll => {
                shell.sums.clear();
                shell.kept.clear();
                shell.evaluated.clear();
                shell.exported = None;
                if let Some((export, _)) = shell.export.take() {
                    // Whatever was asked for of it is answered some time, and not wanted then.
                    nature.timer(node, 0, EXPORT_AGAIN, Timer::ExportOutdated { attempt: export.attempt });
                }
            }
            Effect::ReportShard { .. } => shell.evaluated.extend(shell.done_shard.take()),
            Effect::ReportExport { .. } => shell.exported = shell.done_export.take(),
            Effect::Evaluate { evaluation, step, shard, records } => {
                shell.check(step);
                let (_, parameters) = shell.parameters.as_ref().expect("checked");
                let counts = model::counts(parameters, shard, records);
                shell.work = Some(Work::Evaluate(EvaluatedShard { evaluation, shard, counts }));
                self.work_on(nature);
            }
            Effect::Export(export) => {
                shell.check(export.step);
                shell.export = Some((export, 0));
                self.ask_for_curve(nature);
            }
            Effect::RetryAfter { ms } => nature.timer(node, 0, ms * MS, Timer::Retry),
            Effect::Stop { .. } => self.exit(nature, 0),
            Effect::Fenced => self.exit(nature, FENCED_EXIT_CODE),
            Effect::Fail { message } => {
                shell.fault = Some(Fault { kind: FaultKind::Task, message });
                let report = shell.report(&self.session);
                self.session.report(nature, report);
                nature.timer(node, 0, CLOSE_WITHIN, Timer::Exit);
            }
        }
    }

    fn work_on(&self, nature: &mut Nature) {
        let next = nature.chance.between(self.pace / 4, self.pace);
        nature.timer(self.session.node, 0, next, Timer::Computed);
    }

    fn exit(&mut self, nature: &mut Nature, code: i32) {
        if let Some(shell) = &self.shell {
            let report = shell.report(&self.session);
            self.session.report(nature, report);
        }
        self.session.close(nature);
        self.end = Some(Exit::Code(code));
    }

    fn ask_for_curve(&mut self, nature: &mut Nature) {
        let Some(shell) = &mut self.shell else { return };
        let (Some(model), Some((_, call))) = (&shell.model, &mut shell.export) else { return };
        let placement = self.session.view().and_then(|view| view.placement.as_ref()).expect("an export follows a placement");
        let slot = placement.servers[model.curve_chunk() as usize];
        shell.calls += 1;
        *call = u64::from(shell.calls);
        match shell.streams.get(&slot) {
            Some(stream) => {
                let generation = shell.generation;
                nature.send_in(self.session.node, *stream, shell.calls, Message::Curve { generation });
            }
            None => nature.timer(self.session.node, 0, EXPORT_AGAIN, Timer::Export),
        }
    }

    fn write(&mut self, nature: &mut Nature, curve: &[tfcoord_types::figures::CurvePoint]) {
        let Some(shell) = &mut self.shell else { return };
        let Some((export, _)) = shell.export.take() else { return };
        let (_, parameters) = shell.parameters.as_ref().expect("checked when it was asked for");
        let model = shell.model.as_ref().expect("it has seen a view");
        let (parameters, curve) = model.left(parameters, curve);
        let words = |numbers: &mut dyn Iterator<Item = f32>| model::digest(numbers.map(f32::to_bits));
        let model = words(&mut parameters.iter().flatten().copied());
        let curve_digest = words(&mut curve.iter().flat_map(|point| [point.loss_sum, point.records, point.correct]));
        nature.laws.exports.values(&self.session.launch.job, &parameters, &curve);
        let file = |name: &str, digest: u64| (name.to_owned(), 0, format!("{digest:016x}"));
        let exported = Exported { dir: format!("{}/model", export.dir), files: vec![file("curve", curve_digest), file("model", model)] };
        shell.work = Some(Work::Export { attempt: export.attempt, exported });
        self.work_on(nature);
    }
}

impl Shell {
    fn new(driver: core::Worker, file: Box<tfcoord_types::job::JobFile>) -> Self {
        Self {
            driver,
            generation: Generation(0),
            model: None,
            file,
            loaded: false,
            streams: BTreeMap::new(),
            calls: 0,
            kept: BTreeMap::new(),
            sums: BTreeMap::new(),
            parameters: None,
            rounds: Rounds::new(),
            work: None,
            export: None,
            done_shard: None,
            done_export: None,
            says_variables: false,
            applied: Revision(0),
            evaluated: Vec::new(),
            exported: None,
            fault: None,
        }
    }

    fn report(&self, session: &Session) -> Report {
        let variables = self.model.as_ref().filter(|_| self.says_variables).map(|model| model.variables.clone());
        let worker = WorkerReport {
            variables: variables.unwrap_or_default(),
            step: self.driver.step(),
            records: 0,
            evaluated: self.evaluated.clone(),
            exported: self.exported.clone(),
        };
        Report {
            incarnation: session.incarnation().expect("it has registered"),
            applied: self.applied,
            generation: session.view().map_or(Generation(0), |view| view.generation),
            body: Body::Worker(worker),
            fault: self.fault.clone(),
        }
    }

    fn chunks(&self) -> usize {
        self.model.as_ref().map_or(0, |model| model.layout.chunks.len())
    }

    fn keep(&mut self, chunk: u32, version: u64, values: Bytes) {
        let old = self.kept.insert((version, chunk), values);
        assert!(old.is_none(), "kept twice");
        assert!(self.kept.len() <= 3 * self.chunks(), "kept without end");
    }

    fn install(&mut self, version: u64) {
        assert!(self.work.is_none(), "the compute thread is not idle");
        let chunks = 0..u32::try_from(self.chunks()).expect("few chunks");
        let values = chunks.map(|chunk| to_values(&self.kept.remove(&(version, chunk)).expect("every chunk is kept"))).collect();
        self.parameters = Some((vec![version; self.chunks()], values));
    }

    // Each chunk's newest values, at whatever version.
    fn install_kept(&mut self) {
        assert!(self.work.is_none(), "the compute thread is not idle");
        let none = (vec![u64::MAX; self.chunks()], vec![Vec::new(); self.chunks()]);
        let (versions, values) = self.parameters.get_or_insert(none);
        for ((version, chunk), bytes) in std::mem::take(&mut self.kept) {
            let (version_now, values) = (&mut versions[chunk as usize], &mut values[chunk as usize]);
            (*version_now, *values) = (version, to_values(&bytes));
        }
    }

    // Sums of other steps than the present one were forgotten.
    fn check_sums(&self) {
        let step = self.driver.step();
        let Some(model) = &self.model else { return };
        let present = |(chunk, of_step, _): &(u32, u64, Block)| *of_step == model.exchanged(step, *chunk).start;
        assert!(self.sums.keys().all(present), "at step {step}: {:?}", self.sums.keys());
    }

    // The model has exactly this version, and nothing runs.
    fn check(&self, step: u64) {
        assert!(self.work.is_none() && self.export.is_none(), "the compute thread is not idle");
        let versions = self.parameters.as_ref().map(|parameters| &parameters.0);
        assert!(
            versions.is_some_and(|versions| versions.iter().all(|version| *version == step)),
            "other parameters than those of step {step}: {versions:?}"
        );
    }

    fn compute(&mut self, step: u64, blocks: &[Block]) {
        let model = self.model.as_ref().expect("it has seen a view");
        if model.is_alone() {
            assert!(self.work.is_none() && self.export.is_none(), "the compute thread is not idle");
        } else {
            self.check(step);
        }
        let (_, parameters) = self.parameters.as_ref().expect("something was installed");
        let mut sums = VecDeque::new();
        for block in blocks {
            let all = model.sums(parameters, step, *block, &mut self.rounds);
            sums.extend(all.into_iter().map(|(chunk, step, sum)| (*block, chunk, step, to_bytes(&sum))));
        }
        // The last layers are ready first.
        sums.make_contiguous().sort_by_key(|(block, chunk, ..)| (std::cmp::Reverse(*chunk), *block));
        self.work = Some(Work::Compute { step, sums, abandoned: false });
    }
}

/// The address of a node, and the other way round.
pub fn address_of(node: Node) -> String {
    format!("sim:{}", node.0)
}

/// Where a server listens.
pub fn address(server: &ServerAddress) -> Node {
    let number = server.addresses.first().and_then(|address| address.strip_prefix("sim:")?.parse().ok());
    Node(number.expect("a simulated address"))
}
