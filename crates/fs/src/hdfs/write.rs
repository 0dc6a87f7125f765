//! Writing a file under a temporary name, and renaming.

use super::call::{self, Patience, Repeat, Started};
use super::{Link, status};
use crate::storage::{self, Create, Error, Location, Placement, Problem, Status};
use bytes::Bytes;
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, HdfsError, WriteOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

// At most so much is handed over at a time, so that the deadline is one for progress.
const PIECE: usize = 4 << 20;
// The largest block of a file that is begun anew, unless larger ones are usual.
const BLOCK_MAX: u64 = 4 << 30;

/// Begins to write `at`.
pub(super) fn create(link: &Arc<Link>, at: &Location, how: Create) -> Result<Writer, Error> {
    link.path("write", at)?;
    let Some((dir, name)) = at.parent().zip(at.name()) else { return Err(link.error("write", at, Problem::NotAFile)) };
    let stem = dir.join(&format!(".{name}.{}", std::process::id()));
    let path = link.path("write", &stem)?;
    let (file, ending, replicas) = call::call(link, "write", at, Repeat::Always, move |client, _| begin(client, path.clone(), how))?;
    let temp = dir.join(&format!(".{name}.{}{ending}", std::process::id()));
    tfcoord_fault::point!("hdfs.file.created");
    Ok(Writer { link: Arc::clone(link), at: at.clone(), temp, replicas, file: Some(File::Idle(Box::new(file))), named: false })
}

// The client gives a file up where the first DataNode of a new block is dead, and the NameNode goes on to name it for ten
// minutes. So a file that is begun anew gets fewer replicas, until it is whole, and every other time larger blocks: it meets
// fewer DataNodes. Not every time: no DataNode takes a block that has not all its room on one disk, and blocks of the
// tries before count as if they would still come.
//
// With what its temporary name ends, and how many replicas it is to have at last, where it begins with fewer.
type Begun = (FileWriter, String, Option<u32>);

async fn begin(client: Client, stem: String, how: Create) -> Result<Begun, Problem> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if how.begun > 0 {
        tokio::time::sleep(call::pause(how.begun + 1)).await;
    }
    let mut options = WriteOptions::default().permission(how.mode).create_parent(false);
    let mut replicas = None;
    loop {
        // Process ids repeat on other machines: a name is tried until it is new.
        let ending = format!("-{}.tmp", NEXT.fetch_add(1, Ordering::Relaxed));
        let temp = format!("{stem}{ending}");
        let file = match client.create(&temp, &options).await {
            Err(HdfsError::AlreadyExists(_)) => continue,
            created => created?,
        };
        if how.begun == 0 || replicas.is_some() {
            return Ok((file, ending, replicas));
        }
        // The first tells what is usual.
        let usual = client.get_file_info(&temp).await?;
        drop(file);
        client.delete(&temp, false).await?;
        let usual_replicas = usual.replication.unwrap_or(1).max(1);
        replicas = Some(usual_replicas);
        options = options.replication(usual_replicas.saturating_sub(how.begun).max(1));
        if how.begun % 2 == 1 {
            let larger = |bytes: u64| bytes.saturating_mul(1 << (2 + 2 * how.begun).min(12)).min(BLOCK_MAX.max(bytes));
            options.block_size = usual.blocksize.map(larger);
        }
    }
}

pub(super) struct Writer {
    link: Arc<Link>,
    at: Location,
    temp: Location,
    replicas: Option<u32>,
    // None once something failed.
    file: Option<File>,
    named: bool,
}

enum File {
    Idle(Box<FileWriter>),
    // A piece is on its way: whoever writes comes by the next one meanwhile.
    Writing(Started<Result<Box<FileWriter>, Problem>>),
}

impl storage::Writer for Writer {
    fn write(&mut self, mut piece: Bytes) -> Result<(), Error> {
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PIECE));
            let mut file = self.file()?;
            let begun = call::start(async move {
                file.write_bytes(part).await?;
                Ok(file)
            });
            self.file = Some(File::Writing(begun.map_err(|problem| self.failed(problem))?));
        }
        Ok(())
    }

    fn commit(mut self: Box<Self>, placement: Placement) -> Result<(), Error> {
        let mut file = self.file()?;
        let (client, temp, replicas) = (self.link.client.clone(), self.link.path("write", &self.temp)?, self.replicas);
        let work = async move {
            file.close().await?;
            if let Some(replicas) = replicas {
                client.set_replication(&temp, replicas).await?;
            }
            Ok(())
        };
        call::wait(self.link.limits.answer, work).and_then(|closed| closed).map_err(|problem| self.failed(problem))?;
        tfcoord_fault::point!("hdfs.file.closed");
        rename(&self.link, &self.temp, &self.at, placement)?;
        self.named = true;
        Ok(())
    }
}

