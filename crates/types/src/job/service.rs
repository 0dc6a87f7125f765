//! `service`: the site that a job's files are on, and who it is there. The names are those of the DC/OS service, but for `calls`.

use serde::{Deserialize, Serialize};

/// Who a keytab's principal is where the job file does not say.
const PRIMARY: &str = "tensorflow";

/// The site that a job's files are on, and who it is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Service {
    /// Where HDFS is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hdfs: Option<Hdfs>,
    /// Who the job is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
}

/// Where HDFS is configured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hdfs {
    /// An address `http://`, `https://` or `file://`, or a path, to which `/core-site.xml` and `/hdfs-site.xml` are
    /// appended. Relative to the job file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_uri: Option<String>,
    /// How tokens are got of NameNodes, renewed and cancelled.
    pub calls: Calls,
}

/// How NameNodes are called for tokens. Files are read and written by Hadoop's RPC in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Calls {
    /// By Hadoop's RPC.
    #[default]
    Rpc,
    /// By WebHDFS.
    WebHdfs,
}

/// Who the job is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// By Kerberos.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kerberos: Option<Kerberos>,
}

/// Who the job is by Kerberos. The submitter's own tickets serve where no keytab is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kerberos {
    /// Whether the rest of the section counts: it does unless this is `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether what Kerberos does is written to `kerberos.log` in the job's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug: Option<bool>,
    /// The KDC of the realm; as `krb5.conf` says if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kdc: Option<Kdc>,
    /// The principal without its realm; `tensorflow` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The principal's realm; the default one of `krb5.conf` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// A file: the keytab with the principal's key, or its bytes in base64. Relative to the job file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keytab_secret: Option<String>,
    /// The user for whom the principal acts, if it is not itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_user: Option<String>,
}

/// Where a KDC is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kdc {
    /// Its host.
    pub hostname: String,
    /// Its port; 88 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl Service {
    /// How NameNodes are called for tokens.
    pub fn calls(&self) -> Calls {
        self.hdfs.as_ref().map(|hdfs| hdfs.calls).unwrap_or_default()
    }

    /// What counts of `security.kerberos`.
    pub fn kerberos(&self) -> Option<&Kerberos> {
        let kerberos = self.security.as_ref()?.kerberos.as_ref()?;
        kerberos.enabled.unwrap_or(true).then_some(kerberos)
    }

    /// Where the site is configured, if it is said.
    pub fn config_uri(&self) -> Option<&str> {
        self.hdfs.as_ref()?.config_uri.as_deref().filter(|uri| !uri.is_empty())
    }

    /// Makes relative paths absolute, as seen from `base`.
    pub(super) fn resolve(&mut self, base: &str) {
        let uri = self.hdfs.iter_mut().filter_map(|hdfs| hdfs.config_uri.as_mut());
        let keytab = self.security.iter_mut().filter_map(|security| security.kerberos.as_mut()?.keytab_secret.as_mut());
        for path in uri.chain(keytab).filter(|path| !path.is_empty() && !path.starts_with('/') && !path.contains("://")) {
            *path = format!("{base}/{path}");
        }
    }
}

impl Kerberos {
    /// The keytab's path.
    pub fn keytab(&self) -> Option<&str> {
        self.keytab_secret.as_deref().filter(|path| !path.is_empty())
    }

    /// Whose key is in the keytab: `tensorflow`, `alice@REALM`.
    pub fn principal(&self) -> String {
        let primary = self.primary.as_deref().unwrap_or(PRIMARY);
        match self.realm.as_deref().filter(|realm| !realm.is_empty()) {
            Some(realm) => format!("{primary}@{realm}"),
            None => primary.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kerberos(json: &str) -> Option<Kerberos> {
        let service: Service = serde_json::from_str(&format!(r#"{{"security": {{"kerberos": {json}}}}}"#)).unwrap();
        service.kerberos().cloned()
    }

    #[test]
    fn a_principal_is_put_together() {
        let principal = |json| kerberos(json).unwrap().principal();
        assert_eq!(principal("{}"), "tensorflow");
        assert_eq!(principal(r#"{"realm": "R"}"#), "tensorflow@R");
        assert_eq!(principal(r#"{"primary": "tf/host", "realm": "R"}"#), "tf/host@R");
    }

    #[test]
    fn what_is_switched_off_does_not_count() {
        assert!(kerberos(r#"{"keytab_secret": "/k"}"#).is_some() && kerberos(r#"{"enabled": true}"#).is_some());
        assert!(kerberos(r#"{"enabled": false, "keytab_secret": "/k"}"#).is_none());
    }

    #[test]
    fn name_nodes_are_called_by_rpc_unless_it_is_said() {
        let service = |json: &str| serde_json::from_str::<Service>(json);
        assert_eq!(["{}", r#"{"hdfs": {}}"#].map(|json| service(json).unwrap().calls()), [Calls::Rpc; 2]);
        let named = service(r#"{"hdfs": {"calls": "webhdfs"}}"#).unwrap();
        assert_eq!(named.calls(), Calls::WebHdfs);
        assert_eq!(serde_json::to_string(&named).unwrap(), r#"{"hdfs":{"calls":"webhdfs"}}"#);
        assert!(service(r#"{"hdfs": {"calls": "http"}}"#).is_err());
    }

    #[test]
    fn paths_are_seen_from_the_job_file() {
        let resolved = |uri: &str| {
            let mut service = Service { hdfs: Some(Hdfs { config_uri: Some(uri.into()), ..Hdfs::default() }), ..Service::default() };
            service.resolve("/jobs");
            service.config_uri().map(str::to_owned)
        };
        assert_eq!(resolved("conf"), Some("/jobs/conf".into()));
        for same in ["/conf", "http://api/v1", "file:///conf"] {
            assert_eq!(resolved(same), Some(same.into()));
        }
        assert_eq!(resolved(""), None);
    }
}
