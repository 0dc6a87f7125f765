//! Writing a file under a temporary name, and renaming.

use super::call::{self, Patience, Repeat};
use super::{Link, status};
use crate::storage::{self, Create, Error, Location, Placement, Problem, Status};
use bytes::Bytes;
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, HdfsError, WriteOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

// At most so much is handed over at a time, so that the deadline is one for progress.
const PIECE: usize = 4 << 20;

/// Begins to write `at`.
pub(super) fn create(link: &Arc<Link>, at: &Location, how: Create) -> Result<Writer, Error> {
    let path = link.path("write", at)?;
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
    if name.is_empty() {
        return Err(link.error("write", at, Problem::NotAFile));
    }
    let stem = format!("{dir}/.{name}.{}", std::process::id());
    let (file, temp, replicas) = call::call(link, "write", at, Repeat::Always, move |client, _| begin(client, stem.clone(), how))?;
    Ok(Writer { link: Arc::clone(link), at: at.clone(), path, temp, replicas, file: Some(file), named: false })
}

// How many replicas it is to have at last, where it begins with fewer.
type Begun = (FileWriter, String, Option<u32>);

async fn begin(client: Client, stem: String, how: Create) -> Result<Begun, Problem> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if how.begun > 0 {
        tokio::time::sleep(call::pause(how.begun + 1)).await;
    }
    let mut options = WriteOptions::default().permission(how.mode).create_parent(false);
    loop {
        // Process ids repeat on other machines: a name is tried until it is new.
        let temp = format!("{stem}-{}.tmp", NEXT.fetch_add(1, Ordering::Relaxed));
        let file = match client.create(&temp, &options).await {
            Err(HdfsError::AlreadyExists(_)) => continue,
            created => created?,
        };
        if how.begun == 0 || options.replication.is_some() {
            return Ok((file, temp, options.replication.map(|fewer| fewer + how.begun)));
        }
        let usual = client.get_file_info(&temp).await?.replication.unwrap_or(1);
        let fewer = usual.saturating_sub(how.begun).max(1);
        if fewer == usual {
            return Ok((file, temp, None));
        }
        drop(file);
        client.delete(&temp, false).await?;
        options.replication = Some(fewer);
    }
}

pub(super) struct Writer {
    link: Arc<Link>,
    at: Location,
    path: String,
    temp: String,
    replicas: Option<u32>,
    // None once something failed.
    file: Option<FileWriter>,
    named: bool,
}

impl storage::Writer for Writer {
    fn write(&mut self, mut piece: Bytes) -> Result<(), Error> {
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PIECE));
            let mut file = self.file()?;
            let work = async move {
                file.write_bytes(part).await?;
                Ok::<_, Problem>(file)
            };
            let written = call::wait(self.link.limits.answer, work).and_then(|written| written);
            self.file = Some(written.map_err(|problem| self.failed(problem))?);
        }
        Ok(())
    }

    fn commit(mut self: Box<Self>, placement: Placement) -> Result<(), Error> {
        let mut file = self.file()?;
        let (client, temp, replicas) = (self.link.client.clone(), self.temp.clone(), self.replicas);
        let work = async move {
            file.close().await?;
            if let Some(replicas) = replicas {
                client.set_replication(&temp, replicas).await?;
            }
            Ok(())
        };
        call::wait(self.link.limits.answer, work).and_then(|closed| closed).map_err(|problem| self.failed(problem))?;
        rename(&self.link, &self.at, self.temp.clone(), self.path.clone(), placement)?;
        self.named = true;
        Ok(())
    }
}

impl Writer {
    fn file(&mut self) -> Result<FileWriter, Error> {
        let broken = || Problem::Broken { detail: "an earlier part could not be written".to_owned() };
        self.file.take().ok_or_else(|| self.link.error("write", &self.at, broken()))
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
        if let Ok(runtime) = call::runtime() {
            let (client, temp, limit, file) = (self.link.client.clone(), self.temp.clone(), self.link.limits.answer, self.file.take());
            runtime.spawn(async move {
                drop(file);
                let _ = tokio::time::timeout(limit, client.delete(&temp, false)).await;
            });
        }
    }
}

/// Gives `from` the name `to`, and where the answer was lost finds out whether it has it.
pub(super) fn rename(link: &Arc<Link>, at: &Location, from: String, to: String, placement: Placement) -> Result<(), Error> {
    let replace = placement == Placement::Replace;
    let before = {
        let from = from.clone();
        call::call(link, "rename to", at, Repeat::Always, move |client, _| {
            let from = from.clone();
            async move { Ok(status(&client.get_file_info(&from).await?)) }
        })?
    };
    let limits = link.limits;
    let longest = limits.safe_mode.max(limits.broken) + 3 * limits.answer;
    let work = {
        let (link, at) = (Arc::clone(link), at.clone());
        async move {
            let mut patience = Patience::new(&link, "rename to", &at);
            loop {
                let renaming = async { Ok(link.client.rename(&from, &to, replace).await?) };
                let problem = match call::answer(limits.answer, renaming).await {
                    Ok(()) => return Ok(()),
                    Err(problem) => problem,
                };
                let lost = matches!(problem, Problem::Broken { .. } | Problem::Deadline { .. });
                patience.pause(problem).await.map_err(|last| if lost { undecided(&last) } else { last })?;
                if lost && renamed(&link, &from, &to, before).await.map_err(|problem| undecided(&problem))? {
                    return Ok(());
                }
            }
        }
    };
    call::wait(longest, work).and_then(|renamed| renamed).map_err(|problem| link.error("rename to", at, problem))
}

fn undecided(problem: &Problem) -> Problem {
    Problem::Undecided { detail: problem.to_string() }
}

// The name `from` is nobody else's: once it is gone and `to` is what it was, it was renamed.
async fn renamed(link: &Arc<Link>, from: &str, to: &str, before: Status) -> Result<bool, Problem> {
    let look = |path: String| async move {
        match call::answer(link.limits.answer, async { Ok(link.client.get_file_info(&path).await?) }).await {
            Ok(found) => Ok(Some(status(&found))),
            Err(Problem::Missing) => Ok(None),
            Err(problem) => Err(problem),
        }
    };
    Ok(look(from.to_owned()).await?.is_none() && look(to.to_owned()).await? == Some(before))
}
