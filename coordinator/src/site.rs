//! The site of Hadoop that a submission brings, from its arrival until its job has it.
//!
//! It is written down before anything of the job's data is looked at. When the job is known it moves to the job's folder,
//! right after the decision is in the log; where the coordinator dies in between, the next one moves it. What comes to
//! no job is cancelled and removed.

use crate::state_dir::{self, Access, HadoopDir, Means, Proof, StateDir};
use crate::tokens::Keeper;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tfcoord_coordinator_core::Cluster;
use tfcoord_fs::hdfs::Site;
use tfcoord_fs::storage::{Location, Problem};
use tfcoord_launch::Hadoop;
use tfcoord_proto::v1;
use tfcoord_types::id::JobId;
use tfcoord_types::job::{JobFile, Kerberos, Service};

/// The longest core-site.xml or hdfs-site.xml, in bytes.
const FILE_BYTES_MAX: usize = 1 << 20;
/// The longest name of a ticket cache, of configuration files or of a user, in bytes.
const NAME_BYTES_MAX: usize = 4096;
const MODE_PRIVATE: u32 = 0o600;

/// What a submission brought.
#[derive(Debug)]
pub struct Submission {
    state: StateDir,
    keeper: Keeper,
    dir: HadoopDir,
    given: bool,
}

/// A site that a job cannot use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error(
        "service.hdfs.config_uri: {0} is in HDFS, and no configuration of it came along\n  help: submit with this version's tfcoord; it looks at service.hdfs.config_uri, HADOOP_CONF_DIR and /etc/hadoop/conf"
    )]
    Missing(String),
    /// It does not say what is needed.
    #[error("service.hdfs.config_uri: {}\n  help: {}", .0, .0.remedy())]
    Site(Problem),
    /// A location is none.
    #[error("{0}")]
    Location(tfcoord_fs::storage::Invalid),
    /// Something is too long.
    #[error(
        "service.hdfs.config_uri: {what} has more than {bytes_max} bytes\n  help: a site's configuration is far shorter: check where it comes from"
    )]
    TooLong {
        /// What.
        what: &'static str,
        /// The most.
        bytes_max: usize,
    },
    /// The job file and the site do not agree.
    #[error(
        "service.security.kerberos.enabled: hadoop.security.authentication of the site is simple\n  help: remove the section, or name a site with Kerberos: service.hdfs.config_uri"
    )]
    NotSecured,
    /// It cannot be kept.
    #[error(transparent)]
    State(#[from] state_dir::Error),
}

