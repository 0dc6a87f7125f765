//! Token files, before the client sees them: it panics on malformed ones, and goes on without tokens where it cannot read.

use crate::storage::Problem;
use std::path::PathBuf;
use tfcoord_hadoop_rpc::TokenFile;

/// The file that the client reads whenever it opens a connection to a NameNode. It looks into the environment itself, and so
/// must whoever is to see the same.
pub(super) fn file() -> Option<PathBuf> {
    std::env::var_os("HADOOP_TOKEN_FILE_LOCATION").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Whether `file` is as the client must find it.
pub(super) fn check(file: Option<&PathBuf>) -> Result<(), Problem> {
    let Some(path) = file else { return Ok(()) };
    TokenFile::read(path).map(drop).map_err(|error| Problem::TokenFile { detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_file_is_named_before_the_client_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        std::fs::write(&path, b"HDTS\0\x01\x05").unwrap();
        let error = check(Some(&path)).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains("damaged"), "{error}");
        assert!(check(Some(&dir.path().join("none"))).is_err());
        assert!(check(None).is_ok());
    }
}
