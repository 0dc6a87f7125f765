//! The trainer: a thread that owns the model, its parameters and the sums of the block being computed. It does what
//! it is told, one thing after the other, and tells what it has done; it decides nothing.

mod blocks;
mod local;

pub use blocks::{BlockSums, ChunkSum};

use crate::input::{Input, batch, reuse, unread};
use crate::memory::workspace_records;
use anyhow::ensure;
use bytes::Bytes;
use local::Local;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Instant;
use tfcoord_data::{Reader, RecordBatch};
use tfcoord_model::{Error, Model, Parameters, StepKey, Workspace};
use tfcoord_types::figures::{Counts, EVALUATION_BATCH};
use tfcoord_types::job::Train;
use tfcoord_types::lane::Block;
use tfcoord_types::layout::{Layout, Span};
use tfcoord_types::memory;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::{EvaluatedShard, Exported, Fault, FaultKind};
use tfcoord_types::variable::Variable;
use tokio::sync::mpsc::UnboundedSender;

/// What the trainer is told.
pub enum Command {
    /// The chunks' places are known.
    Place(Layout),
    /// These chunks of the parameters have changed.
    Install(
        /// (chunk, its values as little-endian f32).
        Vec<(u32, Bytes)>,
    ),
    /// Compute the blocks of a step, in this order.
    Compute {
        /// The step.
        step: u64,
        /// The blocks.
        blocks: Vec<Block>,
    },
    /// A block's sum that was sent can be used again.
    GiveBack {
        /// Its chunk.
        chunk: u32,
        /// Its buffer.
        payload: Bytes,
    },
    /// Evaluate a shard.
    Evaluate {
        /// Which evaluation.
        evaluation: u32,
        /// Which shard of it.
        shard: u32,
        /// Its records.
        records: Range<u64>,
    },
    /// Do something with the parameters as they are; gives what was exported.
    Export(WriteModel),
}

/// Writes a model somewhere.
pub type WriteModel = Box<dyn FnOnce(&Model, &Parameters) -> Result<Exported, Fault> + Send>;

/// What the trainer tells.
pub enum Event {
    /// A block's sum for a chunk is complete.
    Gradient {
        /// The step.
        step: u64,
        /// The block.
        block: Block,
        /// The sum.
        sum: ChunkSum,
    },
    /// All blocks that were asked for are computed, or given up: comes once for each order to compute.
    Computed {
        /// The step.
        step: u64,
        /// Records that were computed.
        records: u64,
        /// How long it took, with waiting for input.
        seconds: f64,
    },
    /// A shard is evaluated.
    Evaluated(EvaluatedShard),
    /// The model is exported.
    Exported(Exported),
    /// It cannot go on.
    Failed(Fault),
}

/// The trainer's other end.
pub struct Trainer {
    commands: mpsc::Sender<Command>,
    // Set to have what is being computed given up.
    given_up: Arc<AtomicBool>,
}

/// What the trainer works with.
pub struct Parts {
    /// The model.
    pub model: Model,
    /// Training records, read ahead.
    pub input: Input,
    /// Records for evaluation, and whether their labels are classes.
    pub eval: Option<(Reader, bool)>,
    /// Lanes and steps.
    pub plan: TrainPlan,
    /// How the job is trained.
    pub train: Train,
}

impl Trainer {
    /// Starts the thread; it ends when this is dropped.
    ///
    /// # Errors
    /// If memory for the model or the thread is not to be had.
    pub fn start(parts: Parts, events: UnboundedSender<Event>) -> anyhow::Result<Self> {
        let bytes = bytes_min(parts.model.variables(), &parts.plan);
        ensure!(
            memory::is_there(bytes),
            "a worker takes at least {bytes} bytes of memory for this model, which are not to be had: make model.layers smaller"
        );
        let (commands, orders) = mpsc::channel();
        let given_up = Arc::new(AtomicBool::new(false));
        let parameters = Parameters::new(parts.model.variables())?;
        let workspace = Workspace::new(&parts.model, workspace_records(&parts.plan, parts.eval.is_some()))?;
        let work = Work {
            parts,
            parameters,
            workspace,
            places: Vec::new(),
            sums: None,
            local: None,
            events,
            given_up: given_up.clone(),
            record: RecordBatch::default(),
        };
        std::thread::Builder::new().name("trainer".into()).spawn(move || work.run_to_the_end(&orders))?;
        Ok(Self { commands, given_up })
    }

    /// Gives the next order. An order after the thread's end is lost; its event said why.
    pub fn command(&self, command: Command) {
        if let Command::Compute { .. } = &command {
            self.given_up.store(false, Ordering::Relaxed);
        }
        let _thread_gone = self.commands.send(command);
    }

