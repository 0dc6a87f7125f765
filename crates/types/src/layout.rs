//! How variables become slabs and chunks.
//!
//! Variables of one group and mode lie one behind the other, in the model's order, in a **slab**; a slab is cut into
//! **chunks**: the unit of placement, of exchange and of the exactly-once cursor. Chunks begin at multiples of
//! [`SEGMENT`] elements, so that global-norm sums do not depend on how slabs were cut.

use crate::job::Sync;
use crate::variable::{Group, Variable};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Elements of a norm segment; every chunk begins at a multiple of it.
pub const SEGMENT: u64 = 4096;
/// The largest chunk: 4 MiB of f32.
pub const CHUNK_ELEMENTS_MAX: u64 = 1 << 20;
/// The most elements that all variables of a job may have together (64 GiB of f32).
pub const ELEMENTS_MAX: u64 = 1 << 34;

/// A part of one slab, owned by one server. Its id is its place in [`Layout::chunks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The slab it is cut from.
    pub slab: u32,
    /// Its first element in the slab.
    pub offset: u64,
    /// How many elements it has; at least 1.
    pub len: u64,
}

/// The variables of one group and mode, laid one behind the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slab {
    /// What a push does to its elements.
    pub group: Group,
    /// Their mode, where that is not the job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<Sync>,
    /// Its variables, in order.
    pub variables: Vec<Placed>,
    /// Elements of all of them.
    pub len: u64,
}

/// A variable's place in its slab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// The variable's place in the model's list.
    pub index: u32,
    /// Its first element in the slab.
    pub offset: u64,
    /// How many elements it has.
    pub len: u64,
}

/// A part of a variable that lies in a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The variable's place in the model's list.
    pub variable: u32,
    /// The part, in elements of the variable.
    pub elements: Range<u64>,
    /// Where the part begins in the chunk.
    pub at: u64,
}

/// Slabs and chunks of a job; a pure function of the variables and the chunk size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// One slab for each group and mode that occur together, in order of first occurrence.
    pub slabs: Vec<Slab>,
    /// All chunks: by slab, then by offset.
    pub chunks: Vec<Chunk>,
}

/// Why variables cannot be laid out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A shape has a zero or is too large.
    #[error("variable {name} has no elements, or more than {ELEMENTS_MAX}: choose a smaller size for its layer")]
    Elements {
        /// The variable.
        name: String,
    },
    /// All variables together are too large.
    #[error("the variables have more than {ELEMENTS_MAX} elements together")]
    Total,
    /// A name occurs twice.
    #[error("variable {name} occurs twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// The chunk size is not a multiple of a segment, or too large.
    #[error("a chunk of {elements} elements is no multiple of {SEGMENT} from {SEGMENT} to {CHUNK_ELEMENTS_MAX}")]
    ChunkSize {
        /// The size asked for.
        elements: u64,
    },
}

