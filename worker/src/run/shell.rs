//! The driver's shell: turns what happens into the driver's inputs, and carries out its effects. It keeps the bytes
//! that the driver only has names for: chunks that came, and sums that are not settled.

use super::link::{self, Link, News, Order};
use super::state::State;
use crate::export::{self, Place};
use crate::trainer::{Command, Event, Trainer};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tfcoord_data::Preprocessing;
use tfcoord_exchange::{Push, Registration, Transport};
use tfcoord_fs::FileSystems;
use tfcoord_proto::variables_digest;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{Generation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::Layout;
use tfcoord_types::report::{EvaluatedShard, Exported, Fault, FaultKind};
use tfcoord_types::variable::Group;
use tfcoord_types::view::{Export, ServerAddress, TaskView};
use tfcoord_worker_core::{Effect, Input, Worker};
use tokio::sync::{mpsc, oneshot};

/// News of links that may wait for the shell.
const NEWS_MAX: usize = 16;
/// When an export is tried again whose curve could not be had, as while a link is being opened.
const EXPORT_AGAIN: Duration = Duration::from_millis(200);

/// What happens to the shell besides views and the trainer's events.
pub enum Message {
    /// News of a link.
    Link {
        /// The server's slot.
        slot: u32,
        /// Which link to it.
        serial: u64,
        /// The news.
        news: News,
    },
    /// The time that the driver asked for is over.
    Retry,
    /// The curve is here: the export may be written.
    Curve(Box<Export>, Result<Vec<CurvePoint>, String>),
    /// Try the export again.
    Export(Box<Export>),
}

/// How a worker ends.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// As the view says.
    Stopped,
    /// Its place belongs to another one.
    Fenced,
    /// It reported a fault.
    Failed,
}

/// The driver's shell.
pub struct Shell<T> {
    driver: Worker,
    effects: Vec<Effect>,
    transport: Arc<T>,
    trainer: Trainer,
    links: BTreeMap<u32, Link>,
    serial: u64,
    messages: mpsc::Sender<Message>,
    view: Option<TaskView>,
    layout: Option<Arc<Layout>>,
    // Chunks that came: by (version, chunk).
    kept: BTreeMap<(u64, u32), Bytes>,
    // The one that the driver is told of now.
    incoming: Option<Bytes>,
    // What the compute thread has just found, while the driver is told of it.
    evaluated: Option<EvaluatedShard>,
    exported: Option<Exported>,
    // Sums that are not settled: by (chunk, step, block); whether they were sent.
    sums: BTreeMap<(u32, u64, Block), (Bytes, bool)>,
    preprocessing: Preprocessing,
    /// Where an export's files are made that go to HDFS.
    pub scratch: PathBuf,
    /// What is reported.
    pub state: State,
    idle_since: Instant,
    // Whether the export that the driver asked for is of the present generation.
    export_wanted: bool,
    // The attempt of the export that is being written.
    exporting: u64,
    end: Option<End>,
}

impl<T: Transport> Shell<T> {
    /// A shell around a fresh driver; messages for [`Self::message`] come on the receiver.
    pub fn new(
        driver: Worker,
        transport: T,
        trainer: Trainer,
        preprocessing: Preprocessing,
        state: State,
    ) -> (Self, mpsc::Receiver<Message>) {
        let (messages, receiver) = mpsc::channel(NEWS_MAX);
        let shell = Self {
            driver,
            effects: Vec::new(),
            transport: Arc::new(transport),
            trainer,
            links: BTreeMap::new(),
            serial: 0,
            messages,
            view: None,
            layout: None,
            kept: BTreeMap::new(),
            incoming: None,
            evaluated: None,
            exported: None,
            sums: BTreeMap::new(),
            preprocessing,
            scratch: std::env::temp_dir(),
            state,
            idle_since: Instant::now(),
            export_wanted: false,
            exporting: 0,
            end: None,
        };
        (shell, receiver)
    }

    /// How it ends, once it does.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// A new view.
    pub fn view(&mut self, view: TaskView) {
        if self.layout.is_none()
            && let Some(placement) = &view.placement
        {
            // One that comes later is not asked for its variables: it takes part only if they are the job's.
            if placement.variables != self.state.variables() {
                let message = "the workers do not have the same model: this one has other variables than the first one".into();
                return self.fail(FaultKind::Job, message);
            }
            match Layout::new(&placement.variables, placement.chunk_elements) {
                Ok(layout) => {
                    self.trainer.command(Command::Place(layout.clone()));
                    self.layout = Some(Arc::new(layout));
                }
                Err(error) => return self.fail(FaultKind::Task, error.to_string()),
            }
        }
        tfcoord_fault::point!("worker.view.received");
        self.state.see(&view);
        self.view = Some(view.clone());
        self.tell(Input::View(Box::new(view)));
    }