    /// Gives up what is being computed, at the latest after the present lane.
    pub fn abandon(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

struct Work {
    parts: Parts,
    parameters: Parameters,
    workspace: Workspace,
    places: Vec<Vec<Span>>,
    sums: Option<BlockSums>,
    // Where something is `local`.
    local: Option<Local>,
    events: UnboundedSender<Event>,
    given_up: Arc<AtomicBool>,
    record: RecordBatch,
}

// The parameters, their next version as it comes, and the sums of a step's lanes: see `blocks`.
fn bytes_min(variables: &[Variable], plan: &TrainPlan) -> u64 {
    let elements = variables.iter().filter_map(Variable::elements).fold(0, u64::saturating_add);
    let sums = 1 + plan.micro_batches.max(1).ilog2();
    elements.saturating_mul(4 * u64::from(2 + sums))
}

impl Work {
    // A panic is told as well: its message is all that there is.
    fn run_to_the_end(self, orders: &mpsc::Receiver<Command>) {
        let events = self.events.clone();
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run(orders))) else { return };
        let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message = format!("the trainer panicked: {}", said.unwrap_or("without a word"));
        let _ending = events.send(Event::Failed(Fault { kind: FaultKind::Task, message }));
    }

    fn run(mut self, orders: &mpsc::Receiver<Command>) {
        self.parts.model.threads().pin_caller();
        while let Ok(command) = orders.recv() {
            if let Err(fault) = self.carry_out(command) {
                self.tell(Event::Failed(fault));
                return;
            }
        }
    }

    // Nobody listens any more when the process ends.
    fn tell(&self, event: Event) {
        let _ending = self.events.send(event);
    }

    fn carry_out(&mut self, command: Command) -> Result<(), Fault> {
        match command {
            Command::Place(layout) => {
                let chunks = 0..u32::try_from(layout.chunks.len()).expect("a layout has fewer than 2^32 chunks");
                self.places = chunks.map(|chunk| layout.spans(chunk)).collect();
                self.sums = Some(BlockSums::new(&layout, self.parts.model.variables().len()));
                self.local = Local::new(&self.parts.train, self.parts.plan, &layout);
                Ok(())
            }
            Command::Install(chunks) => chunks.into_iter().try_for_each(|(chunk, values)| self.install(chunk, values)),
            Command::Compute { step, blocks } => self.compute(step, &blocks),
            Command::GiveBack { chunk, payload } => {
                if let Some(sums) = &mut self.sums {
                    sums.give_back(chunk, payload);
                }
                Ok(())
            }
            Command::Evaluate { evaluation, shard, records } => {
                self.begin_local()?;
                let counts = self.evaluate(records)?;
                self.tell(Event::Evaluated(EvaluatedShard { evaluation, shard, counts }));
                Ok(())
            }
            Command::Export(export) => {
                self.begin_local()?;
                let exported = export(&self.parts.model, &self.parameters)?;
                self.tell(Event::Exported(exported));
                Ok(())
            }
        }
    }

    fn install(&mut self, chunk: u32, values: Bytes) -> Result<(), Fault> {
        match &mut self.local {
            Some(local) if local.holds(chunk) => {
                local.install(chunk, values);
                Ok(())
            }
            _ => self.install_values(chunk, &values),
        }
    }

    fn install_values(&mut self, chunk: u32, values: &[u8]) -> Result<(), Fault> {
        let wrong = |problem: String| Fault { kind: FaultKind::Task, message: format!("chunk {chunk}: {problem}") };
        let spans = self.places.get(chunk as usize).ok_or_else(|| wrong("is not in the placement".into()))?;
        for span in spans {
            let len = span.elements.end - span.elements.start;
            let bytes = usize::try_from(span.at * 4).ok().zip(usize::try_from((span.at + len) * 4).ok());
            let bytes = bytes.and_then(|(from, to)| values.get(from..to)).ok_or_else(|| wrong("is too short".into()))?;
            let variable = span.variable as usize;
            self.parameters.write(variable, span.elements.start, bytes).map_err(|e| wrong(e.to_string()))?;
        }
        Ok(())
    }

    fn compute(&mut self, step: u64, blocks: &[Block]) -> Result<(), Fault> {
        let begun = Instant::now();
        if self.local.as_ref().is_some_and(|local| local.begins(step)) {
            self.begin_local()?;
        }
        let (local, events, mut own) = (self.local.take(), self.events.clone(), Vec::new());
        let records = self.sum(step, blocks, |block, sum| match &local {
            Some(local) if local.holds(sum.chunk) => own.push(sum),
            _ => {
                let _ending = events.send(Event::Gradient { step, block, sum });
            }
        })?;
        if let Some(local) = local {
            self.train_alone(step, blocks, (records, own), local)?;
        }
        self.tell(Event::Computed { step, records, seconds: begun.elapsed().as_secs_f64() });
        Ok(())
    }