impl Layout {
    /// Lays `variables` out in chunks of at most `chunk_elements` elements.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn new(variables: &[Variable], chunk_elements: u64) -> Result<Self, Error> {
        if !chunk_elements.is_multiple_of(SEGMENT) || !(SEGMENT..=CHUNK_ELEMENTS_MAX).contains(&chunk_elements) {
            return Err(Error::ChunkSize { elements: chunk_elements });
        }
        let mut slabs: Vec<Slab> = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        let mut total = 0u64;
        for (index, variable) in (0u32..).zip(variables) {
            let len = variable.elements().filter(|n| (1..=ELEMENTS_MAX).contains(n));
            let len = len.ok_or_else(|| Error::Elements { name: variable.name.clone() })?;
            total += len;
            if total > ELEMENTS_MAX {
                return Err(Error::Total);
            }
            if !names.insert(&variable.name) {
                return Err(Error::Twice { name: variable.name.clone() });
            }
            let slab = match slabs.iter().position(|s| (s.group, s.sync) == (variable.group, variable.sync)) {
                Some(at) => &mut slabs[at],
                None => {
                    slabs.push(Slab { group: variable.group, sync: variable.sync, variables: Vec::new(), len: 0 });
                    slabs.last_mut().expect("just pushed")
                }
            };
            slab.variables.push(Placed { index, offset: slab.len, len });
            slab.len += len;
        }
        let mut chunks = Vec::new();
        for (slab, content) in (0u32..).zip(&slabs) {
            let mut offset = 0;
            while offset < content.len {
                let len = chunk_elements.min(content.len - offset);
                chunks.push(Chunk { slab, offset, len });
                offset += len;
            }
        }
        Ok(Self { slabs, chunks })
    }

    /// The chunk size where the job file names none: about sixteen chunks a server, from 256 KiB to 4 MiB. A chunk can be
    /// sent once the lowest of its layers is computed, so a large one would wait for layers that have little to do with it.
    pub fn chunk_elements_default(variables: &[Variable], servers: u32) -> u64 {
        let total: u64 = variables.iter().filter_map(Variable::elements).fold(0, u64::saturating_add);
        let about = (total / (16 * u64::from(servers.max(1)))).min(CHUNK_ELEMENTS_MAX);
        about.next_power_of_two().clamp(1 << 16, CHUNK_ELEMENTS_MAX)
    }

    /// The parts of variables in chunk `id`, in order. `id` must be one of this layout.
    pub fn spans(&self, id: u32) -> Vec<Span> {
        let chunk = self.chunks[id as usize];
        let end = chunk.offset + chunk.len;
        let variables = &self.slabs[chunk.slab as usize].variables;
        let first = variables.partition_point(|v| v.offset + v.len <= chunk.offset);
        let span = |v: &Placed| {
            let from = v.offset.max(chunk.offset);
            Span { variable: v.index, elements: from - v.offset..end.min(v.offset + v.len) - v.offset, at: from - chunk.offset }
        };
        variables[first..].iter().take_while(|v| v.offset < end).map(span).collect()
    }

    /// What a push to chunk `id` does. `id` must be one of this layout.
    pub fn group(&self, id: u32) -> Group {
        self.slab(id).group
    }

    /// The mode of chunk `id`, where that is not the job's. `id` must be one of this layout.
    pub fn sync(&self, id: u32) -> Option<Sync> {
        self.slab(id).sync
    }

    fn slab(&self, id: u32) -> &Slab {
        &self.slabs[self.chunks[id as usize].slab as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variable::Initializer;
    use proptest::prelude::*;

    fn variable(name: &str, len: u32, group: Group) -> Variable {
        Variable { name: name.into(), shape: vec![len], initializer: Initializer::Zeros, group, sync: None }
    }

    #[test]
    fn chunks_may_cut_variables_but_never_mix_groups() {
        let average = Group::Average { momentum: 0.9 };
        let variables = [variable("a", 3000, Group::Train), variable("m", 10, average), variable("b", 3000, Group::Train)];
        let layout = Layout::new(&variables, SEGMENT).unwrap();
        assert_eq!(layout.chunks.len(), 3);
        assert_eq!(layout.spans(0), [Span { variable: 0, elements: 0..3000, at: 0 }, Span { variable: 2, elements: 0..1096, at: 3000 }]);
        assert_eq!(layout.spans(1), [Span { variable: 2, elements: 1096..3000, at: 0 }]);
        assert_eq!(layout.group(2), average);
    }

    #[test]
    fn chunks_have_one_mode() {
        let own = |sync, variable: Variable| Variable { sync: Some(sync), ..variable };
        let [a, b, c] = ["a", "b", "c"].map(|name| variable(name, 10, Group::Train));
        let variables = [own(Sync::Async {}, a), b, own(Sync::Async {}, c), variable("curve", 4, Group::Curve)];
        let layout = Layout::new(&variables, SEGMENT).unwrap();
        assert_eq!([0, 1, 2].map(|id| (layout.sync(id), layout.spans(id).len())), [(Some(Sync::Async {}), 2), (None, 1), (None, 1)]);
    }

    #[test]
    fn bad_lists_are_refused() {
        let a = variable("a", 1, Group::Train);
        assert_eq!(Layout::new(&[a.clone(), a.clone()], SEGMENT), Err(Error::Twice { name: "a".into() }));
        assert_eq!(Layout::new(&[variable("z", 0, Group::Train)], SEGMENT), Err(Error::Elements { name: "z".into() }));
        let huge = Variable { shape: vec![u32::MAX; 3], ..a.clone() };
        assert_eq!(Layout::new(&[huge], SEGMENT), Err(Error::Elements { name: "a".into() }));
        assert_eq!(Layout::new(&[a], 5), Err(Error::ChunkSize { elements: 5 }));
    }

    proptest! {
        #[test]
        fn every_element_lies_in_one_chunk(lens in proptest::collection::vec(1u32..20_000, 1..8), segments in 1u64..4) {
            let variables: Vec<_> = lens.iter().enumerate().map(|(i, n)| variable(&i.to_string(), *n, Group::Train)).collect();
            let layout = Layout::new(&variables, segments * SEGMENT).unwrap();
            let mut next = vec![0u64; lens.len()];
            for id in 0..u32::try_from(layout.chunks.len()).unwrap() {
                let mut at = 0;
                for span in layout.spans(id) {
                    prop_assert_eq!(span.at, at);
                    prop_assert_eq!(next[span.variable as usize], span.elements.start);
                    next[span.variable as usize] = span.elements.end;
                    at += span.elements.end - span.elements.start;
                }
                prop_assert_eq!(at, layout.chunks[id as usize].len);
            }
            prop_assert!(next.iter().zip(&lens).all(|(a, b)| *a == u64::from(*b)));
        }
    }
}
