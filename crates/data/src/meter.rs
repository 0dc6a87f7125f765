//! How much of what is read from file systems that are spread over hosts lies on this very host. It is counted beside the
//! reading, by a thread that nobody waits for: what it cannot tell, or not in time, is counted as such.
//!
//! What is counted is where replicas are, not whom the file system's client took the bytes from: it prefers the nearest.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::{Error, Held, Location};
use tfcoord_types::holders::is_same_host;

/// What waits to be counted, at most.
const WAITING_MAX: usize = 1024;
/// So many bytes of a file are asked for at a time.
const WINDOW: u64 = 1 << 30;
/// Windows whose holders are kept; then they are asked for anew.
const WINDOWS_MAX: usize = 4096;

/// Where bytes that were read are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A replica is on this host.
    Local,
    /// All replicas are on others.
    Remote,
    /// It could not be told.
    Unknown,
}

/// Takes what was counted, in bytes.
pub type OnRead = Arc<dyn Fn(Source, u64) + Send + Sync>;

/// Counts what is read.
pub(crate) struct Meter {
    reads: SyncSender<Read>,
    on_read: OnRead,
}

struct Read {
    at: Location,
    bytes: Range<u64>,
}

impl Meter {
    /// For reads on `host`.
    pub fn start(systems: FileSystems, host: String, on_read: OnRead) -> io::Result<Self> {
        let (reads, receive) = sync_channel(WAITING_MAX);
        let ask = move |at: &Location, bytes| systems.get(at)?.held(at, bytes);
        let tell = Arc::clone(&on_read);
        std::thread::Builder::new().name("meter".into()).spawn(move || count(&receive, &host, ask, &*tell))?;
        Ok(Self { reads, on_read })
    }

    /// Counts the bytes of a file.
    pub fn read(&self, at: &Location, bytes: Range<u64>) {
        let length = bytes.end.saturating_sub(bytes.start);
        if self.reads.try_send(Read { at: at.clone(), bytes }).is_err() {
            (self.on_read)(Source::Unknown, length);
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}

// Ends with whoever reads.
fn count(
    reads: &Receiver<Read>,
    host: &str,
    ask: impl Fn(&Location, Range<u64>) -> Result<Vec<Held>, Error>,
    on_read: &dyn Fn(Source, u64),
) {
    let mut known: HashMap<(Location, u64), Vec<Held>> = HashMap::new();
    let mut said = false;
    for Read { at, bytes } in reads {
        let mut next = bytes.start;
        while next < bytes.end {
            let window = next / WINDOW;
            let start = window * WINDOW;
            let end = bytes.end.min(start.saturating_add(WINDOW));
            if known.len() >= WINDOWS_MAX {
                known.clear();
            }
            let held = known.entry((at.clone(), window)).or_insert_with(|| {
                ask(&at, start..start.saturating_add(WINDOW)).unwrap_or_else(|error| {
                    if !std::mem::replace(&mut said, true) {
                        tracing::warn!("it is not known which hosts hold what is read: {error}");
                    }
                    Vec::new()
                })
            });
            let (local, told) = common(held, host, &(next..end));
            for (source, bytes) in [(Source::Local, local), (Source::Remote, told - local), (Source::Unknown, end - next - told)] {
                if bytes > 0 {
                    on_read(source, bytes);
                }
            }
            next = end;
        }
    }
}

// How many of the bytes are on this host, and of how many it is told where they are.
fn common(held: &[Held], host: &str, bytes: &Range<u64>) -> (u64, u64) {
    let (mut local, mut told, mut next) = (0, 0, bytes.start);
    for Held { bytes: of, hosts } in held.iter().filter(|held| !held.hosts.is_empty()) {
        // In order, and each byte once.
        let (from, to) = (of.start.max(next), of.end.min(bytes.end));
        if from < to {
            told += to - from;
            next = to;
            if hosts.iter().any(|name| is_same_host(name, host)) {
                local += to - from;
            }
        }
    }
    (local, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::sync::mpsc::channel;
    use tfcoord_fs::storage::Problem;

    fn held(bytes: Range<u64>, hosts: &[&str]) -> Held {
        Held { bytes, hosts: hosts.iter().map(|host| (*host).to_owned()).collect() }
    }

    fn counted(reads: &[(&str, Range<u64>)], ask: impl Fn(&Location, Range<u64>) -> Result<Vec<Held>, Error>) -> Vec<(Source, u64)> {
        let (send, receive) = sync_channel(reads.len());
        for (at, bytes) in reads {
            send.send(Read { at: Location::parse(at, None).unwrap(), bytes: bytes.clone() }).unwrap();
        }
        drop(send);
        let sums = RefCell::new(BTreeMap::new());
        count(&receive, "here", ask, &|source, bytes| *sums.borrow_mut().entry(source).or_insert(0) += bytes);
        sums.into_inner().into_iter().collect()
    }

    #[test]
    fn bytes_are_counted_by_where_their_replicas_are() {
        let asked = RefCell::new(Vec::new());
        let ask = |at: &Location, bytes: Range<u64>| {
            asked.borrow_mut().push((at.to_string(), bytes.start));
            Ok(vec![held(0..100, &["there", "HERE.example.org"]), held(100..150, &["there"]), held(150..200, &[])])
        };
        let a = "hdfs://nn:1/a";
        let sums = counted(&[(a, 0..50), (a, 50..170), (a, 90..110), (a, 190..300)], ask);
        assert_eq!(sums, [(Source::Local, 110), (Source::Remote, 60), (Source::Unknown, 130)]);
        assert_eq!(asked.borrow().len(), 1, "{asked:?}");
    }

    #[test]
    fn large_files_are_asked_for_by_parts() {
        let asked = RefCell::new(Vec::new());
        let ask = |_: &Location, bytes: Range<u64>| {
            asked.borrow_mut().push(bytes.start / WINDOW);
            Ok(vec![held(bytes, &["here"])])
        };
        assert_eq!(counted(&[("hdfs://nn:1/a", WINDOW - 4..2 * WINDOW + 4)], ask), [(Source::Local, WINDOW + 8)]);
        assert_eq!(asked.into_inner(), [0, 1, 2]);
    }

    #[test]
    fn where_nobody_tells_it_is_unknown_and_reading_waits_for_nobody() {
        let failed = |at: &Location, _| {
            Err(Error { operation: "locate the blocks of", location: at.to_string(), access: None, problem: Problem::Missing })
        };
        assert_eq!(counted(&[("hdfs://nn:1/a", 0..9), ("hdfs://nn:1/b", 5..6)], failed), [(Source::Unknown, 10)]);

        let (reads, _waiting) = sync_channel(1);
        let (tell, told) = channel();
        let meter = Meter { reads, on_read: Arc::new(move |source, bytes| tell.send((source, bytes)).unwrap()) };
        let at = Location::parse("hdfs://nn:1/a", None).unwrap();
        meter.read(&at, 0..4);
        meter.read(&at, 4..9);
        assert_eq!(told.try_recv(), Ok((Source::Unknown, 5)));
    }
}
