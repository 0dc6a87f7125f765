//! The cluster's history: commands in the log, snapshots of the state.
//!
//! An entry's payload is `{"at_ms": …, "command": …}`. State = newest snapshot + entries behind it; a snapshot is taken
//! every [`SNAPSHOT_EVERY`] entries, and the log is purged up to the oldest one that is kept.

use crate::log::{Disk, Entry, Error, Log, PAYLOAD_BYTES_MAX, Real, Snapshot, Snapshots};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfcoord_coordinator_core::{Applied, Cluster, Command, Outcome, Refusal, snapshot};
use tfcoord_types::id::Revision;

/// Entries between two snapshots.
pub const SNAPSHOT_EVERY: u64 = 4096;
/// Entries that are read at a time.
const READ_MAX: u64 = 256;
/// Indices that one command may find taken.
const TAKEN_MAX: u32 = 1000;
/// A single node does not vote: there is one term.
const TERM: u64 = 1;

/// The cluster's history.
pub struct Journal {
    log: Box<dyn Log>,
    snapshots: Snapshots,
    snapshot_every: u64,
    // The last entry that a snapshot contains.
    newest_snapshot: u64,
}

/// A history that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log or the snapshots.
    #[error(transparent)]
    Log(#[from] Error),
    /// A snapshot that is whole, but not of this version or no state.
    #[error("snapshot of entry {index} in {dir}: {source}")]
    Snapshot {
        /// Where snapshots lie.
        dir: PathBuf,
        /// The last entry that it contains.
        index: u64,
        /// What is wrong.
        source: snapshot::Error,
    },
    /// An entry that is whole, but no command.
    #[error("entry {index} of the log in {dir} is no command of this version: {source}; start the version that wrote it")]
    Command {
        /// Where the log lies.
        dir: PathBuf,
        /// Which entry.
        index: u64,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// Why a command cannot become an entry.
#[derive(Debug)]
pub enum Denied {
    /// Not at this index.
    Here(Refusal),
    /// Not at all.
    Anywhere(Refusal),
}

// What becomes of a command, and of the indices that it passes over.
#[expect(clippy::large_enum_variant, reason = "one at a time, and mostly the large one")]
enum Placed {
    Entry(u64, Command),
    Passed(u64),
    Refused(Refusal),
}

#[derive(Serialize)]
struct Written<'a> {
    at_ms: u64,
    command: &'a Command,
}

#[derive(Deserialize)]
struct Read {
    at_ms: u64,
    command: Command,
}

impl Journal {
    /// Reads the history in `dir`: the journal, and the state that it leads to. `log` is the log in the same directory.
    ///
    /// # Errors
    /// As [`OpenError`] says.
    pub fn open(dir: &Path, log: Box<dyn Log>, snapshot_every: u64) -> Result<(Self, Cluster), OpenError> {
        Self::open_on(Arc::new(Real), dir, log, snapshot_every)
    }

    /// As [`open`](Self::open), on this disk.
    ///
    /// # Errors
    /// The same ones.
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, mut log: Box<dyn Log>, snapshot_every: u64) -> Result<(Self, Cluster), OpenError> {
        let snapshots = Snapshots::new_on(disk, dir);
        let (mut cluster, newest_snapshot) = match snapshots.newest()? {
            Some(Snapshot { index, payload, .. }) => {
                let cluster = snapshot::load(&payload);
                (cluster.map_err(|source| OpenError::Snapshot { dir: dir.to_owned(), index, source })?, index)
            }
            None => (Cluster::new(), 0),
        };
        let first = log.range().start;
        if first > newest_snapshot + 1 {
            return Err(Error::NoSnapshot { first, dir: dir.to_owned() }.into());
        }
        if log.range().end <= newest_snapshot {
            // The snapshot outlived the end of the log: what it stands for is known all the same.
            log.purge_before(newest_snapshot + 1)?;
        }
        let mut next = newest_snapshot + 1;
        while next < log.range().end {
            let to = log.range().end.min(next + READ_MAX);
            for entry in log.read(next..to)? {
                let failed = |source| OpenError::Command { dir: dir.to_owned(), index: entry.index, source };
                let Read { at_ms, command } = serde_json::from_slice(&entry.payload).map_err(failed)?;
                cluster.apply(entry.index, at_ms, command);
            }
            next = to;
        }
        Ok((Self { log, snapshots, snapshot_every, newest_snapshot }, cluster))
    }

    /// Appends commands, durably, and applies them, each at `at_ms`. One that the log cannot hold, or that `admit` refuses,
    /// leaves no entry; one whose index is taken gets a later one, behind entries that change nothing.
    ///
    /// # Errors
    /// The log failed: nothing was applied, and nothing more can be.
    pub fn commit(
        &mut self,
        cluster: &mut Cluster,
        at_ms: u64,
        commands: Vec<Command>,
        mut admit: impl FnMut(&Cluster, Revision, &Command) -> Result<(), Denied>,
    ) -> Result<Vec<Applied>, Error> {
        let mut next = self.log.range().end;
        let (mut entries, mut placed) = (Vec::new(), Vec::new());
        let written = |command: &Command| serde_json::to_vec(&Written { at_ms, command }).expect("keys are texts and memory is no file");
        for command in commands {
            let payload = written(&command);
            if payload.len() > PAYLOAD_BYTES_MAX {
                placed.push(Placed::Refused(command.too_long(payload.len(), PAYLOAD_BYTES_MAX)));
                continue;
            }
            let mut taken = 0;
            let admitted = loop {
                match admit(cluster, Revision(next), &command) {
                    Err(Denied::Here(_)) if taken < TAKEN_MAX => {
                        taken += 1;
                        entries.push(Entry { index: next, term: TERM, payload: written(&Command::Tick {}) });
                        placed.push(Placed::Passed(next));
                        next += 1;
                    }
                    Err(Denied::Here(refusal) | Denied::Anywhere(refusal)) => break Err(refusal),
                    Ok(()) => break Ok(()),
                }
            };
            if let Err(refusal) = admitted {
                placed.push(Placed::Refused(refusal));
                continue;
            }
            entries.push(Entry { index: next, term: TERM, payload });
            placed.push(Placed::Entry(next, command));
            next += 1;
        }
        tfcoord_fault::point!("leader.commit.begun");
        self.log.append(&entries)?;
        tfcoord_fault::point!("leader.commit.durable");
        let apply = |placed: Placed| match placed {
            Placed::Entry(index, command) => {
                tracing::debug!(index, %command, "apply");
                let applied = cluster.apply(index, at_ms, command);
                tracing::debug!(index, outcome = %applied.outcome, "applied");
                Some(applied)
            }
            Placed::Passed(index) => {
                cluster.apply(index, at_ms, Command::Tick {});
                None
            }
            Placed::Refused(refusal) => Some(Applied { outcome: Outcome::Refused(refusal), effects: Vec::new() }),
        };
        let applied = placed.into_iter().filter_map(apply).collect();
        tfcoord_fault::point!("leader.commit.applied");
        self.snapshot_if_due(cluster)?;
        Ok(applied)
    }

    fn snapshot_if_due(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let index = self.log.range().end - 1;
        if index < self.newest_snapshot + self.snapshot_every {
            return Ok(());
        }
        let oldest = self.snapshots.save(&Snapshot { index, term: TERM, payload: snapshot::save(cluster) })?;
        self.newest_snapshot = index;
        self.log.purge_before(oldest + 1)
    }
}

#[cfg(test)]
mod tests;
