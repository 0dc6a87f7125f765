//! A server's part of a checkpoint, 1 GB, written to a real HDFS; and as many bytes in a plain loop over the same client, one after
//! the other in each round. HDFS is on this machine too, and takes most of it.

use crate::series::Series;
use anyhow::Context;
use bytes::Bytes;
use hdfs_native::{Client, ClientBuilder, WriteOptions};
use std::path::Path;
use std::time::Instant;
use tfcoord_checkpoint::{Directory, Kind, PartName, PartWriter, TensorHead};
use tfcoord_fs::FileSystems;
use tfcoord_fs::hdfs::{Identity, Limits, Site};
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_types::id::{CheckpointId, Generation, Incarnation};

const BYTES: u64 = 1 << 30;
/// A chunk of parameters, as they are cut by default.
const CHUNK: usize = 4 << 20;
const USER: &str = "alice";
/// A part is to have at least 0.9 of the loop's speed.
const RATIO_BAR: f64 = 1.0 / 0.9;

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    // What is missing was said.
    let Some(hadoop) = Hadoop::start(Form::new(Security::Simple)) else { return Ok(Vec::new()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let builder = ClientBuilder::new().with_url(hadoop.url()).with_user(USER);
    let client = builder.with_config_dir(hadoop.conf_dir().display().to_string()).build()?;
    let site = Site::load(Some(&hadoop.conf_dir()), &|_| None).map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let systems = FileSystems::of_site(site, Identity { user: Some(USER.to_owned()), ..Identity::default() }, Limits::default());
    let dir = Directory::open(&systems, &format!("{}/user/alice/bench", hadoop.url()))?;
    let scratch = tempfile::tempdir()?;

    let mut plain = Series::new("a plain loop writes 1 GB to HDFS", "s");
    let mut part = Series::new("a part of 1 GB is written to HDFS", "s");
    let mut ratio = Series::new("a part takes as long as the plain loop, times", "").at_most(RATIO_BAR);
    let mut plain_cpu = Series::new("processor time of the plain loop", "s/GB");
    let mut part_cpu = Series::new("processor time of a part", "s/GB");
    for round in 0..rounds {
        let (of_plain, cpu) = timed(|| runtime.block_on(in_a_loop(&client)))?;
        plain_cpu.push(cpu);
        let (of_part, cpu) = timed(|| as_a_part(&dir, scratch.path(), round))?;
        part_cpu.push(cpu);
        plain.push(of_plain);
        part.push(of_part);
        ratio.push(of_part / of_plain);
        runtime.block_on(client.delete("/user/alice/bench", true))?;
    }
    Ok(vec![plain, part, ratio, plain_cpu, part_cpu])
}

async fn in_a_loop(client: &Client) -> anyhow::Result<()> {
    let mut file = client.create("/user/alice/bench/plain", WriteOptions::default().create_parent(true).overwrite(true)).await?;
    let chunk = Bytes::from(vec![7; CHUNK]);
    for _ in 0..BYTES / CHUNK as u64 {
        file.write_bytes(chunk.clone()).await?;
    }
    Ok(file.close().await?)
}

fn as_a_part(dir: &Directory, scratch: &Path, round: u32) -> anyhow::Result<()> {
    let chunk = vec![7; CHUNK];
    let head = |at: u64| TensorHead { slab: 0, kind: Kind::Values, offset: at * CHUNK as u64 / 4, bytes: CHUNK as u64 };
    let heads: Vec<TensorHead> = (0..BYTES / CHUNK as u64).map(head).collect();
    let id = CheckpointId { generation: Generation(1), step: 1, attempt: u64::from(round) };
    let mut writer = PartWriter::begin(dir, scratch, PartName { id, slot: 0, incarnation: Incarnation(1) }, &heads)?;
    (0..heads.len()).try_for_each(|place| writer.write(place, &chunk))?;
    writer.finish()?;
    Ok(())
}

// Seconds by the clock, and of processors.
fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<(f64, f64)> {
    let (began, cpu) = (Instant::now(), processor_seconds()?);
    work()?;
    Ok((began.elapsed().as_secs_f64(), processor_seconds()? - cpu))
}

// proc(5): the 14th and 15th field, in ticks.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(") ").context("/proc/self/stat")?.1.split(' ').skip(11).take(2);
    let ticks: u64 = fields.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    #[expect(clippy::cast_precision_loss, reason = "ticks of one process")]
    let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Ok(seconds)
}
