//! Checkpoints of a small model of two servers, whose bytes all tell where they belong.

use std::path::Path;
use tfcoord_checkpoint::{Directory, Error, FORMAT, Kind, Manifest, PartName, PartWriter, TensorHead, Want, commit, restore};
use tfcoord_fs::FileSystems;
use tfcoord_fs::hdfs::{Identity, Limits, Site};
use tfcoord_fs::storage::FileSystem;
use tfcoord_testkit::hadoop::Hadoop;
use tfcoord_types::checkpoint::PartFile;
use tfcoord_types::id::{CheckpointId, Generation, Incarnation, JobId};
use tfcoord_types::job::{Optimizer, Schedule, Sync, Train};
use tfcoord_types::layout::SEGMENT;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::variable::{Group, Initializer, Variable};

/// What a server holds, in elements: a little more than a block of 1 MiB.
pub const ELEMENTS: u64 = 66 * SEGMENT;

/// The file systems that a user reaches where there is no Kerberos.
pub fn systems(hadoop: &Hadoop, user: &str, limits: Limits) -> FileSystems {
    let site = Site::load(Some(&hadoop.conf_dir()), &|_| None).unwrap();
    FileSystems::of_site(site, Identity { user: Some(user.to_owned()), ..Identity::default() }, limits)
}

/// A directory below alice's home.
pub fn directory(hadoop: &Hadoop, systems: &FileSystems, name: &str) -> Directory {
    Directory::open(systems, &format!("{}/user/alice/{name}", hadoop.url())).unwrap_or_else(|error| panic!("{error}"))
}

pub fn id(step: u64) -> CheckpointId {
    CheckpointId { generation: Generation(1), step, attempt: 7 + step }
}

fn content(id: CheckpointId, offset: u64, elements: u64) -> Vec<u8> {
    let element = |n: u64| u32::try_from((n + id.step * 1_000_003) & 0xffff_ffff).unwrap().to_le_bytes();
    (offset..offset + elements).flat_map(element).collect()
}

/// Begins a part with everything but the last bytes of its first tensor, the last tensor first.
pub fn begun(dir: &Directory, scratch: &Path, id: CheckpointId, slot: u32) -> Result<PartWriter, Error> {
    let half = ELEMENTS / 2;
    let head = |offset| TensorHead { slab: 0, kind: Kind::Values, offset: u64::from(slot) * ELEMENTS + offset, bytes: half * 4 };
    let name = PartName { id, slot, incarnation: Incarnation(u64::from(slot) + 10) };
    let heads = [head(0), head(half)];
    let mut writer = PartWriter::begin(dir, scratch, name, &heads)?;
    writer.write(1, &content(id, heads[1].offset, half))?;
    writer.write(0, &content(id, heads[0].offset, half - 1))?;
    Ok(writer)
}

pub fn finished(mut writer: PartWriter, id: CheckpointId, slot: u32) -> Result<PartFile, Error> {
    writer.write(0, &content(id, u64::from(slot) * ELEMENTS + ELEMENTS / 2 - 1, 1))?;
    writer.finish()
}

pub fn manifest(id: CheckpointId, parts: Vec<PartFile>) -> Manifest {
    let variable = Variable {
        name: "w".into(),
        shape: vec![u32::try_from(2 * ELEMENTS).unwrap()],
        initializer: Initializer::Zeros,
        group: Group::Train,
        sync: None,
    };
    let train = Train {
        batch_size: 32,
        micro_batches: Some(2),
        epochs: 3,
        seed: 42,
        optimizer: Optimizer::Sgd { learning_rate: 0.1, weight_decay: 0.0 },
        schedule: Schedule::Constant,
        warm_up_steps: 0,
        clip_norm: None,
        sync: Sync::Bsp,
        groups: Vec::new(),
    };
    Manifest {
        format: FORMAT,
        id,
        job: JobId { name: "fashion".into(), number: 7 },
        saved_at_ms: 1_700_000_000_000,
        plan: TrainPlan { records: 1000, batch_size: 32, micro_batches: 2, epochs: 3 },
        train,
        origin: None,
        variables: vec![variable],
        chunk_elements: SEGMENT,
        kernel_path: "chains".into(),
        evaluations: vec![],
        parts,
    }
}

/// Writes both parts.
pub fn parts(dir: &Directory, id: CheckpointId) -> Result<Manifest, Error> {
    let scratch = tempfile::tempdir().unwrap();
    let write = |slot| finished(begun(dir, scratch.path(), id, slot)?, id, slot);
    Ok(manifest(id, vec![write(0)?, write(1)?]))
}

/// Writes and commits a whole checkpoint.
pub fn saved(dir: &Directory, id: CheckpointId) -> Manifest {
    let manifest = parts(dir, id).unwrap_or_else(|error| panic!("{error}"));
    commit(dir, &manifest).unwrap_or_else(|error| panic!("{error}"));
    manifest
}

/// Reads all of it. Panics if what it gets without an error is not what was saved.
pub fn restored(dir: &Directory, manifest: &Manifest) -> Result<(), Error> {
    // Neither begins nor ends where a tensor does.
    let (offset, elements) = (1000, 2 * ELEMENTS - 3000);
    let mut values = vec![0; usize::try_from(elements * 4).unwrap()];
    restore(dir, manifest, &mut [Want { slab: 0, offset, values: &mut values, first: None, second: None, counted: None }])?;
    assert!(values == content(manifest.id, offset, elements), "other bytes than were saved");
    Ok(())
}

pub fn names(systems: &FileSystems, dir: &Directory) -> Vec<String> {
    let system: std::sync::Arc<dyn FileSystem> = systems.get(dir.at()).unwrap();
    system.list(dir.at()).unwrap().into_iter().map(|entry| entry.name).collect()
}
