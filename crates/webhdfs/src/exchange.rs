//! One request and its answer, on a connection of its own. It blocks.

use crate::answer;
use crate::error::Error;
use crate::proof::Proof;
use crate::request::Request;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Timeout, http};
use zeroize::Zeroizing;

/// The longest answer, in bytes: as much as is read by RPC. It would hold the block locations of a file of some 4 TB.
const LENGTH_MAX: u64 = 64 << 20;
/// What is read of an answer that is none.
const COMPLAINT_MAX: u64 = 64 << 10;

/// Who sends requests; clones share what it trusts.
#[derive(Debug, Clone)]
pub struct Exchange {
    agent: Agent,
}

/// Where it goes, and how long it may take.
#[derive(Debug, Clone)]
pub struct Target {
    /// `http://host:port`.
    pub server: String,
    /// For messages.
    pub user: String,
    pub connect: Duration,
    pub whole: Duration,
}

impl Exchange {
    /// That believes the authorities that this machine does, where it is `encrypted`.
    pub fn new(encrypted: bool) -> Self {
        // A proxy has no business between here and a NameNode, and where an answer sends us no token is taken.
        let config = Agent::config_builder().proxy(None).max_redirects(0).max_redirects_will_error(false).http_status_as_error(false);
        let config = if encrypted { config.tls_config(tls()) } else { config };
        Self { agent: config.max_idle_connections(0).build().into() }
    }

    /// What the server answers where all went well.
    pub fn send(&self, request: Request, proof: &Proof, target: &Target) -> Result<Zeroizing<Vec<u8>>, Error> {
        let operation = request.operation;
        let (request, conversation) =
            proof.add(request, host(&target.server)).map_err(|cause| Error::Kerberos { server: target.server.clone(), cause })?;
        let (header, conversation) = conversation.unzip();
        let mut response = self.call(&request, header, target).map_err(|error| target.failed(operation, error))?;
        let status = response.status();
        let limit = if status.is_success() { LENGTH_MAX } else { COMPLAINT_MAX };
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        let body = Zeroizing::new(match body {
            // What is too long to be an exception is none.
            Err(ureq::Error::BodyExceedsLimit(_)) if !status.is_success() => Vec::new(),
            body => body.map_err(|error| target.failed(operation, error))?,
        });
        if !status.is_success() {
            return Err(answer::refusal(&request, status.as_u16(), &body, target));
        }
        if let Some(mut conversation) = conversation {
            let mut headers = response.headers().get_all(http::header::WWW_AUTHENTICATE).iter();
            if !headers.any(|header| conversation.is_proved(header.to_str().ok())) {
                return Err(Error::Unproved { server: target.server.clone(), service: conversation.service.to_string() });
            }
        }
        Ok(body)
    }

    fn call(&self, request: &Request, authorization: Option<String>, target: &Target) -> Result<http::Response<Body>, ureq::Error> {
        let address = request.address(&target.server);
        let add = authorization.as_deref();
        if request.put {
            let put = self.agent.put(address.as_str()).config();
            let put = put.timeout_connect(Some(target.connect)).timeout_global(Some(target.whole)).build();
            add.into_iter().fold(put, |put, value| put.header(http::header::AUTHORIZATION, value)).send_empty()
        } else {
            let get = self.agent.get(address.as_str()).config();
            let get = get.timeout_connect(Some(target.connect)).timeout_global(Some(target.whole)).build();
            add.into_iter().fold(get, |get, value| get.header(http::header::AUTHORIZATION, value)).call()
        }
    }
}

impl Target {
    // Texts of the library may quote the address: only those pass that cannot.
    fn failed(&self, operation: &'static str, error: ureq::Error) -> Error {
        let server = self.server.clone();
        let connect =
            |kind: ErrorKind, what: &str| Error::Connect { server: self.server.clone(), cause: io::Error::new(kind, what.to_owned()) };
        let broken = |cause| Error::Broken { server: self.server.clone(), operation, user: self.user.clone(), cause };
        let protocol = |what: &str| Error::Protocol { server: self.server.clone(), operation, what: what.to_owned() };
        match error {
            ureq::Error::HostNotFound => connect(ErrorKind::NotFound, "the host is unknown"),
            ureq::Error::ConnectionFailed => connect(ErrorKind::NotConnected, "no connection comes about"),
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                connect(ErrorKind::TimedOut, "no connection within the time for it")
            }
            ureq::Error::Timeout(_) => broken(io::Error::new(ErrorKind::TimedOut, "no answer within the time for it")),
            ureq::Error::Io(cause) => match cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(tls) => Error::Tls { server, cause: tls.to_string() },
                None if is_before_connection(cause.kind()) => Error::Connect { server, cause },
                None => broken(cause),
            },
            ureq::Error::Rustls(cause) => Error::Tls { server, cause: cause.to_string() },
            ureq::Error::Tls(cause) => Error::Tls { server, cause: cause.to_owned() },
            ureq::Error::BodyExceedsLimit(_) => protocol("an answer of more than 64 MiB"),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => protocol("this is no address of a server"),
            ureq::Error::LargeResponseHeader(..) => protocol("a header that is too long"),
            _ => protocol("it does not speak HTTP"),
        }
    }
}

fn is_before_connection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NotFound
    )
}

/// `nn` of `http://nn:9870`, `::1` of `https://[::1]:9871`.
fn host(server: &str) -> &str {
    let authority = server.split_once("://").map_or(server, |(_, authority)| authority);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.trim_matches(['[', ']'])
}

fn tls() -> TlsConfig {
    let trusted = rustls_native_certs::load_native_certs().certs;
    let trusted: Vec<Certificate<'static>> = trusted.iter().map(|known| Certificate::from_der(known).to_owned()).collect();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&trusted));
    tls.unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider())).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_in_an_address() {
        assert_eq!(["http://nn.site:9870", "https://[::1]:9871", "http://nn"].map(host), ["nn.site", "::1", "nn"]);
    }

    #[test]
    fn what_the_library_quotes_is_not_passed_on() {
        let target = Target { server: "http://nn:1".into(), user: "alice".into(), connect: Duration::ZERO, whole: Duration::ZERO };
        let secret = "http://nn:1/webhdfs/v1/?op=CANCELDELEGATIONTOKEN&token=SECRET";
        for error in [ureq::Error::BadUri(secret.into()), ureq::Error::RequireHttpsOnly(secret.into()), ureq::Error::Other(secret.into())] {
            let error = target.failed("CANCELDELEGATIONTOKEN", error);
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
        }
    }
}
