//! The stream of norms from this server to the job's first one: kept up, opened again when it breaks.

use crate::ask::Ask;
use crate::outbox::outbox;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_client::{Backoff, Bearer};
use tfcoord_exchange::Grpc;
use tfcoord_proto::v1;
use tfcoord_types::view::{ServerAddress, TaskView};
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt;
use tonic::Status;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// The link of the server `slot`, which is not the first.
pub struct Link {
    /// How to reach servers.
    pub grpc: Grpc<Bearer>,
    /// This server's place among them.
    pub slot: u32,
    /// Names the first server.
    pub views: watch::Receiver<Arc<TaskView>>,
    /// The holder.
    pub asks: mpsc::Sender<Ask>,
}

impl Link {
    /// Runs until the holder or the session has ended.
    pub async fn keep(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1), u64::from(self.slot));
        loop {
            let Ok(first) = self.views.wait_for(|view| !view.servers.is_empty()).await.map(|view| view.servers[0].clone()) else { return };
            let status = self.exchange(&first, &mut backoff).await;
            if self.asks.send(Ask::Unlinked).await.is_err() {
                return;
            }
            tracing::debug!("no link to {}: {}", first.task, status.message());
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    /// Norms up, scales down; returns when the stream is over.
    async fn exchange(&self, first: &ServerAddress, backoff: &mut Backoff) -> Status {
        let mut client = match self.grpc.client(first, CONNECT_WITHIN).await {
            Ok(client) => client,
            Err(error) => return Status::unavailable(error.to_string()),
        };
        let (link, parts) = outbox();
        let (job, slot) = (self.grpc.job.clone(), self.slot);
        let named = move |part: v1::NormsPart| v1::NormsPart { job: job.clone(), server: slot, ..part };
        // An outbox that overflows ends with an error; here that is the stream's end.
        let parts = parts.map_while(Result::ok).map(named);
        let mut scales = match tokio::time::timeout(self.grpc.patience, client.norms(parts)).await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return status,
            Err(_) => return Status::deadline_exceeded("the first server has not answered"),
        };
        if self.asks.send(Ask::Linked(link)).await.is_err() {
            return Status::cancelled("this server is ending");
        }
        loop {
            match scales.message().await {
                Ok(Some(scale)) => {
                    backoff.reset();
                    if self.asks.send(Ask::Scale(scale)).await.is_err() {
                        return Status::cancelled("this server is ending");
                    }
                }
                Ok(None) => return Status::unavailable("the first server ended the stream"),
                Err(status) => return status,
            }
        }
    }
}