    // The sums of these blocks, as they are complete, and how many records they are of.
    fn sum(&mut self, step: u64, blocks: &[Block], mut tell: impl FnMut(Block, ChunkSum)) -> Result<u64, Fault> {
        let Some(mut sums) = self.sums.take() else { return Ok(0) };
        let plan = self.parts.plan;
        let lanes: Vec<u32> = blocks.iter().flat_map(|b| b.lanes()).collect();
        let mut records = 0;
        let mut place = 0;
        for block in blocks {
            let filled = block.lanes().filter(|lane| !plan.micro_batch(step, *lane).is_empty()).count();
            let mut nth = 0;
            for lane in block.lanes() {
                if self.given_up.load(Ordering::Relaxed) {
                    break;
                }
                let batch = self.parts.input.next(step, &lanes, place)?;
                place += 1;
                let Some(batch) = batch else { continue };
                records += batch.records() as u64;
                sums.begin_lane(nth, nth as usize + 1 == filled);
                nth += 1;
                let key = StepKey { seed: self.parts.train.seed, epoch: plan.place(step).epoch, step, lane };
                let mut emit = |variable: usize, gradient: &[f32]| sums.add(variable, gradient, |sum| tell(*block, sum));
                let trained = self.parts.model.train(&self.parameters, &batch, key, &mut self.workspace, &mut emit);
                trained.map_err(|error| fault(&format!("step {step}, lane {lane}"), &error))?;
                self.parts.input.give_back(batch);
            }
        }
        self.sums = Some(sums);
        Ok(records)
    }

    // A step of a `local` round, on parameters of its own; with the round's last step what has changed.
    fn train_alone(&mut self, step: u64, blocks: &[Block], (records, own): (u64, Vec<ChunkSum>), mut local: Local) -> Result<(), Fault> {
        if !self.given_up.load(Ordering::Relaxed) {
            own.iter().for_each(|sum| local.add(sum));
            local.step(step, records as f32).try_for_each(|(chunk, values)| self.install_values(chunk, &values))?;
            if let Some(spare) = &mut self.sums {
                own.into_iter().for_each(|sum| spare.give_back(sum.chunk, sum.payload));
            }
            if let (Some((first, changes)), Some(block)) = (local.changes(), blocks.first()) {
                changes.for_each(|sum| self.tell(Event::Gradient { step: first, block: *block, sum }));
            }
        }
        self.local = Some(local);
        Ok(())
    }

    // The parameters are those that came, whatever was trained since alone.
    fn begin_local(&mut self) -> Result<(), Fault> {
        let changed = self.local.as_mut().map(Local::begin).unwrap_or_default();
        changed.iter().try_for_each(|(chunk, values)| self.install_values(*chunk, values))
    }

    fn evaluate(&mut self, records: Range<u64>) -> Result<Counts, Fault> {
        let missing = || Fault { kind: FaultKind::Task, message: "there are no records for evaluation".into() };
        let (reader, classes) = self.parts.eval.as_mut().ok_or_else(missing)?;
        let mut counts = Counts::default();
        let mut from = records.start;
        while from < records.end {
            let indices: Vec<u64> = (from..records.end.min(from + EVALUATION_BATCH)).collect();
            from += indices.len() as u64;
            reader.read(&indices, &mut self.record).map_err(|error| unread(&error))?;
            let place = format!("evaluation of records {}..{from}", indices[0]);
            let batch = batch(std::mem::take(&mut self.record), *classes).map_err(|e| fault(&place, &e))?;
            counts.add(&self.parts.model.evaluate(&self.parameters, &batch, &mut self.workspace).map_err(|e| fault(&place, &e))?);
            reuse(&mut self.record, batch);
        }
        Ok(counts)
    }
}

fn fault(place: &str, error: &Error) -> Fault {
    let kind = match error {
        Error::NotFinite { .. } => FaultKind::NotFinite,
        Error::Label { .. } | Error::Row { .. } | Error::Batch { .. } => FaultKind::Data,
        Error::Graph(_) | Error::Spec { .. } => FaultKind::Job,
        Error::Threads { .. } | Error::Parameters { .. } | Error::Memory { .. } => FaultKind::Task,
    };
    Fault { kind, message: format!("{place}: {error}") }
}
