//! Restoring: whoever wants elements of a checkpoint gets them, however it was cut and placed.

use crate::directory::Directory;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::part::{ELEMENT, Kind, OpenPart, TensorHead};
use std::ops::Range;

/// Elements that are wanted, and where they go: little-endian f32. What lies there counts only if restoring succeeds.
#[derive(Debug)]
pub struct Want<'a> {
    /// The slab.
    pub slab: u32,
    /// The first element.
    pub offset: u64,
    /// The parameters: four bytes an element.
    pub values: &'a mut [u8],
    /// The optimizer's first slot, where it has one; as long as `values`.
    pub first: Option<&'a mut [u8]>,
    /// The optimizer's second slot, where it has one; as long as `values`.
    pub second: Option<&'a mut [u8]>,
    /// How many steps of each shard count, four bytes each, little-endian, where that is wanted: of the chunk that began here
    /// and had as many shards when it was saved.
    pub counted: Option<&'a mut [u8]>,
}

impl Want<'_> {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.values.len() as u64 / ELEMENT)
    }

    fn of(&mut self, kind: Kind) -> Option<&mut [u8]> {
        match kind {
            Kind::Values => Some(self.values),
            Kind::First => self.first.as_deref_mut(),
            Kind::Second => self.second.as_deref_mut(),
            Kind::Counted => self.counted.as_deref_mut(),
            Kind::Curve => None,
        }
    }

    // Whether something of a tensor is wanted that lies where this does.
    fn takes(&mut self, head: &TensorHead) -> bool {
        let whole = |bytes: &mut [u8], offset: u64| bytes.len() as u64 == head.bytes && offset == head.offset;
        let offset = self.offset;
        self.of(head.kind).is_some_and(|bytes| head.kind != Kind::Counted || whole(bytes, offset))
    }

    // One past the last element of which a kind is wanted.
    fn end_of(&self, kind: Kind) -> u64 {
        if kind == Kind::Counted { self.offset.saturating_add(1) } else { self.end() }
    }
}

/// Fills all `wants`, which must not overlap, from the parts of a checkpoint in `dir`. Each part that holds something of
/// them is read once, whole, and verified; in memory there are one piece of it and the headers of its tensors.
///
/// # Errors
/// A part is not what was written, or something wanted is in none of them, or in two.
pub fn restore(dir: &Directory, manifest: &Manifest, wants: &mut [Want<'_>]) -> Result<(), Error> {
    let mut filling = Filling::new(manifest, wants)?;
    manifest.parts.iter().try_for_each(|part| filling.take(OpenPart::open(dir, part)?))?;
    filling.finish()
}

/// The curve that a checkpoint in `dir` has, as it was written; nothing where it has none.
///
/// # Errors
/// Its part is not what was written, or there are two.
pub fn curve(dir: &Directory, manifest: &Manifest) -> Result<Option<Vec<u8>>, Error> {
    let mut curve = None;
    for part in &manifest.parts {
        let part = OpenPart::open(dir, part)?;
        let found: Vec<(usize, TensorHead)> = part.heads().copied().enumerate().filter(|(_, head)| head.kind == Kind::Curve).collect();
        let (place, head) = match found[..] {
            [] => continue,
            [found] if curve.is_none() => found,
            _ => return Err(Error::damaged(&part.path, "the checkpoint has a second curve")),
        };
        // No longer than its file.
        let mut bytes = Vec::with_capacity(usize::try_from(head.bytes).unwrap_or_default());
        part.stream(|of, _, piece| {
            if of == place {
                bytes.extend_from_slice(piece)
            }
        })?;
        curve = Some(bytes);
    }
    Ok(curve)
}

/// Wants that are being filled.
struct Filling<'a, 'b> {
    manifest: &'a Manifest,
    // By slab and offset.
    wants: Vec<&'a mut Want<'b>>,
    filled: Vec<Filled>,
}

/// Elements that a tensor has filled.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Filled {
    slab: u32,
    kind: Kind,
    start: u64,
    end: u64,
}

