//! Files in HDFS: hdfs-native moves the bytes, and what it lacks is here.
//!
//! * Callers are ordinary threads. The work runs on a few threads of this module, and every call ends by its deadline, also
//!   where the client hangs.
//! * What is safe is tried again: reads, and whatever a NameNode in safe mode refused ([`Limits`]).
//! * A file is written under a temporary name and renamed. hdfs-native cannot go on where a DataNode dies at the wrong moment:
//!   the file is begun anew ([`write_whole`](crate::storage::write_whole)).
//! * The site's configuration is read here, in full, and is all that the client gets. What a NameNode offers less than it
//!   demands is refused ([`protection`]).
//! * Token files are checked before the client reads them.
//! * Which hosts hold a file's blocks, the client keeps to itself: NameNodes are asked past it ([`held`]).

mod call;
mod cause;
mod core_files;
mod held;
mod protection;
mod read;
mod site;
mod tokens;
mod user;
mod write;

pub use call::close;
pub use protection::{Offer, data_offer, offer};
pub(crate) use site::root;
pub use site::{FILES as SITE_FILES, NameNodes, Site, Web};

use crate::storage::{self, Access, Create, ENTRIES_MAX, Entry, Error, FileSystem, Held, Kind, Location, Login, Problem, Status};
use call::Repeat;
use hdfs_native::client::FileStatus;
use hdfs_native::{Client, ClientBuilder};
use held::Locator;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_hadoop_rpc::TokenFile;

/// Directories are made with these permission bits.
const MODE_DIRECTORY: u32 = 0o755;

/// Who reaches HDFS. Without a principal that is: the default ticket cache's user, the token file's where there is one, and
/// without Kerberos whoever runs this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user to act as. With Kerberos that takes a login that may act for others.
    pub user: Option<String>,
    /// The Kerberos principal to log in as.
    pub principal: Option<String>,
    /// Its keytab.
    pub keytab: Option<PathBuf>,
    /// Its ticket cache, as Kerberos names it: `FILE:/run/…`.
    pub cache: Option<String>,
}

/// How long it is waited, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one answer, or for the next bytes.
    pub answer: Duration,
    /// For all tries of a call together, where servers cannot be reached or connections break.
    pub broken: Duration,
    /// For a NameNode to leave safe mode, or to be ready.
    pub safe_mode: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { answer: Duration::from_secs(60), broken: Duration::from_secs(120), safe_mode: Duration::from_secs(600) }
    }
}

/// A file system in HDFS: one NameNode, a nameservice, or a table of mounts.
#[derive(Debug)]
pub struct Hdfs {
    link: Arc<Link>,
}

/// What all that belongs to one file system share.
#[derive(Debug)]
struct Link {
    client: Client,
    limits: Limits,
    access: Access,
    // Scheme and authority of its locations.
    root: Location,
    // Where something is mounted, if there are places where nothing is.
    mounts: Option<Vec<String>>,
    // It may be replaced by another at any time.
    token_file: Option<PathBuf>,
    keytab: Option<PathBuf>,
    locator: Locator,
}

impl Hdfs {
    /// The file system that `at` is in. The NameNodes are asked once what protection they offer. Where the site is secured this
    /// process writes no core files any more.
    ///
    /// # Errors
    /// The configuration does not name it, credentials cannot be read, or a NameNode protects less than the site demands.
    pub fn connect(at: &Location, site: &Site, identity: &Identity, limits: Limits) -> Result<Self, Error> {
        let token_file = tokens::file();
        // A policy that cannot be read is told below.
        let is_secured = site.is_secured().unwrap_or(false);
        if is_secured {
            core_files::prevent();
        }
        let name_nodes = site.name_nodes(at);
        let served = name_nodes.as_deref().unwrap_or_default();
        // A login of its own comes first, and a file that cannot be read is told with the first call.
        let is_own_login = identity.principal.is_some() || identity.cache.is_some();
        let tokens = token_file.as_ref().filter(|_| !is_own_login).and_then(|path| TokenFile::read(path).ok());
        let user = user::name(identity, is_secured, tokens.as_ref(), served);
        let unknown = || Access { user: user.clone(), namenode: "not known yet".to_owned() };
        let failed = |problem| Error { operation: "connect to", location: at.to_string(), access: Some(Box::new(unknown())), problem };
        let service = site.service(at).map_err(failed)?;
        let access = Access { user, namenode: service.namenodes.join(", ") };
        let failed = |problem| Error { operation: "connect to", location: at.to_string(), access: Some(Box::new(access.clone())), problem };
        if let Some(path) = &identity.keytab {
            File::open(path).map_err(|cause| failed(Problem::Login { problem: Login::Keytab { path: path.clone(), cause } }))?;
        }
        let count = service.namenodes.len();
        let url = tokens::url(tokens.as_ref(), &service.url, served);
        call::wait(limits.answer, protection::check(site.policy().map_err(failed)?, service.namenodes, limits.answer))
            .and_then(|met| met)
            .map_err(failed)?;
        let client = client(&url, site.for_client(count), identity).map_err(|error| failed(cause::problem(error)))?;
        let locator = Locator::new(at, name_nodes, identity);
        let (root, mounts, keytab) = (site::root(at), service.mounts, identity.keytab.clone());
        Ok(Self { link: Arc::new(Link { client, limits, access, root, mounts, token_file, keytab, locator }) })
    }
}

