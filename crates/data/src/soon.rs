//! What of remote files will be wanted soon, and is fetched meanwhile: one piece at a time, on a thread of its own.

use crate::remote::Remote;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{OnceLock, Weak};
use std::thread;

/// Pieces that it fetches at the same time.
pub(crate) const AT_ONCE: usize = 1;

/// What will be wanted soon. Its thread begins with the first, and ends when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Soon(OnceLock<Option<Sender<Wanted>>>);

#[derive(Debug)]
struct Wanted {
    file: Weak<Remote>,
    pieces: Range<u64>,
}

impl Soon {
    /// Fetches `pieces` of `file`, behind what was asked for before. Nobody hears of errors: whoever reads there meets them.
    pub fn fetch(&self, file: Weak<Remote>, pieces: Range<u64>) {
        let sender = self.0.get_or_init(|| {
            let (sender, wanted) = channel();
            // Without a thread there is nothing ahead of time.
            thread::Builder::new().name("fetch".into()).spawn(move || run(&wanted)).ok().map(|_| sender)
        });
        if let Some(sender) = sender {
            let _ended = sender.send(Wanted { file, pieces });
        }
    }

    /// Whether nothing was ever asked for.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.0.get().is_none()
    }
}

fn run(wanted: &Receiver<Wanted>) {
    while let Ok(Wanted { file, pieces }) = wanted.recv() {
        for piece in pieces {
            // Closed meanwhile, or it will not go well for the others either.
            let Some(file) = file.upgrade() else { break };
            if file.fetch_alone(piece).is_err() {
                break;
            }
        }
    }
}
