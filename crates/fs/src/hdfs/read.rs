//! Reading a file, at a place or in order.

use super::call::{self, Patience, Repeat};
use super::{Link, status};
use crate::storage::{self, Error, Kind, Location, Pieces, Problem, Status, Stream};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream as Packets, StreamExt};
use hdfs_native::Client;
use hdfs_native::file::FileReader;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

// What is read ahead: this many batches, each of at most so many packets of 64 KiB: 8 MiB. The client itself holds up to
// 100 packets more.
const BATCHES: usize = 8;
const BATCH: usize = 16;

/// Opens `at`.
pub(super) fn open(link: &Arc<Link>, at: &Location) -> Result<Opened, Error> {
    let path = link.path("read", at)?;
    let remote = path.clone();
    let (reader, status) = call::call(link, "read", at, Repeat::Always, move |client, _| look(client, remote.clone()))?;
    Ok(Opened(Arc::new(Shared { link: Arc::clone(link), at: at.clone(), path, status, reader: Mutex::new(Arc::new(reader)) })))
}

// The reader knows the blocks and their length, the status when it was changed.
async fn look(client: Client, path: String) -> Result<(FileReader, Status), Problem> {
    let status = status(&client.get_file_info(&path).await?);
    if status.kind == Kind::Directory {
        return Err(Problem::NotAFile);
    }
    let reader = client.read(&path).await?;
    if reader.file_length() as u64 != status.length {
        return Err(Problem::Changed { was: status.length });
    }
    Ok((reader, status))
}

pub(super) struct Opened(Arc<Shared>);

struct Shared {
    link: Arc<Link>,
    at: Location,
    path: String,
    status: Status,
    // Replaced where its blocks have moved, or its tokens for them are too old.
    reader: Mutex<Arc<FileReader>>,
}

impl Shared {
    fn reader(&self) -> Arc<FileReader> {
        Arc::clone(&self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    // Asks again where the blocks are.
    async fn reopen(&self) -> Result<(), Problem> {
        let (reader, status) = call::answer(self.link.limits.answer, look(self.link.client.clone(), self.path.clone())).await?;
        if status != self.status {
            return Err(Problem::Changed { was: self.status.length });
        }
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(reader);
        Ok(())
    }

    fn failed(&self, problem: Problem) -> Error {
        self.link.error("read", &self.at, problem)
    }
}

impl storage::File for Opened {
    fn status(&self) -> Status {
        self.0.status
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        let end = self.0.status.length.min(offset.saturating_add(length as u64));
        let mut stream = self.stream(offset..end)?;
        let Some(first) = stream.next_piece()? else { return Ok(Bytes::new()) };
        if first.len() as u64 == end - offset {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity((end - offset) as usize);
        whole.extend_from_slice(&first);
        while let Some(piece) = stream.next_piece()? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    fn stream(&self, range: Range<u64>) -> Result<Stream, Error> {
        let end = range.end.min(self.0.status.length);
        let left = end.saturating_sub(range.start);
        let (send, receive) = channel();
        let room = Arc::new(Semaphore::new(BATCHES));
        let pump = Pump { file: Arc::clone(&self.0), next: range.start, end, send, room: Arc::clone(&room) };
        let runtime = call::runtime().map_err(|problem| self.0.failed(problem))?;
        let task = (left > 0).then(|| runtime.spawn(pump.run()).abort_handle());
        Ok(Stream::new(Box::new(InOrder { file: Arc::clone(&self.0), receive, room, ready: VecDeque::new(), left, task })))
    }
}

type Batch = Result<Vec<Bytes>, Error>;

/// Takes packets from DataNodes, as far ahead as there is room, and goes on behind the last where one fails.
struct Pump {
    file: Arc<Shared>,
    next: u64,
    end: u64,
    send: Sender<Batch>,
    room: Arc<Semaphore>,
}

impl Pump {
    async fn run(mut self) {
        let file = Arc::clone(&self.file);
        let mut patience = Patience::new(&file.link, "read", &file.at);
        let mut problem = self.packets(&mut patience).await;
        while let Some(cause) = problem {
            problem = match patience.pause(cause).await {
                Err(last) => {
                    // Whoever read may have gone.
                    let _ = self.send.send(Err(file.failed(last)));
                    return;
                }
                Ok(()) => match file.reopen().await {
                    Ok(()) => self.packets(&mut patience).await,
                    Err(problem) => Some(problem),
                },
            };
        }
    }

    // Until the end, or a problem.
    async fn packets(&mut self, patience: &mut Patience<'_>) -> Option<Problem> {
        let left = (self.end - self.next) as usize;
        let mut packets = Box::pin(self.file.reader().read_range_stream(self.next as usize, left));
        while self.next < self.end {
            // Never closed.
            self.room.acquire().await.ok()?.forget();
            let (batch, problem) = self.batch(&mut packets).await;
            let length: usize = batch.iter().map(Bytes::len).sum();
            if length == 0 {
                self.room.add_permits(1);
            } else {
                self.next += length as u64;
                patience.progress();
                // Nobody reads any more.
                self.send.send(Ok(batch)).ok()?;
            }
            if problem.is_some() {
                return problem;
            }
        }
        None
    }

    // Always a whole batch, where nothing is wrong: whoever reads is mostly faster, and would be woken for each packet.
    async fn batch<P>(&self, packets: &mut P) -> (Vec<Bytes>, Option<Problem>)
    where
        P: Packets<Item = hdfs_native::Result<Bytes>> + Unpin,
    {
        let answer = self.file.link.limits.answer;
        let mut batch = Vec::with_capacity(BATCH);
        let mut missing = (self.end - self.next) as usize;
        while missing > 0 && batch.len() < BATCH {
            let problem = match tokio::time::timeout(answer, packets.next()).await {
                Ok(Some(Ok(packet))) => {
                    missing = missing.saturating_sub(packet.len());
                    batch.push(packet);
                    continue;
                }
                Ok(Some(Err(error))) => error.into(),
                Ok(None) => Problem::Broken { detail: "fewer bytes than the file has".to_owned() },
                Err(_) => Problem::Deadline { after: answer },
            };
            return (batch, Some(problem));
        }
        (batch, None)
    }
}

struct InOrder {
    file: Arc<Shared>,
    receive: Receiver<Batch>,
    room: Arc<Semaphore>,
    ready: VecDeque<Bytes>,
    left: u64,
    task: Option<AbortHandle>,
}

impl Pieces for InOrder {
    fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while self.left > 0 {
            if let Some(piece) = self.ready.pop_front() {
                self.left = self.left.saturating_sub(piece.len() as u64);
                return Ok(Some(piece));
            }
            match self.batch() {
                Ok(batch) => self.ready.extend(batch.into_iter().filter(|piece| !piece.is_empty())),
                Err(error) => {
                    self.left = 0;
                    return Err(error);
                }
            }
        }
        Ok(None)
    }
}

impl InOrder {
    fn batch(&mut self) -> Batch {
        let limits = self.file.link.limits;
        // The pump's own limits end it earlier; this one is for threads that are blocked.
        let longest = limits.safe_mode.max(limits.broken) + 3 * limits.answer;
        let batch = self.receive.recv_timeout(longest).unwrap_or_else(|error| {
            Err(self.file.failed(match error {
                RecvTimeoutError::Timeout => Problem::Deadline { after: longest },
                RecvTimeoutError::Disconnected => Problem::Client { detail: "it panicked while reading".to_owned() },
            }))
        });
        self.room.add_permits(1);
        batch
    }
}

impl Drop for InOrder {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
