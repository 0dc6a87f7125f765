//! The link to one server: a task that connects, opens the exchange, and carries pushes up and events down.

use super::shell::Message;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_exchange::{Chunk, Connection, Error, Events, Opened, Push, Pushes, Registration, Transport};
use tfcoord_types::exchange::Answer;
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::{Generation, Incarnation};
use tfcoord_types::lane::Block;
use tfcoord_types::view::ServerAddress;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

#[cfg(test)]
mod tests;

/// How long one address may take to answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Where the curve goes.
pub type Curve = oneshot::Sender<Result<Vec<CurvePoint>, Error>>;

/// What a link is told.
pub enum Order {
    /// Send a sum.
    Push(Push),
    /// Ask for chunks at a version: one call.
    Pull {
        /// The chunks.
        chunks: Vec<u32>,
        /// The version.
        version: u64,
    },
    /// Ask for the whole curve.
    Curve(Curve),
}

/// What a link tells.
pub enum News {
    /// The exchange is open.
    Connected {
        /// The server that answered.
        incarnation: Incarnation,
        /// By which of its addresses.
        address: String,
        /// Its generation.
        generation: Generation,
        /// (chunk, next step).
        cursors: Vec<(u32, u64)>,
    },
    /// It is over, or could not be opened; nothing follows.
    Disconnected(Option<Error>),
    /// A chunk came.
    Chunk {
        /// Its generation.
        generation: Generation,
        /// The chunk.
        chunk: u32,
        /// Its version.
        version: u64,
        /// Its values.
        values: Bytes,
    },
    /// A chunk is not held at this version any more; those behind it in the same call were not sent.
    Gone {
        /// The generation asked for.
        generation: Generation,
        /// The chunk.
        chunk: u32,
        /// The version.
        version: u64,
    },
    /// A push was answered.
    Answer {
        /// Its generation.
        generation: Generation,
        /// Its chunk.
        chunk: u32,
        /// Its step.
        step: u64,
        /// Its lanes.
        block: Block,
        /// The answer.
        answer: Answer,
    },
}

/// The shell's end of a link; the link ends when this is dropped.
pub struct Link {
    /// Tells this link's news from those of an earlier one to the same server.
    pub serial: u64,
    /// Takes orders.
    pub orders: mpsc::UnboundedSender<Order>,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where a link's news go.
#[derive(Clone)]
struct Reports {
    slot: u32,
    serial: u64,
    to: mpsc::Sender<Message>,
}

impl Reports {
    // The shell is gone only when the process ends.
    async fn tell(&self, news: News) {
        let _ending = self.to.send(Message::Link { slot: self.slot, serial: self.serial, news }).await;
    }
}

/// Opens the link number `serial` to a server.
pub fn open<T: Transport>(
    transport: Arc<T>,
    (slot, serial): (u32, u64),
    server: ServerAddress,
    registration: Registration,
    to: mpsc::Sender<Message>,
) -> Link {
    let (orders, queue) = mpsc::unbounded_channel();
    let reports = Reports { slot, serial, to };
    let task = tokio::spawn(async move {
        let error = keep(&*transport, &server, registration, queue, &reports).await.err();
        reports.tell(News::Disconnected(error)).await;
    });
    Link { serial, orders, task: task.abort_handle() }
}

async fn keep<T: Transport>(
    transport: &T,
    server: &ServerAddress,
    registration: Registration,
    mut orders: mpsc::UnboundedReceiver<Order>,
    reports: &Reports,
) -> Result<(), Error> {
    let connection = Arc::new(transport.connect(server, CONNECT_WITHIN).await?);
    let generation = registration.generation;
    let Opened { incarnation, cursors, pushes, mut events } = connection.open(registration.clone()).await?;
    tfcoord_fault::point!("worker.link.open");
    let address = connection.address().to_owned();
    reports.tell(News::Connected { incarnation, address, generation, cursors: cursors.into_iter().collect() }).await;
    // Pushes wait for the transport's credit; events and pulls must not wait for them.
    let (push_to, push_queue) = mpsc::unbounded_channel();
    let pushing = send(pushes, push_queue);
    let reading = async {
        while let Some(event) = events.next().await? {
            reports.tell(news(event)).await;
        }
        Ok(())
    };
    let asking = async {
        while let Some(order) = orders.recv().await {
            match order {
                Order::Push(push) => {
                    let _over = push_to.send(push);
                }
                Order::Pull { chunks, version } => {
                    let (connection, registration, reports) = (connection.clone(), registration.clone(), reports.clone());
                    tokio::spawn(async move { pull(&*connection, &registration, &chunks, version, &reports).await });
                }
                Order::Curve(to) => {
                    let (connection, reports) = (connection.clone(), reports.clone());
                    tokio::spawn(async move { curve(&*connection, generation, to, &reports).await });
                }
            }
        }
        Ok(())
    };
    tokio::select! {
        over = reading => over,
        over = asking => over,
        error = pushing => Err(error),
    }
}

// Ends with the stream only: `reading` then says why.
async fn send(mut pushes: impl Pushes, mut queue: mpsc::UnboundedReceiver<Push>) -> Error {
    while let Some(push) = queue.recv().await {
        if let Err(error) = pushes.push(push).await {
            // What ended the stream is about to be read.
            tokio::time::sleep(CONNECT_WITHIN).await;
            return error;
        }
    }
    std::future::pending().await
}

async fn pull(connection: &impl Connection, registration: &Registration, chunks: &[u32], version: u64, reports: &Reports) {
    let generation = registration.generation;
    match connection.pull(&registration.layout, generation, version, chunks).await {
        Ok(pulled) => {
            for Chunk { generation, chunk, version, payload } in pulled {
                reports.tell(News::Chunk { generation, chunk, version, values: payload }).await;
            }
        }
        Err(Error::Gone { chunk, .. }) => reports.tell(News::Gone { generation, chunk, version }).await,
        Err(error) => reports.tell(News::Disconnected(Some(error))).await,
    }
}

async fn curve(connection: &impl Connection, generation: Generation, to: Curve, reports: &Reports) {
    let curve = connection.curve(generation, 0).await;
    // A server that is silent here will be so to the next call as well: on another connection it may not be.
    let silent = curve.as_ref().err().filter(|error| matches!(error, Error::Silent { .. })).cloned();
    let _asker_gone = to.send(curve);
    if silent.is_some() {
        reports.tell(News::Disconnected(silent)).await;
    }
}

fn news(event: tfcoord_exchange::Event) -> News {
    match event {
        tfcoord_exchange::Event::Chunk(chunk) => {
            News::Chunk { generation: chunk.generation, chunk: chunk.chunk, version: chunk.version, values: chunk.payload }
        }
        tfcoord_exchange::Event::Answer { generation, chunk, step, block, answer } => {
            News::Answer { generation, chunk, step, block, answer }
        }
    }
}