impl Writer {
    // When all pieces up to now are written.
    fn file(&mut self) -> Result<Box<FileWriter>, Error> {
        match self.file.take() {
            Some(File::Idle(file)) => Ok(file),
            Some(File::Writing(piece)) => {
                let written = piece.wait(self.link.limits.answer).and_then(|written| written);
                tfcoord_fault::point!("hdfs.file.written");
                written.map_err(|problem| self.failed(problem))
            }
            None => Err(self.failed(Problem::Broken { detail: "an earlier part could not be written".to_owned() })),
        }
    }

    fn failed(&self, problem: Problem) -> Error {
        self.link.error("write", &self.at, problem)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.named {
            return;
        }
        // Nobody looks at the temporary name; where it cannot be removed it only takes room. Nobody waits for it either.
        if let (Ok(runtime), Ok(temp)) = (call::runtime(), self.link.path("remove", &self.temp)) {
            let (client, limit, file) = (self.link.client.clone(), self.link.limits.answer, self.file.take());
            runtime.spawn(async move {
                drop(file);
                let _ = tokio::time::timeout(limit, client.delete(&temp, false)).await;
            });
        }
    }
}

/// Gives `old` the name `new`, and where the answer was lost finds out whether it has it.
pub(super) fn rename(link: &Arc<Link>, old: &Location, new: &Location, placement: Placement) -> Result<(), Error> {
    let (from, to) = (link.path("rename", old)?, link.path("rename to", new)?);
    let looked = from.clone();
    let before = call::call(link, "rename", old, Repeat::Always, move |client, _| {
        let looked = looked.clone();
        async move { Ok(status(&client.get_file_info(&looked).await?)) }
    })?;
    let limits = link.limits;
    let longest = limits.safe_mode.max(limits.broken) + 3 * limits.answer;
    let renaming = renaming(Arc::clone(link), new.clone(), from, to, before, placement);
    call::wait(longest, renaming).and_then(|renamed| renamed).map_err(|problem| link.error("rename to", new, problem))?;
    tfcoord_fault::point!("hdfs.renamed");
    Ok(())
}

async fn renaming(link: Arc<Link>, at: Location, from: String, to: String, before: Status, placement: Placement) -> Result<(), Problem> {
    let replace = placement == Placement::Replace;
    let mut patience = Patience::new(&link, "rename to", &at);
    let mut lost = false;
    loop {
        let renamed = call::answer(link.limits.answer, async { Ok(link.client.rename(&from, &to, replace).await?) }).await;
        let Err(problem) = renamed else { return Ok(()) };
        let is_lost = matches!(problem, Problem::Broken { .. } | Problem::Deadline { .. });
        lost |= is_lost;
        let last = patience.pause(problem).await.err();
        if let Some(last) = last.as_ref().filter(|_| is_lost) {
            return Err(undecided(last));
        }
        // Also where this try was refused: an earlier one may have arrived late.
        if lost && is_renamed(&link, &from, &to, before).await.map_err(|problem| undecided(&problem))? {
            return Ok(());
        }
        if let Some(last) = last {
            return Err(last);
        }
    }
}

fn undecided(problem: &Problem) -> Problem {
    Problem::Undecided { detail: problem.to_string() }
}

// Nobody else knows the name `from`: once it is gone, and `to` is what it was, it was renamed.
async fn is_renamed(link: &Link, from: &str, to: &str, before: Status) -> Result<bool, Problem> {
    Ok(look(link, from).await?.is_none() && look(link, to).await? == Some(before))
}

async fn look(link: &Link, path: &str) -> Result<Option<Status>, Problem> {
    match call::answer(link.limits.answer, async { Ok(link.client.get_file_info(path).await?) }).await {
        Ok(found) => Ok(Some(status(&found))),
        Err(Problem::Missing) => Ok(None),
        Err(problem) => Err(problem),
    }
}
