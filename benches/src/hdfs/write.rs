//! As many bytes as a part of a checkpoint has: with the client library alone, and as one.

use super::path;
use bytes::Bytes;
use hdfs_native::{Client, WriteOptions};
use tfcoord_checkpoint::{Directory, Kind, PartName, PartWriter, TensorHead};
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::Location;
use tfcoord_types::id::{CheckpointId, Generation, Incarnation};

/// A chunk of parameters, as they are cut by default.
pub const CHUNK: u32 = 4 << 20;
/// What is written, below the root.
const DIR: &str = "bench";

/// Writes so many chunks in a loop.
pub async fn alone(client: &Client, root: &Location, chunks: u32) -> anyhow::Result<()> {
    let at = root.join(DIR).join("plain");
    let mut file = client.create(path(&at)?, WriteOptions::default().create_parent(true).overwrite(true)).await?;
    let chunk = Bytes::from(vec![7; CHUNK as usize]);
    for _ in 0..chunks {
        file.write_bytes(chunk.clone()).await?;
    }
    Ok(file.close().await?)
}

/// Writes a part of so many chunks, from the first one until it has its name.
pub fn part(systems: &FileSystems, root: &Location, chunks: u32) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let chunk = vec![7; CHUNK as usize];
    let head = |at: u32| TensorHead { slab: 0, kind: Kind::Values, offset: u64::from(at) * u64::from(CHUNK) / 4, bytes: u64::from(CHUNK) };
    let heads: Vec<TensorHead> = (0..chunks).map(head).collect();
    let id = CheckpointId { generation: Generation(1), step: 1, attempt: 1 };
    let dir = Directory::open(systems, &root.join(DIR).to_string())?;
    let mut writer = PartWriter::begin(&dir, scratch.path(), PartName { id, slot: 0, incarnation: Incarnation(1) }, &heads)?;
    (0..heads.len()).try_for_each(|place| writer.write(place, &chunk))?;
    writer.finish()?;
    Ok(())
}

/// Removes what was written.
pub fn remove(systems: &FileSystems, root: &Location) -> anyhow::Result<()> {
    systems.get(root)?.delete(&root.join(DIR))?;
    Ok(())
}
