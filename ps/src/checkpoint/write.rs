//! The thread that writes a server's part of a checkpoint.

use super::{POINT_BYTES, tell, tensors};
use crate::ask::Ask;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Instant;
use tfcoord_checkpoint::{Directory, Error, PartName, PartWriter};
use tfcoord_fs::FileSystems;
use tfcoord_ps_core::{Content, Head};
use tfcoord_types::checkpoint::{Checkpoint, CutOutcome, PartFile};
use tfcoord_types::id::{CheckpointId, Incarnation};
use tokio::sync::mpsc::WeakSender;

/// What the thread is asked to do.
pub(super) enum Order {
    Begin { checkpoint: Checkpoint, parts: Vec<Head>, points: u64 },
    Chunk { id: CheckpointId, chunk: u32, content: Content },
    Drop { id: CheckpointId },
}

/// Whose parts, and the way to where they go.
pub(super) struct Place {
    pub slot: u32,
    pub incarnation: Incarnation,
    pub systems: FileSystems,
    // Where those are gathered that go to HDFS.
    pub scratch: PathBuf,
}

/// Writes one part at a time.
pub(super) struct Writer {
    place: Place,
    asks: WeakSender<Ask>,
    present: Option<Part>,
    // Numbers as bytes, used again.
    buffer: Vec<u8>,
}

struct Part {
    id: CheckpointId,
    writer: PartWriter,
    // The first tensor of each chunk that is to come.
    waiting: BTreeMap<u32, usize>,
    // Of the curve.
    points: u64,
    began: Instant,
}

impl Writer {
    pub fn new(place: Place, asks: WeakSender<Ask>) -> Self {
        Self { place, asks, present: None, buffer: Vec::new() }
    }

    pub fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Begin { checkpoint, parts, points } => {
                    let id = checkpoint.id;
                    match self.begin(&checkpoint, &parts, points) {
                        Ok(part) => self.present = Some(part),
                        Err(error) => self.failed(id, error),
                    }
                }
                Order::Chunk { id, chunk, content } => {
                    let Some(mut part) = self.present.take_if(|part| part.id == id) else { continue };
                    match self.write(&mut part, chunk, &content) {
                        Ok(()) if part.waiting.is_empty() => self.finish(part),
                        Ok(()) => self.present = Some(part),
                        Err(error) => self.failed(id, error),
                    }
                }
                // Its file goes with it.
                Order::Drop { id } => drop(self.present.take_if(|part| part.id == id)),
            }
        }
    }

    fn begin(&self, checkpoint: &Checkpoint, parts: &[Head], points: u64) -> Result<Part, Error> {
        let id = checkpoint.id;
        let Place { slot, incarnation, systems, scratch } = &self.place;
        let name = PartName { id, slot: *slot, incarnation: *incarnation };
        let (mut layout, mut waiting) = (Vec::new(), BTreeMap::new());
        for head in parts {
            waiting.insert(head.id, layout.len());
            layout.extend(tensors(head, points));
        }
        let writer = PartWriter::begin(&Directory::open(systems, &checkpoint.dir)?, scratch, name, &layout)?;
        Ok(Part { id, writer, waiting, points, began: Instant::now() })
    }

    fn write(&mut self, part: &mut Part, chunk: u32, content: &Content) -> Result<(), Error> {
        let Content { values, slots, curve, counted } = content;
        let Some(first) = part.waiting.remove(&chunk) else { return Ok(()) };
        part.writer.write(first, values)?;
        let mut next = first + 1;
        for slot in slots.numbers().into_iter().filter(|slot| !slot.is_empty()) {
            self.buffer.clear();
            self.buffer.extend(slot.iter().flat_map(|number| number.to_le_bytes()));
            part.writer.write(next, &self.buffer)?;
            next += 1;
        }
        if !curve.is_empty() {
            let numbers = curve.iter().flat_map(|point| [point.loss_sum, point.records, point.correct]);
            let mut bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
            debug_assert!(bytes.len() as u64 <= part.points * POINT_BYTES, "no more points than there is room for");
            // Outside of `bsp` the number of points is known only now.
            bytes.resize(usize::try_from(part.points * POINT_BYTES).unwrap_or(bytes.len()), 0);
            part.writer.write(next, &bytes)?;
            next += 1;
        }
        if !counted.is_empty() {
            let bytes: Vec<u8> = counted.iter().flat_map(|steps| steps.to_le_bytes()).collect();
            part.writer.write(next, &bytes)?;
        }
        Ok(())
    }

    fn finish(&mut self, part: Part) {
        let Part { id, writer, began, .. } = part;
        match writer.finish() {
            Ok(file) => {
                let PartFile { file: name, length, .. } = &file;
                tracing::info!("checkpoint {id}: {length} bytes in {name}, {} ms", began.elapsed().as_millis());
                metrics::histogram!("tfcoord_checkpoint_write_seconds").record(began.elapsed().as_secs_f64());
                metrics::counter!("tfcoord_checkpoint_bytes_total").increment(*length);
                tell(&self.asks, Ask::CutDone { id, outcome: CutOutcome::Written(file) });
            }
            Err(error) => self.failed(id, error),
        }
    }

    fn failed(&self, id: CheckpointId, error: Error) {
        let error = error.of_writing();
        tracing::error!("checkpoint {id} is not written: {error}");
        tell(&self.asks, Ask::CutDone { id, outcome: CutOutcome::Failed { reason: error.to_string() } });
    }
}
