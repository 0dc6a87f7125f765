//! The server's end: one service on Unix sockets and TCP ports, with limits.

use crate::{CONNECTION_WINDOW, FRAME, STREAM_WINDOW};
use futures_util::FutureExt;
use futures_util::future::try_join_all;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_proto::DATA_MESSAGE_BYTES_MAX;
use tfcoord_proto::v1::parameter_server_server::{ParameterServer, ParameterServerServer};
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::transport::{Error, Server};

/// Streams of one connection: a worker needs a handful.
const STREAMS_MAX: u32 = 256;
/// Bytes of a request's headers.
const HEADERS_MAX: u32 = 16 << 10;
/// A silent peer is asked for a sign of life this often, and given as long to answer: what is kept for it is dropped.
const PING_EVERY: Duration = Duration::from_secs(10);

/// A socket that is bound and held.
#[derive(Debug)]
pub enum Listener {
    /// A Unix socket.
    Unix(UnixListener),
    /// A TCP port.
    Tcp(TcpListener),
}

/// Serves `service` on all `listeners` to callers that `guard` admits, until `stop` is ready and all open calls have
/// ended; the caller ends its streams.
///
/// # Errors
/// What tonic reports for a listener; single connections that fail are dropped.
pub async fn serve<S, G>(
    listeners: Vec<Listener>,
    service: Arc<S>,
    guard: G,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error>
where
    S: ParameterServer,
    G: Interceptor + Clone + Send + Sync + 'static,
{
    let stop = stop.boxed().shared();
    let serving = listeners.into_iter().map(|listener| {
        let (router, stop) = (router(service.clone(), guard.clone()), stop.clone());
        async move {
            match listener {
                Listener::Unix(listener) => router.serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop).await,
                Listener::Tcp(listener) => {
                    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                    router.serve_with_incoming_shutdown(incoming, stop).await
                }
            }
        }
    });
    try_join_all(serving).await.map(|_| ())
}

fn router<S, G>(service: Arc<S>, guard: G) -> Router
where
    S: ParameterServer,
    G: Interceptor + Clone + Send + Sync + 'static,
{
    let service = ParameterServerServer::from_arc(service);
    let service = service.max_decoding_message_size(DATA_MESSAGE_BYTES_MAX).max_encoding_message_size(DATA_MESSAGE_BYTES_MAX);
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .http2_adaptive_window(Some(false))
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADERS_MAX)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_EVERY))
        .add_service(InterceptedService::new(service, guard))
}
