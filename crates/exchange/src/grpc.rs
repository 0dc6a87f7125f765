//! The transport over tonic streams.

mod connection;
mod stream;

pub use connection::GrpcConnection;
pub use stream::{GrpcEvents, GrpcPushes};

use crate::transport::{Error, Transport};
use crate::{CONNECTION_WINDOW, FRAME, STREAM_WINDOW};
use std::time::Duration;
use tfcoord_proto::DATA_MESSAGE_BYTES_MAX;
use tfcoord_proto::v1::parameter_server_client::ParameterServerClient;
use tfcoord_types::view::ServerAddress;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

/// How long a server may be silent: see [`Grpc::patience`].
pub const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) type Client<I> = ParameterServerClient<InterceptedService<Channel, I>>;

/// gRPC over a server's Unix socket where the host is the same, else over TCP.
#[derive(Debug, Clone)]
pub struct Grpc<I> {
    /// Puts the job's token on every call.
    pub token: I,
    /// The job.
    pub job: String,
    /// The host this process runs on.
    pub host: String,
    /// How long a server may take to answer a call, or to send the next message of a long answer; and how long a
    /// connection may go without a sign of life from the other end, in use or not. [`PATIENCE`], but for tests.
    pub patience: Duration,
}

impl<I: Interceptor + Clone + Send + Sync + 'static> Transport for Grpc<I> {
    type Connection = GrpcConnection<I>;

    async fn connect(&self, server: &ServerAddress, within: Duration) -> Result<Self::Connection, Error> {
        let (client, address) = self.reach(server, within).await?;
        Ok(GrpcConnection { server: server.task, address, job: self.job.clone(), client, patience: self.patience })
    }
}

impl<I: Interceptor + Clone> Grpc<I> {
    /// The generated client, connected and tuned: for the calls between servers.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn client(&self, server: &ServerAddress, within: Duration) -> Result<Client<I>, Error> {
        self.reach(server, within).await.map(|(client, _)| client)
    }

    // The client, and by which address.
    async fn reach(&self, server: &ServerAddress, within: Duration) -> Result<(Client<I>, String), Error> {
        let mut causes = Vec::new();
        for address in server.addresses.iter().filter(|address| !address.starts_with("unix:") || server.host == self.host) {
            match tokio::time::timeout(within, connect(address, self.patience)).await {
                Ok(Ok(channel)) => {
                    let client = ParameterServerClient::with_interceptor(channel, self.token.clone());
                    let client = client.max_decoding_message_size(DATA_MESSAGE_BYTES_MAX);
                    return Ok((client.max_encoding_message_size(DATA_MESSAGE_BYTES_MAX), address.clone()));
                }
                Ok(Err(error)) => causes.push(format!("{address}: {}", innermost(&error))),
                Err(_) => causes.push(format!("{address}: no connection within {} ms", within.as_millis())),
            }
        }
        let causes = if causes.is_empty() { format!("no address is good on {}", self.host) } else { causes.join("; ") };
        Err(Error::Unreachable { server: server.task, causes })
    }
}

async fn connect(address: &str, patience: Duration) -> Result<Channel, tonic::transport::Error> {
    let uri = if address.starts_with("unix:") { address.to_owned() } else { format!("http://{address}") };
    let endpoint = Endpoint::from_shared(uri)?
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .http2_adaptive_window(false)
        // Half of it until the other end is asked, half for its answer.
        .http2_keep_alive_interval(patience / 2)
        .keep_alive_timeout(patience / 2)
        .keep_alive_while_idle(true);
    endpoint.connect().await
}

/// The text of the error that the others wrap: tonic's own is "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
