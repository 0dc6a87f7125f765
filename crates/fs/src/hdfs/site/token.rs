//! Which token of a file is for which NameNodes.

use super::NameNodes;
use std::cell::LazyCell;
use std::net::{SocketAddr, ToSocketAddrs};
use tfcoord_hadoop_rpc::token::logical_service;
use tfcoord_hadoop_rpc::{Token, TokenFile};

impl NameNodes {
    /// Their token in `file`: of those that NameNodes give out, the one that is marked for them. For a nameservice that is
    /// `ha-hdfs:NAME` and nothing else. For a single NameNode it is the address as the configuration has it; else in other
    /// capitals (Java, where `hadoop.security.token.service.use_ip` is false); else in numbers (Java, where it is true, as it
    /// mostly is), for which the NameNode's name is looked up: that may take a while.
    pub fn token<'a>(&self, file: &'a TokenFile) -> Option<&'a Token> {
        let exact = self.token_as_configured(file);
        if self.nameservice.is_some() {
            return exact;
        }
        exact.or_else(|| self.token_by_name(file)).or_else(|| self.token_by_number(file))
    }

    fn token_as_configured<'a>(&self, file: &'a TokenFile) -> Option<&'a Token> {
        let services = self.nameservice.as_ref().map_or_else(|| self.addresses.clone(), |name| vec![logical_service(name)]);
        file.of_hdfs().find(|token| services.contains(&token.service))
    }

    fn token_by_name<'a>(&self, file: &'a TokenFile) -> Option<&'a Token> {
        file.of_hdfs().find(|token| self.addresses.iter().any(|address| address.eq_ignore_ascii_case(&token.service)))
    }

    fn token_by_number<'a>(&self, file: &'a TokenFile) -> Option<&'a Token> {
        // Only where there is one to compare them with.
        let numbers = LazyCell::new(|| {
            let found = self.addresses.iter().flat_map(|address| address.to_socket_addrs().into_iter().flatten());
            found.collect::<Vec<SocketAddr>>()
        });
        file.of_hdfs().find(|token| token.service.parse().is_ok_and(|service| numbers.contains(&service)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_hadoop_rpc::Protection;
    use tfcoord_hadoop_rpc::token::HDFS_DELEGATION_TOKEN;

    const EAST: (Option<&str>, &str) = (Some("east"), "127.0.0.1:8020");
    const SINGLE: (Option<&str>, &str) = (None, "localhost:8020");

    fn name_nodes((nameservice, address): (Option<&str>, &str)) -> NameNodes {
        NameNodes {
            nameservice: nameservice.map(str::to_owned),
            addresses: vec![address.to_owned()],
            principal: Some("nn/_HOST@R".to_owned()),
            protection: Protection::Authentication,
        }
    }

    fn file(kind: &str, services: &[&str]) -> TokenFile {
        let token = |service: &&str| {
            let token = Token { identifier: vec![1], password: Vec::new().into(), kind: kind.into(), service: (*service).into() };
            // Names of tokens are anybody's: they say nothing.
            ("localhost:8020".to_owned(), token)
        };
        TokenFile { tokens: services.iter().map(token).collect(), ..TokenFile::default() }
    }

    #[test]
    fn a_token_is_for_those_for_whom_it_is_marked() {
        let check = |of, services: &[&str], expect: Option<&str>| {
            let file = file(HDFS_DELEGATION_TOKEN, services);
            let found = name_nodes(of).token(&file);
            assert_eq!(found.map(|token| token.service.as_str()), expect, "{of:?} of {services:?}");
        };
        // The nameservice's name, whole, and no address of its NameNodes.
        check(EAST, &["ha-hdfs:west", "ha-hdfs:east"], Some("ha-hdfs:east"));
        check(EAST, &["127.0.0.1:8020", "east", "ha-hdfs:eastern", "ha-hdfs:East", "ha-hdfs:"], None);
        // The address in words, or in numbers, and no nameservice.
        check(SINGLE, &["ha-hdfs:localhost", "localhost:8020"], Some("localhost:8020"));
        check(SINGLE, &["LocalHost:8020"], Some("LocalHost:8020"));
        check(SINGLE, &["127.0.0.1:8020"], Some("127.0.0.1:8020"));
        check((None, "[0:0:0:0:0:0:0:1]:8020"), &["[::1]:8020"], Some("[::1]:8020"));
        check(SINGLE, &["localhost", "localhost:8021", "127.0.0.1:8021", "127.0.0.1", "10.0.0.1:8020", ""], None);
        // The nearer to the configuration, the better, wherever in the file it stands.
        check(SINGLE, &["127.0.0.1:8020", "LOCALHOST:8020", "localhost:8020"], Some("localhost:8020"));
        check(SINGLE, &["127.0.0.1:8020", "LOCALHOST:8020"], Some("LOCALHOST:8020"));
        // A name that nobody knows goes by its text alone.
        check((None, "no host:1"), &["127.0.0.1:1"], None);
        check((None, "no host:1"), &["127.0.0.1:1", "No host:1"], Some("No host:1"));
    }

    #[test]
    fn other_services_tokens_are_none() {
        for of in [EAST, SINGLE] {
            assert!(name_nodes(of).token(&file("kms-dt", &["ha-hdfs:east", "localhost:8020", "127.0.0.1:8020"])).is_none());
        }
    }
}
