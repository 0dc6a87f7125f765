//! Reading one file of bounded size, here or by HTTP.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The longest file; real ones have some kilobytes.
const BYTES_MAX: u64 = 1 << 20;
/// For all of an answer.
const WITHIN: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: u32 = 5;

/// The file's bytes; nothing if it is not there.
///
/// # Errors
/// It cannot be read, or is too long.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > BYTES_MAX { Err(too_long()) } else { Ok(Some(bytes)) }
}

/// What is at this address; nothing where the server has nothing there (404).
///
/// # Errors
/// It cannot be fetched, or is too long.
pub async fn fetch(address: String) -> Result<Option<Vec<u8>>, String> {
    let fetched = tokio::task::spawn_blocking(move || get(&address)).await;
    fetched.unwrap_or_else(|error| Err(error.to_string()))
}

fn get(address: &str) -> Result<Option<Vec<u8>>, String> {
    // Whom this machine trusts: sites have authorities of their own.
    let trusted = rustls_native_certs::load_native_certs().certs;
    let trusted: Vec<Certificate<'static>> = trusted.iter().map(|known| Certificate::from_der(known).to_owned()).collect();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&trusted));
    let tls = tls.unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider())).build();
    let config = Agent::config_builder().timeout_global(Some(WITHIN)).max_redirects(REDIRECTS_MAX).http_status_as_error(false);
    let agent: Agent = config.tls_config(tls).build().into();
    let mut response = agent.get(address).call().map_err(|error| error.to_string())?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        status => return Err(format!("the server answers {status}")),
    }
    let body = response.body_mut().with_config().limit(BYTES_MAX).read_to_vec();
    body.map(Some).map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => too_long(),
        error => error.to_string(),
    })
}

fn too_long() -> String {
    format!("it has more than {BYTES_MAX} bytes")
}