    /// What the trainer says.
    pub fn event(&mut self, event: Event) {
        match event {
            Event::Gradient { step, block, sum } => {
                self.sums.insert((sum.chunk, step, block), (sum.payload, false));
                self.tell(Input::Computed { step, block, chunk: sum.chunk });
            }
            Event::Computed { step, records, seconds } => {
                metrics::counter!("tfcoord_worker_steps_total").increment(1);
                metrics::counter!("tfcoord_worker_records_total").increment(records);
                metrics::histogram!("tfcoord_worker_compute_seconds").record(seconds);
                tfcoord_fault::point!("worker.step.computed");
                self.state.records += records;
                self.idle_since = Instant::now();
                self.tell(Input::StepComputed { step });
            }
            Event::Evaluated(shard) => {
                tfcoord_fault::point!("worker.shard.evaluated");
                let input = Input::Evaluated { evaluation: shard.evaluation, shard: shard.shard };
                self.evaluated = Some(shard);
                self.tell(input);
                self.evaluated = None;
            }
            Event::Exported(exported) => {
                tfcoord_fault::point!("worker.export.done");
                self.exported = Some(exported);
                self.tell(Input::Exported { attempt: self.exporting });
                self.exported = None;
            }
            Event::Failed(fault) => self.fail(fault.kind, fault.message),
        }
    }

    /// What else happens.
    pub fn message(&mut self, message: Message) {
        match message {
            Message::Retry => self.tell(Input::Retry),
            Message::Curve(export, _) | Message::Export(export) if !self.export_wanted => {
                // The curve that could be had by now would be another generation's, as far as that is.
                self.tell(Input::Exported { attempt: export.attempt });
            }
            Message::Curve(export, curve) => match curve {
                Ok(curve) => self.write(*export, curve),
                Err(error) => {
                    tracing::warn!("the curve cannot be had now: {error}");
                    self.later(EXPORT_AGAIN, Message::Export(export));
                }
            },
            Message::Export(export) => self.export(export),
            Message::Link { slot, serial, news } => {
                if self.links.get(&slot).is_some_and(|link| link.serial == serial) {
                    self.news(slot, news);
                }
            }
        }
    }

    fn news(&mut self, slot: u32, news: News) {
        match news {
            News::Connected { incarnation, address, generation, cursors } => {
                tracing::info!("connected to ps-{slot} incarnation {incarnation} at {address}");
                self.tell(Input::Connected { slot, incarnation, generation, cursors });
            }
            News::Disconnected(error) => {
                self.links.remove(&slot);
                match error {
                    Some(error) if error.is_final() => return self.fail(FaultKind::Task, error.to_string()),
                    Some(error) => tracing::warn!("ps-{slot}: {error}"),
                    None => tracing::warn!("ps-{slot} ended the stream"),
                }
                self.tell(Input::Disconnected { slot });
            }
            News::Chunk { generation, chunk, version, values } => {
                self.incoming = Some(values);
                self.tell(Input::Chunk { generation, chunk, version });
                self.incoming = None;
            }
            News::Gone { generation, chunk, version } => self.tell(Input::Gone { generation, chunk, version }),
            News::Answer { generation, chunk, step, block, answer } => {
                self.tell(Input::Answer { generation, chunk, step, block, answer });
            }
        }
    }

