//! Who reaches HDFS, for messages: found out as the client finds it out.

use super::Identity;
use std::env;
use std::path::Path;
use tfcoord_hadoop_rpc::TokenFile;
use tfcoord_hadoop_rpc::token::HDFS_DELEGATION_TOKEN;
use tfcoord_kerberos::Kerberos;

/// His name: of the token for one of `namenodes` if there is one, of the ticket, or where nobody must prove it, as the
/// environment or the system says.
pub(super) fn name(identity: &Identity, is_secured: bool, token_file: Option<&Path>, namenodes: &[String]) -> String {
    if !is_secured {
        return unproved(identity);
    }
    let is_own_login = identity.principal.is_some() || identity.cache.is_some();
    let by_token = || token_file.filter(|_| !is_own_login).and_then(|file| owner(file, namenodes));
    if let Some(owner) = by_token() {
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

// A file that cannot be read is told with the first call.
fn owner(file: &Path, namenodes: &[String]) -> Option<String> {
    let file = TokenFile::read(file).ok()?;
    let is_for = |service: &str| service.starts_with("ha-hdfs:") || namenodes.iter().any(|address| address == service);
    let token = file.of_kind(HDFS_DELEGATION_TOKEN).find(|token| is_for(&token.service))?;
    Some(token.identifier().ok()?.owner)
}

fn ticket(cache: Option<&str>) -> Option<String> {
    Some(Kerberos::load().ok()?.tickets_of(cache).ok()?.principal().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_told_with_who_it_acts_for() {
        let login = Identity { principal: Some("tf/host@R".to_owned()), ..Identity::default() };
        assert_eq!(name(&login, true, None, &[]), "tf/host@R");
        assert_eq!(name(&Identity { user: Some("bob".to_owned()), ..login }, true, None, &[]), "bob (by tf/host@R)");
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
