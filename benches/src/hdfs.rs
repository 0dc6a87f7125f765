//! What is done with an HDFS in a process of its own: Kerberos looks into the environment, which names site and user, and what one
//! way leaves in memory does not help the next one.

mod read;
mod write;

pub use read::RECORD_BYTES;
pub use write::CHUNK;

use clap::ValueEnum;
use hdfs_native::{Client, ClientBuilder};
use rustix::time::{ClockId, clock_gettime};
use std::time::Instant;
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::Location;

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Writes pictures and their labels.
    Put,
    /// Reads the pictures with the client library alone, which throws them away.
    ReadAlone,
    /// Reads them into batches, in order.
    ReadInOrder,
    /// The same, in an order of its own.
    ReadShuffled,
    /// Writes a file with the client library alone.
    WriteAlone,
    /// Writes a server's part of a checkpoint.
    WritePart,
}

/// Does it below `root`, with so many records, or chunks of a checkpoint. Seconds, and those of processors.
pub fn spend(way: Way, root: &str, count: u32) -> anyhow::Result<[f64; 2]> {
    let root = Location::parse(root, None)?;
    let systems = FileSystems::of_environment();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (began, used) = (Instant::now(), processor_s());
    match way {
        Way::Put => read::put(&systems, &root, count)?,
        Way::ReadAlone => runtime.block_on(read::alone(&client(&root)?, &root))?,
        Way::ReadInOrder => read::epoch(&systems, &root, false)?,
        Way::ReadShuffled => read::epoch(&systems, &root, true)?,
        Way::WriteAlone => runtime.block_on(write::alone(&client(&root)?, &root, count))?,
        Way::WritePart => write::part(&systems, &root, count)?,
    }
    let spent = [began.elapsed().as_secs_f64(), processor_s() - used];
    write::remove(&systems, &root)?;
    Ok(spent)
}

// As somebody uses it who has nothing else.
fn client(root: &Location) -> anyhow::Result<Client> {
    let Location::Remote(at) = root else { anyhow::bail!("{root} is not in HDFS") };
    let mut builder = ClientBuilder::new().with_url(root.to_string().trim_end_matches(at.path()));
    if let Ok(user) = std::env::var("HADOOP_USER_NAME") {
        builder = builder.with_user(user);
    }
    Ok(builder.build()?)
}

fn path(at: &Location) -> anyhow::Result<&str> {
    match at {
        Location::Remote(remote) => Ok(remote.path()),
        Location::Local(_) => anyhow::bail!("{at} is not in HDFS"),
    }
}

fn processor_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
