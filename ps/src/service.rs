//! The rpc service: everything is checked here as far as it can be alone, and asked of the holder.

mod receive;

use crate::ask::Ask;
use crate::outbox::{Outgoing, outbox};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use tfcoord_proto::v1;
use tfcoord_proto::v1::parameter_server_server::ParameterServer;
use tfcoord_types::id::Generation;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

/// Points of the curve in one message.
const POINTS: usize = 4096;

type Down<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service of one server.
#[derive(Debug)]
pub struct Service {
    job: String,
    asks: mpsc::Sender<Ask>,
    streams: AtomicU64,
}

impl Service {
    /// A service for `job` that asks on `asks`.
    pub fn new(job: String, asks: mpsc::Sender<Ask>) -> Self {
        Self { job, asks, streams: AtomicU64::new(1) }
    }

    fn check_job(&self, job: &str) -> Result<(), Status> {
        let other = || Status::invalid_argument(format!("this server is of job {}", self.job));
        (job == self.job).then_some(()).ok_or_else(other)
    }

    async fn ask(&self, ask: Ask) -> Result<(), Status> {
        self.asks.send(ask).await.map_err(|_| ending())
    }

    async fn answer<T>(&self, ask: impl FnOnce(oneshot::Sender<Result<T, Status>>) -> Ask) -> Result<T, Status> {
        let (reply, answer) = oneshot::channel();
        self.ask(ask(reply)).await?;
        answer.await.map_err(|_| ending())?
    }

    fn next_stream(&self) -> u64 {
        self.streams.fetch_add(1, Ordering::Relaxed)
    }
}

fn ending() -> Status {
    Status::unavailable("this server is ending")
}

#[tonic::async_trait]
impl ParameterServer for Service {
    type PushPullStream = Outgoing<v1::PushPullReply>;
    type PullStream = Down<v1::Chunk>;
    type NormsStream = Outgoing<v1::NormScale>;
    type CurveStream = Down<v1::CurvePoints>;

    async fn register_variables(
        &self,
        request: Request<v1::RegisterVariablesRequest>,
    ) -> Result<Response<v1::RegisterVariablesReply>, Status> {
        let request = request.into_inner();
        self.check_job(&request.job)?;
        self.answer(|reply| Ask::Register(request, reply)).await.map(Response::new)
    }

    // When the caller has the response's headers, the stream is among those that get every update.
    async fn push_pull(&self, request: Request<Streaming<v1::Push>>) -> Result<Response<Self::PushPullStream>, Status> {
        let stream = self.next_stream();
        let (outbox, outgoing) = outbox();
        self.ask(Ask::StreamBegan { stream, outbox: outbox.clone() }).await?;
        tokio::spawn(receive::pushes(self.job.clone(), stream, request.into_inner(), outbox, self.asks.clone()));
        Ok(Response::new(outgoing))
    }

    async fn pull(&self, request: Request<v1::PullRequest>) -> Result<Response<Self::PullStream>, Status> {
        let request = request.into_inner();
        self.check_job(&request.job)?;
        let (outbox, outgoing) = outbox();
        self.ask(Ask::Pull(request, outbox)).await?;
        Ok(Response::new(Box::pin(outgoing.map(|chunk| chunk.map(tfcoord_exchange::Chunk::into_message)))))
    }

    async fn status(&self, request: Request<v1::StatusRequest>) -> Result<Response<v1::StatusReply>, Status> {
        self.check_job(&request.into_inner().job)?;
        self.answer(Ask::Status).await.map(Response::new)
    }

    async fn norms(&self, request: Request<Streaming<v1::NormsPart>>) -> Result<Response<Self::NormsStream>, Status> {
        let stream = self.next_stream();
        let (outbox, outgoing) = outbox();
        tokio::spawn(receive::norms(self.job.clone(), stream, request.into_inner(), outbox, self.asks.clone()));
        Ok(Response::new(outgoing))
    }

    async fn curve(&self, request: Request<v1::CurveRequest>) -> Result<Response<Self::CurveStream>, Status> {
        let v1::CurveRequest { job, generation, from_step } = request.into_inner();
        self.check_job(&job)?;
        let points = self.answer(|reply| Ask::Curve { generation: Generation(generation), from_step, reply }).await?;
        let messages: Vec<_> =
            points.chunks(POINTS).map(|points| Ok(v1::CurvePoints { points: points.iter().copied().map(Into::into).collect() })).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }
}
