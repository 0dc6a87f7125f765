//! A part: what one server writes of a checkpoint.
//!
//! A safetensors file, so that other tools can look into it: 8 bytes with the header's length, the header, the tensors
//! one behind the other. A tensor is a run of one slab's elements, f32, little-endian, named `SLAB/OFFSET/KIND` by where
//! it lies: however the parameters were cut and placed, another cut and placement finds its elements in it. What counts for
//! a chunk within an epoch is its own: whoever wants that must have the same chunk.

mod header;
mod outgoing;
mod read;
mod sink;
mod write;

pub(crate) use read::{OpenPart, file_length, verify_length};
pub use write::PartWriter;

use std::fmt;
use std::str::FromStr;

/// Bytes of an element.
pub(crate) const ELEMENT: u64 = 4;
/// The longest header that safetensors' own library reads.
const HEADER_BYTES_MAX: u64 = 100_000_000;
/// What stands before the header: its length.
const PREFIX: u64 = 8;

/// What a tensor holds of its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The parameters.
    Values,
    /// The optimizer's first slot.
    First,
    /// The optimizer's second slot.
    Second,
    /// The curve's points, three elements each, from step 0 on.
    Curve,
    /// How many steps of each shard count for the chunk that begins there: u32. Only within an epoch outside of `bsp`.
    Counted,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Values, Self::First, Self::Second, Self::Curve, Self::Counted];

    // The type of its elements, as safetensors calls it.
    fn dtype(self) -> &'static str {
        if self == Self::Counted { "U32" } else { "F32" }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Values => "values",
            Self::First => "first",
            Self::Second => "second",
            Self::Curve => "curve",
            Self::Counted => "counted",
        })
    }
}

/// A tensor of a part: where its elements lie, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TensorHead {
    /// The slab.
    pub slab: u32,
    /// What of the elements.
    pub kind: Kind,
    /// The first element.
    pub offset: u64,
    /// Bytes: four an element.
    pub bytes: u64,
}

impl TensorHead {
    /// One past its last element; what counts is said of the first one alone.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(if self.kind == Kind::Counted { 1 } else { self.bytes / ELEMENT })
    }

    fn name(&self) -> String {
        format!("{}/{}/{}", self.slab, self.offset, self.kind)
    }

    // Its length stands elsewhere.
    fn parse(name: &str, bytes: u64) -> Option<Self> {
        let (slab, rest) = name.split_once('/')?;
        let (offset, kind) = rest.split_once('/')?;
        let kind = Kind::ALL.into_iter().find(|known| known.to_string() == kind)?;
        let head = Self { slab: u32::from_str(slab).ok()?, offset: u64::from_str(offset).ok()?, kind, bytes };
        (head.name() == name).then_some(head)
    }
}
