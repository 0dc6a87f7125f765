//! A parameter server that sends every push back as an updated chunk.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tfcoord_client::Bearer;
use tfcoord_exchange::serve::{self, Listener};
use tfcoord_exchange::{Chunk, Push, Registration, numbers};
use tfcoord_proto::v1;
use tfcoord_proto::v1::parameter_server_server::ParameterServer;
use tfcoord_proto::v1::push_pull_reply::Reply;
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::{Generation, Incarnation, TaskId};
use tfcoord_types::layout::Layout;
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::ServerAddress;
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::{TcpConnectInfo, UdsConnectInfo};
use tonic::{Request, Response, Status, Streaming};

pub const TOKEN: &str = "abcd";
/// A push of this step comes back with a flipped bit.
pub const DAMAGED: u64 = 1;
/// A push of this step comes back without its last number.
pub const SHORT: u64 = 2;
/// A push of this step is answered with nothing.
pub const EMPTY: u64 = 3;

fn variables() -> Vec<Variable> {
    let variable =
        Variable { name: "w".into(), shape: vec![(1 << 20) + 4], initializer: Initializer::Zeros, group: Group::Train, sync: None };
    vec![variable]
}

/// Two chunks: one of 4 MiB, one of 16 bytes.
pub fn layout() -> Layout {
    Layout::new(&variables(), 1 << 20).unwrap()
}

pub fn digest() -> [u8; 32] {
    tfcoord_proto::variables_digest(&variables())
}

pub fn registration() -> Registration {
    Registration {
        generation: Generation(1),
        placement_epoch: 1,
        incarnation: Incarnation(5),
        variables_digest: digest(),
        layout: Arc::new(layout()),
    }
}

pub struct Rote {
    pub address: ServerAddress,
    service: Arc<Service>,
    serving: tokio::task::AbortHandle,
    _dir: tempfile::TempDir,
}

impl Rote {
    pub async fn start(host: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let unix = UnixListener::bind(&socket).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = vec![format!("unix:{}", socket.display()), tcp.local_addr().unwrap().to_string()];
        let address = ServerAddress { task: TaskId::server(0), incarnation: Incarnation(2), addresses, host: host.into() };
        let service = Arc::new(Service::default());
        let guard = Bearer::new(TOKEN).unwrap().guard();
        let serving = serve::serve(vec![Listener::Unix(unix), Listener::Tcp(tcp)], service.clone(), guard, std::future::pending());
        Self { address, service, serving: tokio::spawn(serving).abort_handle(), _dir: dir }
    }

    /// From now on `call` is taken and not answered.
    pub fn ignore(&self, call: &'static str) {
        *self.service.ignored.lock().unwrap() = call;
    }

    /// How the last stream came.
    pub fn last_peer(&self) -> &'static str {
        *self.service.peer.lock().unwrap()
    }
}

impl Drop for Rote {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Default)]
struct Service {
    peer: Mutex<&'static str>,
    ignored: Mutex<&'static str>,
}

impl Service {
    async fn hear(&self, call: &str) {
        let ignored = *self.ignored.lock().unwrap() == call;
        if ignored {
            std::future::pending().await
        }
    }
}

type Down<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ParameterServer for Service {
    type PushPullStream = Down<v1::PushPullReply>;
    type PullStream = Down<v1::Chunk>;
    type NormsStream = Down<v1::NormScale>;
    type CurveStream = Down<v1::CurvePoints>;

    async fn register_variables(
        &self,
        request: Request<v1::RegisterVariablesRequest>,
    ) -> Result<Response<v1::RegisterVariablesReply>, Status> {
        self.hear("register").await;
        let request = request.into_inner();
        if request.generation != 1 {
            return Err(Status::failed_precondition("not yet"));
        }
        if request.variables_digest[..] != digest() {
            return Err(Status::invalid_argument("other variables"));
        }
        let cursors = (0..2).map(|chunk| v1::ChunkCursor { chunk, next_step: 0 }).collect();
        Ok(Response::new(v1::RegisterVariablesReply { incarnation: 2, cursors }))
    }

    async fn push_pull(&self, request: Request<Streaming<v1::Push>>) -> Result<Response<Self::PushPullStream>, Status> {
        self.hear("push-pull").await;
        let unix = request.extensions().get::<UdsConnectInfo>().is_some();
        assert!(unix || request.extensions().get::<TcpConnectInfo>().is_some());
        *self.peer.lock().unwrap() = if unix { "unix" } else { "tcp" };
        let replies = request.into_inner().map(|message| message.map(back)).map(|replies| match replies {
            Ok(replies) => replies.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(status) => vec![Err(status)],
        });
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            tokio::pin!(replies);
            while let Some(replies) = replies.next().await {
                for reply in replies {
                    if sender.send(reply).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))))
    }

    async fn pull(&self, request: Request<v1::PullRequest>) -> Result<Response<Self::PullStream>, Status> {
        let v1::PullRequest { generation, version, chunks, .. } = request.into_inner();
        if generation != 1 {
            return Err(Status::not_found("another generation"));
        }
        let message = move |chunk: u32| {
            let elements = usize::try_from(layout().chunks[chunk as usize].len).unwrap();
            let payload = numbers::to_bytes(&vec![0.5; elements]);
            Ok(Chunk { generation: Generation(generation), chunk, version, payload }.into_message())
        };
        // The first chunk comes in any case: a long answer may stop in its middle.
        let rest = *self.ignored.lock().unwrap() == "pull";
        let after = if rest { Box::pin(tokio_stream::pending()) as Self::PullStream } else { Box::pin(tokio_stream::empty()) };
        let sent = if rest { 1 } else { chunks.len() };
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks.into_iter().take(sent).map(message)).chain(after))))
    }

    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusReply>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn norms(&self, _: Request<Streaming<v1::NormsPart>>) -> Result<Response<Self::NormsStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn curve(&self, request: Request<v1::CurveRequest>) -> Result<Response<Self::CurveStream>, Status> {
        self.hear("curve").await;
        let from = request.into_inner().from_step;
        let points = |step| Ok(v1::CurvePoints { points: vec![v1::CurvePoint { step, ..v1::CurvePoint::default() }] });
        Ok(Response::new(Box::pin(tokio_stream::iter((from..from + 2).map(points)))))
    }
}

fn back(message: v1::Push) -> Vec<v1::PushPullReply> {
    let (push, place) = Push::from_message(message, "demo-1").unwrap();
    place.check(&push.payload, &layout()).unwrap();
    let reply = |reply| v1::PushPullReply { reply: Some(reply) };
    let answer = v1::PushAnswer {
        chunk: push.chunk,
        step: push.step,
        first_lane: push.block.first(),
        lanes: push.block.len(),
        generation: push.generation.0,
        answer: Some(Answer::Held.into()),
    };
    let mut chunk = Chunk { generation: push.generation, chunk: push.chunk, version: push.step + 1, payload: push.payload }.into_message();
    match push.step {
        DAMAGED => {
            let mut bytes = chunk.payload.to_vec();
            bytes[3] ^= 1;
            chunk.payload = bytes.into();
            vec![reply(Reply::Chunk(chunk))]
        }
        SHORT => {
            chunk.payload.truncate(12);
            vec![reply(Reply::Chunk(chunk))]
        }
        EMPTY => vec![v1::PushPullReply { reply: None }],
        _ => vec![reply(Reply::Answer(answer)), reply(Reply::Chunk(chunk))],
    }
}
