//! Where NameNodes have their web pages, and WebHDFS among them.

use super::{DEFAULT_FS, NameNodes, Site, names};
use crate::storage::{Location, Problem};

const POLICY: &str = "dfs.http.policy";
const PRINCIPAL: &str = "dfs.web.authentication.kerberos.principal";
const RPC_ADDRESS: &str = "dfs.namenode.rpc-address";
// Of pages without a port in their address (HDFS's `dfs.namenode.http-address`, `dfs.namenode.https-address`).
const HTTP_PORT_USUAL: u16 = 9870;
const HTTPS_PORT_USUAL: u16 = 9871;
// "All interfaces" is where a server listens, and no address for clients.
const ANYWHERE: [&str; 3] = ["", "0.0.0.0", "[::]"];

/// Where the NameNodes of one file system speak WebHDFS, and who they must prove to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// `http://host:port` or `https://host:port` of each, in the order of [`NameNodes::addresses`].
    pub addresses: Vec<String>,
    /// `HTTP/_HOST@REALM`.
    pub principal: String,
}

/// How pages are served.
struct Scheme {
    name: &'static str,
    key: &'static str,
    port: u16,
}

impl Site {
    /// Where these NameNodes speak WebHDFS: encrypted, where they do that too.
    ///
    /// # Errors
    /// `dfs.http.policy` is not known.
    pub fn web(&self, nodes: &NameNodes) -> Result<Web, Problem> {
        let scheme = self.scheme()?;
        let own = |at: usize, address: &str| self.configured(scheme.key, nodes.nameservice.as_deref(), at, address);
        let addresses = nodes.addresses.iter().enumerate().map(|(at, rpc)| {
            let host = rpc.rsplit_once(':').map_or(rpc.as_str(), |(host, _)| host);
            let (its_host, port) = match own(at, rpc).map(|own| own.rsplit_once(':').map_or((own, None), |(host, port)| (host, Some(port))))
            {
                Some((its_host, port)) => (its_host, port.map(str::to_owned)),
                None => ("", None),
            };
            let host = if ANYWHERE.contains(&its_host) { host } else { its_host };
            format!("{}://{host}:{}", scheme.name, port.unwrap_or_else(|| scheme.port.to_string()))
        });
        Ok(Web { addresses: addresses.collect(), principal: self.web_principal(nodes) })
    }

    fn scheme(&self) -> Result<Scheme, Problem> {
        match self.get(POLICY).map(str::to_ascii_uppercase).as_deref() {
            None | Some("HTTP_ONLY") => Ok(Scheme { name: "http", key: "dfs.namenode.http-address", port: HTTP_PORT_USUAL }),
            Some("HTTPS_ONLY" | "HTTP_AND_HTTPS") => {
                Ok(Scheme { name: "https", key: "dfs.namenode.https-address", port: HTTPS_PORT_USUAL })
            }
            Some(other) => Err(self.lacks(&format!("has {POLICY} = {other}: HTTP_ONLY, HTTPS_ONLY and HTTP_AND_HTTPS are known"))),
        }
    }

    // What stands under `key` for the NameNode whose RPC is at `address`, which is at this place of its nameservice.
    fn configured(&self, key: &str, nameservice: Option<&str>, at: usize, address: &str) -> Option<&str> {
        if let Some(nameservice) = nameservice {
            let id = names(self.get(&format!("dfs.ha.namenodes.{nameservice}"))?).nth(at)?;
            return self.get(&format!("{key}.{nameservice}.{id}"));
        }
        let prefix = format!("{RPC_ADDRESS}.");
        let named = self.values.iter().filter(|(_, value)| *value == address).find_map(|(name, _)| name.strip_prefix(&prefix));
        let of_name = named.and_then(|name| self.get(&format!("{key}.{name}")));
        // Without a name it is of the NameNode that this configuration is about, not of others that a path names.
        of_name.or_else(|| self.get(key).filter(|_| self.is_about(address)))
    }

    fn is_about(&self, address: &str) -> bool {
        let default = || match Location::parse(self.get(DEFAULT_FS)?, None) {
            Ok(Location::Remote(default)) => self.served(default.scheme(), default.authority()).ok(),
            _ => None,
        };
        self.get(RPC_ADDRESS) == Some(address) || default().is_some_and(|served| served.namenodes == [address])
    }