fn client(url: &str, values: Vec<(String, String)>, identity: &Identity) -> Result<Client, hdfs_native::HdfsError> {
    let runtime = call::runtime().map_err(|error| std::io::Error::other(error.to_string()))?;
    // A folder that is none: all that the client is to know comes from the site, as it was read here.
    let mut builder = ClientBuilder::new().with_url(url).with_config_dir("/dev/null").with_config(values);
    builder = builder.with_io_runtime(runtime.clone());
    if let Some(user) = &identity.user {
        builder = builder.with_user(user);
    }
    if let Some(principal) = &identity.principal {
        builder = builder.with_kerberos_principal(principal);
    }
    if let Some(keytab) = &identity.keytab {
        builder = builder.with_kerberos_keytab(keytab.display().to_string());
    }
    if let Some(cache) = &identity.cache {
        builder = builder.with_kerberos_cache(cache);
    }
    builder.build()
}

impl Link {
    // The path that the client takes.
    fn path(&self, operation: &'static str, at: &Location) -> Result<String, Error> {
        match at {
            Location::Remote(remote) if site::root(at) == self.root => match &self.mounts {
                Some(mounts) if !mounts.iter().any(|mount| is_below(remote.path(), mount)) => {
                    let detail = format!("nothing is mounted there, but at {}", mounts.join(", "));
                    Err(self.error(operation, at, Problem::NotConfigured { detail }))
                }
                _ => Ok(remote.path().to_owned()),
            },
            _ => Err(self.error(operation, at, Problem::Elsewhere)),
        }
    }

    fn error(&self, operation: &'static str, at: &Location, problem: Problem) -> Error {
        // The library says that there is no ticket also where it got none for the keytab.
        let problem = match (problem, &self.keytab) {
            (Problem::Login { problem: Login::None(detail) }, Some(keytab)) => {
                Problem::Login { problem: Login::Key(format!("{} gives {} no ticket ({detail})", keytab.display(), self.access.user)) }
            }
            (problem, _) => problem,
        };
        Error { operation, location: at.to_string(), access: Some(Box::new(self.access.clone())), problem }
    }
}

fn is_below(path: &str, mount: &str) -> bool {
    path.strip_prefix(mount.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl FileSystem for Hdfs {
    fn stat(&self, at: &Location) -> Result<Status, Error> {
        let path = self.link.path("look at", at)?;
        call::call(&self.link, "look at", at, Repeat::Always, move |client, _| {
            let path = path.clone();
            async move { Ok(status(&client.get_file_info(&path).await?)) }
        })
    }

    fn list(&self, at: &Location) -> Result<Vec<Entry>, Error> {
        let path = self.link.path("list", at)?;
        call::call(&self.link, "list", at, Repeat::Always, move |client, _| list(client, path.clone()))
    }

    fn open(&self, at: &Location) -> Result<Box<dyn storage::File>, Error> {
        Ok(Box::new(read::open(&self.link, at)?))
    }

    fn held(&self, at: &Location, range: Range<u64>) -> Result<Vec<Held>, Error> {
        let path = self.link.path("locate the blocks of", at)?;
        held::held(&self.link, &path, range).map_err(|problem| self.link.error("locate the blocks of", at, problem))
    }

    fn create(&self, at: &Location, how: Create) -> Result<Box<dyn storage::Writer>, Error> {
        Ok(Box::new(write::create(&self.link, at, how)?))
    }

    fn rename(&self, from: &Location, to: &Location) -> Result<(), Error> {
        write::rename(&self.link, from, to, storage::Placement::New)
    }

    fn delete(&self, at: &Location) -> Result<bool, Error> {
        let path = self.link.path("remove", at)?;
        call::call(&self.link, "remove", at, Repeat::Always, move |client, tried| {
            let path = path.clone();
            // It may have been an earlier try, whose answer was lost, that removed it.
            async move { Ok(client.delete(&path, true).await? || tried > 0) }
        })
    }

    fn make_directory(&self, at: &Location) -> Result<(), Error> {
        let path = self.link.path("make", at)?;
        call::call(&self.link, "make", at, Repeat::Always, move |client, _| {
            let path = path.clone();
            async move { Ok(client.mkdirs(&path, MODE_DIRECTORY, true).await?) }
        })
    }
}

async fn list(client: Client, path: String) -> Result<Vec<Entry>, Problem> {
    let found = client.list_status_iter(&path, false);
    let mut entries = Vec::new();
    while let Some(next) = found.next().await {
        let next = next?;
        // A file is listed as itself.
        let Some(name) = next.path.strip_prefix(path.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/')) else {
            return Err(Problem::NotADirectory);
        };
        if entries.len() == ENTRIES_MAX {
            return Err(Problem::TooMany { limit: ENTRIES_MAX });
        }
        entries.push(Entry { name: name.to_owned(), status: status(&next) });
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

fn status(found: &FileStatus) -> Status {
    let kind = if found.isdir { Kind::Directory } else { Kind::File };
    let modified_ns = found.modification_time.saturating_mul(1_000_000);
    Status { kind, length: if found.isdir { 0 } else { found.length as u64 }, modified_ns }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn a_secured_site_means_no_core_files() {
        let dir = tempfile::tempdir().unwrap();
        let secured = "<property><name>hadoop.security.authentication</name><value>kerberos</value></property>";
        std::fs::write(dir.path().join("core-site.xml"), format!("<configuration>{secured}</configuration>")).unwrap();
        let site = Site::load(Some(dir.path()), &|_| None).unwrap();
        // It names no file system: nobody is asked.
        assert!(Hdfs::connect(&Location::parse("hdfs:///x", None).unwrap(), &site, &Identity::default(), Limits::default()).is_err());
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
