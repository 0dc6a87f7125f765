//! Token files, before the client sees them: it panics on malformed ones, and goes on without tokens where it cannot read.

use super::NameNodes;
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

/// Where the client is to go instead of to `url`. It looks for its token by the very text of this; that of a single NameNode may have
/// its address in numbers, as Hadoop's own programs (`hdfs fetchdt`) write it.
pub(super) fn url(tokens: Option<&TokenFile>, url: &str, served: &[NameNodes]) -> String {
    let by_token = || {
        let [one @ NameNodes { nameservice: None, .. }] = served else { return None };
        let token = one.token(tokens.filter(|_| url.starts_with("hdfs://"))?)?;
        Some(format!("hdfs://{}", token.service))
    };
    by_token().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_hadoop_rpc::token::HDFS_DELEGATION_TOKEN;
    use tfcoord_hadoop_rpc::{Protection, Token};

    #[test]
    fn a_token_is_looked_for_by_the_address_that_it_has() {
        let url_of = |services: &[&str], url: &str, nameservice: Option<&str>| {
            let token = |service: &&str| {
                let (kind, service) = (HDFS_DELEGATION_TOKEN.into(), (*service).to_owned());
                // Version 0, three empty names, two dates, two numbers.
                (service.clone(), Token { identifier: vec![0; 8], password: Default::default(), kind, service })
            };
            let tokens = services.iter().map(token).collect();
            let file = TokenFile { tokens, ..TokenFile::default() };
            let served = NameNodes {
                nameservice: nameservice.map(str::to_owned),
                addresses: vec!["localhost:8020".to_owned()],
                principal: None,
                protection: Protection::Authentication,
            };
            super::url(Some(&file), url, &[served])
        };
        let one = "hdfs://localhost:8020";
        assert_eq!(url_of(&["10.0.0.1:8020", "127.0.0.1:8020"], one, None), "hdfs://127.0.0.1:8020");
        for services in [&["127.0.0.1:8020", "localhost:8020"][..], &["127.0.0.1:9"], &[]] {
            assert_eq!(url_of(services, one, None), one, "{services:?}");
        }
        assert_eq!(url_of(&["127.0.0.1:8020"], "hdfs://east", Some("east")), "hdfs://east");
        assert_eq!(url_of(&["127.0.0.1:8020"], "viewfs://all", None), "viewfs://all");
    }

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
