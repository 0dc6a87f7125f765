//! What is kept of the site of Hadoop that a job's files are on.
//!
//! ```text
//!   site/           core-site.xml and hdfs-site.xml, as the client sent them
//!   hdfs.json       who the job is there, and how that is proved: names and paths, no secrets
//!   hdfs.tokens     its delegation tokens (0600), replaced whole
//!   hdfs.dates      until when they are good, as the NameNodes said last
//!   krb5.conf       of a realm whose KDC the job file names
//! ```
//!
//! It lies in a folder of `submissions/` until the job is known, and then in the job's own.

use super::{Error, StateDir, failed, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tfcoord_launch::Hadoop;
use tfcoord_types::id::JobId;
use tfcoord_types::job::Calls;

const SITE: &str = "site";
const TOKENS: &str = "hdfs.tokens";
const ACCESS: &str = "hdfs.json";
const DATES: &str = "hdfs.dates";
const KRB5_CONF: &str = "krb5.conf";
/// The site last: where it is, so is the rest.
const PARTS: [&str; 5] = [TOKENS, DATES, ACCESS, KRB5_CONF, SITE];

/// Who a job is on its site, and how that is proved: names and paths, no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Locations in each file system that the job names.
    pub locations: Vec<String>,
    /// How it is proved; not at all on a site without Kerberos.
    pub proof: Option<Proof>,
    /// Who it is on a site without Kerberos; whoever runs the process if absent.
    pub user: Option<String>,
    /// How NameNodes are called for tokens.
    #[serde(default)]
    pub calls: Calls,
}

/// How it is proved who a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// By what.
    pub by: Means,
    /// For whom, if that is somebody else.
    pub proxy_user: Option<String>,
    /// Where Kerberos is configured (`KRB5_CONFIG`), if not in the usual place.
    pub krb5_config: Option<String>,
    /// Whether what Kerberos does is written down.
    pub trace: bool,
}

/// By what it is proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// By a key in a file.
    Keytab {
        /// The file.
        path: PathBuf,
        /// Whose key.
        principal: String,
    },
    /// By the tickets that somebody keeps in this cache; in the usual one if absent.
    Cache(Option<String>),
    /// By the tokens that somebody has got, and keeps good, in this file.
    Tokens(PathBuf),
}

/// The folder that it lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HadoopDir {
    root: PathBuf,
}

impl HadoopDir {
    /// What lies in `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory with core-site.xml and hdfs-site.xml.
    pub fn site(&self) -> PathBuf {
        self.root.join(SITE)
    }

    /// The tokens' file.
    pub fn tokens(&self) -> PathBuf {
        self.root.join(TOKENS)
    }

    /// The file that says until when the tokens are good.
    pub fn dates(&self) -> PathBuf {
        self.root.join(DATES)
    }

    /// Who the job is.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn access(&self) -> Result<Access, Error> {
        let path = self.root.join(ACCESS);
        let json = fs::read(&path).map_err(failed("read", &path))?;
        serde_json::from_slice(&json).map_err(|error| failed("read", &path)(error.into()))
    }

    /// Writes down who the job is.
    ///
    /// # Errors
    /// The file system fails.
    pub fn keep_access(&self, access: &Access) -> Result<(), Error> {
        let json = serde_json::to_vec(access).expect("names and paths");
        Ok(tfcoord_fs::write_atomic(&self.root.join(ACCESS), &json, 0o600)?)
    }

    /// Kerberos' configuration, where the job file names a KDC.
    pub fn krb5_conf(&self) -> PathBuf {
        self.root.join(KRB5_CONF)
    }

    /// What processes of the job are told; nothing where none of its files is in HDFS.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn hadoop(&self) -> Result<Option<Hadoop>, Error> {
        if !self.site().is_dir() {
            return Ok(None);
        }
        let Access { user, proof, .. } = self.access()?;
        let tokens = proof.is_some().then(|| self.tokens());
        Ok(Some(Hadoop { site: self.site(), tokens, user }))
    }

    /// Moves all of it to `to`, which is a folder of the same file system; what was moved before stays there.
    fn move_to(&self, to: &Self) -> Result<(), Error> {
        for part in PARTS {
            let (from, to) = (self.root.join(part), to.root.join(part));
            match fs::rename(&from, &to) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("move to its job", &from)(error)),
                Ok(()) | Err(_) => {}
            }
        }
        tfcoord_fs::sync_directory(&to.root)?;
        fs::remove_dir_all(&self.root).map_err(failed("remove", &self.root))
    }
}

