//! All file systems that a process reaches: this machine's, and each HDFS, connected once.

use crate::hdfs::{self, Hdfs, Identity, Limits, Site};
use crate::local::Local;
use crate::storage::{Error, FileSystem, Location};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The file systems that a process reaches. Clones share what is connected.
#[derive(Clone)]
pub struct FileSystems(Arc<Shared>);

struct Shared {
    identity: Identity,
    limits: Limits,
    reached: Mutex<Reached>,
}

struct Reached {
    // Read when HDFS is needed first: most jobs do without.
    site: Option<Site>,
    hdfs: BTreeMap<Location, Arc<Hdfs>>,
}

impl FileSystems {
    /// Of the site that the environment names (`HADOOP_CONF_DIR`, or where [`Site::load`] looks), as the user whose ticket or
    /// token file (`KRB5CCNAME`, `HADOOP_TOKEN_FILE_LOCATION`) it names; without Kerberos as `HADOOP_USER_NAME`, or whoever
    /// runs this.
    pub fn of_environment() -> Self {
        Self::within(Limits::default())
    }

    /// The same, which wait for HDFS so long.
    pub fn within(limits: Limits) -> Self {
        Self::new(None, Identity::default(), limits)
    }

    /// Of a site that was read already.
    pub fn of_site(site: Site, identity: Identity, limits: Limits) -> Self {
        Self::new(Some(site), identity, limits)
    }

    fn new(site: Option<Site>, identity: Identity, limits: Limits) -> Self {
        Self(Arc::new(Shared { identity, limits, reached: Mutex::new(Reached { site, hdfs: BTreeMap::new() }) }))
    }

    /// The one that `at` is in.
    ///
    /// # Errors
    /// It is in HDFS, and that is not configured, or cannot be connected to. The next call tries again.
    pub fn get(&self, at: &Location) -> Result<Arc<dyn FileSystem>, Error> {
        if let Location::Local(_) = at {
            return Ok(Arc::new(Local));
        }
        // Whoever else asks meanwhile would connect to the same.
        let mut reached = self.0.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let root = hdfs::root(at);
        if let Some(connected) = reached.hdfs.get(&root) {
            return Ok(Arc::clone(connected) as Arc<dyn FileSystem>);
        }
        let site = match &reached.site {
            Some(site) => site,
            None => {
                let read = Site::load(None, &|name| std::env::var(name).ok());
                let failed = |problem| Error { operation: "connect to", location: at.to_string(), access: None, problem };
                reached.site.insert(read.map_err(failed)?)
            }
        };
        let connected = Arc::new(Hdfs::connect(at, site, &self.0.identity, self.0.limits)?);
        reached.hdfs.insert(root, Arc::clone(&connected));
        Ok(connected)
    }
}

impl fmt::Debug for FileSystems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSystems").field("identity", &self.0.identity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Problem;

    #[test]
    fn each_is_connected_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("core-site.xml"), "<configuration></configuration>").unwrap();
        let site = Site::load(Some(dir.path()), &|_| None).unwrap();
        let systems = FileSystems::of_site(site, Identity::default(), Limits::default());
        let get = |text: &str| systems.clone().get(&Location::parse(text, None).unwrap());
        // Nobody listens there, which only a call finds out.
        let (one, again, other) = (get("hdfs://[::1]:1/a").unwrap(), get("hdfs://[::1]:1/b/c").unwrap(), get("hdfs://[::1]:2/a").unwrap());
        assert!(Arc::ptr_eq(&one, &again) && !Arc::ptr_eq(&one, &other));
        assert!(get("/").unwrap().stat(&Location::Local("/".into())).is_ok());
        assert!(matches!(get("hdfs:///a").unwrap_err().problem, Problem::NotConfigured { .. }));
    }
}
