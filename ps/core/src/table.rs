//! The chunks of one generation that this server holds.

use crate::cursor::{Cursor, ShardCursor, Within};
use crate::init;
use crate::reduce::write;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use tfcoord_optimizer::Slots;
use tfcoord_types::figures::{CURVE_LEN, CurvePoint};
use tfcoord_types::id::CheckpointId;
use tfcoord_types::job::{Sync, Train};
use tfcoord_types::layout::{self, Chunk, Layout};
use tfcoord_types::memory;
use tfcoord_types::variable::Group;
use tfcoord_types::view::Placement;

/// A chunk that this server holds.
#[derive(Debug)]
pub(crate) struct Part {
    pub chunk: Chunk,
    pub group: Group,
    /// That of its variables.
    pub mode: Sync,
    pub cursor: Cursor,
    /// Outside of `bsp`, where the cursor's step is the number of steps that count.
    pub shards: ShardCursor,
    /// Whether the step's sum is complete and waits for its scale.
    pub measured: bool,
    // The values at the cursor's step, and at the one before.
    current: Bytes,
    previous: Option<Bytes>,
    slots: Slots,
}

impl Part {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.current.len() / 4
    }

    /// The values at the cursor's step.
    pub fn values(&self) -> &Bytes {
        &self.current
    }

    /// The values at `version`, if they are held.
    pub fn version(&self, version: u64) -> Option<&Bytes> {
        let step = self.cursor.step();
        if version == step { Some(&self.current) } else { self.previous.as_ref().filter(|_| version + 1 == step) }
    }

    /// What the optimizer keeps.
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// What an update reads and what it changes in place.
    pub fn parts(&mut self) -> (&Bytes, &Cursor, &mut Slots) {
        (&self.current, &self.cursor, &mut self.slots)
    }

    /// The buffer for the next version: that of the version before, unless somebody still reads it.
    pub fn other_buffer(&mut self) -> BytesMut {
        match self.previous.take().map(Bytes::try_into_mut) {
            Some(Ok(free)) => free,
            _ => BytesMut::zeroed(self.current.len()),
        }
    }

    /// So many steps are done: `next` are the values from now on.
    pub fn advance(&mut self, next: Bytes, steps: u64) {
        self.previous = Some(std::mem::replace(&mut self.current, next));
        self.cursor.advance(steps);
        self.measured = false;
    }
}

/// A chunk of a checkpoint: where it lies, and how much there is of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its id in the present layout.
    pub id: u32,
    /// Its place.
    pub chunk: Chunk,
    /// How many numbers the optimizer keeps for each element.
    pub slots: u64,
    /// Whether the curve is summed in it.
    pub curve: bool,
    /// Of how many shards it is said how many steps count; 0 in `bsp`, and where the checkpoint is between two epochs.
    pub shards: u32,
}

impl Head {
    pub(crate) fn of(id: u32, part: &Part, within: Option<Within>) -> Self {
        let slots = part.slots.numbers().iter().filter(|slot| !slot.is_empty()).count();
        let shards = within.map_or(0, |within| within.count());
        Self { id, chunk: part.chunk, slots: slots as u64, curve: part.group == Group::Curve, shards }
    }
}

/// What a chunk of a checkpoint holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Little-endian f32, one for each element.
    pub values: Bytes,
    /// What the optimizer keeps, as many as [`Head::slots`] says.
    pub slots: Slots,
    /// The curve up to the checkpoint's step, where [`Head::curve`] says so; what is behind the chunk's steps does not count.
    pub curve: Vec<CurvePoint>,
    /// How many steps of each shard count, as many as [`Head::shards`] says.
    pub counted: Vec<u32>,
}

/// Why chunks cannot be held as a placement says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("the variables cannot be laid out: {0}")]
    Layout(#[from] layout::Error),
    #[error("the placement has {servers} servers for {chunks} chunks")]
    Servers { servers: usize, chunks: usize },
    #[error("the curve has {elements} elements, not {CURVE_LEN}")]
    Curve { elements: u64 },
    #[error("chunk {chunk} of checkpoint {id} is not of the length that it should have")]
    Content { id: CheckpointId, chunk: u32 },
    #[error("chunk {chunk} of checkpoint {id} counts steps that the job's shards do not have")]
    Counted { id: CheckpointId, chunk: u32 },
    #[error("its chunks take {bytes} bytes of memory, which are not to be had: raise parameter_server.count, or make model.layers smaller")]
    Memory { bytes: u64 },
}

