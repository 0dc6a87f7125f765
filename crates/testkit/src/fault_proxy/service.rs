//! The proxy's service: every call goes on to the real server with its metadata; the streams are disturbed.

use super::{Disturbance, Disturber, Kill};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tfcoord_proto::v1;
use tfcoord_proto::v1::parameter_server_client::ParameterServerClient;
use tfcoord_proto::v1::parameter_server_server::{ParameterServer, ParameterServerServer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

/// How long a message may be held back when none follows.
const HELD_MS_MAX: u64 = 20;

struct Proxy {
    upstream: ParameterServerClient<Channel>,
    what: Disturbance,
    kill: Option<Arc<Kill>>,
    streams: AtomicU64,
}

/// Serves on `listener` for the server at `upstream` (`HOST:PORT`) until the process ends.
///
/// # Errors
/// If the upstream cannot be reached or serving fails.
pub async fn serve(listener: TcpListener, upstream: &str, what: Disturbance, kill: Option<Kill>) -> anyhow::Result<()> {
    let channel = Channel::from_shared(format!("http://{upstream}"))?.tcp_nodelay(true).connect().await?;
    let upstream = ParameterServerClient::new(channel)
        .max_decoding_message_size(tfcoord_proto::DATA_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(tfcoord_proto::DATA_MESSAGE_BYTES_MAX);
    let service = ParameterServerServer::new(Proxy { upstream, what, kill: kill.map(Arc::new), streams: AtomicU64::new(0) })
        .max_decoding_message_size(tfcoord_proto::DATA_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(tfcoord_proto::DATA_MESSAGE_BYTES_MAX);
    let incoming = TcpListenerStream::new(listener);
    Ok(Server::builder().tcp_nodelay(true).add_service(service).serve_with_incoming(incoming).await?)
}

type Replies<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

#[tonic::async_trait]
impl ParameterServer for Proxy {
    type PushPullStream = Replies<v1::PushPullReply>;
    type PullStream = Streaming<v1::Chunk>;
    type NormsStream = Streaming<v1::NormScale>;
    type CurveStream = Streaming<v1::CurvePoints>;

    async fn register_variables(
        &self,
        request: Request<v1::RegisterVariablesRequest>,
    ) -> Result<Response<v1::RegisterVariablesReply>, Status> {
        self.upstream.clone().register_variables(request).await
    }

    async fn push_pull(&self, request: Request<Streaming<v1::Push>>) -> Result<Response<Self::PushPullStream>, Status> {
        let number = self.streams.fetch_add(2, Ordering::Relaxed);
        let (metadata, extensions, pushes) = request.into_parts();
        let up = disturbed(pushes, Disturber::new(self.what, number));
        let down = Disturbance { replay: 0, reorder: 0, ..self.what };
        // An error of the worker's stream ends it; the server sees it end.
        let kill = self.kill.clone();
        let up = up.map_while(Result::ok).take_while(move |push| kill.as_ref().is_none_or(|k| k.lets_pass(push)));
        let forwarded = Request::from_parts(metadata, extensions, up);
        let replies = self.upstream.clone().push_pull(forwarded).await?;
        Ok(replies.map(|stream| Box::pin(disturbed(stream, Disturber::new(down, number + 1))) as Self::PushPullStream))
    }

    async fn pull(&self, request: Request<v1::PullRequest>) -> Result<Response<Self::PullStream>, Status> {
        self.upstream.clone().pull(request).await
    }

    async fn status(&self, request: Request<v1::StatusRequest>) -> Result<Response<v1::StatusReply>, Status> {
        self.upstream.clone().status(request).await
    }

    async fn norms(&self, request: Request<Streaming<v1::NormsPart>>) -> Result<Response<Self::NormsStream>, Status> {
        let number = self.streams.fetch_add(2, Ordering::Relaxed);
        let (metadata, extensions, parts) = request.into_parts();
        let up = disturbed(parts, Disturber::new(self.what, number)).map_while(Result::ok);
        self.upstream.clone().norms(Request::from_parts(metadata, extensions, up)).await
    }

    async fn curve(&self, request: Request<v1::CurveRequest>) -> Result<Response<Self::CurveStream>, Status> {
        self.upstream.clone().curve(request).await
    }
}

fn disturbed<M: Clone + Send + 'static>(
    mut from: Streaming<M>,
    mut disturber: Disturber<M>,
) -> impl Stream<Item = Result<M, Status>> + Send + 'static {
    let (to, stream) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let next = tokio::time::timeout(Duration::from_millis(HELD_MS_MAX), from.next()).await;
            let messages = match next {
                Ok(Some(Ok(message))) => disturber.pass(message),
                Ok(Some(Err(status))) => {
                    let _receiver_gone = to.send(Err(status)).await;
                    return;
                }
                Ok(None) => return,
                Err(_nothing_came) => disturber.release().into_iter().collect(),
            };
            for message in messages {
                if to.send(Ok(message)).await.is_err() {
                    return;
                }
            }
        }
    });
    ReceiverStream::new(stream)
}
