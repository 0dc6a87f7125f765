//! Tokens that somebody else has got, and keeps good: taken as they are, and neither renewed nor cancelled here.
//!
//! Each step looks into the file again, so that whoever keeps them only has to write newer ones there.

use super::super::dates::{Dates, TokenDates, now_ms};
use super::{Action, CALL_WITHIN, Failure, MODE_PRIVATE, add};
use crate::state_dir::HadoopDir;
use std::path::Path;
use tfcoord_fs::hdfs::NameNodes;
use tfcoord_hadoop_rpc::token::HDFS_DELEGATION_TOKEN;
use tfcoord_hadoop_rpc::{Config, Credentials, NameNode, Token, TokenFile};

/// One step with the tokens in the file at `path`, for all of these file systems.
///
/// # Errors
/// It cannot be read, or lacks one; a NameNode does not take one; they end soon, and no newer ones are there.
pub async fn step(action: Action, dir: &HadoopDir, path: &Path, all: &[NameNodes]) -> Result<Dates, Failure> {
    let mut dates = Dates { tokens: Vec::new(), at_ms: now_ms(), ticket_ends_ms: None, is_given: true };
    if action == Action::Cancel {
        return Ok(dates);
    }
    let given = TokenFile::read(path).map_err(|error| Failure::of(error.to_string()))?;
    let mut file = TokenFile::default();
    for name_nodes in all {
        let token = find(&given, path, name_nodes)?;
        let identifier = token.identifier().map_err(|error| Failure::of(error.to_string()))?;
        let service = check(name_nodes, &token).await?;
        // Until when its renewer has prolonged it he alone is told.
        dates.tokens.push(TokenDates::new(&service, &identifier, identifier.latest));
        add(&mut file, name_nodes, Token { service, ..token });
    }
    let before = Dates::read(dir);
    if action == Action::Issue && before.is_some_and(|before| before.tokens == dates.tokens) {
        let text = format!("token file {}: these are the ones that are in use; write newer ones there (`hdfs fetchdt`)", path.display());
        return Err(Failure::of(text));
    }
    tfcoord_fs::write_atomic(&dir.tokens(), file.encode().expose(), MODE_PRIVATE)?;
    dates.keep(dir)?;
    Ok(dates)
}

// By any of the texts by which clients go.
fn find(given: &TokenFile, path: &Path, name_nodes: &NameNodes) -> Result<Token, Failure> {
    let is_for = |token: &&Token| match &name_nodes.nameservice {
        Some(name) => token.service == format!("ha-hdfs:{name}"),
        None => name_nodes.addresses.iter().any(|address| is_same(address, &token.service)),
    };
    given.of_kind(HDFS_DELEGATION_TOKEN).find(is_for).cloned().ok_or_else(|| {
        let services: Vec<&str> = given.of_kind(HDFS_DELEGATION_TOKEN).map(|token| token.service.as_str()).collect();
        let of = name_nodes.nameservice.clone().unwrap_or_else(|| name_nodes.addresses.join(", "));
        let path = path.display();
        let holds = if services.is_empty() { "none".to_owned() } else { services.join(", ") };
        let remedy = "add one (`hdfs fetchdt`), or unset HADOOP_TOKEN_FILE_LOCATION and log in with kinit";
        Failure::of(format!("token file {path} has no token of HDFS for {of}; it has: {holds}; {remedy}"))
    })
}

// `localhost:8020`, and `127.0.0.1:8020`.
fn is_same(address: &str, service: &str) -> bool {
    use std::net::ToSocketAddrs;
    let is_numeric = |found: std::net::SocketAddr| found.to_string() == service;
    address.eq_ignore_ascii_case(service) || address.to_socket_addrs().is_ok_and(|mut found| found.any(is_numeric))
}

// Whether they take it, and by which text Java's clients look for it.
async fn check(name_nodes: &NameNodes, token: &Token) -> Result<String, Failure> {
    let (addresses, nameservice) = (name_nodes.addresses.clone(), name_nodes.nameservice.clone());
    let (protection, deadline, credentials) = (name_nodes.protection, CALL_WITHIN, Credentials::Token(token.clone()));
    let config = Config { addresses, nameservice, credentials, protection, proxy_user: None, deadline };
    Ok(NameNode::connect(config).await?.token_service().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_hadoop_rpc::Protection;

    fn token(service: &str) -> (String, Token) {
        let (kind, service) = (HDFS_DELEGATION_TOKEN.to_owned(), service.to_owned());
        (service.clone(), Token { identifier: Vec::new(), password: Vec::new().into(), kind, service })
    }

    #[test]
    fn a_token_is_found_by_what_clients_call_its_name_nodes() {
        let of = |nameservice: Option<&str>, address: &str| NameNodes {
            nameservice: nameservice.map(str::to_owned),
            addresses: vec![address.to_owned()],
            principal: None,
            protection: Protection::Authentication,
        };
        let check = |service: &str, nodes: &NameNodes| {
            let file = TokenFile { tokens: vec![token(service)], secrets: Vec::new() };
            find(&file, Path::new("/t"), nodes).map(|token| token.service).map_err(|failure| failure.text)
        };
        for service in ["NN.site:8020", "127.0.0.1:8020", "ha-hdfs:east"] {
            let nodes = if service.starts_with("ha") { of(Some("east"), "a:1") } else { of(None, &service.to_lowercase()) };
            assert_eq!(check(service, &nodes).unwrap(), service);
        }
        assert_eq!(check("127.0.0.1:7", &of(None, "localhost:7")).unwrap(), "127.0.0.1:7");
        let error = check("10.0.0.1:8020", &of(Some("east"), "a:1")).unwrap_err();
        assert!(error.contains("/t has no token of HDFS for east; it has: 10.0.0.1:8020"), "{error}");
    }
}
