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

/// A silent server is asked for a sign of life this often, and given as long to answer.
const PING_EVERY: Duration = Duration::from_secs(5);

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
}

impl<I: Interceptor + Clone + Send + Sync + 'static> Transport for Grpc<I> {
    type Connection = GrpcConnection<I>;

    async fn connect(&self, server: &ServerAddress, within: Duration) -> Result<Self::Connection, Error> {
        let client = self.client(server, within).await?;
        Ok(GrpcConnection { server: server.task, job: self.job.clone(), client })
    }
}

impl<I: Interceptor + Clone> Grpc<I> {
    /// The generated client, connected and tuned: for the calls between servers.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn client(&self, server: &ServerAddress, within: Duration) -> Result<Client<I>, Error> {
        let mut causes = Vec::new();
        for address in server.addresses.iter().filter(|address| !address.starts_with("unix:") || server.host == self.host) {
            match tokio::time::timeout(within, connect(address)).await {
                Ok(Ok(channel)) => {
                    let client = ParameterServerClient::with_interceptor(channel, self.token.clone());
                    let client = client.max_decoding_message_size(DATA_MESSAGE_BYTES_MAX);
                    return Ok(client.max_encoding_message_size(DATA_MESSAGE_BYTES_MAX));
                }
                Ok(Err(error)) => causes.push(format!("{address}: {}", innermost(&error))),
                Err(_) => causes.push(format!("{address}: no connection within {} ms", within.as_millis())),
            }
        }
        let causes = if causes.is_empty() { format!("no address is good on {}", self.host) } else { causes.join("; ") };
        Err(Error::Unreachable { server: server.task, causes })
    }
}

async fn connect(address: &str) -> Result<Channel, tonic::transport::Error> {
    let uri = if address.starts_with("unix:") { address.to_owned() } else { format!("http://{address}") };
    let endpoint = Endpoint::from_shared(uri)?
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .http2_adaptive_window(false)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
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