/// The chunks of one generation that this server holds, and what it must know of the others.
#[derive(Debug)]
pub(crate) struct Table {
    pub layout: Layout,
    parts: BTreeMap<u32, Part>,
    // Servers that hold a part of what is trained, ascending.
    trainers: Vec<u32>,
    // The lowest cursor, and how many chunks are there.
    floor: u64,
    at_floor: usize,
}

impl Table {
    /// Fills the chunks that `placement` puts on server `slot` with their first values.
    pub fn new(placement: &Placement, slot: u32, train: &Train) -> Result<Self, Error> {
        Self::filled(placement, slot, train, |layout, id| Ok(fill(layout, placement, id, train)))
    }

    /// The chunks that `placement` puts on server `slot`: what must be read of a checkpoint.
    pub fn heads(placement: &Placement, slot: u32, train: &Train, within: Option<Within>) -> Result<Vec<Head>, Error> {
        let table = Self::filled(placement, slot, train, |layout, id| Ok(empty(layout, id, train)))?;
        let head = |(id, part): (u32, &Part)| Head { slots: slots(&table.layout, id, train), ..Head::of(id, part, within) };
        Ok(table.parts().map(head).collect())
    }

    /// The chunks that `placement` puts on server `slot`, as a checkpoint holds them.
    pub fn restored(
        placement: &Placement,
        slot: u32,
        train: &Train,
        id: CheckpointId,
        within: Option<Within>,
        mut contents: BTreeMap<u32, Content>,
    ) -> Result<Self, Error> {
        Self::filled(placement, slot, train, |layout, chunk| {
            let wrong = Error::Content { id, chunk };
            let Some(Content { values, slots: kept, counted, .. }) = contents.remove(&chunk) else { return Err(wrong) };
            let len = layout.chunks[chunk as usize].len;
            let [first, second] = kept.numbers().map(|slot| slot.len() as u64);
            let mode = train.mode(layout.sync(chunk));
            let fits = [values.len() as u64, first, second] == slots_of(slots(layout, chunk, train), len);
            let (step, shards) = match within {
                Some(within) => {
                    within.restored(&counted, &mode).filter(|(step, _)| *step >= id.step).ok_or(Error::Counted { id, chunk })?
                }
                None => (id.step, ShardCursor::default()),
            };
            let part = Part { current: values, slots: kept, cursor: Cursor::at(step), shards, ..empty(layout, chunk, train) };
            if fits { Ok(part) } else { Err(wrong) }
        })
    }

    fn filled(
        placement: &Placement,
        slot: u32,
        train: &Train,
        mut fill: impl FnMut(&Layout, u32) -> Result<Part, Error>,
    ) -> Result<Self, Error> {
        let layout = Layout::new(&placement.variables, placement.chunk_elements)?;
        if placement.servers.len() != layout.chunks.len() {
            return Err(Error::Servers { servers: placement.servers.len(), chunks: layout.chunks.len() });
        }
        if let Some(slab) = layout.slabs.iter().find(|slab| slab.group == Group::Curve && slab.len != u64::from(CURVE_LEN)) {
            return Err(Error::Curve { elements: slab.len });
        }
        let placed = || (0u32..).zip(&placement.servers);
        let trained = placed().filter(|(id, _)| layout.group(*id) == Group::Train);
        let trainers: std::collections::BTreeSet<u32> = trained.map(|(_, server)| *server).collect();
        let mine = || placed().filter(|(_, server)| **server == slot).map(|(id, _)| id);
        let bytes = mine().map(|id| bytes(&layout, id, train)).sum();
        if !memory::is_there(bytes) {
            return Err(Error::Memory { bytes });
        }
        let parts: Result<BTreeMap<_, _>, Error> = mine().map(|id| Ok((id, fill(&layout, id)?))).collect();
        let parts = parts?;
        let floor = parts.values().map(|part| part.cursor.step()).min().unwrap_or(0);
        let at_floor = parts.values().filter(|part| part.cursor.step() == floor).count();
        Ok(Self { at_floor, parts, trainers: trainers.into_iter().collect(), layout, floor })
    }

