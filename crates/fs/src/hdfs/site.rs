//! The site's configuration: `core-site.xml` and `hdfs-site.xml`, read as Hadoop reads them.

mod name_nodes;
mod token;
mod web;
mod xml;

pub use name_nodes::NameNodes;
pub use web::Web;

use super::protection::{Level, Policy};
use crate::storage::{Location, Problem, Scheme};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Of which a configuration is made.
pub const FILES: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];
// Where distributions put it.
const FOLDER_USUAL: &str = "/etc/hadoop/conf";
const DEFAULT_FS: &str = "fs.defaultFS";
// Of a NameNode without a port in its address (HDFS's `dfs.namenode.rpc-address`).
const PORT_USUAL: u16 = 8020;
const AUTHENTICATION: &str = "hadoop.security.authentication";
const RPC_PROTECTION: &str = "hadoop.rpc.protection";
const DATA_PROTECTION: &str = "dfs.data.transfer.protection";
const BEST_EFFORT: &str = "dfs.client.block.write.replace-datanode-on-failure.best-effort";
const FAILOVERS: &str = "dfs.client.failover.max.attempts";
const FAILOVERS_EACH: u64 = 4;
const MOUNTS: &str = "fs.viewfs.mounttable.";
const FALLBACK: &str = ".linkFallback";
// As in Hadoop's Configuration.
const EXPANSIONS_MAX: usize = 20;
// Of all values together: each of thousands could refer to a long one. Twice what two files of the greatest length hold.
const EXPANDED_MAX: usize = 4 * xml::FILE_MAX as usize;

/// A site's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    folder: PathBuf,
    values: BTreeMap<String, String>,
}

/// Where a file system is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    /// As the client takes it.
    pub url: String,
    /// `host:port` of each that may answer.
    pub namenodes: Vec<String>,
    /// The paths of a table of mounts, where it says nothing of all others.
    pub mounts: Option<Vec<String>>,
}

impl Site {
    /// Reads it from `folder`, or else from where the environment says: `HADOOP_CONF_DIR`, `HADOOP_HOME`/etc/hadoop, and at
    /// last /etc/hadoop/conf. Of the two files one may be missing.
    ///
    /// # Errors
    /// There is none of them, and the text says where it was looked; or one cannot be read.
    pub fn load(folder: Option<&Path>, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        let named = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let places = match folder.map(Path::to_owned).or_else(|| named("HADOOP_CONF_DIR")) {
            Some(folder) => vec![folder],
            None => {
                let home = named("HADOOP_HOME").map(|home| home.join("etc/hadoop"));
                home.into_iter().chain([PathBuf::from(FOLDER_USUAL)]).collect()
            }
        };
        let Some(folder) = places.iter().find(|folder| FILES.iter().any(|file| folder.join(file).is_file())) else {
            let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            let detail = format!("there is neither {} nor {} in {}", FILES[0], FILES[1], looked.join(" or "));
            return Err(Problem::NotConfigured { detail });
        };
        let files = FILES.map(|file| folder.join(file));
        Self::of_files(folder, files.iter().filter(|file| file.is_file()), environment)
    }

