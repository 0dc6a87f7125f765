//! The state directory: who owns it, and what lies where in it.
//!
//! ```text
//!   lock                       held by the coordinator
//!   token                      the client's bearer token (0600)
//!   identity                   what tells it from any other state directory, drawn at random
//!   endpoint                   where the coordinator listens, while it does
//!   metrics-address            where it serves metrics, while it does
//!   log/                       segments, snapshots, vote
//!   manifests/<sha256>.json    what preparation found, content-addressed
//!   scratch/                   unpacked data
//!   submissions/               what came with submissions whose jobs are not known yet
//!   jobs/<job>/{token,job.json,file_name,site/…,hdfs.…,tasks/<task>/<attempt>/…}
//! ```
//!
//! What stays for how long: [`Wanted`].

mod hadoop;
mod sweep;

pub use hadoop::{Access, HadoopDir, Means, Proof};
pub use sweep::{Claim, Wanted};

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfcoord_types::id::JobId;
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::Manifest;

use sha2::{Digest, Sha256};
use tokio::sync::RwLock;

/// Bytes of a token before it is written in hexadecimal.
const TOKEN_BYTES: usize = 32;
/// The longest path that still leaves room for a socket's name in the 108 bytes of a socket address.
const SOCKET_DIR_BYTES_MAX: usize = 60;

/// A state directory, made and private.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
    // Read by those who claim manifests and unpacked data, written by a sweep of them.
    claims: Arc<RwLock<()>>,
}

