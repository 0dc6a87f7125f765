//! The state as bytes: the same state always gives the same ones.

use crate::cluster::Cluster;
use crate::invariants::{self, Violation};
use serde::{Deserialize, Serialize};

/// The format's version; grows with every change that an older reader would misread.
pub const VERSION: u32 = 1;

/// Why bytes are no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They are not what this version writes.
    #[error("the snapshot cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another version wrote them.
    #[error("the snapshot has format {found}, but this coordinator reads {VERSION}: start the version that wrote it")]
    Version {
        /// The format found.
        found: u32,
    },
    /// They tell of a state that no log leads to.
    #[error("the snapshot is damaged: {0}")]
    Impossible(#[from] Violation),
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    cluster: &'a Cluster,
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Deserialize)]
struct Read {
    cluster: Cluster,
}

/// The state as JSON, without any dependence on how it came about.
pub fn save(cluster: &Cluster) -> Vec<u8> {
    serde_json::to_vec(&Written { version: VERSION, cluster }).expect("keys are texts and memory is no file")
}

/// The state that [`save`] wrote. Bytes of a stranger are safe: what loads can be applied to.
///
/// # Errors
/// As [`Error`] says.
pub fn load(bytes: &[u8]) -> Result<Cluster, Error> {
    let Head { version } = serde_json::from_slice(bytes)?;
    if version != VERSION {
        return Err(Error::Version { found: version });
    }
    let Read { cluster } = serde_json::from_slice(bytes)?;
    invariants::check_stored(&cluster)?;
    Ok(cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_are_refused() {
        let error = |bytes: &str| load(bytes.as_bytes()).unwrap_err().to_string();
        assert!(error("").contains("cannot be read"));
        assert!(error(r#"{"version":2,"cluster":7}"#).contains("format 2"));
        assert!(error(r#"{"version":1,"cluster":{"revision":1}}"#).contains("missing field"));
        assert_eq!(load(&save(&Cluster::new())).unwrap(), Cluster::new());
    }
}
