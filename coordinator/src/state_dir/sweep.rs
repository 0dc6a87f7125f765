//! Removing what nobody wants any more.
//!
//! ```text
//!   a job is … │ its directory │ token, sockets │ manifest │ data unpacked for it
//!   ───────────┼───────────────┼────────────────┼──────────┼──────────────────────
//!   in use     │ stays         │ stay           │ stays    │ stay
//!   for people │ stays         │ go             │ stays    │ go
//!   else       │ goes          │ go             │ goes     │ go
//! ```
//!
//! Which job is what follows from the state alone; what lies there is compared with it. Only what a coordinator or its
//! tasks can have made is touched: somebody may keep other files in the directory. Manifests and
//! unpacked data are also wanted by jobs that are about to be submitted: while anybody holds a [`Claim`] they stay.

use super::StateDir;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use tfcoord_coordinator_core::kept::Kept;
use tfcoord_types::id::JobId;
use tfcoord_types::manifest::Manifest;
use tokio::sync::OwnedRwLockReadGuard;

/// One of these lies in every job's directory: others are not the coordinator's.
const JOB_FILES: [&str; 4] = ["job.json", "file_name", "tasks", "site"];
/// What names in the scratch directory begin with: preparation's directories, and what is derived from data.
const SCRATCH_NAMES: [&str; 3] = ["prepare-", "unpacked-", "records-"];

/// Keeps manifests and unpacked data where they are.
#[derive(Debug)]
pub struct Claim {
    // Holding it is what it is for.
    _guard: OwnedRwLockReadGuard<()>,
}

/// What is wanted.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Jobs, and what of their files.
    pub jobs: BTreeMap<JobId, Kept>,
    /// Digests of their manifests; of jobs in use, unpacked data are wanted too.
    pub manifests: BTreeMap<String, Kept>,
}

impl StateDir {
    /// From now on, manifests and unpacked data stay until the claim is dropped. Waits for a sweep that is under way.
    pub async fn claim(&self) -> Claim {
        Claim { _guard: self.claims.clone().read_owned().await }
    }

    /// Removes what is not wanted. Returns whether that was all: `false` while there are claims, or tokens to be cancelled. What cannot be removed
    /// is told in the log.
    pub fn sweep(&self, wanted: &Wanted) -> bool {
        let kept_for_tokens = self.sweep_jobs(wanted);
        self.sweep_sockets(wanted);
        let Ok(_unclaimed) = self.claims.try_write() else { return false };
        each(&self.root.join("manifests"), |name, path| {
            let digest = name.strip_suffix(".json").filter(|name| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()));
            if digest.is_some_and(|digest| !wanted.manifests.contains_key(digest)) { fs::remove_file(path) } else { Ok(()) }
        });
        if let Some(names) = self.derived(wanted) {
            each(&self.scratch(), |name, path| {
                // Half-written ones too: `.NAME.….tmp`.
                let of = name.strip_prefix('.').and_then(|rest| rest.split('.').next()).unwrap_or(name);
                let made_here = SCRATCH_NAMES.iter().any(|kind| of.starts_with(kind));
                if made_here && !names.contains(of) { remove(path) } else { Ok(()) }
            });
        }
        !kept_for_tokens
    }

    // Whether a job's directory stays since its HDFS tokens are not cancelled yet.
    fn sweep_jobs(&self, wanted: &Wanted) -> bool {
        let with_tokens = self.jobs_with_tokens();
        let mut stays = false;
        each(&self.root.join("jobs"), |name, path| match name.parse().ok().and_then(|job: JobId| wanted.jobs.get(&job)) {
            Some(Kept::InUse) => Ok(()),
            Some(Kept::ForPeople) => absent_is_fine(fs::remove_file(path.join("token"))),
            None if with_tokens.iter().any(|job| job.to_string() == name) => {
                stays = true;
                Ok(())
            }
            None if JOB_FILES.iter().any(|file| path.join(file).exists()) => remove(path),
            None => Ok(()),
        });
        stays
    }

    // A server's socket: `NUMBER-TASK-ATTEMPT.sock`, with the number of its job.
    fn sweep_sockets(&self, wanted: &Wanted) {
        let Ok(dir) = self.socket_dir() else { return };
        let in_use: BTreeSet<u64> = wanted.jobs.iter().filter(|(_, kept)| **kept == Kept::InUse).map(|(job, _)| job.number).collect();
        each(&dir, |name, path| {
            let number = name.strip_suffix(".sock").and_then(|name| name.split_once('-')?.0.parse().ok());
            let unwanted = number.is_some_and(|number| !in_use.contains(&number)) && fs::symlink_metadata(path)?.file_type().is_socket();
            if unwanted { fs::remove_file(path) } else { Ok(()) }
        });
    }

    // The names of unpacked data that jobs in use read; nothing if they cannot be told.
    fn derived(&self, wanted: &Wanted) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for digest in wanted.manifests.iter().filter(|(_, kept)| **kept == Kept::InUse).map(|(digest, _)| digest) {
            let json = self.read_manifest(digest).inspect_err(|error| tracing::warn!(%error, "unpacked data are not swept")).ok()?;
            let manifest: Manifest = serde_json::from_slice(&json).ok()?;
            names.extend(manifest.derived());
        }
        Some(names)
    }
}

// Looks at all entries of a directory; what fails is told.
fn each(dir: &Path, mut look: impl FnMut(&str, &Path) -> io::Result<()>) {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return tracing::warn!(%error, dir = %dir.display(), "cannot sweep"),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
        if let Err(error) = absent_is_fine(look(name, &path)) {
            tracing::warn!(%error, path = %path.display(), "cannot remove what nobody wants");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    tracing::debug!(path = %path.display(), "nobody wants it any more");
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn absent_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests;
