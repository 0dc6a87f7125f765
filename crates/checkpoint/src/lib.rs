//! A checkpoint's files: written, committed, verified, restored, removed.
//!
//! ```text
//!  each server    1-500-73.ps-0.12.safetensors    its part; 12 is its incarnation: no zombie writes over another's
//!                   create ─► pieces in any order ─► sync ─► look at the length again ─► name, length, CRC-32C
//!  coordinator    1-500-73.json                   the manifest: which parts, and all that training goes on from
//!                   lengths again ─► temporary name ─► sync ─► rename without replacing ─► sync the directory
//!                                                              └── the commit point
//! ```
//!
//! In HDFS, which takes a file's bytes in their order only, a part is gathered in a file without a name on the server's own disk.
//! It goes to HDFS meanwhile, under a temporary name first, and is begun anew from there where DataNodes fail.
//!
//! **A checkpoint is there when its manifest is.** Parts without one are leftovers, whatever is in them. The manifest
//! carries its own checksum and those of the parts, so what is read back is what was written or an error. Nothing is
//! ever replaced: an id names one attempt, for ever.
//!
//! Whatever lies in the directory may be a stranger's: lengths are looked at before anything is allocated, names before
//! anything is opened, and parts are read in pieces.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod commit;
mod directory;
mod error;
mod listing;
mod manifest;
mod name;
mod part;
mod removal;
mod restore;

pub use commit::commit;
pub use directory::Directory;
pub use error::Error;
pub use listing::{Found, find, list, read, verify, verify_lengths};
pub use manifest::{FORMAT, Manifest, Origin};
pub use name::PartName;
pub use part::{Kind, PartWriter, TensorHead};
pub use removal::{remove, sweep};
pub use restore::{Want, curve, restore};