impl StateDir {
    fn submissions(&self) -> PathBuf {
        self.root.join("submissions")
    }

    /// A new folder for what comes with a submission.
    ///
    /// # Errors
    /// The file system fails.
    pub fn make_submission(&self, request_id: &str) -> Result<HadoopDir, Error> {
        let parent = self.submissions();
        tfcoord_fs::private_dir(&parent)?;
        let made = tempfile::Builder::new().prefix(&format!("{}-", request(request_id))).tempdir_in(&parent);
        Ok(HadoopDir { root: made.map_err(failed("make a folder in", &parent))?.keep() })
    }

    /// All folders of submissions that never came to a job, or that did when an earlier coordinator ended.
    pub fn left_submissions(&self) -> Vec<HadoopDir> {
        let entries = fs::read_dir(self.submissions()).into_iter().flatten().flatten();
        entries.map(|entry| HadoopDir { root: entry.path() }).collect()
    }

    /// Whether `dir` came with the submission `request_id`.
    pub fn is_of(&self, dir: &HadoopDir, request_id: &str) -> bool {
        let name = dir.root.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.split('-').next() == Some(&request(request_id)))
    }

    /// What is kept in the job's own folder.
    pub fn hadoop(&self, job: &JobId) -> HadoopDir {
        HadoopDir { root: self.job(job) }
    }

    /// Moves what came with a submission to the job that it has become, unless that has its own already. Returns whether it did.
    ///
    /// # Errors
    /// The file system fails; to be tried again.
    pub fn give_to_job(&self, dir: &HadoopDir, job: &JobId) -> Result<bool, Error> {
        let own = self.hadoop(job);
        if own.site().exists() {
            return Ok(false);
        }
        tfcoord_fs::private_dir(&own.root)?;
        dir.move_to(&own)?;
        Ok(true)
    }

    /// Jobs in whose folders there are tokens.
    pub fn jobs_with_tokens(&self) -> Vec<JobId> {
        let jobs = fs::read_dir(self.root.join("jobs")).into_iter().flatten().flatten();
        jobs.filter(|entry| entry.path().join(TOKENS).exists()).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }
}

// Of any text a name.
fn request(request_id: &str) -> String {
    hex(&Sha256::digest(request_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(dir: &HadoopDir) {
        fs::create_dir(dir.site()).unwrap();
        fs::write(dir.tokens(), "secret").unwrap();
        let by = Means::Keytab { path: "/k".into(), principal: "alice@R".into() };
        let proof = Proof { by, proxy_user: None, krb5_config: None, trace: false };
        dir.keep_access(&Access { locations: vec!["hdfs://nn/x".into()], proof: Some(proof), user: None, calls: Calls::Rpc }).unwrap();
    }

    #[test]
    fn what_came_with_a_submission_goes_to_its_job() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path()).unwrap();
        let (one, two) = (state.make_submission("r").unwrap(), state.make_submission("r").unwrap());
        for dir in [&one, &two] {
            assert!(state.is_of(dir, "r") && !state.is_of(dir, "s"));
            fill(dir);
        }
        let job: JobId = "a-1".parse().unwrap();
        assert_eq!(state.hadoop(&job).hadoop().unwrap(), None);
        assert!(state.give_to_job(&one, &job).unwrap());
        assert!(!state.give_to_job(&two, &job).unwrap(), "it has its own");
        let own = state.hadoop(&job);
        assert_eq!(own.hadoop().unwrap(), Some(Hadoop { site: own.site(), tokens: Some(own.tokens()), user: None }));
        assert_eq!((state.left_submissions(), state.jobs_with_tokens()), (vec![two], vec![job]));
    }

    #[test]
    fn a_move_that_broke_off_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path()).unwrap();
        let came = state.make_submission("r").unwrap();
        fill(&came);
        let job: JobId = "a-1".parse().unwrap();
        fs::create_dir_all(state.hadoop(&job).root()).unwrap();
        fs::rename(came.tokens(), state.hadoop(&job).tokens()).unwrap();
        assert!(state.give_to_job(&came, &job).unwrap());
        let own = state.hadoop(&job);
        assert!(own.tokens().exists() && own.hadoop().unwrap().is_some() && state.left_submissions().is_empty());
    }
}