impl<'a, 'b> Filling<'a, 'b> {
    fn new(manifest: &'a Manifest, wants: &'a mut [Want<'b>]) -> Result<Self, Error> {
        let mut wants: Vec<_> = wants.iter_mut().filter(|want| !want.values.is_empty()).collect();
        wants.sort_by_key(|want| (want.slab, want.offset));
        let place = |want: &Want<'_>, problem: &str| Error::Place {
            id: manifest.id,
            slab: want.slab,
            element: want.offset,
            problem: problem.to_owned(),
        };
        for want in &wants {
            let length = want.values.len();
            let other = [&want.first, &want.second].into_iter().flatten().any(|slot| slot.len() != length);
            if other || !(length as u64).is_multiple_of(ELEMENT) {
                return Err(place(want, "what is wanted has not four bytes an element, or slots of another length"));
            }
            if want.offset.checked_add(length as u64 / ELEMENT).is_none() {
                return Err(place(want, "no slab is so long"));
            }
        }
        let twice = wants.windows(2).find(|pair| pair[0].slab == pair[1].slab && pair[0].end() > pair[1].offset);
        match twice {
            Some(pair) => Err(place(pair[1], "it is wanted twice")),
            None => Ok(Self { manifest, wants, filled: Vec::new() }),
        }
    }

    // The wants that a tensor has elements of.
    fn overlapping(&self, head: &TensorHead) -> Range<usize> {
        let first = self.wants.partition_point(|want| (want.slab, want.end()) <= (head.slab, head.offset));
        let behind = self.wants.partition_point(|want| (want.slab, want.offset) < (head.slab, head.end()));
        first..behind.max(first)
    }

    fn take(&mut self, part: OpenPart<'_>) -> Result<(), Error> {
        let mut places = Vec::new();
        for head in part.heads() {
            let mut wanted = false;
            for at in self.overlapping(head) {
                let want = &mut self.wants[at];
                if want.takes(head) {
                    let (start, end) = (want.offset.max(head.offset), want.end().min(head.end()));
                    self.filled.push(Filled { slab: head.slab, kind: head.kind, start, end });
                    wanted = true;
                }
            }
            places.push(wanted.then_some(*head));
        }
        if places.iter().all(Option::is_none) {
            return Ok(());
        }
        part.stream(|place, before, piece| {
            if let Some(head) = &places[place] {
                self.fill(head, before, piece);
            }
        })
    }

    // Copies what is wanted of a piece of a tensor that has `before` bytes before it.
    fn fill(&mut self, head: &TensorHead, before: u64, piece: &[u8]) {
        if head.kind == Kind::Counted {
            for at in self.overlapping(head) {
                let want = &mut self.wants[at];
                if let Some(counted) = want.takes(head).then(|| want.of(head.kind)).flatten() {
                    let from = usize::try_from(before).expect("inside a slice");
                    counted[from..from + piece.len()].copy_from_slice(piece);
                }
            }
            return;
        }
        // Pieces begin at whole elements.
        let offset = head.offset + before / ELEMENT;
        let run = TensorHead { offset, bytes: piece.len() as u64, ..*head };
        for at in self.overlapping(&run) {
            let want = &mut self.wants[at];
            let (start, end) = (want.offset.max(run.offset), want.end().min(run.end()));
            let (from, to) = (bytes(run.offset, start, end), bytes(want.offset, start, end));
            if let Some(slice) = want.of(head.kind) {
                slice[to].copy_from_slice(&piece[from]);
            }
        }
    }

    // Every element that is wanted was filled once.
    fn finish(mut self) -> Result<(), Error> {
        self.filled.sort_unstable();
        let id = self.manifest.id;
        let place = |slab, element, problem: String| Err(Error::Place { id, slab, element, problem });
        for want in &mut self.wants {
            let slab = want.slab;
            for kind in [Kind::Values, Kind::First, Kind::Second, Kind::Counted] {
                if want.of(kind).is_none() {
                    continue;
                }
                let end = want.end_of(kind);
                let mut next = want.offset;
                let from = self.filled.partition_point(|filled| (filled.slab, filled.kind, filled.start) < (slab, kind, want.offset));
                for filled in &self.filled[from..] {
                    if (filled.slab, filled.kind) != (slab, kind) || filled.start >= end {
                        break;
                    }
                    if filled.start < next {
                        return place(slab, filled.start, format!("two parts hold its {kind}: begin from an earlier checkpoint"));
                    }
                    if filled.start > next {
                        break;
                    }
                    next = filled.end;
                }
                if next < end {
                    return place(
                        slab,
                        next,
                        format!(
                            "no part holds its {kind}: begin from an earlier checkpoint, or train with the optimizer that it was saved with"
                        ),
                    );
                }
            }
        }
        Ok(())
    }
}

// The bytes of the elements `start..end` in what begins at element `offset`.
fn bytes(offset: u64, start: u64, end: u64) -> Range<usize> {
    let at = |element: u64| usize::try_from((element - offset) * ELEMENT).expect("inside a slice");
    at(start)..at(end)
}
