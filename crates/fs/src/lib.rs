//! Files: durable writes on this machine, and one interface ([`storage`]) to files here ([`local`]) and in HDFS ([`hdfs`]).
//!
//! What is visible under its final name is complete and survives a power cut. Everything is written under a temporary name in
//! the same directory, synced, renamed, and the directory is synced. Readers never see half a file, and several writers of one
//! name may race: one of them wins whole.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod atomic;
mod directory;
mod error;
pub mod hdfs;
pub mod local;
mod lock;
pub mod storage;
mod systems;

pub use atomic::{AtomicFile, is_temporary, remove_temporaries, write_atomic};
pub use directory::{commit_directory, create_directory, private_dir, sync_directory};
pub use error::Error;
pub use lock::{FileLock, is_locked, lock};
pub use systems::FileSystems;
