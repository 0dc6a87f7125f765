//! A part on its way to HDFS, close behind whoever gathers it on this machine's disk. The disk keeps all of it until HDFS has
//! it: a file that must be begun anew is, and no chunk stays in memory for that.

use crate::directory::Directory;
use bytes::Bytes;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use tfcoord_fs::storage::{self, Location, Placement, Writer, write_whole};

/// Bytes that are handed over at once.
const PIECE: usize = 1 << 20;
/// So much must be there before the file is made in HDFS: where nothing comes for long, none lies open there.
const FIRST: u64 = 4 << 20;

/// A part on its way. Dropped before it is sent, it leaves nothing.
#[derive(Debug)]
pub(super) struct Outgoing {
    gathered: Arc<Gathered>,
    sender: Option<JoinHandle<Result<(), storage::Error>>>,
}

#[derive(Debug)]
struct Gathered {
    file: File,
    at: Location,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    // That many bytes are there, from the first one on.
    ready: u64,
    is_whole: bool,
    is_unwanted: bool,
}

impl Outgoing {
    /// Begins to send what is gathered in `file` as the part `at` of `dir`.
    pub fn begin(dir: &Directory, at: &Location, mode: u32, file: File) -> io::Result<Self> {
        let gathered = Arc::new(Gathered { file, at: at.clone(), state: Mutex::default(), changed: Condvar::new() });
        let (system, of_thread) = (Arc::clone(&dir.system), Arc::clone(&gathered));
        let send = move || {
            // An empty part is written too, once it is whole.
            if !of_thread.wait(FIRST - 1).is_unwanted {
                write_whole(&*system, &of_thread.at, mode, Placement::New, &mut |writer| of_thread.send(writer))?;
            }
            Ok(())
        };
        let sender = thread::Builder::new().name("checkpoint-hdfs".into()).spawn(send)?;
        Ok(Self { gathered, sender: Some(sender) })
    }

    /// Where it is gathered.
    pub fn file(&self) -> &File {
        &self.gathered.file
    }

    /// The bytes before `ready` are there.
    pub fn ready(&self, ready: u64) {
        self.gathered.change(|state| state.ready = ready);
    }

    /// Waits until all of it, which is there now, is in HDFS under its name.
    pub fn finish(&mut self) -> Result<(), storage::Error> {
        self.gathered.change(|state| state.is_whole = true);
        let Some(sender) = self.sender.take() else { return Ok(()) };
        sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Gathered {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    // Until more is there than the first `sent` bytes, or nothing more will be.
    fn wait(&self, sent: u64) -> State {
        let is_open = |state: &mut State| state.ready <= sent && !state.is_whole && !state.is_unwanted;
        *self.changed.wait_while(self.state(), is_open).unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, writer: &mut dyn Writer) -> Result<(), storage::Error> {
        let failed = |cause: io::Error| {
            let (operation, location) = ("copy from this machine's disk to", self.at.to_string());
            storage::Error { operation, location, access: None, problem: cause.into() }
        };
        // Nobody else reads or writes where the file's cursor stands.
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut sent = 0;
        loop {
            // Less than a piece at a time only at the end.
            let State { ready, is_whole, is_unwanted } = self.wait(sent + PIECE as u64 - 1);
            if is_unwanted {
                return Err(failed(ErrorKind::Interrupted.into()));
            }
            let length = (ready - sent).min(PIECE as u64);
            if length == 0 && is_whole {
                return Ok(());
            }
            let mut piece = Vec::with_capacity(PIECE);
            file.take(length).read_to_end(&mut piece).map_err(failed)?;
            if piece.len() as u64 != length {
                return Err(failed(ErrorKind::UnexpectedEof.into()));
            }
            writer.write(Bytes::from(piece))?;
            sent += length;
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // Nobody waits: what it still does ends by its own deadlines, and is removed.
        self.gathered.change(|state| state.is_unwanted = true);
    }
}

#[cfg(test)]
mod tests;
