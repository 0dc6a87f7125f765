//! A connection to one server.

use super::Client;
use super::stream::{CREDIT, GrpcEvents, GrpcPushes};
use crate::message::{Chunk, Malformed};
use crate::transport::{Connection, Error, Opened, Registration};
use std::sync::Arc;
use std::time::Duration;
use tfcoord_proto::v1;
use tfcoord_types::exchange::NEWEST;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{Generation, Incarnation, TaskId};
use tfcoord_types::layout::Layout;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Interceptor;
use tonic::{Code, Status};

/// A connection to one server.
#[derive(Debug, Clone)]
pub struct GrpcConnection<I> {
    pub(super) server: TaskId,
    pub(super) address: String,
    pub(super) job: String,
    pub(super) client: Client<I>,
    pub(super) patience: Duration,
}

impl<I> GrpcConnection<I> {
    /// Waits for a part of the answer to `call`, as long as the patience lasts.
    async fn answer<T>(&self, call: &'static str, part: impl Future<Output = Result<T, Status>>) -> Result<T, Error> {
        let silent = |_| Error::Silent { server: self.server, call, within_ms: self.patience.as_millis() };
        tokio::time::timeout(self.patience, part).await.map_err(silent)?.map_err(|status| failed(self.server, &status))
    }
}

impl<I: Interceptor + Clone + Send + Sync + 'static> Connection for GrpcConnection<I> {
    type Pushes = GrpcPushes;
    type Events = GrpcEvents;

    fn address(&self) -> &str {
        &self.address
    }

    async fn open(&self, registration: Registration) -> Result<Opened<GrpcPushes, GrpcEvents>, Error> {
        let (up, pushes) = mpsc::channel(CREDIT);
        let mut client = self.client.clone();
        let events = self.answer("push-pull", client.push_pull(ReceiverStream::new(pushes))).await?.into_inner();
        let Registration { generation, placement_epoch, incarnation, variables_digest, layout } = registration;
        let request = v1::RegisterVariablesRequest {
            job: self.job.clone(),
            generation: generation.0,
            placement_epoch,
            incarnation: incarnation.0,
            variables_digest: variables_digest.to_vec().into(),
        };
        let reply = self.answer("register", client.register_variables(request)).await?.into_inner();
        let (server, job) = (self.server, self.job.clone());
        Ok(Opened {
            incarnation: Incarnation(reply.incarnation),
            cursors: reply.cursors.into_iter().map(|cursor| (cursor.chunk, cursor.next_step)).collect(),
            pushes: GrpcPushes { server, job, layout: layout.clone(), up },
            events: GrpcEvents { server, layout, down: events },
        })
    }

    async fn pull(&self, layout: &Arc<Layout>, generation: Generation, version: u64, chunks: &[u32]) -> Result<Vec<Chunk>, Error> {
        let malformed = |source| Error::Malformed { server: self.server, source };
        let request = v1::PullRequest { job: self.job.clone(), generation: generation.0, version, chunks: chunks.to_vec() };
        let mut client = self.client.clone();
        // They come in the order asked for: what is missing is the next one.
        let gone = |error, chunk: u32| match error {
            Error::Failed { server, code: Code::NotFound, message } => Error::Gone { server, chunk, message },
            error => error,
        };
        let first = chunks.first().copied().unwrap_or_default();
        let mut stream = self.answer("pull", client.pull(request)).await.map_err(|error| gone(error, first))?.into_inner();
        let mut pulled = Vec::new();
        for &asked in chunks {
            let message = self.answer("pull", stream.message()).await.map_err(|error| gone(error, asked))?;
            let message = message.ok_or(Error::Ended { server: self.server })?;
            let chunk = Chunk::from_message(message, layout).map_err(malformed)?;
            let is_asked = chunk.version == version || version == NEWEST;
            if (chunk.generation, chunk.chunk) != (generation, asked) || !is_asked {
                return Err(malformed(Malformed::Place { chunk: chunk.chunk, slab: 0, offset: 0 }));
            }
            pulled.push(chunk);
        }
        Ok(pulled)
    }

    async fn curve(&self, generation: Generation, from_step: u64) -> Result<Vec<CurvePoint>, Error> {
        let request = v1::CurveRequest { job: self.job.clone(), generation: generation.0, from_step };
        let mut client = self.client.clone();
        let mut stream = self.answer("curve", client.curve(request)).await?.into_inner();
        let mut curve = Vec::new();
        while let Some(points) = self.answer("curve", stream.message()).await? {
            curve.extend(points.points.into_iter().map(CurvePoint::from));
        }
        Ok(curve)
    }
}

pub(super) fn failed(server: TaskId, status: &Status) -> Error {
    let message = status.message().to_owned();
    match status.code() {
        Code::FailedPrecondition => Error::NotYet { server, message },
        code => Error::Failed { server, code, message },
    }
}
