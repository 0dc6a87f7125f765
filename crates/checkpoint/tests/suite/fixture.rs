//! Checkpoints of a small model, whose elements all tell where they belong.

use crate::here::{begin, commit, curve, restore};
use std::path::Path;
use tfcoord_checkpoint::{Error, FORMAT, Kind, Manifest, PartName, TensorHead, Want};
use tfcoord_types::checkpoint::PartFile;
use tfcoord_types::figures::{CURVE_LEN, CURVE_VARIABLE, Counts};
use tfcoord_types::id::{CheckpointId, Generation, Incarnation, JobId};
use tfcoord_types::job::{Optimizer, Schedule, Sync, Train};
use tfcoord_types::layout::{Layout, SEGMENT};
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::Evaluation;

/// Points of the curve.
const POINTS: u64 = 500;

pub fn id(step: u64) -> CheckpointId {
    CheckpointId { generation: Generation(1), step, attempt: 7 + step }
}

pub fn variables() -> Vec<Variable> {
    let variable = |name: &str, shape: &[u32], group| Variable {
        name: name.into(),
        shape: shape.to_vec(),
        initializer: Initializer::Zeros,
        group,
        sync: None,
    };
    vec![
        variable("a/kernel", &[100, 130], Group::Train),
        variable("norm/mean", &[300], Group::Average { momentum: 0.9 }),
        variable("b/kernel", &[9000], Group::Train),
        variable(CURVE_VARIABLE, &[CURVE_LEN], Group::Curve),
    ]
}

/// What lies in the checkpoint `id`: the bytes of some elements.
pub fn content(id: CheckpointId, slab: u32, kind: Kind, offset: u64, elements: u64) -> Vec<u8> {
    let element = |n: u64| {
        let value = n * 64 + u64::from(slab) * 8 + kind as u64 * 2 + id.step * 1_000_003;
        u32::try_from(value & 0xffff_ffff).unwrap().to_le_bytes()
    };
    (offset..offset + elements).flat_map(element).collect()
}

/// What server `slot` of `servers` writes.
pub fn heads(segments: u64, slot: u32, servers: u32) -> Vec<TensorHead> {
    let layout = Layout::new(&variables(), segments * SEGMENT).unwrap();
    let mut heads = Vec::new();
    for (place, chunk) in (0u32..).zip(&layout.chunks).filter(|(place, _)| place % servers == slot) {
        let head = |kind, elements: u64| TensorHead { slab: chunk.slab, kind, offset: chunk.offset, bytes: elements * 4 };
        heads.push(head(Kind::Values, chunk.len));
        match layout.group(place) {
            Group::Train => heads.extend([head(Kind::First, chunk.len), head(Kind::Second, chunk.len)]),
            Group::Curve => heads.push(head(Kind::Curve, POINTS * u64::from(CURVE_LEN))),
            Group::Average { .. } | Group::Add => {}
        }
    }
    heads
}

pub fn write_part(dir: &Path, id: CheckpointId, slot: u32, heads: &[TensorHead]) -> Result<PartFile, Error> {
    let name = PartName { id, slot, incarnation: Incarnation(u64::from(slot) + 10) };
    let mut writer = begin(dir, name, heads)?;
    // The last one first.
    for (place, head) in heads.iter().enumerate().rev() {
        writer.write(place, &content(id, head.slab, head.kind, head.offset, head.bytes / 4))?;
    }
    writer.finish()
}

pub fn manifest(id: CheckpointId, segments: u64, parts: Vec<PartFile>) -> Manifest {
    let optimizer = Optimizer::Adam { learning_rate: 0.1, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0 };
    let train = Train {
        batch_size: 32,
        micro_batches: Some(2),
        epochs: 3,
        seed: 42,
        optimizer,
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
        variables: variables(),
        chunk_elements: segments * SEGMENT,
        kernel_path: "chains".into(),
        evaluations: vec![Evaluation {
            epoch: 1,
            step: 32,
            counts: Counts { records: 3, loss_sum_bits: 0.1f64.to_bits(), ..Counts::default() },
        }],
        parts,
    }
}

/// Writes all parts, as `servers` servers with chunks of `segments` segments.
pub fn parts(dir: &Path, id: CheckpointId, segments: u64, servers: u32) -> Result<Manifest, Error> {
    let write = |slot| write_part(dir, id, slot, &heads(segments, slot, servers));
    Ok(manifest(id, segments, (0..servers).map(write).collect::<Result<_, _>>()?))
}

/// Writes and commits a whole checkpoint.
pub fn saved(dir: &Path, id: CheckpointId, segments: u64, servers: u32) -> Manifest {
    let manifest = parts(dir, id, segments, servers).unwrap();
    commit(dir, &manifest).unwrap();
    manifest
}

/// Reads all of a checkpoint back, as a server that holds these runs of (slab, offset, elements). Panics if what it gets
/// without an error is not what was saved.
pub fn restored(dir: &Path, manifest: &Manifest, runs: &[(u32, u64, u64)]) -> Result<(), Error> {
    let bytes = |elements: u64| vec![0xaau8; usize::try_from(elements).unwrap() * 4];
    let mut buffers: Vec<[Vec<u8>; 3]> =
        runs.iter().map(|(_, _, elements)| [bytes(*elements), bytes(*elements), bytes(*elements)]).collect();
    let layout = Layout::new(&manifest.variables, manifest.chunk_elements).unwrap();
    let trained = |slab: u32| layout.slabs[slab as usize].group == Group::Train;
    let wants = buffers.iter_mut().zip(runs).map(|([values, first, second], (slab, offset, _))| Want {
        slab: *slab,
        offset: *offset,
        values,
        first: trained(*slab).then_some(first),
        second: trained(*slab).then_some(second),
        counted: None,
    });
    restore(dir, manifest, &mut wants.collect::<Vec<_>>())?;
    for ([values, first, second], (slab, offset, elements)) in buffers.iter().zip(runs) {
        let saved = |kind| content(manifest.id, *slab, kind, *offset, *elements);
        assert!(*values == saved(Kind::Values), "slab {slab} at {offset}");
        assert!(!trained(*slab) || (*first == saved(Kind::First) && *second == saved(Kind::Second)), "slots of slab {slab} at {offset}");
    }
    if let Some(points) = curve(dir, manifest)? {
        assert!(points == content(manifest.id, 2, Kind::Curve, 0, POINTS * 3));
    }
    Ok(())
}

/// Every element there is, by slab.
pub fn everything() -> Vec<(u32, u64, u64)> {
    vec![(0, 0, 22_000), (1, 0, 300), (2, 0, 3)]
}

pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
