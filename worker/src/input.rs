//! The input pipeline: a thread of its own that reads and decodes micro-batches ahead of the trainer.
//!
//! What comes next is a pure function of the plan, so the thread goes on by itself, across ends of epochs, and is
//! only told when it must begin elsewhere. Batches carry the number of the stream they were made for: what was
//! made for an earlier one is thrown away.

use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use tfcoord_data::{Order, Reader, RecordBatch};
use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Labels};
use tfcoord_types::manifest::Label;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::{Fault, FaultKind};

/// Micro-batches that are ready ahead of the trainer, at most.
const AHEAD_MAX: usize = 8;
/// Micro-batches in memory, at most: those that are ready, one that is being read and one that is computed with.
pub const BATCHES_MAX: u64 = AHEAD_MAX as u64 + 2;

/// What a micro-batch is read for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Begin {
    stream: u64,
    step: u64,
    lanes: Vec<u32>,
}

struct Ready {
    stream: u64,
    batch: Result<Option<Batch>, Fault>,
}

/// The trainer's end of the pipeline.
pub struct Input {
    begin: Sender<Begin>,
    ready: Receiver<Ready>,
    used: Sender<Buffers>,
    stream: u64,
    lanes: Vec<u32>,
    // The (step, place among the lanes) that the stream gives next.
    next: (u64, usize),
}

impl Input {
    /// Starts the thread; it ends when this is dropped.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(reader: Reader, order: Order, plan: TrainPlan, label: &Label) -> std::io::Result<Self> {
        let (begin, begins) = channel();
        let (batches, ready) = sync_channel(AHEAD_MAX);
        let (used, empty) = channel();
        let classes = matches!(label, Label::Class { .. });
        let source = Source { reader, order, plan, classes, record: RecordBatch::default(), empty };
        std::thread::Builder::new().name("input".into()).spawn(move || run(source, &begins, &batches))?;
        Ok(Self { begin, ready, used, stream: 0, lanes: Vec::new(), next: (0, 0) })
    }

    /// The micro-batch of `lane` at `step`; `None` if it has no records. Asked for in the order of `lanes`, step after
    /// step, it is there in time; any other order is right too, but waits.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn next(&mut self, step: u64, lanes: &[u32], place: usize) -> Result<Option<Batch>, Fault> {
        if self.stream == 0 || self.lanes != lanes || self.next != (step, place) {
            self.stream += 1;
            self.lanes = lanes.to_vec();
            let begin = Begin { stream: self.stream, step, lanes: lanes.to_vec() };
            self.begin.send(begin).map_err(|_| ended())?;
            for _ in 0..place {
                self.receive()?;
            }
        }
        let batch = self.receive()?;
        self.next = if place + 1 < lanes.len() { (step, place + 1) } else { (step + 1, 0) };
        Ok(batch)
    }

    fn receive(&mut self) -> Result<Option<Batch>, Fault> {
        loop {
            let ready = self.ready.recv().map_err(|_| ended())?;
            if ready.stream == self.stream {
                return ready.batch;
            }
        }
    }

    /// Takes a batch's buffers back.
    pub fn give_back(&self, batch: Batch) {
        let _thread_gone = self.used.send(batch.into_buffers());
    }
}

struct Source {
    reader: Reader,
    order: Order,
    plan: TrainPlan,
    classes: bool,
    record: RecordBatch,
    empty: Receiver<Buffers>,
}

impl Source {
    fn batch(&mut self, step: u64, lane: u32) -> Result<Option<Batch>, Fault> {
        let places = self.plan.micro_batch(step, lane);
        if places.is_empty() {
            return Ok(None);
        }
        let indices = self.order.records(self.plan.place(step).epoch, places);
        if let Ok(buffers) = self.empty.try_recv() {
            refill(&mut self.record, buffers);
        }
        self.reader.read(&indices, &mut self.record).map_err(|error| unread(&error))?;
        let no_batch = |error: tfcoord_model::Error| Fault { kind: FaultKind::Data, message: error.to_string() };
        batch(std::mem::take(&mut self.record), self.classes).map(Some).map_err(no_batch)
    }
}

fn ended() -> Fault {
    Fault { kind: FaultKind::Task, message: "the input thread ended".to_owned() }
}

/// Records that could not be read. What this system or HDFS refuses now, it may grant to the next task.
pub fn unread(error: &tfcoord_data::Error) -> Fault {
    let kind = if error.is_of_place() { FaultKind::Task } else { FaultKind::Data };
    Fault { kind, message: error.to_string() }
}

/// A model's batch of what was read; `classes` tells whether labels are classes.
///
/// # Errors
/// If there are no records.
pub fn batch(record: RecordBatch, classes: bool) -> Result<Batch, tfcoord_model::Error> {
    let RecordBatch { features, classes: of_classes, numbers, indices } = record;
    let labels = match classes {
        _ if of_classes.is_empty() && numbers.is_empty() => Labels::None,
        true => Labels::Classes(of_classes),
        false => Labels::Numbers(numbers),
    };
    Batch::new(indices.len(), Buffers { features, labels, indices })
}

/// Gives a batch's memory back to be read into.
pub fn reuse(record: &mut RecordBatch, batch: Batch) {
    refill(record, batch.into_buffers());
}

fn refill(record: &mut RecordBatch, buffers: Buffers) {
    record.features = buffers.features;
    record.indices = buffers.indices;
    match buffers.labels {
        Labels::Classes(classes) => record.classes = classes,
        Labels::Numbers(numbers) => record.numbers = numbers,
        Labels::None => {}
    }
}

// Ends when the trainer's end is dropped: no more beginnings, or nobody takes what is ready.
fn run(mut source: Source, begins: &Receiver<Begin>, ready: &SyncSender<Ready>) {
    let Ok(mut at) = begins.recv() else { return };
    let mut place = 0;
    loop {
        match begins.try_recv() {
            Ok(begin) => (at, place) = (begin, 0),
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {}
        }
        let over = at.step >= source.plan.steps() || at.lanes.is_empty();
        if over {
            let Ok(begin) = begins.recv() else { return };
            (at, place) = (begin, 0);
            continue;
        }
        let batch = source.batch(at.step, at.lanes[place]);
        if ready.send(Ready { stream: at.stream, batch }).is_err() {
            return;
        }
        place += 1;
        if place == at.lanes.len() {
            (at.step, place) = (at.step + 1, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_fs::storage::{self, Problem};

    #[test]
    fn what_a_place_refuses_costs_a_task_and_bad_data_end_the_job() {
        let location = "hdfs://cluster/data/images.idx".to_owned();
        let problem = Problem::Deadline { after: std::time::Duration::from_secs(60) };
        let refused = unread(&storage::Error { operation: "read", location, access: None, problem }.into());
        assert!(refused.kind == FaultKind::Task && refused.message.contains("images.idx"), "{}", refused.message);
        let bad = unread(&tfcoord_data::Error::NoSuchRecord { index: 5, records: 4 });
        assert_eq!(bad.kind, FaultKind::Data);
    }
}
