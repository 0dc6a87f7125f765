//! Channels: HTTP/2 over a Unix socket or TCP.

use crate::endpoint::Endpoint;
use std::time::Duration;
use tonic::transport::{self, Channel};

/// How soon a peer that says nothing is held for lost: one that has stopped keeps its connections open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// A silent peer is asked for a sign of life this often.
    every: Duration,
    /// Without an answer for this long, the connection counts as broken.
    within: Duration,
}

impl Pulse {
    /// For whoever waits so long for a peer that is not there: a connection that has gone silent is seen to be broken in
    /// half of that, but for times in which a busy machine may not get to answer.
    pub fn of(patience: Duration) -> Self {
        let quarter = (patience / 4).max(Duration::from_millis(250));
        Self { every: quarter.min(Duration::from_secs(2)), within: quarter.min(Duration::from_secs(5)) }
    }

    /// So long a peer may have been silent when its connection counts as broken.
    pub fn silence(self) -> Duration {
        self.every + self.within
    }
}

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
    // tonic's builder for this endpoint: no delay, keepalive by pings.
    fn builder(&self, pulse: Pulse) -> Result<transport::Endpoint, Error> {
        let uri = match self {
            Self::Unix(path) => format!("unix:{path}"),
            Self::Tcp { host, port } => format!("http://{host}:{port}"),
        };
        let endpoint = transport::Endpoint::from_shared(uri).map_err(|error| self.error(innermost(&error)))?;
        Ok(endpoint
            .tcp_nodelay(true)
            .tcp_keepalive(Some(Duration::from_secs(10)))
            .http2_keep_alive_interval(pulse.every)
            .keep_alive_timeout(pulse.within)
            .keep_alive_while_idle(true))
    }

    /// A channel that is connected now, for who has a minute. It connects again by itself when it is used after a break.
    ///
    /// # Errors
    /// When there is no connection `within` this time.
    pub async fn connect(&self, within: Duration) -> Result<Channel, Error> {
        self.connect_with(within, Pulse::of(Duration::from_secs(60))).await
    }

    /// The same with a pulse of its own.
    ///
    /// # Errors
    /// The same ones.
    pub async fn connect_with(&self, within: Duration, pulse: Pulse) -> Result<Channel, Error> {
        let connected = tokio::time::timeout(within, self.builder(pulse)?.connect()).await;
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

    #[test]
    fn silence_is_seen_in_half_of_what_is_waited() {
        let secs = Duration::from_secs_f64;
        for patience in [1.0, 2.0, 5.0, 60.0] {
            assert!(Pulse::of(secs(patience)).silence() <= secs(patience) / 2, "{patience}");
        }
        assert_eq!((Pulse::of(secs(60.0)).silence(), Pulse::of(secs(0.1)).silence()), (secs(7.0), secs(0.5)));
    }

    #[tokio::test]
    async fn a_missing_socket_is_named_with_its_cause() {
        let endpoint: Endpoint = "unix:/nowhere/c.sock".parse().unwrap();
        let error = endpoint.connect(Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot connect to unix:/nowhere/c.sock: No such file or directory (os error 2)");
    }
}