    /// A chunk that is held here.
    pub fn part(&self, id: u32) -> Option<&Part> {
        self.parts.get(&id)
    }

    /// A chunk that is held here.
    pub fn part_mut(&mut self, id: u32) -> Option<&mut Part> {
        self.parts.get_mut(&id)
    }

    /// All chunks that are held here, by id.
    pub fn parts(&self) -> impl Iterator<Item = (u32, &Part)> {
        self.parts.iter().map(|(id, part)| (*id, part))
    }

    /// The steps that are summed in the curve; 0 where its chunk is not here.
    pub fn summed(&self) -> u64 {
        self.parts.values().find(|part| part.group == Group::Curve).map_or(0, |part| part.cursor.step())
    }

    /// Servers that hold a part of what is trained, ascending.
    pub fn trainers(&self) -> &[u32] {
        &self.trainers
    }

    /// The lowest cursor; `None` without chunks.
    pub fn floor(&self) -> Option<u64> {
        (!self.parts.is_empty()).then_some(self.floor)
    }

    /// A chunk's cursor went on from `step`: the lowest cursor, if that has grown.
    pub fn advanced(&mut self, step: u64) -> Option<u64> {
        self.at_floor -= usize::from(step == self.floor);
        if self.at_floor > 0 {
            return None;
        }
        self.floor = self.parts.values().map(|part| part.cursor.step()).min()?;
        self.at_floor = self.parts.values().filter(|part| part.cursor.step() == self.floor).count();
        Some(self.floor)
    }
}

// What a chunk takes once its first step is done: two versions, and what the optimizer keeps.
fn bytes(layout: &Layout, id: u32, train: &Train) -> u64 {
    layout.chunks[id as usize].len * 4 * (2 + slots(layout, id, train))
}

// How many numbers the optimizer keeps for each element of a chunk.
fn slots(layout: &Layout, id: u32, train: &Train) -> u64 {
    if layout.group(id) != Group::Train {
        return 0;
    }
    kept(train, &train.mode(layout.sync(id)), 1).numbers().iter().map(|slot| slot.len() as u64).sum()
}

// What a chunk of `len` elements that is trained keeps beside its values. In `local` the optimizer is the workers'.
fn kept(train: &Train, mode: &Sync, len: usize) -> Slots {
    match mode {
        Sync::Local { momentum, .. } => Slots::outer(*momentum, len),
        _ => Slots::new(&train.optimizer, len),
    }
}

// Bytes of the values, numbers in the first slot and in the second, of a chunk with `len` elements.
fn slots_of(slots: u64, len: u64) -> [u64; 3] {
    [len * 4, if slots > 0 { len } else { 0 }, if slots > 1 { len } else { 0 }]
}

fn empty(layout: &Layout, id: u32, train: &Train) -> Part {
    let (chunk, group) = (layout.chunks[id as usize], layout.group(id));
    Part {
        chunk,
        group,
        mode: train.mode(layout.sync(id)),
        cursor: Cursor::default(),
        shards: ShardCursor::default(),
        measured: false,
        current: Bytes::new(),
        previous: None,
        slots: Slots::default(),
    }
}

fn fill(layout: &Layout, placement: &Placement, id: u32, train: &Train) -> Part {
    let chunk = layout.chunks[id as usize];
    let len = usize::try_from(chunk.len).expect("a chunk has bounded length");
    let mut values = vec![0.0; len];
    for span in layout.spans(id) {
        let at = usize::try_from(span.at).expect("inside a chunk");
        let len = usize::try_from(span.elements.end - span.elements.start).expect("inside a chunk");
        init::fill(train.seed, &placement.variables[span.variable as usize], span.elements, &mut values[at..at + len]);
    }
    let mut current = BytesMut::zeroed(len * 4);
    write(&mut current, &values);
    let part = empty(layout, id, train);
    let slots = if part.group == Group::Train { kept(train, &part.mode, len) } else { Slots::default() };
    Part { current: current.freeze(), slots, ..part }
}
