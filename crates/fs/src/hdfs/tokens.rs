//! Token files, before the client sees them: it panics on malformed ones, and goes on without tokens where it cannot read.

use super::site::Service;
use crate::storage::Problem;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use tfcoord_hadoop_rpc::TokenFile;
use tfcoord_hadoop_rpc::token::HDFS_DELEGATION_TOKEN;

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

/// Where the client is to go. It looks for its token by the very text of this; Hadoop's own programs (`hdfs fetchdt`) write the
/// address in numbers where there is one NameNode. A file that cannot be read is told with the first call.
pub(super) fn url(file: Option<&Path>, service: &Service) -> String {
    in_numbers(file, service).map_or_else(|| service.url.clone(), |address| format!("hdfs://{address}"))
}

fn in_numbers(file: Option<&Path>, service: &Service) -> Option<String> {
    let address = service.url.strip_prefix("hdfs://").filter(|address| service.namenodes == [*address])?;
    let file = TokenFile::read(file?).ok()?;
    let services = || file.of_kind(HDFS_DELEGATION_TOKEN).map(|token| token.service.as_str());
    if services().any(|service| service == address) {
        return None;
    }
    let found: Vec<String> = address.to_socket_addrs().ok()?.map(|found| found.to_string()).collect();
    services().find(|service| found.iter().any(|found| found == service)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_hadoop_rpc::Token;

    #[test]
    fn a_token_is_looked_for_by_the_address_that_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        let url_of = |services: &[&str], url: &str, namenodes: &[&str]| {
            // Version 0, three empty names, two dates, two numbers.
            let token = |service: &&str| Token {
                identifier: vec![0; 8],
                password: Default::default(),
                kind: HDFS_DELEGATION_TOKEN.into(),
                service: (*service).to_owned(),
            };
            let tokens = services.iter().map(|service| ((*service).to_owned(), token(service))).collect();
            std::fs::write(&path, TokenFile { tokens, ..TokenFile::default() }.encode().expose()).unwrap();
            let namenodes = namenodes.iter().map(|node| (*node).to_owned()).collect();
            super::url(Some(&path), &Service { url: url.to_owned(), namenodes, mounts: None })
        };
        let one = ["localhost:8020"];
        assert_eq!(url_of(&["10.0.0.1:8020", "127.0.0.1:8020"], "hdfs://localhost:8020", &one), "hdfs://127.0.0.1:8020");
        for services in [&["127.0.0.1:8020", "localhost:8020"][..], &["127.0.0.1:9"], &[]] {
            assert_eq!(url_of(services, "hdfs://localhost:8020", &one), "hdfs://localhost:8020", "{services:?}");
        }
        for several in ["hdfs://east", "viewfs://all"] {
            assert_eq!(url_of(&["127.0.0.1:8020"], several, &one), several);
        }
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