/// A state directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A durable write or a directory failed.
    #[error(transparent)]
    Fs(#[from] tfcoord_fs::Error),
    /// The operating system refused.
    #[error("cannot {operation} {path}: {source}")]
    File {
        /// What was tried: `read`, …
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A manifest is not what was prepared.
    #[error("{path} is damaged: its contents do not have the SHA-256 that is its name; submit the job again")]
    Manifest {
        /// The file.
        path: PathBuf,
    },
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { operation, path, source }
}

impl StateDir {
    /// Makes `root` (absolute) and the directories in it, for this user only.
    ///
    /// # Errors
    /// They cannot be made, or belong to somebody else.
    pub fn new(root: &Path) -> Result<Self, Error> {
        let this = Self { root: root.to_owned(), claims: Arc::default() };
        for dir in [this.root.clone(), this.log(), this.scratch(), this.root.join("manifests"), this.root.join("jobs")] {
            tfcoord_fs::private_dir(&dir)?;
        }
        Ok(this)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The lock's file.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The client's token.
    pub fn token(&self) -> PathBuf {
        self.root.join("token")
    }

    /// Whether a coordinator has served it before.
    pub fn has_identity(&self) -> bool {
        self.root.join("identity").exists()
    }

    /// What tells this directory from any other one, also from one that takes its place later.
    ///
    /// # Errors
    /// The file system fails.
    pub fn identity(&self) -> Result<String, Error> {
        let path = self.root.join("identity");
        make_token(&path)?;
        fs::read_to_string(&path).map_err(failed("read", &path))
    }

    /// The file that says where the coordinator listens.
    pub fn endpoint(&self) -> PathBuf {
        self.root.join("endpoint")
    }

    /// The file that says where metrics are served.
    pub fn metrics_address(&self) -> PathBuf {
        self.root.join("metrics-address")
    }

    /// Segments and snapshots.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Unpacked data.
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// The job's join token.
    pub fn job_token(&self, job: &JobId) -> PathBuf {
        self.job(job).join("token")
    }

    /// The join tokens that are here: of jobs that are in use.
    pub fn job_tokens(&self) -> Vec<PathBuf> {
        let jobs = fs::read_dir(self.root.join("jobs")).into_iter().flatten().flatten();
        jobs.map(|entry| entry.path().join("token")).filter(|path| path.exists()).collect()
    }

    /// Whether files of the job are here, such as what its tasks printed.
    pub fn has_job(&self, job: &JobId) -> bool {
        self.job(job).is_dir()
    }

    fn job(&self, job: &JobId) -> PathBuf {
        self.root.join("jobs").join(job.to_string())
    }

    fn manifest(&self, digest: &str) -> PathBuf {
        self.root.join("manifests").join(format!("{digest}.json"))
    }

    /// Removes files that were half-written when an earlier coordinator ended. For the one that holds the lock, before
    /// it writes anything.
    ///
    /// # Errors
    /// The file system fails.
    pub fn remove_temporaries(&self) -> Result<(), Error> {
        for dir in [self.root.clone(), self.log(), self.root.join("manifests")] {
            tfcoord_fs::remove_temporaries(&dir)?;
        }
        Ok(())
    }

    /// A private directory for Unix sockets: this one if its path is short enough, else one for it among the temporary
    /// files.
    ///
    /// # Errors
    /// It cannot be made, or belongs to somebody else.
    pub fn socket_dir(&self) -> Result<PathBuf, Error> {
        let Some(dir) = self.short_dir() else { return Ok(self.root.clone()) };
        tfcoord_fs::private_dir(&dir)?;
        Ok(dir)
    }

    /// Removes the directory for sockets, with those in it, if it is one among the temporary files. For the one that
    /// holds the lock, when its tasks have ended.
    pub fn remove_socket_dir(&self) {
        let Some(dir) = self.short_dir() else { return };
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_socket()) {
                // The next coordinator removes it, or nobody minds.
                let _ = fs::remove_file(entry.path());
            }
        }
        match fs::remove_dir(&dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => tracing::warn!(%error, dir = %dir.display(), "cannot remove"),
            Ok(()) | Err(_) => {}
        }
    }

    // The directory for sockets among the temporary files, where the path of this one is too long for them.
    fn short_dir(&self) -> Option<PathBuf> {
        let path = self.root.as_os_str().as_encoded_bytes();
        let user = rustix::process::geteuid().as_raw();
        let name = || format!("tfcoord-{user}-{}", &hex(&Sha256::digest(path))[..8]);
        (path.len() > SOCKET_DIR_BYTES_MAX).then(|| std::env::temp_dir().join(name()))
    }

    /// Makes the job's directory with a join token of its own, and notes what was submitted; what is there already
    /// stays.
    ///
    /// # Errors
    /// The file system fails.
    pub fn make_job(&self, job: &JobId, file: &JobFile) -> Result<(), Error> {
        tfcoord_fs::private_dir(&self.job(job))?;
        let json = serde_json::to_vec_pretty(file).expect("a job file is plain data");
        let path = self.job(job).join("job.json");
        if !path.exists() {
            tfcoord_fs::write_atomic(&path, &json, 0o600)?;
        }
        make_token(&self.job_token(job))
    }

    /// Notes where the job's file came from: for people, so losing it is no harm.
    pub fn keep_file_name(&self, job: &JobId, name: &str) {
        let written = tfcoord_fs::private_dir(&self.job(job)).and_then(|()| {
            let path = self.job(job).join("file_name");
            tfcoord_fs::write_atomic(&path, name.as_bytes(), 0o600)
        });
        if let Err(error) = written {
            tracing::warn!(%error, %job, "cannot note the job file's name");
        }
    }

    /// Where the job's file came from; empty if that is not known.
    pub fn file_name(&self, job: &JobId) -> String {
        fs::read_to_string(self.job(job).join("file_name")).unwrap_or_default()
    }

    /// Notes that a job's folders in HDFS may have its marks.
    pub fn note_marks(&self, job: &JobId) {
        let written = tfcoord_fs::private_dir(&self.job(job)).and_then(|()| tfcoord_fs::write_atomic(&self.marks(job), b"", 0o600));
        if let Err(error) = written {
            tracing::warn!(%error, %job, "cannot note that its folders in HDFS are to be tidied");
        }
    }

    /// Whether they may.
    pub fn has_marks(&self, job: &JobId) -> bool {
        self.marks(job).exists()
    }

    /// They have none any more.
    pub fn forget_marks(&self, job: &JobId) {
        // Else it is looked at once more by the next coordinator.
        let _ = fs::remove_file(self.marks(job));
    }

    fn marks(&self, job: &JobId) -> PathBuf {
        self.job(job).join("hdfs-marks")
    }

    /// Keeps a manifest, durable when this returns. Returns its digest.
    ///
    /// # Errors
    /// The file system fails.
    pub fn keep_manifest(&self, manifest: &Manifest) -> Result<String, Error> {
        let json = serde_json::to_vec(manifest).expect("a manifest is plain data");
        let digest = hex(&Sha256::digest(&json));
        let path = self.manifest(&digest);
        if fs::read(&path).ok().as_deref() != Some(&json) {
            tfcoord_fs::write_atomic(&path, &json, 0o600)?;
        }
        Ok(digest)
    }

    /// The JSON of the manifest with this digest.
    ///
    /// # Errors
    /// It is not there, or is damaged.
    pub fn read_manifest(&self, digest: &str) -> Result<Vec<u8>, Error> {
        let path = self.manifest(digest);
        let json = fs::read(&path).map_err(failed("read", &path))?;
        if hex(&Sha256::digest(&json)) == digest { Ok(json) } else { Err(Error::Manifest { path }) }
    }
}

/// Makes a file with a random token that only its owner can read, unless it is there.
///
/// # Errors
/// The file system fails.
pub fn make_token(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed("look at", path)(error)),
    }
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| failed("draw a token for", path)(error.into()))?;
    Ok(tfcoord_fs::write_atomic(path, hex(&bytes).as_bytes(), 0o600)?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn tokens_are_made_once_and_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        make_token(&path).unwrap();
        let token = fs::read_to_string(&path).unwrap();
        make_token(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), token);
        assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn sockets_lie_at_short_paths() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(StateDir::new(dir.path()).unwrap().socket_dir().unwrap(), dir.path());
        let long = StateDir::new(&dir.path().join("x".repeat(60))).unwrap();
        let socket_dir = long.socket_dir().unwrap();
        assert!(socket_dir.as_os_str().len() <= SOCKET_DIR_BYTES_MAX && socket_dir.is_dir());
        let _task = std::os::unix::net::UnixListener::bind(socket_dir.join("1-ps-0-0.sock")).unwrap();
        long.remove_socket_dir();
        assert!(!socket_dir.exists());
        long.remove_socket_dir();
    }

    #[test]
    fn a_changed_manifest_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path()).unwrap();
        let path = state.manifest("ab");
        fs::write(&path, "{}").unwrap();
        let error = state.read_manifest("ab").unwrap_err().to_string();
        assert!(error.contains("ab.json is damaged"), "{error}");
    }
}
