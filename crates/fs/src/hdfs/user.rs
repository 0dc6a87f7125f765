//! Who reaches HDFS, for messages: found out as the client finds it out.

use super::{Identity, NameNodes};
use std::env;
use tfcoord_hadoop_rpc::TokenFile;
use tfcoord_kerberos::Kerberos;

/// His name: of the token for one of `served` if there is one, of the ticket, or where nobody must prove it, as the
/// environment or the system says.
pub(super) fn name(identity: &Identity, is_secured: bool, tokens: Option<&TokenFile>, served: &[NameNodes]) -> String {
    if !is_secured {
        return unproved(identity);
    }
    if let Some(owner) = tokens.and_then(|file| owner(file, served)) {
        return format!("{owner} (by token)");
    }
    let login = identity.principal.clone().or_else(|| ticket(identity.cache.as_deref()));
    let login = login.unwrap_or_else(|| format!("{} without a ticket", of_the_system()));
    match identity.user.clone().or_else(|| variable("HADOOP_PROXY_USER")) {
        Some(user) => format!("{user} (by {login})"),
        None => login,
    }
}

/// His name where nobody must prove it.
pub(super) fn unproved(identity: &Identity) -> String {
    identity.user.clone().or_else(|| variable("HADOOP_USER_NAME")).unwrap_or_else(of_the_system)
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn of_the_system() -> String {
    whoami::username().unwrap_or_else(|_| "nobody".to_owned())
}

fn owner(file: &TokenFile, served: &[NameNodes]) -> Option<String> {
    let token = served.iter().find_map(|name_nodes| name_nodes.token(file))?;
    Some(token.identifier().ok()?.owner)
}

fn ticket(cache: Option<&str>) -> Option<String> {
    Some(Kerberos::load().ok()?.tickets_of(cache).ok()?.principal().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_hadoop_rpc::token::HDFS_DELEGATION_TOKEN;
    use tfcoord_hadoop_rpc::{Protection, Secret, Token};

    #[test]
    fn a_login_is_told_with_who_it_acts_for() {
        let login = Identity { principal: Some("tf/host@R".to_owned()), ..Identity::default() };
        assert_eq!(name(&login, true, None, &[]), "tf/host@R");
        assert_eq!(name(&Identity { user: Some("bob".to_owned()), ..login }, true, None, &[]), "bob (by tf/host@R)");
    }

    #[test]
    fn a_token_is_told_where_the_client_finds_it() {
        // Of alice, whom tf may renew, with small dates and numbers.
        let identifier = b"\0\x05alice\x02tf\0\x01\x02\x03\x04".to_vec();
        let token = Token { identifier, password: Secret::default(), kind: HDFS_DELEGATION_TOKEN.into(), service: "ha-hdfs:east".into() };
        let file = TokenFile::of(token);
        let of = |nameservices: &[&str]| {
            let name_nodes = |nameservice: &&str| NameNodes {
                nameservice: Some((*nameservice).to_owned()),
                addresses: vec!["a:1".to_owned()],
                principal: Some("nn/_HOST@R".to_owned()),
                protection: Protection::Authentication,
            };
            name(&Identity::default(), true, Some(&file), &nameservices.iter().map(name_nodes).collect::<Vec<_>>())
        };
        assert_eq!(of(&["east"]), "alice (by token)");
        assert_eq!(of(&["west", "east"]), "alice (by token)", "of what is mounted");
        assert!(!of(&["west"]).contains("by token") && !of(&[]).contains("by token"));
    }

    #[test]
    fn without_a_login_it_is_the_systems_user() {
        let own = whoami::username().unwrap();
        let none = Identity { cache: Some("FILE:/no/where".to_owned()), ..Identity::default() };
        assert_eq!(name(&none, true, None, &[]), format!("{own} without a ticket"));
        let alice = Identity { user: Some("alice".to_owned()), ..Identity::default() };
        assert_eq!(name(&alice, false, None, &[]), "alice");
    }
}
