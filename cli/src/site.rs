//! The site of Hadoop that a job's files are on: `core-site.xml` and `hdfs-site.xml`, fetched here and sent along with the
//! submission, since they are the submitter's: the coordinator has no other.

mod fetch;

use crate::failure::{Code, Failure};
use fetch::{fetch, read};
use std::path::{Path, PathBuf};
use tfcoord_kerberos::Kerberos;
use tfcoord_proto::v1;
use tfcoord_types::job::{JobFile, Service};

const FILES: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];
/// Where distributions put them.
const USUAL: &str = "/etc/hadoop/conf";
/// The field of the job file that says where they are.
const FIELD: &str = "service.hdfs.config_uri";

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    Address(String),
}

/// What a job needs that names paths in HDFS; nothing for any other. `environment` is the submitter's.
///
/// # Errors
/// Neither of the two files is there, or one cannot be read: the text begins with the field that names the place.
pub async fn find(job: &JobFile, environment: &dyn Fn(&str) -> Option<String>) -> Result<Option<v1::Site>, Failure> {
    let Some(location) = job.remote_locations().next() else { return Ok(None) };
    let places = places(job.service.as_ref().and_then(Service::config_uri), environment);
    for place in &places {
        let [core, hdfs] = [place.get(FILES[0]).await?, place.get(FILES[1]).await?];
        if core.is_some() || hdfs.is_some() {
            let value = |name: &str| environment(name).unwrap_or_default();
            return Ok(Some(v1::Site {
                core_site: core.unwrap_or_default().into(),
                hdfs_site: hdfs.unwrap_or_default().into(),
                ticket_cache: ticket_cache(value("KRB5CCNAME")),
                krb5_config: value("KRB5_CONFIG").split(':').map(|file| absolute(file.to_owned())).collect::<Vec<_>>().join(":"),
                user: value("HADOOP_USER_NAME"),
                token_file: absolute(value("HADOOP_TOKEN_FILE_LOCATION")),
            }));
        }
    }
    let looked: Vec<String> = places.iter().map(ToString::to_string).collect();
    let what = format!("{FIELD}: {location} is in HDFS, and there is neither {} nor {} in {}", FILES[0], FILES[1], looked.join(" or "));
    Err(Failure::new(Code::File, what)
        .help("name the directory or address that has them in service.hdfs.config_uri, or set HADOOP_CONF_DIR"))
}

// By its name: the coordinator's own default cache may be somebody else's.
fn ticket_cache(name: String) -> String {
    match name.split_once(':') {
        None if name.is_empty() => Kerberos::load().and_then(|kerberos| kerberos.default_cache()).unwrap_or_default(),
        None => absolute(name),
        Some(("FILE", path)) => format!("FILE:{}", absolute(path.to_owned())),
        Some(_) => name,
    }
}

// The coordinator is in another directory.
fn absolute(path: String) -> String {
    std::path::absolute(&path).map_or(path, |absolute| absolute.display().to_string())
}

// As Hadoop's own programs look for them.
fn places(uri: Option<&str>, environment: &dyn Fn(&str) -> Option<String>) -> Vec<Place> {
    let named = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(uri) = uri {
        return vec![of_uri(uri)];
    }
    if let Some(folder) = named("HADOOP_CONF_DIR") {
        return vec![Place::Folder(folder)];
    }
    let home = named("HADOOP_HOME").map(|home| home.join("etc/hadoop"));
    home.into_iter().chain([PathBuf::from(USUAL)]).map(Place::Folder).collect()
}

fn of_uri(uri: &str) -> Place {
    match uri.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => Place::Folder(rest.strip_prefix("localhost").unwrap_or(rest).into()),
        Some(_) => Place::Address(uri.trim_end_matches('/').to_owned()),
        None => Place::Folder(uri.into()),
    }
}

impl Place {
    // Nothing where there is no such file.
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let (what, got) = match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                (path.display().to_string(), read(&path))
            }
            Self::Address(address) => {
                let address = format!("{address}/{name}");
                (address.clone(), fetch(address).await)
            }
        };
        got.map_err(|error| {
            let remedy = match self {
                Self::Folder(_) => "check that this user may read it",
                Self::Address(_) => "check the address, and that it can be reached from here",
            };
            Failure::new(Code::File, format!("{FIELD}: {what}: {error}")).help(remedy)
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => Path::display(folder).fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
