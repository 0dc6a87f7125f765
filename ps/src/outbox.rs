//! What waits to be sent on one stream: bounded in bytes, so that a reader who is slow, or stopped, costs a bounded
//! amount of memory and nobody else's time.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;

/// What an item counts beside its payload.
const ITEM_BYTES: usize = 256;

/// The sender's end. It never waits. The stream ends once all of them are dropped.
#[derive(Debug)]
pub struct Outbox<T> {
    queue: mpsc::UnboundedSender<(usize, Result<T, Status>)>,
    waiting: Arc<AtomicUsize>,
}

// Not derived: that would ask for `T: Clone`.
impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), waiting: self.waiting.clone() }
    }
}

/// The stream's end.
#[derive(Debug)]
pub struct Outgoing<T> {
    queue: mpsc::UnboundedReceiver<(usize, Result<T, Status>)>,
    waiting: Arc<AtomicUsize>,
}

/// Why an item was not taken. The caller drops the outbox: what the reader misses it asks for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Too much is waiting; the stream ends with an error that says so.
    Full,
    /// The reader is gone.
    Gone,
}

/// Both ends.
pub fn outbox<T>() -> (Outbox<T>, Outgoing<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Outbox { queue: sender, waiting: waiting.clone() }, Outgoing { queue: receiver, waiting })
}

impl<T> Outbox<T> {
    /// Adds an item with a payload of `payload` bytes, unless more than `limit` bytes wait already.
    pub fn send(&self, item: T, payload: usize, limit: usize) -> Result<(), Refused> {
        let bytes = payload + ITEM_BYTES;
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if before > limit {
            self.fail(Status::resource_exhausted("this stream is read too slowly: connect again and pull"));
            return Err(Refused::Full);
        }
        self.queue.send((bytes, Ok(item))).map_err(|_| Refused::Gone)
    }

    /// Ends the stream with an error, behind what waits.
    pub fn fail(&self, status: Status) {
        // Nobody reads: nobody to be told.
        let _ = self.queue.send((0, Err(status)));
    }
}

impl<T> Stream for Outgoing<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.queue.poll_recv(context).map(|next| {
            next.map(|(bytes, item)| {
                self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                item
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_stream::StreamExt;

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let (outbox, mut outgoing) = outbox();
        let limit = 1000;
        let sent = (0..100).take_while(|item| outbox.send(*item, 500, limit).is_ok()).count();
        assert_eq!(sent, 2);
        for item in 0..2 {
            assert_eq!(outgoing.next().await.unwrap().unwrap(), item);
        }
        assert_eq!(outgoing.next().await.unwrap().unwrap_err().code(), tonic::Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn what_was_read_makes_room() {
        let (outbox, mut outgoing) = outbox();
        for item in 0..100 {
            assert_eq!(outbox.send(item, 500, 1000), Ok(()));
            assert_eq!(outgoing.next().await.unwrap().unwrap(), item);
        }
        drop(outgoing);
        assert_eq!(outbox.send(0, 0, 1000), Err(Refused::Gone));
    }
}
