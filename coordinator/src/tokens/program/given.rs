//! Tokens that somebody else has got, and keeps good: taken as they are, and neither renewed nor cancelled here.
//!
//! Each step looks into the file again, so that whoever keeps them only has to write newer ones there.

use super::super::dates::{Dates, TokenDates, now_ms};
use super::{Action, CALL_WITHIN, Failure, MODE_PRIVATE, add};
use crate::state_dir::HadoopDir;
use std::path::Path;
use tfcoord_fs::hdfs::NameNodes;
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
        let service = check(name_nodes, token).await?;
        // Until when its renewer has prolonged it he alone is told.
        dates.tokens.push(TokenDates::new(&service, &identifier, identifier.latest));
        add(&mut file, name_nodes, Token { service, ..token.clone() });
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

fn find<'a>(given: &'a TokenFile, path: &Path, name_nodes: &NameNodes) -> Result<&'a Token, Failure> {
    name_nodes.token(given).ok_or_else(|| {
        let services: Vec<&str> = given.of_hdfs().map(|token| token.service.as_str()).collect();
        let (path, of) = (path.display(), name_nodes.name());
        let holds = if services.is_empty() { "none".to_owned() } else { services.join(", ") };
        let remedy = "add one (`hdfs fetchdt`), or unset HADOOP_TOKEN_FILE_LOCATION and log in with kinit";
        Failure::of(format!("token file {path} has no token of HDFS for {of}; it has: {holds}; {remedy}"))
    })
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
    use tfcoord_hadoop_rpc::token::HDFS_DELEGATION_TOKEN;

    fn token(service: &str) -> (String, Token) {
        let (kind, service) = (HDFS_DELEGATION_TOKEN.to_owned(), service.to_owned());
        (service.clone(), Token { identifier: Vec::new(), password: Vec::new().into(), kind, service })
    }

    #[test]
    fn what_a_file_has_instead_is_told() {
        let name_nodes = NameNodes {
            nameservice: Some("east".to_owned()),
            addresses: vec!["a:1".to_owned()],
            principal: None,
            protection: Protection::Authentication,
        };
        let check = |tokens: Vec<(String, Token)>, expect: &str| {
            let error = find(&TokenFile { tokens, secrets: Vec::new() }, Path::new("/t"), &name_nodes).unwrap_err().text;
            assert!(error.contains(&format!("/t has no token of HDFS for east; it has: {expect}; add one")), "{error}");
        };
        check(Vec::new(), "none");
        check(vec![token("10.0.0.1:8020"), token("ha-hdfs:west")], "10.0.0.1:8020, ha-hdfs:west");
    }
}
