//! Whose NameNodes a location needs, for those who speak to them themselves.

use super::{AUTHENTICATION, DATA_PROTECTION, Service, Site};
use crate::storage::{Location, Problem, Scheme};
use tfcoord_hadoop_rpc::Protection;

const PRINCIPAL: &str = "dfs.namenode.kerberos.principal";

/// The NameNodes of one file system, and who they must prove to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameNodes {
    /// The name that stands for all of them, where there are several.
    pub nameservice: Option<String>,
    /// `host:port` of each.
    pub addresses: Vec<String>,
    /// `hdfs/_HOST@REALM`, on secured sites.
    pub principal: Option<String>,
    /// At least this for what is said to them.
    pub protection: Protection,
}

impl NameNodes {
    /// What people call them.
    pub fn name(&self) -> String {
        self.nameservice.clone().unwrap_or_else(|| self.addresses.join(", "))
    }
}

impl Site {
    /// Whether who comes must prove who he is.
    ///
    /// # Errors
    /// It says something that is not known.
    pub fn is_secured(&self) -> Result<bool, Problem> {
        Ok(self.policy()?.kerberos)
    }

    /// At least this for what is said to DataNodes; nothing where it names none.
    ///
    /// # Errors
    /// It says something that is not known.
    pub fn data_protection(&self) -> Result<Option<Protection>, Problem> {
        Ok(self.least(DATA_PROTECTION)?.map(Protection::from))
    }

    /// Those of the file system that `at` is in; of all that are mounted, where it is a table of mounts.
    ///
    /// # Errors
    /// The configuration does not name it, or not who its NameNodes are.
    pub fn name_nodes(&self, at: &Location) -> Result<Vec<NameNodes>, Problem> {
        let service = self.service(at)?;
        let Some(mounts) = service.url.strip_prefix("viewfs://") else {
            return Ok(vec![self.of_file_system(service)?]);
        };
        let links = format!("fs.viewfs.mounttable.{mounts}.link");
        let targets = self.values.iter().filter(|(name, _)| name.starts_with(&links)).map(|(_, target)| target);
        let mut found = Vec::new();
        for target in targets {
            // By its name alone: the site's default may be this very table.
            if let Ok(Location::Remote(to)) = Location::parse(target, None) {
                found.push(self.of_file_system(self.served(Scheme::Hdfs, to.authority())?)?);
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    // That is not a table of mounts.
    fn of_file_system(&self, Service { url, namenodes: addresses, .. }: Service) -> Result<NameNodes, Problem> {
        let authority = url.strip_prefix("hdfs://").unwrap_or_default();
        let policy = self.policy()?;
        let nameservice = self.get(&format!("dfs.ha.namenodes.{authority}")).map(|_| authority.to_owned());
        let of_nameservice = nameservice.as_ref().and_then(|name| self.get(&format!("{PRINCIPAL}.{name}")));
        let principal = of_nameservice.or_else(|| self.get(PRINCIPAL)).map(str::to_owned);
        if policy.kerberos && principal.is_none() {
            return Err(self.lacks(&format!("has {AUTHENTICATION} = kerberos and names no {PRINCIPAL}")));
        }
        Ok(NameNodes { nameservice, addresses, principal: principal.filter(|_| policy.kerberos), protection: policy.rpc.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn site(properties: &[(&str, &str)]) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let file: PathBuf = dir.path().join("core-site.xml");
        let property = |(name, value): &(&str, &str)| format!("<property><name>{name}</name><value>{value}</value></property>");
        let body: String = properties.iter().map(property).collect();
        std::fs::write(&file, format!("<configuration>{body}</configuration>")).unwrap();
        Site::of_files(dir.path(), [&file], &|_| None).unwrap()
    }

    fn found(site: &Site, at: &str) -> Vec<(Option<String>, String, Option<String>)> {
        let all = site.name_nodes(&Location::parse(at, None).unwrap()).unwrap();
        all.into_iter().map(|found| (found.nameservice, found.addresses.join(","), found.principal)).collect()
    }

    const HA: [(&str, &str); 6] = [
        ("hadoop.security.authentication", "kerberos"),
        ("hadoop.rpc.protection", "privacy,integrity"),
        ("dfs.namenode.kerberos.principal", "nn/_HOST@R"),
        ("dfs.ha.namenodes.east", "a, b"),
        ("dfs.namenode.rpc-address.east.a", "a:1"),
        ("dfs.namenode.rpc-address.east.b", "b:2"),
    ];

    #[test]
    fn a_nameservice_is_one_file_system() {
        let site = site(&HA);
        assert_eq!(found(&site, "hdfs://east/x"), [(Some("east".into()), "a:1,b:2".into(), Some("nn/_HOST@R".into()))]);
        assert_eq!(found(&site, "hdfs://other:9/x"), [(None, "other:9".into(), Some("nn/_HOST@R".into()))]);
        let protection = site.name_nodes(&Location::parse("hdfs://east/", None).unwrap()).unwrap()[0].protection;
        assert!(site.is_secured().unwrap() && protection == Protection::Integrity);
    }

    #[test]
    fn mounts_are_each_others_name_nodes() {
        let mut properties = HA.to_vec();
        properties.extend([
            ("fs.viewfs.mounttable.all.link./one", "hdfs://east/one"),
            ("fs.viewfs.mounttable.all.link./two", "hdfs://east/two"),
            ("fs.viewfs.mounttable.all.link./far", "hdfs://west/far"),
        ]);
        let names: Vec<String> = found(&site(&properties), "viewfs://all/one/x").into_iter().map(|(_, nodes, _)| nodes).collect();
        assert_eq!(names, ["west:8020", "a:1,b:2"]);
    }

    #[test]
    fn a_table_of_mounts_does_not_mount_itself() {
        let of = |target: &'static str| {
            let table = [("fs.defaultFS", "viewfs://all"), ("fs.viewfs.mounttable.all.link./x", target)];
            let at = Location::parse("viewfs://all/x", None).unwrap();
            site(&table).name_nodes(&at).map(|nodes| nodes[0].addresses.clone()).map_err(|problem| problem.to_string())
        };
        assert!(of("hdfs:///x").unwrap_err().contains("mounts hdfs:///x in viewfs://all: only hdfs:// with a NameNode"));
        assert!(of("viewfs://all/x").unwrap_err().contains("only hdfs://"));
        assert_eq!(of("hdfs://default/x"), Ok(vec!["default:8020".to_owned()]), "as the client takes it");
    }

    #[test]
    fn who_the_name_nodes_are_must_be_known() {
        let open = site(&[("dfs.namenode.kerberos.principal", "nn/_HOST@R")]);
        assert_eq!(found(&open, "hdfs://nn/x"), [(None, "nn:8020".into(), None)]);
        let secured = site(&[("hadoop.security.authentication", "kerberos")]);
        let error = secured.name_nodes(&Location::parse("hdfs://nn/x", None).unwrap()).unwrap_err().to_string();
        assert!(error.contains("dfs.namenode.kerberos.principal"), "{error}");
    }
}