    /// Reads it from files with whatever names; a later one outdoes an earlier one.
    ///
    /// # Errors
    /// One cannot be read, or is no configuration of Hadoop's.
    pub fn of_files<'a>(
        folder: &Path,
        files: impl IntoIterator<Item = &'a PathBuf>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        let mut last = BTreeSet::new();
        for file in files {
            for property in xml::read(file)? {
                if last.contains(&property.name) {
                    continue;
                }
                if property.is_final {
                    last.insert(property.name.clone());
                }
                values.insert(property.name, property.value);
            }
        }
        let mut room = EXPANDED_MAX;
        let mut expanded = BTreeMap::new();
        for (name, value) in &values {
            let value = expand(value, &values, environment);
            let Some(left) = room.checked_sub(value.len()) else {
                let detail =
                    format!("{}: what its values refer to by ${{…}} makes them longer than {EXPANDED_MAX} bytes", folder.display());
                return Err(Problem::NotConfigured { detail });
            };
            room = left;
            expanded.insert(name.clone(), value);
        }
        Ok(Self { folder: folder.to_owned(), values: expanded })
    }

    /// Where it was read.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it says under this name, if it says something.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn lacks(&self, what: &str) -> Problem {
        Problem::NotConfigured { detail: format!("{} {what}", self.folder.display()) }
    }

    /// All of it, in the form in which the client takes it.
    pub(super) fn for_client(&self, namenodes: usize) -> Vec<(String, String)> {
        let mut values = self.values.clone();
        values.retain(|_, value| !value.is_empty());
        for (name, value) in &mut values {
            // It knows neither blanks between names nor capitals.
            if name.starts_with("dfs.ha.namenodes.") {
                *value = names(value).collect::<Vec<_>>().join(",");
            } else if name == AUTHENTICATION {
                *value = value.to_ascii_lowercase();
            }
        }
        // It takes no table without one. Nothing gets there: see `Service::mounts`.
        for (name, target) in &self.values {
            if let Some((table, _)) = name.strip_prefix(MOUNTS).and_then(|rest| rest.split_once(".link./")) {
                values.entry(format!("{MOUNTS}{table}{FALLBACK}")).or_insert_with(|| target.clone());
            }
        }
        // A file goes on with fewer DataNodes where no other can take the place of one that died.
        values.entry(BEST_EFFORT.to_owned()).or_insert_with(|| "true".to_owned());
        // By then it has waited about 15 s, and says what is wrong; with its own 15 rounds only our deadline would.
        let rounds = u64::try_from(namenodes).unwrap_or(1) * FAILOVERS_EACH;
        let wanted = self.get(FAILOVERS).and_then(|value| value.parse().ok()).unwrap_or(rounds);
        values.insert(FAILOVERS.to_owned(), wanted.min(rounds).to_string());
        values.into_iter().collect()
    }

    /// Which protection it demands.
    pub(super) fn policy(&self) -> Result<Policy, Problem> {
        let kerberos = match self.get(AUTHENTICATION).map(str::to_ascii_lowercase).as_deref() {
            None | Some("simple") => false,
            Some("kerberos") => true,
            Some(other) => return Err(self.lacks(&format!("has {AUTHENTICATION} = {other}: simple and kerberos are known"))),
        };
        // What it says of the data is what the client offers to DataNodes, which decide.
        self.least(DATA_PROTECTION)?;
        Ok(Policy { kerberos, rpc: self.least(RPC_PROTECTION)?.unwrap_or(Level::Authentication), key: RPC_PROTECTION })
    }

    // The weakest protection of those that stand under a name.
    fn least(&self, name: &'static str) -> Result<Option<Level>, Problem> {
        let levels: Result<Vec<Level>, Problem> = names(self.get(name).unwrap_or_default())
            .map(|level| Level::named(level).ok_or_else(|| self.lacks(&format!("has {name} = {level}, which is no protection"))))
            .collect();
        Ok(levels?.into_iter().min())
    }

    /// Who serves the file system that `at` is in.
    pub(super) fn service(&self, at: &Location) -> Result<Service, Problem> {
        let Location::Remote(remote) = at else { return Err(Problem::Elsewhere) };
        let authority = remote.authority();
        let is_default = authority.is_empty() || (authority == "default" && self.get("dfs.ha.namenodes.default").is_none());
        if !is_default {
            return self.served(remote.scheme(), authority);
        }
        let value = self.get(DEFAULT_FS).ok_or_else(|| self.lacks(&format!("names no {DEFAULT_FS}, which {at} stands for")))?;
        match Location::parse(value, None) {
            Ok(Location::Remote(default)) if !default.authority().is_empty() => self.served(default.scheme(), default.authority()),
            _ => Err(self.lacks(&format!("has {DEFAULT_FS} = {value}, which is not in HDFS"))),
        }
    }

    fn served(&self, scheme: Scheme, authority: &str) -> Result<Service, Problem> {
        let address = |suffix: &str| self.get(&format!("dfs.namenode.rpc-address.{suffix}")).map(str::to_owned);
        if scheme == Scheme::Viewfs {
            return self.mounted(authority);
        }
        if let Some(ids) = self.get(&format!("dfs.ha.namenodes.{authority}")) {
            let of = |id: &str| {
                let missing =
                    || self.lacks(&format!("has no dfs.namenode.rpc-address.{authority}.{id}, which dfs.ha.namenodes.{authority} names"));
                address(&format!("{authority}.{id}")).ok_or_else(missing)
            };
            let namenodes = names(ids).map(of).collect::<Result<Vec<_>, _>>()?;
            return Ok(Service { url: format!("hdfs://{authority}"), namenodes, mounts: None });
        }
        let one = match address(authority) {
            Some(address) => address,
            None if has_port(authority) => authority.to_owned(),
            None => format!("{authority}:{PORT_USUAL}"),
        };
        Ok(Service { url: format!("hdfs://{one}"), namenodes: vec![one], mounts: None })
    }

    // Who serves a table of mounts: all that something of it is mounted from.
    fn mounted(&self, table: &str) -> Result<Service, Problem> {
        let prefix = format!("{MOUNTS}{table}.link");
        let links = self.values.iter().filter_map(|(name, target)| Some((name.strip_prefix(&prefix)?, target)));
        let mut namenodes = BTreeSet::new();
        let (mut mounts, mut has_fallback) = (Vec::new(), false);
        for (link, target) in links {
            match link.strip_prefix('.') {
                Some(mount) => mounts.push(mount.to_owned()),
                None if link == "Fallback" => has_fallback = true,
                None => return Err(Problem::Unsupported { detail: format!("{prefix}{link} in a table of mounts") }),
            }
            match Location::parse(target, None) {
                Ok(Location::Remote(to)) if to.scheme() == Scheme::Hdfs && !to.authority().is_empty() => {
                    namenodes.extend(self.served(Scheme::Hdfs, to.authority())?.namenodes);
                }
                _ => {
                    let only = "only hdfs:// with a NameNode or a nameservice can be mounted";
                    return Err(self.lacks(&format!("mounts {target} in viewfs://{table}: {only}")));
                }
            }
        }
        if namenodes.is_empty() {
            return Err(self.lacks(&format!("has no mounts for viewfs://{table} ({prefix}.…)")));
        }
        let mounts = (!has_fallback).then_some(mounts);
        Ok(Service { url: format!("viewfs://{table}"), namenodes: namenodes.into_iter().collect(), mounts })
    }
}

/// The root of the file system that `at` is in.
pub(crate) fn root(at: &Location) -> Location {
    std::iter::successors(at.parent(), Location::parent).last().unwrap_or_else(|| at.clone())
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

// `${name}` stands for another value, `${env.NAME}` for the environment's; what is unknown stays as it is.
fn expand(value: &str, values: &BTreeMap<String, String>, environment: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = value.to_owned();
    for _ in 0..EXPANSIONS_MAX {
        let Some((before, name, after)) = reference(&text) else { break };
        let found = match name.strip_prefix("env.") {
            Some(variable) => environment(variable),
            None => values.get(name).cloned(),
        };
        let Some(found) = found else { break };
        // What refers to itself would only grow.
        if found.len() + text.len() > xml::FILE_MAX as usize {
            break;
        }
        text = format!("{before}{found}{after}");
    }
    text
}

fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests;
