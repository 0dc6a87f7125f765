//! What can go wrong with WebHDFS: where, why, and what helps. No text holds an address of a request.

use std::io;
use std::time::Duration;
use tfcoord_hadoop_rpc::Protection;
use tfcoord_hadoop_rpc::failover::unanswered;

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It went by RPC.
    #[error(transparent)]
    Rpc(#[from] tfcoord_hadoop_rpc::Error),
    /// Nobody listens there, or the name is unknown.
    #[error(
        "WebHDFS {server}: cannot connect: {cause}; check that the NameNode runs, and its address in dfs.namenode.http-address or https-address"
    )]
    Connect {
        /// `http://host:port`.
        server: String,
        /// What the system said.
        cause: io::Error,
    },
    /// It cannot be proved who listens there.
    #[error(
        "WebHDFS {server}: {cause}; have this machine trust the authority of its certificate (SSL_CERT_FILE names another file of those)"
    )]
    Tls {
        /// `https://host:port`.
        server: String,
        /// What TLS says.
        cause: String,
    },
    /// The connection broke.
    #[error("WebHDFS {server}: {operation} for {user}: the connection broke: {cause}{}", broken_remedy(operation))]
    Broken {
        /// Its address.
        server: String,
        /// What was asked.
        operation: &'static str,
        /// For whom.
        user: String,
        /// What the system said.
        cause: io::Error,
    },
    /// It answers otherwise than WebHDFS does.
    #[error("WebHDFS {server}: {operation}: {what}; check that dfs.namenode.http-address or https-address names the NameNode's web pages")]
    Protocol {
        /// Its address.
        server: String,
        /// What was asked.
        operation: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The login or the ticket is of no use.
    #[error("WebHDFS {server}: {cause}")]
    Kerberos {
        /// Its address.
        server: String,
        /// What Kerberos says, with what helps.
        cause: tfcoord_kerberos::Error,
    },
    /// It does not let us in.
    #[error("WebHDFS {server} does not let {user} in: {status} {said}; {}", closed_remedy(*status, said))]
    Closed {
        /// Its address.
        server: String,
        /// Who asks.
        user: String,
        /// HTTP's status.
        status: u16,
        /// What it says, at most 200 characters.
        said: String,
    },
    /// It answered, and did not prove who it is.
    #[error(
        "WebHDFS {server} did not prove that it is {service}; the answer may be another's: check the address and dfs.web.authentication.kerberos.principal"
    )]
    Unproved {
        /// Its address.
        server: String,
        /// Who it must be.
        service: String,
    },
    /// What is said could be read or changed on its way.
    #[error(
        "WebHDFS {server} is not encrypted, where hadoop.rpc.protection demands {wanted}; set dfs.http.policy to HTTPS_ONLY, or call the NameNodes by RPC"
    )]
    Open {
        /// Its address.
        server: String,
        /// What the site demands.
        wanted: Protection,
    },
    /// It understood, and refused.
    #[error("WebHDFS {server}: {operation} for {user}: {class}: {message}; {}", remedy(class, message))]
    Refused {
        /// Its address.
        server: String,
        /// What was asked.
        operation: &'static str,
        /// For whom.
        user: String,
        /// The exception's class, without its package.
        class: String,
        /// Its first line, at most 500 characters.
        message: String,
    },
    /// It gives out no tokens.
    #[error("WebHDFS {server} gave {user} no token: it is not secured; leave Kerberos out of the configuration")]
    NoToken {
        /// Its address.
        server: String,
        /// Who asked.
        user: String,
    },
    /// No address is named.
    #[error("no NameNode's web pages are named; set dfs.namenode.http-address, for each of the nameservice")]
    Nowhere,
    /// No answer within the time that was given.
    #[error("WebHDFS {}: {operation} for {user}: no answer within {} s{}", servers.join(", "), limit.as_secs(), unanswered(last.as_deref()))]
    Deadline {
        /// Those that were tried.
        servers: Vec<String>,
        /// What was asked.
        operation: &'static str,
        /// For whom.
        user: String,
        /// The time.
        limit: Duration,
        /// What was seen before it was over.
        last: Option<Box<Error>>,
    },
}

fn broken_remedy(operation: &str) -> &'static str {
    match operation {
        "CANCELDELEGATIONTOKEN" => "; whether it was carried out is not known",
        _ => "; check the NameNode's log",
    }
}

fn remedy(class: &str, message: &str) -> &'static str {
    match class {
        // Its filter takes what comes with a token for a request without anybody.
        "IllegalArgumentException" if message.contains("delegation parameter") => "ask for tokens by Kerberos, not by a token",
        _ => tfcoord_hadoop_rpc::remedy(class, message),
    }
}

fn closed_remedy(status: u16, said: &str) -> &'static str {
    match status {
        401 | 403 if said.contains("GSSException") => {
            "its key is another, or it has none for HTTP/HOST: check dfs.web.authentication.kerberos.principal and its keytab there"
        }
        401 | 403 => "check dfs.web.authentication.kerberos.principal, and hadoop.http.authentication.type there",
        404 | 405 => "it has no WebHDFS there: check the address, and dfs.webhdfs.enabled",
        300..=399 => "it sends us elsewhere: name the NameNode's own address, or its https-address by dfs.http.policy",
        _ => "see the NameNode's log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_what_and_what_helps() {
        let closed = |status, said: &str| Error::Closed { server: "http://nn:9870".into(), user: "bob".into(), status, said: said.into() };
        let check = |error: Error, parts: &[&str]| {
            let text = error.to_string();
            parts.iter().for_each(|part| assert!(text.contains(part), "{text}: {part}"));
        };
        check(
            closed(401, "Authentication required"),
            &["http://nn:9870", "bob", "401 Authentication required", "hadoop.http.authentication.type"],
        );
        check(closed(403, "GSSException: Failure"), &["keytab there"]);
        check(closed(404, "Not Found"), &["dfs.webhdfs.enabled"]);
        check(closed(302, ""), &["sends us elsewhere"]);
        let refused = Error::Refused {
            server: "http://nn:9870".into(),
            operation: "RENEWDELEGATIONTOKEN",
            user: "bob".into(),
            class: "InvalidToken".into(),
            message: "token (…) has expired".into(),
        };
        check(refused, &["RENEWDELEGATIONTOKEN for bob", "InvalidToken", "renew it in time"]);
        let open = Error::Open { server: "http://nn:9870".into(), wanted: Protection::Privacy };
        check(open, &["demands privacy", "HTTPS_ONLY"]);
    }
}
