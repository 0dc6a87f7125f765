//! A connection to one server.

use super::Client;
use super::stream::{CREDIT, GrpcEvents, GrpcPushes};
use crate::message::{Chunk, Malformed};
use crate::transport::{Connection, Error, Opened, Registration};
use std::sync::Arc;
use tfcoord_proto::v1;
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
    pub(super) job: String,
    pub(super) client: Client<I>,
}

impl<I: Interceptor + Clone + Send + Sync + 'static> Connection for GrpcConnection<I> {
    type Pushes = GrpcPushes;
    type Events = GrpcEvents;

    async fn open(&self, registration: Registration) -> Result<Opened<GrpcPushes, GrpcEvents>, Error> {
        let failed = |status| failed(self.server, &status);
        let (up, pushes) = mpsc::channel(CREDIT);
        let events = self.client.clone().push_pull(ReceiverStream::new(pushes)).await.map_err(failed)?.into_inner();
        let Registration { generation, placement_epoch, incarnation, variables_digest, layout } = registration;
        let request = v1::RegisterVariablesRequest {
            job: self.job.clone(),
            generation: generation.0,
            placement_epoch,
            incarnation: incarnation.0,
            variables_digest: variables_digest.to_vec().into(),
        };
        let reply = self.client.clone().register_variables(request).await.map_err(failed)?.into_inner();
        let (server, job) = (self.server, self.job.clone());
        Ok(Opened {
            incarnation: Incarnation(reply.incarnation),
            cursors: reply.cursors.into_iter().map(|cursor| (cursor.chunk, cursor.next_step)).collect(),
            pushes: GrpcPushes { server, job, layout: layout.clone(), up },
            events: GrpcEvents { server, layout, down: events },
        })
    }

    async fn pull(&self, layout: &Arc<Layout>, generation: Generation, version: u64, chunks: &[u32]) -> Result<Vec<Chunk>, Error> {
        let failed = |status| failed(self.server, &status);
        let malformed = |source| Error::Malformed { server: self.server, source };
        let request = v1::PullRequest { job: self.job.clone(), generation: generation.0, version, chunks: chunks.to_vec() };
        let mut stream = self.client.clone().pull(request).await.map_err(failed)?.into_inner();
        let mut pulled = Vec::new();
        for &asked in chunks {
            let message = stream.message().await.map_err(failed)?.ok_or(Error::Ended { server: self.server })?;
            let chunk = Chunk::from_message(message, layout).map_err(malformed)?;
            if (chunk.generation, chunk.chunk, chunk.version) != (generation, asked, version) {
                return Err(malformed(Malformed::Place { chunk: chunk.chunk, slab: 0, offset: 0 }));
            }
            pulled.push(chunk);
        }
        Ok(pulled)
    }

    async fn curve(&self, generation: Generation, from_step: u64) -> Result<Vec<CurvePoint>, Error> {
        let failed = |status| failed(self.server, &status);
        let request = v1::CurveRequest { job: self.job.clone(), generation: generation.0, from_step };
        let mut stream = self.client.clone().curve(request).await.map_err(failed)?.into_inner();
        let mut curve = Vec::new();
        while let Some(points) = stream.message().await.map_err(failed)? {
            curve.extend(points.points.into_iter().map(CurvePoint::from));
        }
        Ok(curve)
    }
}

pub(super) fn failed(server: TaskId, status: &Status) -> Error {
    let message = status.message().to_owned();
    match status.code() {
        Code::FailedPrecondition => Error::NotYet { server, message },
        Code::NotFound => Error::Gone { server, message },
        code => Error::Failed { server, code, message },
    }
}