    // Clients are seldom told it; by RFC 4559 it is that of the host, and the realm is the NameNode's.
    fn web_principal(&self, nodes: &NameNodes) -> String {
        let realm = nodes.principal.as_ref().and_then(|principal| principal.split_once('@')).map_or("", |(_, realm)| realm);
        match self.get(PRINCIPAL).filter(|principal| *principal != "*") {
            Some(principal) => principal.to_owned(),
            None if realm.is_empty() => "HTTP/_HOST".to_owned(),
            None => format!("HTTP/_HOST@{realm}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECURED: [(&str, &str); 2] =
        [("hadoop.security.authentication", "kerberos"), ("dfs.namenode.kerberos.principal", "hdfs/_HOST@R")];

    fn site(properties: &[(&str, &str)]) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hdfs-site.xml");
        let property = |(name, value): &(&str, &str)| format!("<property><name>{name}</name><value>{value}</value></property>");
        let body: String = SECURED.iter().chain(properties).map(property).collect();
        std::fs::write(&file, format!("<configuration>{body}</configuration>")).unwrap();
        Site::of_files(dir.path(), [&file], &|_| None).unwrap()
    }

    fn web(properties: &[(&str, &str)], at: &str) -> Result<Web, String> {
        let site = site(properties);
        let nodes = site.name_nodes(&Location::parse(at, None).unwrap()).unwrap();
        site.web(&nodes[0]).map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_one_that_the_configuration_is_about_has_its_own_address() {
        let properties = [("fs.defaultFS", "hdfs://nn"), ("dfs.namenode.http-address", "0.0.0.0:50070")];
        let check = |at: &str, address: &str| assert_eq!(web(&properties, at).unwrap().addresses, [address], "{at}");
        check("hdfs:///x", "http://nn:50070");
        check("hdfs://nn:8020/x", "http://nn:50070");
        check("hdfs://other/x", "http://other:9870");
        let named = [("dfs.namenode.rpc-address.east", "e:1"), ("dfs.namenode.http-address.east", "pages.east")];
        assert_eq!(web(&named, "hdfs://east/").unwrap().addresses, ["http://pages.east:9870"]);
    }

    #[test]
    fn each_of_a_nameservice_has_one() {
        let mut properties = vec![
            ("dfs.ha.namenodes.east", "b, a"),
            ("dfs.namenode.rpc-address.east.a", "a:1"),
            ("dfs.namenode.rpc-address.east.b", "b:1"),
            ("dfs.namenode.http-address.east.b", "b:80"),
            ("dfs.namenode.https-address.east.a", "web.a:443"),
        ];
        assert_eq!(web(&properties, "hdfs://east/").unwrap().addresses, ["http://b:80", "http://a:9870"]);
        properties.push(("dfs.http.policy", "HTTPS_ONLY"));
        assert_eq!(web(&properties, "hdfs://east/").unwrap().addresses, ["https://b:9871", "https://web.a:443"]);
    }

    #[test]
    fn encryption_is_preferred_and_what_is_not_known_told() {
        assert_eq!(web(&[("dfs.http.policy", "HTTP_AND_HTTPS")], "hdfs://nn/").unwrap().addresses, ["https://nn:9871"]);
        let error = web(&[("dfs.http.policy", "FTP")], "hdfs://nn/").unwrap_err();
        assert!(error.contains("dfs.http.policy = FTP") && error.contains("HTTPS_ONLY"), "{error}");
    }

    #[test]
    fn the_principal_is_the_hosts() {
        let principal = |properties: &[(&str, &str)]| web(properties, "hdfs://nn/").unwrap().principal;
        assert_eq!(principal(&[]), "HTTP/_HOST@R");
        assert_eq!(principal(&[(PRINCIPAL, "*")]), "HTTP/_HOST@R");
        assert_eq!(principal(&[(PRINCIPAL, "HTTP/web@S")]), "HTTP/web@S");
        assert_eq!(principal(&[("dfs.namenode.kerberos.principal", "hdfs/nn")]), "HTTP/_HOST");
    }
}
