//! Where a process listens, as text: `unix:/path` or `HOST:PORT`.

use std::fmt;
use std::str::FromStr;

/// The longest path of a Unix socket that the kernel takes (`sun_path` and its closing zero).
const UNIX_PATH_BYTES_MAX: usize = 107;

/// Where a process listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A Unix socket: its absolute path.
    Unix(String),
    /// A TCP port.
    Tcp {
        /// A name or an address; an IPv6 address in brackets.
        host: String,
        /// The port; not 0.
        port: u16,
    },
}

/// A text that is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no endpoint: {expected}")]
pub struct ParseError {
    /// The text given.
    pub text: String,
    /// What would have been one.
    pub expected: &'static str,
}

impl FromStr for Endpoint {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = |expected| ParseError { text: text.to_owned(), expected };
        if let Some(path) = text.strip_prefix("unix:") {
            let fits = path.starts_with('/') && path.len() <= UNIX_PATH_BYTES_MAX && !path.contains('\0');
            return fits.then(|| Self::Unix(path.to_owned())).ok_or_else(|| wrong("unix: and an absolute path of at most 107 bytes"));
        }
        let wrong = || wrong("unix:/PATH or HOST:PORT");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port > 0 && text.ends_with(|c: char| c.is_ascii_digit())).ok_or_else(wrong)?;
        is_host(host).then(|| Self::Tcp { host: host.to_owned(), port }).ok_or_else(wrong)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{path}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets. Nothing that a URI would read otherwise.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok()),
        None => (1..=253).contains(&host.len()) && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_back_what_they_print() {
        for text in ["unix:/run/c.sock", "127.0.0.1:7601", "head-1.cluster:80", "[::1]:9"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = format!("unix:/{}", "a".repeat(107));
        for text in [
            "",
            "unix:",
            "unix:relative",
            &long,
            "host",
            "host:",
            "host:0",
            "host:65536",
            ":80",
            "a b:80",
            "a/b:80",
            "u@h:80",
            "::1:80",
            "[x]:80",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