impl Submission {
    /// Keeps what came with the submission of `file`; nothing where none of its paths is in HDFS.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn keep(
        state: &StateDir,
        keeper: &Keeper,
        request_id: &str,
        file: &JobFile,
        site: Option<v1::Site>,
    ) -> Result<Option<Self>, Error> {
        let Some(first) = file.remote_locations().next() else { return Ok(None) };
        let site = site.ok_or_else(|| Error::Missing(first.to_owned()))?;
        check(&site)?;
        let this = Self { state: state.clone(), keeper: keeper.clone(), dir: state.make_submission(request_id)?, given: false };
        this.write(file, &site)?;
        Ok(Some(this))
    }

    fn write(&self, file: &JobFile, site: &v1::Site) -> Result<(), Error> {
        let dir = self.dir.site();
        tfcoord_fs::private_dir(&dir).map_err(state_dir::Error::from)?;
        for (name, content) in [("core-site.xml", &site.core_site), ("hdfs-site.xml", &site.hdfs_site)] {
            if !content.is_empty() {
                tfcoord_fs::write_atomic(&dir.join(name), content, MODE_PRIVATE).map_err(state_dir::Error::from)?;
            }
        }
        let configured = Site::load(Some(&dir), &|_| None).map_err(Error::Site)?;
        let locations = locations(file, &configured)?;
        let kerberos = file.service.as_ref().and_then(Service::kerberos);
        let proof = match configured.is_secured().map_err(Error::Site)? {
            true => Some(self.proof(kerberos, site)?),
            false if kerberos.is_some_and(|kerberos| kerberos.enabled == Some(true)) => return Err(Error::NotSecured),
            false => None,
        };
        let proxy_user = kerberos.and_then(|kerberos| kerberos.proxy_user.clone());
        let user = proxy_user.or_else(|| some(&site.user)).filter(|_| proof.is_none());
        let calls = file.service.as_ref().map(Service::calls).unwrap_or_default();
        Ok(self.dir.keep_access(&Access { locations, proof, user, calls })?)
    }

    fn proof(&self, kerberos: Option<&Kerberos>, site: &v1::Site) -> Result<Proof, state_dir::Error> {
        let proxy_user = kerberos.and_then(|kerberos| kerberos.proxy_user.clone());
        let by = match kerberos.and_then(|kerberos| Some((kerberos.keytab()?, kerberos.principal()))) {
            Some((path, principal)) => Means::Keytab { path: PathBuf::from(path), principal },
            // Nobody gets in for somebody else by a token.
            None if !site.token_file.is_empty() && proxy_user.is_none() => Means::Tokens(PathBuf::from(&site.token_file)),
            None => Means::Cache(some(&site.ticket_cache)),
        };
        let mut krb5_config = some(&site.krb5_config);
        if let Some(own) = kerberos.and_then(krb5_conf) {
            let path = self.dir.krb5_conf();
            tfcoord_fs::write_atomic(&path, own.as_bytes(), MODE_PRIVATE)?;
            // Of several files the first one that says something counts.
            krb5_config = Some(krb5_config.unwrap_or_else(|| "/etc/krb5.conf".into()));
        }
        let trace = kerberos.is_some_and(|kerberos| kerberos.debug == Some(true));
        Ok(Proof { by, proxy_user, krb5_config, trace })
    }

    /// The folder that it lies in for now.
    pub fn dir(&self) -> &HadoopDir {
        &self.dir
    }

    /// What processes are told that look at the job's files before the job is known.
    ///
    /// # Errors
    /// The file system fails.
    pub fn hadoop(&self) -> Result<Option<Hadoop>, Error> {
        Ok(self.dir.hadoop()?)
    }

    /// The job is known: from now on it is the job's.
    ///
    /// # Errors
    /// It cannot be moved. It stays where it is, and the next coordinator tries again.
    pub fn give_to(mut self, job: &JobId) -> Result<(), Error> {
        self.given = true;
        // A submission that was sent twice brought it twice.
        self.given = self.state.give_to_job(&self.dir, job)?;
        Ok(())
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        if !self.given {
            self.keeper.left(&self.dir);
        }
    }
}

/// Gives what came with submissions to the jobs that they have become while an earlier coordinator died, and lets the
/// rest be removed.
pub fn settle(state: &StateDir, cluster: &Cluster, keeper: &Keeper) {
    for dir in state.left_submissions() {
        let given = match cluster.jobs().find(|job| !job.is_over() && state.is_of(&dir, &job.request_id)) {
            Some(job) => state.give_to_job(&dir, &job.id),
            None => Ok(false),
        };
        match given {
            Ok(true) => {}
            Ok(false) => keeper.left(&dir),
            Err(error) => tracing::error!(%error, "cannot give a job what came with its submission"),
        }
    }
}

fn check(site: &v1::Site) -> Result<(), Error> {
    let limits = [
        ("core-site.xml", site.core_site.len(), FILE_BYTES_MAX),
        ("hdfs-site.xml", site.hdfs_site.len(), FILE_BYTES_MAX),
        ("the ticket cache's name", site.ticket_cache.len(), NAME_BYTES_MAX),
        ("KRB5_CONFIG", site.krb5_config.len(), NAME_BYTES_MAX),
        ("the user's name", site.user.len(), NAME_BYTES_MAX),
        ("the token file's name", site.token_file.len(), NAME_BYTES_MAX),
    ];
    let long = limits.into_iter().find(|(_, bytes, bytes_max)| bytes > bytes_max);
    long.map_or(Ok(()), |(what, _, bytes_max)| Err(Error::TooLong { what, bytes_max }))
}

// One of each file system; that they are configured is seen by it.
fn locations(file: &JobFile, site: &Site) -> Result<Vec<String>, Error> {
    let mut found = BTreeMap::new();
    for text in file.remote_locations() {
        let location = Location::parse(text, None).map_err(Error::Location)?;
        found.entry(site.name_nodes(&location).map_err(Error::Site)?).or_insert_with(|| text.to_owned());
    }
    Ok(found.into_values().collect())
}

// For the realm whose KDC the job file names.
fn krb5_conf(kerberos: &Kerberos) -> Option<String> {
    let (kdc, realm) = (kerberos.kdc.as_ref()?, kerberos.realm.as_ref()?);
    let port = kdc.port.map(|port| format!(":{port}")).unwrap_or_default();
    let host = &kdc.hostname;
    Some(format!("[libdefaults]\n    default_realm = {realm}\n[realms]\n    {realm} = {{\n        kdc = {host}{port}\n    }}\n"))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
