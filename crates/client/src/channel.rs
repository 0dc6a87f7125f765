//! Channels: HTTP/2 over a Unix socket or TCP.

use crate::endpoint::Endpoint;
use std::time::Duration;
use tonic::transport::{self, Channel};

/// A silent peer is asked for a sign of life this often.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Without an answer for this long, the connection counts as broken.
const PING_ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// So long a peer may have been silent when a connection counts as broken.
pub(crate) const SILENCE_MAX: Duration = PING_EVERY.saturating_add(PING_ANSWER_WITHIN);

/// Why there is no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot connect to {endpoint}: {cause}")]
pub struct Error {
    /// Where to.
    pub endpoint: Endpoint,
    /// What the system said.
    pub cause: String,
}

impl Endpoint {
    /// tonic's builder for this endpoint: no delay, keepalive by pings. Windows and frames may be set on it.
    ///
    /// # Errors
    /// When tonic does not take the address.
    pub fn builder(&self) -> Result<transport::Endpoint, Error> {
        let uri = match self {
            Self::Unix(path) => format!("unix:{path}"),
            Self::Tcp { host, port } => format!("http://{host}:{port}"),
        };
        let endpoint = transport::Endpoint::from_shared(uri).map_err(|error| self.error(innermost(&error)))?;
        Ok(endpoint
            .tcp_nodelay(true)
            .tcp_keepalive(Some(Duration::from_secs(10)))
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER_WITHIN)
            .keep_alive_while_idle(true))
    }

    /// A channel that is connected now. It connects again by itself when it is used after a break.
    ///
    /// # Errors
    /// When there is no connection `within` this time.
    pub async fn connect(&self, within: Duration) -> Result<Channel, Error> {
        let connected = tokio::time::timeout(within, self.builder()?.connect()).await;
        let slow = |_| self.error(format!("no connection within {} ms", within.as_millis()));
        connected.map_err(slow)?.map_err(|error| self.error(innermost(&error)))
    }

    fn error(&self, cause: String) -> Error {
        Error { endpoint: self.clone(), cause }
    }
}

/// The text of the error that the others wrap: tonic's own is "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_socket_is_named_with_its_cause() {
        let endpoint: Endpoint = "unix:/nowhere/c.sock".parse().unwrap();
        let error = endpoint.connect(Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot connect to unix:/nowhere/c.sock: No such file or directory (os error 2)");
    }
}
