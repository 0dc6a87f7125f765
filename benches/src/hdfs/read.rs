//! Pictures: with the client library alone, and into batches.

use super::path;
use anyhow::ensure;
use bytes::Bytes;
use futures_util::StreamExt;
use hdfs_native::Client;
use serde_json::json;
use tfcoord_data::{Files, Order, Preprocessing, Reader, RecordBatch, prepare};
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::{Location, Placement, write_whole};
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::Manifest;
use tfcoord_types::plan::TrainPlan;

/// Bytes of a picture of 28 x 28.
pub const RECORD_BYTES: u32 = 28 * 28;
const BATCH: u32 = 256;

/// Writes so many pictures, and their labels.
pub fn put(systems: &FileSystems, root: &Location, records: u32) -> anyhow::Result<()> {
    let put = |name: &str, dimensions: &[u32]| {
        let mut header = vec![0, 0, 8, u8::try_from(dimensions.len()).unwrap_or(0)];
        header.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
        let whole = dimensions.iter().map(|size| u64::from(*size)).product::<u64>();
        // What labels may be, and as good as any for pictures.
        let piece = Bytes::from((0..4u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 30) as u8).collect::<Vec<_>>());
        write_whole(&*systems.get(root)?, &root.join(name), 0o644, Placement::Replace, &mut |writer| {
            writer.write(header.clone().into())?;
            let mut left = whole;
            while left > 0 {
                let length = left.min(piece.len() as u64);
                writer.write(piece.slice(..usize::try_from(length).unwrap_or(0)))?;
                left -= length;
            }
            Ok(())
        })
    };
    put("images", &[records, 28, 28])?;
    Ok(put("labels", &[records])?)
}

/// Reads the pictures and throws them away.
pub async fn alone(client: &Client, root: &Location) -> anyhow::Result<()> {
    let file = client.read(path(&root.join("images"))?).await?;
    let mut bytes = Box::pin(file.read_range_stream(0, file.file_length()));
    let mut length = 0;
    while let Some(piece) = bytes.next().await {
        length += piece?.len();
    }
    ensure!(length == file.file_length(), "{length} bytes were read");
    Ok(())
}

/// Reads them as a worker does: in order as it evaluates, or of four lanes in a shuffled epoch.
pub fn epoch(systems: &FileSystems, root: &Location, shuffle: bool) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let files = Files::new(systems.clone(), scratch.path());
    let manifest: Manifest = prepare(&job(root)?, &files)?;
    let mut reader = Reader::open(&Preprocessing::from(&manifest), &manifest.train, &files)?;
    let lanes = if shuffle { 4 } else { 1 };
    let plan = TrainPlan { records: reader.records(), batch_size: BATCH, micro_batches: lanes, epochs: 1 };
    let mut order = Order::new(&plan, 7, shuffle);
    let (mut batch, mut records) = (RecordBatch::default(), 0);
    for (step, lane) in (0..plan.steps()).flat_map(|step| (0..lanes).map(move |lane| (step, lane))) {
        let places = plan.micro_batch(step, lane);
        if let Some(next) = order.next_shard(0, places.start, plan.lane(lane).end) {
            reader.expect(next);
        }
        reader.read(&order.records(0, places), &mut batch)?;
        records += batch.len() as u64;
    }
    ensure!(records == plan.records, "{records} records were read");
    Ok(())
}

fn job(root: &Location) -> anyhow::Result<JobFile> {
    let at = |name: &str| root.join(name).to_string();
    Ok(serde_json::from_value(json!({
        "name": "read",
        "model": {"layers": [{"flatten": {}}, {"dense": {"units": 4}}], "loss": "softmax_cross_entropy"},
        "data": {"format": "idx", "train": {"images": at("images"), "labels": at("labels")}},
        "train": {"batch_size": BATCH, "epochs": 1, "optimizer": {"sgd": {"learning_rate": 0.1}}},
        "output": {"dir": "/nowhere"}
    }))?)
}
