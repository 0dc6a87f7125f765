//! Reading a large file from HDFS into batches, beside the client library alone, which throws away what it reads: an HDFS of this
//! machine, in each round one after the other. In order, as an evaluation reads; and as training does, each record by itself, in an
//! order of its own, through the scratch disk.

use crate::series::Series;
use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::StreamExt;
use hdfs_native::ClientBuilder;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::time::Instant;
use tfcoord_data::{Files, Order, Preprocessing, Reader, RecordBatch, prepare};
use tfcoord_fs::FileSystems;
use tfcoord_fs::hdfs::{Identity, Limits, Site};
use tfcoord_fs::storage::{Location, Placement, write_whole};
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::Manifest;
use tfcoord_types::plan::TrainPlan;

/// Pictures of 28 x 28: two gigabytes.
const RECORDS: u32 = 2_600_000;
const RECORD_BYTES: u32 = 28 * 28;
const BATCH: u32 = 256;
const GB: f64 = RECORDS as f64 * RECORD_BYTES as f64 / 1e9;
/// Nine tenths of the client's speed.
const BAR: f64 = 1.0 / 0.9;

use Way::{Alone, Ordered, Shuffled};

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Alone,
    Ordered,
    Shuffled,
}

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let form = Form { replication: 1, ..Form::new(Security::Simple) };
    let hadoop = Hadoop::start(form).context("there is no Hadoop here: run make setup")?;
    let site = Site::load(Some(&hadoop.conf_dir()), &|_| None)?;
    let systems = FileSystems::of_site(site, Identity { user: Some("alice".to_owned()), ..Identity::default() }, Limits::default());
    let root = Location::parse(&hadoop.url(), None)?.join("user/alice");
    write(&systems, &root)?;
    let ways = [(Alone, "the client alone"), (Ordered, "into batches, in order"), (Shuffled, "into batches, in an order of its own")];
    let mut seconds = ways.map(|(_, name)| Series::new(format!("{GB:.1} GB, {name}"), "s"));
    let mut busy = ways.map(|(_, name)| Series::new(format!("processor time, {name}"), "s/GB"));
    let mut ratios = [
        Series::new("in order, in times of the client alone", "").at_most(BAR),
        Series::new("in an order of its own, in times of the client alone", "").at_most(BAR),
    ];
    for _ in 0..rounds {
        let mut times = Vec::new();
        for (way, _) in ways {
            let (began, used) = (Instant::now(), processor_s());
            match way {
                Alone => alone(&hadoop, &root)?,
                _ => epoch(&systems, &root, way == Shuffled)?,
            }
            times.push((began.elapsed().as_secs_f64(), (processor_s() - used) / GB));
        }
        seconds.iter_mut().zip(&times).for_each(|(series, (time, _))| series.push(*time));
        busy.iter_mut().zip(&times).for_each(|(series, (_, used))| series.push(*used));
        ratios.iter_mut().zip(&times[1..]).for_each(|(series, (time, _))| series.push(time / times[0].0));
    }
    Ok(seconds.into_iter().chain(busy).chain(ratios).collect())
}

fn write(systems: &FileSystems, root: &Location) -> anyhow::Result<()> {
    let put = |name: &str, dimensions: &[u32]| {
        let mut header = vec![0, 0, 8, u8::try_from(dimensions.len()).unwrap_or(0)];
        header.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
        let mut left = dimensions.iter().map(|size| u64::from(*size)).product::<u64>();
        // What labels may be, and as good as any for pictures.
        let piece = Bytes::from((0..4u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 30) as u8).collect::<Vec<_>>());
        let whole = left;
        write_whole(&*systems.get(root)?, &root.join(name), 0o644, Placement::Replace, &mut |writer| {
            writer.write(header.clone().into())?;
            left = whole;
            while left > 0 {
                let length = left.min(piece.len() as u64);
                writer.write(piece.slice(..usize::try_from(length).unwrap_or(0)))?;
                left -= length;
            }
            Ok(())
        })
    };
    put("images", &[RECORDS, 28, 28])?;
    Ok(put("labels", &[RECORDS])?)
}

fn alone(hadoop: &Hadoop, root: &Location) -> anyhow::Result<()> {
    let Location::Remote(images) = root.join("images") else { unreachable!("it is in HDFS") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let conf = hadoop.conf_dir().display().to_string();
    let client = ClientBuilder::new().with_url(hadoop.url()).with_config_dir(conf).with_user("alice");
    let client = client.with_io_runtime(runtime.handle().clone()).build()?;
    runtime.block_on(async {
        let file = client.read(images.path()).await?;
        let mut bytes = Box::pin(file.read_range_stream(0, file.file_length()));
        let mut length = 0;
        while let Some(piece) = bytes.next().await {
            length += piece?.len();
        }
        ensure!(length == file.file_length(), "{length} bytes were read");
        Ok(())
    })
}

fn epoch(systems: &FileSystems, root: &Location, shuffle: bool) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let files = Files::new(systems.clone(), scratch.path());
    let manifest: Manifest = prepare(&job(root)?, &files)?;
    let mut reader = Reader::open(&Preprocessing::from(&manifest), &manifest.train, &files)?;
    let lanes = if shuffle { 4 } else { 1 };
    let plan = TrainPlan { records: reader.records(), batch_size: BATCH, micro_batches: lanes, epochs: 1 };
    let mut order = Order::new(&plan, 7, shuffle);
    let (mut batch, mut records) = (RecordBatch::default(), 0);
    for (step, lane) in (0..plan.steps()).flat_map(|step| (0..lanes).map(move |lane| (step, lane))) {
        reader.read(&order.records(0, plan.micro_batch(step, lane)), &mut batch)?;
        records += batch.len();
    }
    ensure!(records == RECORDS as usize, "{records} records were read");
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

// What this process has used; the servers are another one.
fn processor_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