    fn tell(&mut self, input: Input) {
        let mut effects = std::mem::take(&mut self.effects);
        self.driver.apply(input, &mut effects);
        for effect in effects.drain(..) {
            tracing::trace!("{effect}");
            self.carry_out(effect);
        }
        self.effects = effects;
        self.state.step = self.driver.step();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Applied { revision } => self.state.applied = revision,
            Effect::ReportVariables => self.state.say_variables(),
            Effect::Connect { slot, server, generation } => self.connect(slot, server, generation),
            Effect::Disconnect { slot } => {
                self.links.remove(&slot);
            }
            Effect::Pull { slot, chunks, version } => self.order(slot, Order::Pull { chunks, version }),
            Effect::Keep { chunk, version } => {
                let values = self.incoming.take().expect("the driver keeps what it was just told of");
                self.kept.insert((version, chunk), values);
            }
            Effect::Discard { chunk, version } => {
                self.kept.remove(&(version, chunk));
            }
            Effect::Use { version } => {
                let mut later = self.kept.split_off(&(version, 0));
                let after = later.split_off(&(version + 1, 0));
                self.kept.extend(after);
                self.install(later);
            }
            Effect::UseKept => {
                let kept = std::mem::take(&mut self.kept);
                self.install(kept);
            }
            Effect::Compute { step, blocks } => {
                tfcoord_fault::point!("worker.step.begun");
                metrics::histogram!("tfcoord_worker_wait_seconds").record(self.idle_since.elapsed().as_secs_f64());
                self.trainer.command(Command::Compute { step, blocks });
            }
            Effect::AbandonCompute => self.trainer.abandon(),
            Effect::Push { slot, chunk, step, block, records, view_revision } => {
                self.push(slot, (chunk, step, block), records, view_revision);
            }
            Effect::Forget { chunk, step, block } => {
                if let Some((payload, _)) = self.sums.remove(&(chunk, step, block)) {
                    self.trainer.command(Command::GiveBack { chunk, payload });
                }
            }
            Effect::ForgetAll => {
                self.sums.clear();
                self.kept.clear();
                self.state.evaluated.clear();
                self.state.exported = None;
                self.export_wanted = false;
            }
            Effect::ReportShard { .. } => self.state.evaluated.extend(self.evaluated.take()),
            Effect::ReportExport { .. } => self.state.exported = self.exported.take(),
            Effect::Evaluate { evaluation, shard, records, .. } => {
                self.trainer.command(Command::Evaluate { evaluation, shard, records });
            }
            Effect::Export(export) => {
                self.export_wanted = true;
                self.export(export);
            }
            Effect::RetryAfter { ms } => self.later(Duration::from_millis(ms), Message::Retry),
            Effect::Stop { reason } => {
                tracing::info!("told to stop: {reason}");
                self.end = Some(End::Stopped);
            }
            Effect::Fenced => self.end = Some(End::Fenced),
            Effect::Fail { message } => self.fail(FaultKind::Task, message),
        }
    }

    // By (version, chunk).
    fn install(&self, kept: BTreeMap<(u64, u32), Bytes>) {
        tfcoord_fault::point!("worker.parameters.pulled");
        let chunks = kept.into_iter().map(|((_, chunk), values)| (chunk, values)).collect();
        self.trainer.command(Command::Install(chunks));
    }

    fn connect(&mut self, slot: u32, server: ServerAddress, generation: Generation) {
        let known = self.view.as_ref().and_then(|view| view.placement.as_ref()).zip(self.layout.clone());
        let Some((placement, layout)) = known else { return };
        self.serial += 1;
        let registration = Registration {
            generation,
            placement_epoch: placement.epoch,
            incarnation: self.state.incarnation,
            variables_digest: variables_digest(&placement.variables),
            layout,
        };
        let link = link::open(self.transport.clone(), (slot, self.serial), server, registration, self.messages.clone());
        self.links.insert(slot, link);
    }

    // An order for a link that has just ended is lost: the driver hears of the end.
    fn order(&self, slot: u32, order: Order) {
        if let Some(link) = self.links.get(&slot) {
            let _ended = link.orders.send(order);
        }
    }

    fn push(&mut self, slot: u32, sum: (u32, u64, Block), records: u32, view_revision: Revision) {
        let Some(view) = &self.view else { return };
        let Some((payload, sent)) = self.sums.get_mut(&sum) else { return };
        if std::mem::replace(sent, true) {
            metrics::counter!("tfcoord_worker_resends_total").increment(1);
        }
        let (chunk, step, block) = sum;
        let push = Push {
            generation: view.generation,
            placement_epoch: view.placement.as_ref().map(|p| p.epoch).unwrap_or_default(),
            worker: self.state.index,
            incarnation: self.state.incarnation,
            view_revision,
            step,
            block,
            records,
            chunk,
            payload: payload.clone(),
        };
        tfcoord_fault::point!("worker.push.due");
        self.order(slot, Order::Push(push));
        tfcoord_fault::point!("worker.push.sent");
    }

    fn export(&mut self, export: Box<Export>) {
        let placement = self.view.as_ref().and_then(|view| view.placement.as_ref());
        let curve = self.layout.as_ref().and_then(|layout| {
            let chunks = 0..u32::try_from(layout.chunks.len()).ok()?;
            chunks.into_iter().find(|chunk| layout.group(*chunk) == Group::Curve)
        });
        let slot = placement.zip(curve).and_then(|(placement, chunk)| placement.servers.get(chunk as usize).copied());
        let Some(slot) = slot else { return self.write(*export, Vec::new()) };
        let (to, curve) = oneshot::channel();
        self.order(slot, Order::Curve(to));
        let messages = self.messages.clone();
        tokio::spawn(async move {
            let curve = match curve.await {
                Ok(curve) => curve.map_err(|e| e.to_string()),
                Err(_) => Err("the link to its server ended".to_owned()),
            };
            let _ending = messages.send(Message::Curve(export, curve)).await;
        });
    }

    fn later(&self, time: Duration, message: Message) {
        let messages = self.messages.clone();
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            let _ending = messages.send(message).await;
        });
    }

    fn write(&mut self, export: Export, curve: Vec<CurvePoint>) {
        self.exporting = export.attempt;
        let preprocessing = self.preprocessing.clone();
        let place = Place { systems: FileSystems::of_environment(), scratch: self.scratch.clone() };
        let write = move |model: &_, parameters: &_| Ok(export::write(&place, &export, &preprocessing, &curve, model, parameters)?);
        self.trainer.command(Command::Export(Box::new(write)));
    }

    fn fail(&mut self, kind: FaultKind, message: String) {
        tracing::error!("{message}");
        self.state.fault = Some(Fault { kind, message });
        self.end = Some(End::Failed);
    }
}
