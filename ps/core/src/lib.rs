//! The pure core of a parameter server: which pushes count, the fixed tree that sums them, the optimizers, the
//! curve. No clock, no network, no files, no threads: [`Server::apply`] takes an [`Input`] and adds
//! [`Effect`]s; tensor bytes are moved through it, never cloned.
//!
//! The protocol, for one chunk (every chunk has a cursor of its own):
//!
//! ```text
//!  push (generation, step, block) ── step < cursor ──> Duplicate: counted before
//!        │ step = cursor, the sender owns every lane of the block
//!        v
//!     held ── inside a held block: ignored; held ones inside it: replaced ──> Held
//!        │ every lane that has records is in
//!        v
//!  sum over the tree ─ / records ─ [clip] ─ optimizer, into the other buffer ──> cursor + 1, Updated
//! ```
//!
//! 1. What a push is worth follows from the data it came from, never from who sent it or how often.
//! 2. Operands and order of every addition are those of [`tfcoord_types::lane`]'s tree, whoever pushed what.
//! 3. A held sum is never written to: it is replaced or dropped as a whole.
//! 4. A checkpoint is every chunk as it is at one step, with what the optimizer keeps for it; a generation begins from the
//!    seed or from one, with every cursor at its step.
//! 5. A chunk keeps its previous version: in `bsp` no chunk is two steps ahead of another, so whoever computes
//!    a step again can still pull every chunk as it was at that step.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clip;
mod cursor;
mod curve;
mod cut;
mod effect;
mod fence;
pub mod init;
mod input;
mod late;
mod mode;
mod reduce;
mod server;
mod table;

pub use effect::Effect;
pub use input::{Input, Push, SegmentNorm};
pub use late::Lateness;
pub use server::{Config, Server};
pub use table::{Content, Head};
pub use tfcoord_optimizer as optimizer;
