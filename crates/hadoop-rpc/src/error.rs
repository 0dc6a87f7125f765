//! What can go wrong with a NameNode: where, why, and what helps.

use crate::failover::unanswered;
use crate::protection::Protection;
use std::io;
use std::time::Duration;

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there, or the name is unknown.
    #[error("NameNode {name_node}: cannot connect: {cause}; check that it runs, and its address in dfs.namenode.rpc-address")]
    Connect {
        /// Its address.
        name_node: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The connection broke.
    #[error("NameNode {name_node}: {method} for {user}: the connection broke: {cause}{}", broken_remedy(method))]
    Broken {
        /// Its address.
        name_node: String,
        /// What was being called.
        method: &'static str,
        /// For whom.
        user: String,
        /// What the system said.
        cause: io::Error,
    },
    /// It answers otherwise than the protocol says.
    #[error("NameNode {name_node}: {what}; check that this is the port of Hadoop's RPC (8020), not of its web pages")]
    Protocol {
        /// Its address.
        name_node: String,
        /// What is wrong.
        what: String,
    },
    /// The login or the ticket is of no use.
    #[error("NameNode {name_node}: {cause}")]
    Kerberos {
        /// Its address.
        name_node: String,
        /// What Kerberos says, with what helps.
        cause: tfcoord_kerberos::Error,
    },
    /// It does not take what we have.
    #[error("NameNode {name_node} does not take {user} by {method}, but by: {offered}; {}", method_remedy(offered))]
    Method {
        /// Its address.
        name_node: String,
        /// Who asks.
        user: String,
        /// By what.
        method: &'static str,
        /// What it takes.
        offered: String,
    },
    /// It protects less than it must.
    #[error("NameNode {name_node} offers {offered}, where at least {wanted} is demanded; set hadoop.rpc.protection alike on both sides")]
    Protection {
        /// Its address.
        name_node: String,
        /// What it offers.
        offered: String,
        /// What was asked for.
        wanted: Protection,
    },
    /// It offers privacy by ciphers that we do not speak.
    #[error("NameNode {name_node} encrypts for tokens with {offered} only, where rc4 is known; let its JVM offer rc4, or use integrity")]
    Cipher {
        /// Its address.
        name_node: String,
        /// The ciphers it knows.
        offered: String,
    },
    /// It says that it is somebody else.
    #[error("NameNode {name_node} calls itself {advertised}, where it must be {expected}; check dfs.namenode.kerberos.principal")]
    Service {
        /// Its address.
        name_node: String,
        /// Its own word.
        advertised: String,
        /// Whom the configuration names.
        expected: String,
    },
    /// It could not prove that it knows the token's password.
    #[error("NameNode {name_node} did not prove that it knows the token's password; it is not the one that gave the token out")]
    Imposter {
        /// Its address.
        name_node: String,
    },
    /// It carried the call out, and refused it.
    #[error("NameNode {name_node}: {method} for {user}: {class}: {message}; {}", remedy(class, message))]
    Refused {
        /// Its address.
        name_node: String,
        /// What was called.
        method: &'static str,
        /// For whom.
        user: String,
        /// The exception's class, without its package.
        class: String,
        /// Its first line, at most 500 characters.
        message: String,
    },
    /// There is no such file.
    #[error("NameNode {name_node}: no file {path}, asked for as {user}; check the path")]
    NotFound {
        /// Its address.
        name_node: String,
        /// Who asked.
        user: String,
        /// The path.
        path: String,
    },
    /// It gives out no tokens.
    #[error("NameNode {name_node} gave {user} no token: it is not secured; leave Kerberos out of the configuration")]
    NoToken {
        /// Its address.
        name_node: String,
        /// Who asked.
        user: String,
    },
    /// No NameNode is named.
    #[error("no NameNode is named; set fs.defaultFS, or dfs.namenode.rpc-address for each of the nameservice")]
    Nowhere,
    /// No answer within the time that was given.
    #[error("NameNode {}: {method} for {user}: no answer within {} s{}", name_nodes.join(", "), limit.as_secs(), unanswered(last.as_deref()))]
    Deadline {
        /// Those that were tried.
        name_nodes: Vec<String>,
        /// What was called.
        method: &'static str,
        /// For whom.
        user: String,
        /// The time.
        limit: Duration,
        /// What was seen before it was over.
        last: Option<Box<Error>>,
    },
}

fn broken_remedy(method: &str) -> &'static str {
    match method {
        "cancelDelegationToken" => "; whether it was carried out is not known",
        "connect" => "; check hadoop.rpc.protection, and the NameNode's log",
        _ => "; check the NameNode's log",
    }
}

fn method_remedy(offered: &str) -> &'static str {
    match offered {
        offered if offered.contains("KERBEROS") => "name a principal and its keytab (service.security.kerberos)",
        offered if offered.contains("SIMPLE") => "this cluster is not secured: leave Kerberos out of the configuration",
        _ => "use one of those",
    }
}

/// What helps where a NameNode answers with this exception.
pub fn remedy(class: &str, message: &str) -> &'static str {
    match class {
        "StandbyException" => "another NameNode must be active: see `hdfs haadmin -getAllServiceState`",
        "RetriableException" | "SafeModeException" => "it is starting or in safe mode: wait, or see `hdfs dfsadmin -safemode get`",
        "InvalidToken" if message.contains("expired") => "the token is over: get a new one, and renew it in time",
        "InvalidToken" => "the token was cancelled, or is of another cluster: get a new one",
        "AccessControlException" if message.contains("Permission denied") => "have the owner grant it (`hdfs dfs -setfacl`)",
        "AccessControlException" if message.contains("renew") => "a token is renewed by the renewer that it names",
        "AuthorizationException" if message.contains("impersonate") => {
            "allow it by hadoop.proxyuser.USER.hosts and .users in the NameNode's core-site.xml"
        }
        "AuthorizationException" | "AccessControlException" => "check who is allowed to do so in the cluster's policy",
        "FileNotFoundException" => "check the path",
        "IOException" if message.contains("issued only with kerberos") => "ask for tokens by Kerberos, not by a token",
        "RpcNoSuchMethodException" | "RpcNoSuchProtocolException" => "this is no NameNode's port",
        _ => "see the NameNode's log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_who_what_and_what_helps() {
        let refused = |class: &str, message: &str| {
            let (name_node, user) = ("nn:8020".into(), "bob".into());
            Error::Refused { name_node, method: "getBlockLocations", user, class: class.into(), message: message.into() }.to_string()
        };
        let check = |class: &str, message: &str, expect: &str| {
            let text = refused(class, message);
            for part in ["NameNode nn:8020", "getBlockLocations for bob", class, message, expect] {
                assert!(text.contains(part), "{text}: {part}");
            }
        };
        check("AccessControlException", "Permission denied: user=bob", "setfacl");
        check("InvalidToken", "token (…) can't be found in cache", "cancelled");
        check("InvalidToken", "token (…) has expired", "renew it in time");
        check("AuthorizationException", "User: a is not allowed to impersonate b", "proxyuser");
        check("FileNotFoundException", "File does not exist: /x", "check the path");
        check("OddException", "why", "see the NameNode's log");
    }
}
